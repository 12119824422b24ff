"""What becomes of messages: registered with SNS, verified, told once for each recipient, and shown
with the invocation that sent them.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from boto_client import boto_client
from http_stand import Client, Stand
from jackfield.callers import Rules
from jackfield_store.access import Workspaces
from publishing_aws import PublishingAws, connected, publishing_aws
from sns_signer import asking, note
from waiting import until

_NAME = "jackfield-receipts"
_DAY = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
"""Of all records: outcomes that are older than 400 days are not kept."""
_WHOM = ["ada@example.com", "bob@example.com"]


@pytest.fixture(name="aws", scope="module")
def _aws() -> Iterator[PublishingAws]:
    with publishing_aws() as aws:
        yield aws


@pytest.fixture(name="stand", scope="module")
def _stand(aws: PublishingAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server with a connection to that AWS, and a subscription that its worker has registered and
    SNS has confirmed.
    """
    with connected(aws, tmp_path_factory.mktemp("events")) as opened:
        client = opened.client()
        inputs = {
            "configurationSetName": "receipts",
            "types": ["bounced", "complained", "delivered", "delayed", "opened"],
        }
        document = {
            "name": "mail",
            "trigger": "aws-ses/mailEvents",
            "connection": "acme",
            "inputs": inputs,
        }
        assert client.post("/v1/subscriptions", document).status == 201
        until(lambda: client.get("/v1/subscriptions/mail").json["status"] == "active")
        yield opened


@pytest.fixture(name="client")
def _client(stand: Stand) -> Client:
    return stand.client()


def _topic() -> str:
    return f"arn:aws:sns:eu-west-1:123456789012:{_NAME}"


def _sent(client: Client, *to: str) -> tuple[str, str]:
    """Send a message; return the invocation's ID and the message's."""
    inputs = {
        "to": list(to),
        "sender": "noreply@example.com",
        "subject": "Hi",
        "text": "Hi",
        "configurationSetName": "receipts",
    }
    document = {
        "connector": "aws-ses",
        "action": "sendEmail",
        "connection": "acme",
        "inputs": inputs,
    }
    result = client.post("/v1/invocations", document).json
    assert result["status"] == "succeeded", result
    return result["meta"]["invocationId"], result["output"]["MessageId"]


def _record(
    kind: str, message: str, about: dict[str, Any], to: list[str] | None = None
) -> dict[str, Any]:
    """A record of SES."""
    mail = {
        "timestamp": f"{_DAY}T10:00:00.000Z",
        "messageId": message,
        "source": "noreply@example.com",
        "sendingAccountId": "123456789012",
        "destination": to or ["ada@example.com"],
        "tags": {"ses:configuration-set": ["receipts"], "campaign": ["autumn"]},
        "headersTruncated": False,
        "commonHeaders": {"subject": "Hi"},
    }
    member = {"DeliveryDelay": "deliveryDelay"}.get(kind, kind.lower())
    return {"eventType": kind, "mail": mail, member: about}


def _bounce(
    message: str, subtype: str, kind: str = "Transient", to: str = "ada@example.com", **more: Any
) -> dict[str, Any]:
    whom = [
        {
            "emailAddress": to,
            "action": "failed",
            "status": "5.1.1",
            "diagnosticCode": "smtp; 550 5.1.1",
        }
    ]
    about = {
        "bounceType": kind,
        "bounceSubType": subtype,
        "bouncedRecipients": whom,
        "feedbackId": f"f-{message}-{subtype}",
    }
    return _record("Bounce", message, {**about, "timestamp": f"{_DAY}T10:00:05.000Z", **more})


def _delivery(message: str, *to: str, at: str = "10:00:03") -> dict[str, Any]:
    about = {
        "timestamp": f"{_DAY}T{at}.000Z",
        "processingTimeMillis": 546,
        "recipients": list(to),
        "smtpResponse": "250 ok",
    }
    return _record("Delivery", message, about, list(to))


def _complaint(message: str, to: str = "ada@example.com") -> dict[str, Any]:
    about = {
        "complainedRecipients": [{"emailAddress": to}],
        "feedbackId": f"f-{message}",
        "complaintFeedbackType": "abuse",
    }
    return _record("Complaint", message, {**about, "timestamp": f"{_DAY}T10:09:00.000Z"})


def _events(client: Client, message: str) -> list[dict[str, Any]]:
    items = client.get("/v1/events?types=aws_ses.*&limit=200").json["items"]
    return [item for item in items if item["data"]["payload"]["messageId"] == message]


def test_the_registration_is_made_in_the_safe_order(stand: Stand, aws: PublishingAws) -> None:
    """Topic with its policy and version 2, subscription, its confirmation by the API, then the
    destination, which is enabled last.
    """
    client = stand.client()
    order = [
        name
        for name in aws.asked
        if name
        in (
            "CreateTopic",
            "Subscribe",
            "ConfirmSubscription",
            "POST destination",
            "PUT destination",
        )
    ]
    assert order[:5] == [
        "CreateTopic",
        "Subscribe",
        "ConfirmSubscription",
        "POST destination",
        "PUT destination",
    ]
    made = aws.destinations["receipts"][_NAME]
    assert (made["Enabled"], made["SnsDestination"]["TopicArn"]) == (True, _topic())
    assert sorted(made["MatchingEventTypes"]) == [
        "BOUNCE",
        "COMPLAINT",
        "DELIVERY",
        "DELIVERY_DELAY",
        "OPEN",
    ]
    before = len(aws.asked)
    assert client.post("/v1/subscriptions/mail:enable").status == 200
    until(lambda: "GET destination" in aws.asked[before:])
    until(lambda: client.get("/v1/subscriptions/mail").json["status"] == "active")
    again = aws.asked[before:]
    assert not {"Subscribe", "POST destination", "PUT destination", "ConfirmSubscription"} & set(
        again
    )
    assert aws.publish(
        "Successfully validated SNS topic for Amazon SES event publishing.", _topic()
    ) == [200]


def test_a_bounce_is_told_with_its_invocation_and_shown_there(
    client: Client, aws: PublishingAws
) -> None:
    """Each recipient is an event of its own; what comes again is none; the certificate was fetched
    once.
    """
    invocation, message = _sent(client, *_WHOM)
    assert aws.publish(_delivery(message, *_WHOM), _topic()) == [200]
    assert aws.publish(_bounce(message, "MailboxFull"), _topic()) == [200]
    assert aws.publish(_bounce(message, "MailboxFull"), _topic()) == [200]
    found = _events(client, message)
    assert [(item["type"], item["data"]["payload"]["recipient"]) for item in found] == [
        ("aws_ses.delivered", _WHOM[0]),
        ("aws_ses.delivered", _WHOM[1]),
        ("aws_ses.bounced", _WHOM[0]),
    ]
    bounced = found[-1]["data"]
    assert (
        bounced["invocationId"],
        bounced["payload"]["reason"],
        bounced["payload"]["permanent"],
    ) == (invocation, "mailbox full", False)
    assert (bounced["payload"]["tags"], bounced["payload"]["configurationSet"]) == (
        {"campaign": ["autumn"]},
        "receipts",
    )
    entry = client.get(f"/v1/invocations/{invocation}").json
    # a transient bounce does not undo a delivery
    assert (entry["status"], entry["outcome"]) == ("succeeded", "delivered")
    assert {(one["part"], one["status"]) for one in entry["outcomes"]} == {
        (whom, "delivered") for whom in _WHOM
    }
    assert aws.certificates == 1


def test_an_outcome_moves_by_severity_only(client: Client, aws: PublishingAws) -> None:
    """Whatever the order in which SES's records come: a complaint outweighs a bounce, that a
    delivery, that a delay.
    """
    rows: list[tuple[list[Any], str]] = [
        ([_delivery, lambda m: _bounce(m, "NoEmail", "Permanent")], "bounced: no such mailbox"),
        (
            [_delivery, _complaint, lambda m: _delivery(m, "ada@example.com", at="10:10:00")],
            "complained: abuse",
        ),
        ([lambda m: _bounce(m, "MailboxFull")], "bounced, may be delivered: mailbox full"),
        ([lambda m: _record("Reject", m, {"reason": "Bad content"})], ""),
    ]
    for made, said in rows:
        for seed in range(3):
            invocation, message = _sent(client, "ada@example.com")
            records = [
                one(message, "ada@example.com") if one is _delivery else one(message)
                for one in made
            ]
            random.Random(seed).shuffle(records)
            assert [aws.publish(record, _topic()) for record in records] == [[200]] * len(records)
            # rejected is none of the chosen types
            assert client.get(f"/v1/invocations/{invocation}").json.get("outcome", "") == said


@contextmanager
def _guarded(stand: Stand, **guard: Any) -> Iterator[Workspaces]:
    """The connection has a guard while this lasts."""
    storage = stand.host.storage
    workspaces = Workspaces(storage.database, storage.vault, stand.host.clock)
    workspaces.set("default", {"guards": {"acme": guard}})
    yield workspaces
    workspaces.set("default", {"guards": {"acme": None}})


def _tried(client: Client, action: str, **inputs: Any) -> dict[str, Any]:
    common = {"sender": "noreply@example.com", "configurationSetName": "receipts"}
    document = {
        "connector": "aws-ses",
        "action": action,
        "connection": "acme",
        "inputs": {**common, **inputs},
    }
    return dict(client.post("/v1/invocations", document).json)


def _refused_paths(found: dict[str, Any]) -> list[str]:
    """The places of the recipients that were refused; nothing was tried."""
    assert (found["status"], found["error"]["code"], found["meta"]["attempts"]) == (
        "failed",
        "not_allowed",
        0,
    ), found
    return [detail["path"] for detail in found["error"]["details"]]


def test_a_guard_refuses_recipients_that_bounced_or_complained(
    stand: Stand, client: Client, aws: PublishingAws
) -> None:
    """However they are written, in each action that sends, and before anything is sent; a bounce
    that may pass suppresses nobody.
    """
    for whom in ("gone@example.com", "angry@example.com", "full@example.com"):
        _, message = _sent(client, whom)
        record = {
            "gone@example.com": _bounce(message, "NoEmail", "Permanent", whom),
            "angry@example.com": _complaint(message, whom),
            "full@example.com": _bounce(message, "MailboxFull", to=whom),
        }[whom]
        assert aws.publish(record, _topic()) == [200]
    mail = {"subject": "Hi", "text": "Hi"}
    to = ["ok@example.com", "Gone <gone@EXAMPLE.com>", "full@example.com", "gone+else@example.com"]
    # no guard, no refusal
    assert _tried(client, "sendEmail", to=to, **mail)["status"] == "succeeded"
    with _guarded(stand):
        assert _refused_paths(
            _tried(client, "sendEmail", to=to, bcc="ok@example.com, angry@example.com", **mail)
        ) == ["/to/1", "/bcc"]
        assert "example.com" not in json.dumps(_tried(client, "sendEmail", to=to, **mail))
        each = [{"to": "ok@example.com"}, {"to": ["gone@example.com"]}]
        assert _refused_paths(
            _tried(client, "sendBulkEmail", destinations=each, templateName="welcome")
        ) == ["/destinations/1/to/0"]
        raw = "From: a@example.com\nTo: gone@example.com\n\nHi"
        assert _refused_paths(
            _tried(client, "sendRawEmail", message=raw, to="gone@example.com")
        ) == ["/to"]
        error = _tried(client, "sendRawEmail", message=raw)["error"]
        # the message's own recipients are not compared
        assert (error["code"], error["details"][0]["path"]) == ("invalid_input", "/to")
        assert (
            _tried(client, "sendEmail", to=["full@example.com", "gone+else@example.com"], **mail)[
                "status"
            ]
            == "succeeded"
        )
        # what sends to nobody is not guarded
        assert "Identities" in _done(client, "listIdentities")
    found = {item["recipient"]: item for item in client.get("/v1/suppressions").json["items"]}
    assert {whom: found[whom]["reason"] for whom in ("gone@example.com", "angry@example.com")} == {
        "gone@example.com": "bounce",
        "angry@example.com": "complaint",
    }
    assert "full@example.com" not in found


def test_a_suppression_that_is_lifted_lets_messages_go_until_the_next_one(
    stand: Stand, client: Client, aws: PublishingAws
) -> None:
    """By an address in any spelling, audited under its digest; pages end; who has rules or only
    reads changes nothing.
    """
    for name in ("one", "two", "three", "a/b"):
        _, message = _sent(client, f"{name}@example.org")
        assert aws.publish(
            _bounce(message, "NoEmail", "Permanent", f"{name}@example.org"), _topic()
        ) == [200]
    first = client.get("/v1/suppressions?limit=2").json
    rest = client.get(f"/v1/suppressions?limit=200&cursor={first['nextCursor']}").json
    whom = [item["recipient"] for item in (*first["items"], *rest["items"])]
    assert len(whom) == len({*whom}) >= 3
    assert rest["nextCursor"] is None
    assert [
        stand.client("read").call("DELETE", "/v1/suppressions/one@example.org").status,
        client.get("/v1/suppressions?cursor=x").status,
    ] == [403, 400]
    assert stand.client(rules=Rules(block=("echo/*",))).get("/v1/suppressions").status == 403
    with _guarded(stand):
        mail = {"to": "one@example.org", "subject": "Hi", "text": "Hi"}
        assert _refused_paths(_tried(client, "sendEmail", **mail)) == ["/to"]
        assert [
            client.call("DELETE", "/v1/suppressions/One@Example.org").status for _ in range(2)
        ] == [204, 404]
        assert [
            client.call("DELETE", f"/v1/suppressions/a{slash}b@example.org").status
            for slash in ("/", "%2F")
        ] == [204, 404]
        sent = _tried(client, "sendEmail", **mail)
        assert sent["status"] == "succeeded"
        assert aws.publish(
            _complaint(sent["output"]["MessageId"], "one@example.org"), _topic()
        ) == [200]
        assert _refused_paths(_tried(client, "sendEmail", **mail)) == ["/to"]
    entry = client.get("/v1/audit?event=suppression.removed").json["items"][0]
    assert entry["object"].startswith("suppression:")
    assert "example" not in json.dumps(entry)


def test_a_connection_over_which_too_much_bounces_is_paused(
    stand: Stand, client: Client, aws: PublishingAws
) -> None:
    """The event has the figures; paused, it only reads, until somebody sets the guard again: then
    counting begins anew.
    """

    def bounced(name: str) -> None:
        _, message = _sent(client, f"{name}@example.net")
        at = datetime.now(UTC).isoformat()
        assert aws.publish(
            _bounce(message, "NoEmail", "Permanent", f"{name}@example.net", timestamp=at), _topic()
        ) == [200]

    mail = {"to": "ok@example.com", "subject": "Hi", "text": "Hi"}
    limits = {"refuse": False, "bounceRate": 0.01, "complaintRate": 0.01, "messages": 100}
    with _guarded(stand, **limits) as workspaces:
        bounced("p-1")
        assert "paused" not in workspaces.settings("default").guards["acme"]
        bounced("p-2")
        found = _tried(client, "sendEmail", **mail)
        assert (found["status"], found["error"]["code"], found["meta"]["attempts"]) == (
            "failed",
            "not_allowed",
            0,
        )
        assert "2 bounces, 0 complaints, 2 messages" in found["error"]["message"]
        document = {
            "connector": "aws-ses",
            "action": "sendEmail",
            "connection": "acme",
            "inputs": {"sender": "a@example.com", **mail},
        }
        assert client.post("/v1/invocations", document, Prefer="respond-async").status == 403
        assert "Identities" in _done(client, "listIdentities")
        workspaces.set("default", {"guards": {"acme": limits}})
        assert _tried(client, "sendEmail", **mail)["status"] == "succeeded"
        bounced("p-3")
        assert _tried(client, "sendEmail", **mail)["status"] == "succeeded"
    told = client.get("/v1/events?types=connection.paused,connection.resumed&limit=200").json[
        "items"
    ]
    assert [one["type"] for one in told] == ["connection.paused", "connection.resumed"]
    paused = told[0]["data"]
    assert {name: paused[name] for name in ("connection", "messages", "bounces", "complaints")} == {
        "connection": "acme",
        "messages": 2,
        "bounces": 2,
        "complaints": 0,
    }


def test_an_event_may_come_for_what_was_not_sent_from_here(
    client: Client, aws: PublishingAws
) -> None:
    """It is told without an invocation. An event that SES adds later is unknown, an inbound mail
    none, another service's record refused.
    """
    assert aws.publish(_delivery("m-elsewhere", "ada@example.com"), _topic()) == [200]
    assert aws.publish(
        _record("Levitation", "m-odd", {"timestamp": f"{_DAY}T10:00:00.000Z"}), _topic()
    ) == [200]
    assert [("invocationId" in item["data"]) for item in _events(client, "m-elsewhere")] == [False]
    assert [item["type"] for item in _events(client, "m-odd")] == ["aws_ses.unknown"]
    notices = [
        {"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "x"},
        "Successfully validated SNS topic for Amazon SES",
    ]
    for notice in notices:
        assert aws.publish(notice, _topic()) == [200]
    odd: list[Any] = [
        {"notificationType": "Received", "mail": {"messageId": "m"}},
        {"Records": []},
        "not JSON",
        [],
    ]
    for record in odd:
        assert aws.publish(record, _topic()) == [400]


def test_what_is_no_message_of_the_topic_is_refused(client: Client, aws: PublishingAws) -> None:
    """Another topic, version 1, an old message, a changed one, and a confirmation although it is
    confirmed: 401, and no event.
    """
    url = client.get("/v1/subscriptions/mail").json["url"]
    text, now = json.dumps(_delivery("m-forged", "ada@example.com")), time.time()
    given: dict[str, Any] = {"topic": _topic(), "origin": aws.url}
    forged = [
        note(text, now, topic=f"{_topic()}-2", origin=aws.url),
        note(text, now, version="1", **given),
        note(text, now - 5000, **given),
        {**note(text, now, **given), "Message": f"{text} "},
        asking(now, "t-0", **given),
        note(text, now, topic=_topic()),
    ]
    assert [aws.deliver(one, url).status for one in forged] == [401] * len(forged)
    assert (
        aws.deliver(note(text, now, **given), url, **{"x-amz-sns-rawdelivery": "true"}).status
        == 401
    )
    other = [
        note(text, now, **given, SigningCertURL=f"{aws.url}/SimpleNotificationService-{n:032x}.pem")
        for n in range(8)
    ]
    before = aws.certificates
    assert {aws.deliver(one, url).status for one in other} == {503}
    assert aws.certificates == before
    assert _events(client, "m-forged") == []


def test_a_queue_is_polled_and_emptied_after_the_commit(client: Client, aws: PublishingAws) -> None:
    """``setUpEvents`` makes topic, queues and destination; messages of SNS and events of
    EventBridge are told, notices deleted; what is neither stays, for the dead-letter queue.
    """
    made = _done(client, "setUpEvents", configurationSetName="queued", queue=True)
    assert (
        made["TopicArn"].rpartition(":")[2],
        aws.destinations["queued"]["jackfield-queued"]["Enabled"],
    ) == ("jackfield-queued", True)
    assert _done(client, "setUpEvents", configurationSetName="queued", queue=True) == made
    inputs = {"queueUrl": made["QueueUrl"]}
    document = {
        "name": "queue",
        "trigger": "aws-ses/mailQueue",
        "connection": "acme",
        "inputs": inputs,
        "every": 10,
    }
    assert client.post("/v1/subscriptions", document).status == 201
    queue = boto_client(aws.behind, "sqs")
    wrapped = {
        "version": "0",
        "source": "aws.ses",
        "detail-type": "Email Bounced",
        "detail": _bounce("m-bus", "NoEmail", "Permanent"),
    }
    own = note(
        json.dumps(_delivery("m-topic", "ada@example.com")),
        time.time(),
        topic=made["TopicArn"],
        origin=aws.url,
    )
    notice = json.dumps(
        {
            "notificationType": "AmazonSnsSubscriptionSucceeded",
            "message": "You have successfully subscribed …",
        }
    )
    told = json.dumps(note(notice, time.time(), topic=made["TopicArn"], origin=aws.url))
    redrive = queue.get_queue_attributes(
        QueueUrl=made["QueueUrl"], AttributeNames=["RedrivePolicy"]
    )["Attributes"]["RedrivePolicy"]
    assert json.loads(redrive)["deadLetterTargetArn"].endswith(
        made["DeadLetterQueueUrl"].rpartition("/")[2]
    )
    for body in (
        json.dumps(own),
        json.dumps(wrapped),
        notice,
        told,
        "not JSON",
        json.dumps({"source": "aws.s3", "detail-type": "x", "detail": {}}),
    ):
        queue.send_message(QueueUrl=made["QueueUrl"], MessageBody=body)
    until(lambda: _events(client, "m-topic") and _events(client, "m-bus"))

    def left() -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = queue.get_queue_attributes(QueueUrl=made["QueueUrl"], AttributeNames=names)[
            "Attributes"
        ]
        return sum(int(found[name]) for name in names)

    until(lambda: left() == 2)
    assert client.call("DELETE", "/v1/subscriptions/queue").status == 204
    _done(client, "tearDownEvents", configurationSetName="queued")
    assert aws.destinations["queued"] == {}
    assert queue.list_queues(QueueNamePrefix="jackfield-queued").get("QueueUrls", []) == []
    assert _done(client, "tearDownEvents", configurationSetName="queued") == {}


def test_a_template_makes_the_same(client: Client) -> None:
    """CloudFormation and Terraform: nothing is called, and the policy names the account and the
    configuration set.
    """
    for form in ("cloudformation", "terraform"):
        made = _done(
            client, "setUpEvents", configurationSetName="receipts", queue=True, document=form
        )
        assert set(made) == {"document"}
        for word in (
            "jackfield-receipts",
            "ses.amazonaws.com",
            "aws:SourceArn",
            "BOUNCE",
            "jackfield-receipts-dead",
            "maxReceiveCount",
        ):
            assert word in made["document"], (form, word)
    template = json.loads(
        _done(client, "setUpEvents", configurationSetName="receipts", document="cloudformation")[
            "document"
        ]
    )
    kinds = {one["Type"] for one in template["Resources"].values()}
    assert kinds == {
        "AWS::SNS::Topic",
        "AWS::SNS::TopicPolicy",
        "AWS::SES::ConfigurationSet",
        "AWS::SES::ConfigurationSetEventDestination",
    }


def test_a_subscription_that_ends_removes_what_it_made(client: Client, aws: PublishingAws) -> None:
    """Disabled, its path answers 410 at once, and the destination goes before the topic; enabled
    meanwhile, all is made anew.
    """
    url = client.get("/v1/subscriptions/mail").json["url"]
    before = len(aws.asked)
    assert client.post("/v1/subscriptions/mail:disable").status == 200
    assert aws.deliver(note("x", time.time(), topic=_topic(), origin=aws.url), url).status == 410
    until(lambda: "DeleteTopic" in aws.asked[before:])
    until(lambda: client.get("/v1/subscriptions/mail").json["status"] == "paused")
    assert [name for name in aws.asked[before:] if name != "GET destination"] == [
        "DELETE destination",
        "Unsubscribe",
        "DeleteTopic",
    ]
    assert client.post("/v1/subscriptions/mail:enable").status == 200
    until(lambda: client.get("/v1/subscriptions/mail").json["status"] == "active")


def _pause(client: Client, aws: PublishingAws) -> None:
    """Disable the subscription, at AWS, too."""
    before = len(aws.asked)
    assert client.post("/v1/subscriptions/mail:disable").status == 200
    until(
        lambda: (
            "DeleteTopic" in aws.asked[before:]
            and "nextAt" not in client.get("/v1/subscriptions/mail").json
        )
    )


def test_a_confirmation_that_is_lost_is_asked_for_again(client: Client, aws: PublishingAws) -> None:
    """SNS asks once for each subscription: without an answer it is pending, and the test of the
    connection has it subscribed again.
    """
    _pause(client, aws)
    before, aws.loses = len(aws.asked), 1
    assert client.post("/v1/subscriptions/mail:enable").status == 200
    until(lambda: "Subscribe" in aws.asked[before:])
    until(
        lambda: (
            "reason" not in (found := client.get("/v1/subscriptions/mail").json)
            and "lastSuccessAt" in found
        )
    )
    assert (client.get("/v1/subscriptions/mail").json["status"], aws.confirmed) == (
        "pending",
        set(),
    )

    def is_active() -> bool:
        assert client.post("/v1/connections/acme/test", {}).status == 200
        return bool(client.get("/v1/subscriptions/mail").json["status"] == "active")

    until(is_active)
    # once more for each test before the confirmation has come
    asked = [name for name in aws.asked[before:] if "Subscri" in name]
    assert (asked[:2], "ConfirmSubscription" in asked[2:]) == (["Subscribe", "Subscribe"], True)


def test_a_subscription_that_somebody_ends_at_sns_fails_and_says_so(
    client: Client, aws: PublishingAws
) -> None:
    """SNS tells of each end by the topic only: that of a former subscription changes nothing,
    whenever it comes.
    """
    url = client.get("/v1/subscriptions/mail").json["url"]

    def end() -> None:
        assert (
            aws.deliver(
                asking(time.time(), topic=_topic(), origin=aws.url, Type="UnsubscribeConfirmation"),
                url,
            ).status
            == 200
        )

    before = len(aws.asked)
    end()
    until(lambda: "GetSubscriptionAttributes" in aws.asked[before:])
    until(lambda: client.get("/v1/subscriptions/mail").json["status"] == "active")
    message = _sent(client, "ada@example.com")[1]
    assert aws.publish(_delivery(message, "ada@example.com"), _topic()) == [200]
    aws.confirmed.clear()
    end()
    until(
        lambda: "somebody has ended" in client.get("/v1/subscriptions/mail").json.get("reason", "")
    )
    _pause(client, aws)
    assert client.post("/v1/subscriptions/mail:enable").status == 200
    until(lambda: client.get("/v1/subscriptions/mail").json["status"] == "active")
    assert len(aws.confirmed) == 1


def _done(client: Client, action: str, **inputs: Any) -> dict[str, Any]:
    """The output of an action."""
    document = {"connector": "aws-ses", "action": action, "connection": "acme", "inputs": inputs}
    result = client.post("/v1/invocations", document).json
    assert result["status"] == "succeeded", result
    return dict(result["output"])
