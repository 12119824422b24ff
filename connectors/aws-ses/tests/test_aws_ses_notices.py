"""Notices that are about no email, on every way in; messages that cannot be read; and bare
addresses of recipients.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from jackfield.connector import Malformed, Since
from jackfield_aws_ses.events.envelopes import events_of_text
from jackfield_aws_ses.events.notices import warn_once
from jackfield_aws_ses.events.receipts import mail_of_text
from jackfield_aws_ses.events.values import addresses
from jackfield_aws_ses.events.watching import QueueWatch, mail_queue

_TOPIC = "arn:aws:sns:eu-west-1:123456789012:t"
_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/q"
_ABOUT = (
    "You have successfully subscribed your Amazon SNS topic 'arn:aws:sns:eu-west-1:1:t' to "
    "receive '{}' notifications from Amazon SES."
)


def _bus(kind: str, detail: Any = None, **more: Any) -> dict[str, Any]:
    """An event of EventBridge (Amazon EventBridge events reference, Amazon Simple Email Service
    events).
    """
    return {
        "version": "0",
        "id": "e-1",
        "detail-type": kind,
        "source": "aws.ses",
        "account": "123456789012",
        "region": "eu-west-1",
        "time": "2026-05-01T10:00:00Z",
        "resources": ["arn:aws:ses:eu-west-1:123456789012:tenant/acme/tn-1"],
        "detail": {"version": "1.0.0", "data": {}} if detail is None else detail,
        **more,
    }


def _sns(kind: str, message: str = "m") -> dict[str, Any]:
    """A message of SNS as it lies in a queue (SNS developer guide, parsing message formats)."""
    return {
        "Type": kind,
        "MessageId": "id-1",
        "Token": "t-0",
        "TopicArn": _TOPIC,
        "Message": message,
        "SubscribeURL": "https://sns/?Token=t-0",
        "Timestamp": "2026-05-01T10:00:00.000Z",
        "SignatureVersion": "1",
        "Signature": "x",
        "SigningCertURL": "https://sns/x.pem",
    }


_CAUSE = {
    "version": "1.0.0",
    "data": {"origin": "POLICY", "record": {"status": "DISABLED", "cause": "HIGH\nbounce rate"}},
}
_QUIET: dict[str, Any] = {
    **{
        f"topic of an identity, {kind}": {
            "notificationType": "AmazonSnsSubscriptionSucceeded",
            "message": _ABOUT.format(kind),
        }
        for kind in ("Bounce", "Complaint", "Delivery", "Received")
    },
    "event destination": "Successfully validated SNS topic for Amazon SES event publishing.",
    "event destination, with a line break": "Successfully validated SNS topic for Amazon SES event publishing.\n",
    "sending again": _bus("Sending Status Enabled"),
    "recommendation resolved": _bus("Advisor Recommendation Status Resolved"),
    "recommendation closed": _bus("Advisor Recommendation Status Closed"),
    "call in CloudTrail": _bus(
        "AWS API Call via CloudTrail",
        {"eventSource": "ses.amazonaws.com", "eventName": "SendEmail"},
    ),
    "kind that SES adds": _bus("Dedicated IP Warmed Up"),
    "bucket": {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": "2026-05-01T10:00:00.000Z",
        "Bucket": "b",
        "RequestId": "r",
    },
    "alarm that ends": {"AlarmName": "bounces", "NewStateValue": "OK", "OldStateValue": "ALARM"},
}
"""Notices that nobody must act on."""
_LOUD: dict[str, tuple[Any, str]] = {
    "sending stops": (
        _bus("Sending Status Disabled", _CAUSE),
        "acme/tn-1 in eu-west-1 (2026-05-01T10:00:00Z), because of: HIGH bounce",
    ),
    "recommendation": (
        _bus("Advisor Recommendation Status Open", {"data": {"type": "DKIM"}}),
        "because of: type DKIM",
    ),
    "account": (_bus("Sending Status Disabled", resources=[]), "the account 123456789012"),
    "alarm": (
        {"AlarmName": "bounces", "NewStateValue": "ALARM", "NewStateReason": "too\x1b many"},
        "'bounces' is in the state ALARM",
    ),
}
"""Notices with what the log says to an operator."""
_IN_QUEUES: dict[str, tuple[Any, str]] = {
    "subscription asks": (
        _sns("SubscriptionConfirmation", "You have chosen to subscribe to the topic"),
        "needs no confirmation",
    ),
    "subscription ends": (
        _sns("UnsubscribeConfirmation", "You have chosen to deactivate"),
        "subscribe the queue again",
    ),
}
_MALFORMED = [
    "not JSON",
    "",
    "[]",
    "1",
    '"text"',
    "{}",
    '{"Records": []}',
    '{"notificationType": "Bounce"}',
    '{"eventType": "Bounce", "mail": {}}',
    json.dumps({**_bus("Object Created"), "source": "aws.s3"}),
    json.dumps(_bus("Email Bounced", {"mail": {}})),
    '{"Type": "SubscriptionConfirmation"}',
    '{"notificationType": "AmazonSnsSubscriptionSucceeded", "mail": {}}',
]


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    warn_once.cache_clear()
    yield
    warn_once.cache_clear()


def _text(found: Any) -> str:
    return found if isinstance(found, str) else json.dumps(found)


@pytest.mark.parametrize(
    "found", [*_QUIET.values(), *(one for one, _ in _LOUD.values())], ids=[*_QUIET, *_LOUD]
)
def test_a_notice_makes_no_event_in_a_webhook(found: Any) -> None:
    """Neither of what is sent nor of what is received: SNS gets 200, and does not send it again."""
    assert events_of_text(_text(found)) == []
    assert mail_of_text(_text(found)) == []


@pytest.mark.parametrize("text", _MALFORMED)
def test_what_cannot_be_read_is_malformed(text: str) -> None:
    """No part of a notice makes a record of something else one."""
    with pytest.raises(Malformed):
        events_of_text(text)


@pytest.mark.parametrize(
    ("found", "said"), [*_LOUD.values(), *_IN_QUEUES.values()], ids=[*_LOUD, *_IN_QUEUES]
)
def test_an_operator_is_told_once(found: Any, said: str, caplog: pytest.LogCaptureFixture) -> None:
    """However often it is delivered, one line says what to do; it is one line, and has no token."""
    queue = _Queue([json.dumps(found)] * 3)
    assert _poll(queue).events == []
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 1
    assert said in lines[0]
    assert lines[0].isprintable()
    assert "t-0" not in lines[0]


def test_nobody_is_told_what_asks_for_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Notices that only confirm something leave no warning."""
    _poll(_Queue([_text(found) for found in _QUIET.values()][:10]))
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


class _Queue:
    """SQS with one queue. ``tries`` is how often each message was received, ``dead`` what it has as
    a redrive policy.
    """

    def __init__(
        self, bodies: list[str], tries: int = 1, dead: dict[str, str] | ClientError | None = None
    ) -> None:
        self._bodies = bodies
        self._tries = tries
        self._dead = dead
        self.deleted: list[str] = []

    def receive_message(self, **asked: Any) -> dict[str, Any]:
        assert asked["AttributeNames"] == ["ApproximateReceiveCount"]
        taken, self._bodies = self._bodies[:10], self._bodies[10:]
        count = {"ApproximateReceiveCount": str(self._tries)}
        return {
            "Messages": [
                {
                    "Body": one,
                    "MessageId": f"id-{one[:20]}",
                    "ReceiptHandle": one,
                    "Attributes": count,
                }
                for one in taken
            ]
        }

    def delete_message_batch(self, **asked: Any) -> None:
        assert asked["QueueUrl"] == _URL
        self.deleted += [one["ReceiptHandle"] for one in asked["Entries"]]

    def get_queue_attributes(self, **_asked: Any) -> dict[str, Any]:
        if isinstance(self._dead, ClientError):
            raise self._dead
        return {"Attributes": self._dead} if self._dead else {}


def _poll(queue: _Queue, mark: Mapping[str, Any] | None = None, **inputs: Any) -> Any:
    aws: Any = SimpleNamespace(
        client=lambda *_about: queue, region="eu-west-1", endpoint_of=lambda _service: None
    )
    return mail_queue(
        QueueWatch.model_validate({"queueUrl": _URL, **inputs}), aws, Since(0, mark or {})
    )


@pytest.mark.parametrize("topic", [{}, {"topicArn": _TOPIC}], ids=["any", "signed"])
def test_a_notice_leaves_the_queue(topic: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """It is deleted with the next page. A queue that counts signed messages only deletes unsigned
    notices too, and believes none.
    """
    bodies = [_text(found) for found in (*_QUIET.values(), *(one for one, _ in _LOUD.values()))]
    queue = _Queue(list(bodies))
    page = _poll(queue, **topic)
    while page.next["taken"]:
        assert page.more
        page = _poll(queue, page.next, **topic)
    assert queue.deleted == bodies
    assert bool(caplog.records) is not bool(topic)


def test_unreadable_messages_do_not_hide_others(caplog: pytest.LogCaptureFixture) -> None:
    """Ten of them fill a page, and the next page follows at once. The log says it once, and names
    the queue.
    """
    queue = _Queue(
        [f"not JSON {n}" for n in range(10)]
        + ["Successfully validated SNS topic for Amazon SES event publishing."]
    )
    first = _poll(queue)
    second = _poll(queue, first.next)
    assert (first.more, first.next["taken"], len(second.next["taken"])) == (True, [], 1)
    assert first.next != {}
    assert [_URL in record.getMessage() for record in caplog.records] == [True]


_DENIED = ClientError({"Error": {"Code": "AccessDenied"}}, "GetQueueAttributes")


@pytest.mark.parametrize(
    ("tries", "dead", "deleted", "more"),
    [
        (1, None, 0, False),
        (4, None, 0, False),
        (5, None, 1, True),
        (5, {"RedrivePolicy": "{}"}, 0, False),
        (9, _DENIED, 0, False),
    ],
    ids=["new", "nearly", "old", "dead-letter queue", "may not ask"],
)
def test_unreadable_messages_end(
    tries: int, dead: Any, deleted: int, more: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A queue with a dead-letter queue keeps them for it; another one deletes them after five
    receives, with a line for each.
    """
    page = _poll(_Queue(["not JSON"], tries, dead))
    assert (len(page.next["taken"]), page.more) == (deleted, more)
    line = (
        f"the message id-not JSON is deleted from the queue {_URL}: it is no event of Amazon "
        "SES (8 characters), and the queue has no dead-"
    )
    lines = [
        record.getMessage() for record in caplog.records if " is deleted " in record.getMessage()
    ]
    assert [one.startswith(line) for one in lines] == [True] * deleted


@pytest.mark.parametrize(
    "body",
    [
        {**_sns("Notification"), "TopicArn": f"{_TOPIC}-2"},
        {"eventType": "Send", "mail": {"messageId": "m"}},
    ],
)
def test_what_the_topic_has_not_signed_is_never_deleted(
    body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The ARN may be wrong, and the message an event: it stays, and the log says what to check."""
    page = _poll(_Queue([json.dumps(body)], tries=99), topicArn=_TOPIC)
    assert page.next["taken"] == []
    assert ["check 'topicArn'" in record.getMessage() for record in caplog.records] == [True]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("ada@example.org", ["ada@example.org"]),
        ("Ada <ada@example.org>", ["ada@example.org"]),
        ("<ada@example.org>", ["ada@example.org"]),
        ('"Countess, Ada" <ada@example.org>', ["ada@example.org"]),
        ("a@x.io, b@x.io", ["a@x.io", "b@x.io"]),
        ('"Doe, Jane" <j@x.io>, Bo <b@x.io>', ["j@x.io", "b@x.io"]),
        ("ada@x.io (Ada, C)", ["ada@x.io"]),
        ("a@x.io;b@x.io", ["a@x.io", "b@x.io"]),
        ('"a,b"@x.io', ['"a,b"@x.io']),
        ("Friends: a@x.io, Bo <b@x.io>;", ["a@x.io", "b@x.io"]),
        ("Ada <a@x.io> Bo <b@x.io>", ["a@x.io", "b@x.io"]),
        ('"Ada <x@y.io>" <z@y.io>', ["z@y.io"]),
        ("ada@x.io <ada@x.io>", ["ada@x.io"]),
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?= <z@y.io>", ["z@y.io"]),
        ("aaa..b.@docomo.ne.jp", ["aaa..b.@docomo.ne.jp"]),
        ('"Ada <ada@x.io>, b@x.io', ["ada@x.io", "b@x.io"]),
        ('5" <a@x.io>', ["a@x.io"]),
        ('"' + '\\"' * 2000 + " <a@x.io>", ["a@x.io"]),
        ("redacted", []),
        ("undisclosed-recipients:;", []),
        ("", []),
    ],
)
def test_recipients_are_bare_addresses(given: str, found: list[str]) -> None:
    """Each kind of event tells each address by itself, so that suppression finds it."""
    mail = {
        "messageId": "m",
        "timestamp": "2026-05-01T10:00:00Z",
        "destination": [given],
        "source": f"Shop <{(found or ['s@x.io'])[0]}>",
    }
    whom = [{"emailAddress": given}]
    records = [
        {
            "eventType": "Bounce",
            "mail": mail,
            "bounce": {"bounceType": "Permanent", "bouncedRecipients": whom, "feedbackId": "f"},
        },
        {"eventType": "Delivery", "mail": mail, "delivery": {"recipients": [given]}},
        {"eventType": "DeliveryDelay", "mail": mail, "deliveryDelay": {"delayedRecipients": whom}},
        {"eventType": "Send", "mail": mail, "send": {}},
        {
            "notificationType": "Bounce",
            "mail": mail,
            "bounce": {"bounceType": "Permanent", "bouncedRecipients": [], "feedbackId": "f"},
        },
    ]
    for record in records:
        events = events_of_text(json.dumps(record))
        told = [one.data.recipient for one in events]  # type: ignore[union-attr]
        assert [one for one in told if one] == found
        assert {one.data.sender for one in events} <= {(found or ["s@x.io"])[0]}  # type: ignore[union-attr]
        assert [one.outcome.part for one in events if one.outcome] == [one or "" for one in told]
    complaint = {
        "eventType": "Complaint",
        "mail": mail,
        "complaint": {"complainedRecipients": whom, "feedbackId": "f"},
    }
    events = events_of_text(json.dumps(complaint))
    assert [one.data.recipient for one in events if one.data.recipient] == found  # type: ignore[union-attr]
    assert all(
        one.outcome and (one.outcome.suppresses is not None) is (len(found) == 1) for one in events
    )


@given(
    st.lists(
        st.sampled_from(['"', "<", ">", "(", ")", ",", ";", ":", "a", "@", " ", "\\", "x.io", "é"]),
        max_size=60,
    ).map("".join)
)
def test_any_text_has_only_bare_addresses(text: str) -> None:
    """No bracket, comma or space outside of quotes is part of a recipient, and no text is an
    error.
    """
    for found in addresses([text]):
        local, at, domain = found.rpartition("@")
        assert (bool(local), at, bool(domain)) == (True, "@", True)
        assert local.startswith('"') or not set(found) & set('<>(),;: "')
