"""Events of SES settle the doubt about a message whose answer was lost, whatever their order, and
only those of its own account.
"""

from __future__ import annotations

import email
import email.policy
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from boto_client import boto_client
from http_stand import Client, Stand
from publishing_aws import TOPIC, PublishingAws, connected, publishing_aws
from smtp_rig import HOST, LOGIN, authority
from smtp_server import CUT, SmtpServer, resolving
from sns_signer import note
from waiting import until

_ACCOUNT = "123456789012"


@pytest.fixture(name="aws", scope="module")
def _aws() -> Iterator[PublishingAws]:
    with publishing_aws() as aws:
        yield aws


@pytest.fixture(name="stand", scope="module")
def _stand(aws: PublishingAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server where evidence settles doubts, with a subscription to the events of messages that
    SNS has confirmed.
    """
    with connected(aws, tmp_path_factory.mktemp("evidence"), "on") as opened:
        _subscribe(opened.client())
        yield opened


@pytest.fixture(name="client")
def _client(stand: Stand) -> Client:
    return stand.client()


def _subscribe(client: Client) -> None:
    inputs = {
        "configurationSetName": "receipts",
        "types": ["sent", "bounced", "delivered", "rejected"],
    }
    document = {
        "name": "mail",
        "trigger": "aws-ses/mailEvents",
        "connection": "acme",
        "inputs": inputs,
    }
    assert client.post("/v1/subscriptions", document).status == 201
    until(lambda: client.get("/v1/subscriptions/mail").json["status"] == "active")


def _send(
    client: Client, aws: PublishingAws, key: str, **more: Any
) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Send a message whose answer is lost; return the Result, what SES has got, and the ID that SES
    has given it.
    """
    aws.hangs_up += 1
    inputs = {
        "to": ["ada@example.com"],
        "sender": "noreply@example.com",
        "subject": "Hi",
        "text": "Hi",
        "configurationSetName": "receipts",
    }
    document = {
        "connector": "aws-ses",
        "action": "sendEmail",
        "connection": "acme",
        "inputs": {**inputs, **more},
        "idempotencyKey": key,
    }
    result = client.post("/v1/invocations", document).json
    return result, aws.sends[-1], f"m-{len(aws.sends)}"


def _marker(sent: dict[str, Any]) -> str:
    return str(next(tag["Value"] for tag in sent["EmailTags"] if tag["Name"] == "jackfield"))


def _record(
    kind: str,
    message: str,
    marker: str,
    about: dict[str, Any] | None = None,
    account: str = _ACCOUNT,
) -> dict[str, Any]:
    mail = {
        "timestamp": "2026-11-26T10:00:00.000Z",
        "messageId": message,
        "source": "noreply@example.com",
        "sendingAccountId": account,
        "destination": ["ada@example.com"],
        "tags": {"ses:configuration-set": ["receipts"], "jackfield": [marker]},
    }
    return {"eventType": kind, "mail": mail, kind.lower(): about or {}}


def _bounce(message: str, marker: str) -> dict[str, Any]:
    whom = [{"emailAddress": "ada@example.com", "status": "5.1.1"}]
    about = {
        "bounceType": "Permanent",
        "bounceSubType": "NoEmail",
        "bouncedRecipients": whom,
        "feedbackId": f"f-{message}",
    }
    return _record("Bounce", message, marker, {**about, "timestamp": "2026-11-26T10:00:05.000Z"})


def _entry(client: Client, identifier: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/v1/invocations/{identifier}").json
    return found


def test_a_send_event_settles_the_doubt_and_later_events_join(
    client: Client, aws: PublishingAws
) -> None:
    """The answer is lost; the signed ``Send`` comes: ``succeeded`` with the MessageId, one request,
    the key replays it, a bounce joins.
    """
    lost, sent, message = _send(client, aws, "one")
    assert lost["status"] == "in_doubt"
    identifier, marker, before = lost["meta"]["invocationId"], _marker(sent), len(aws.sends)
    assert aws.publish(_record("Send", message, marker), TOPIC) == [200]
    until(lambda: _entry(client, identifier)["status"] == "succeeded")
    entry = _entry(client, identifier)
    assert (entry["output"], entry["resolvedBy"]) == ({"MessageId": message}, "evidence")
    evidence = entry["meta"]["resolution"]["evidence"]
    assert (evidence["verdict"], evidence["kind"], evidence["source"]) == (
        "took",
        "event",
        "aws-ses/mailEvents",
    )
    again = client.post("/v1/invocations", _again("one")).json
    assert (again["status"], again["meta"]["replayed"], again["output"]) == (
        "succeeded",
        True,
        {"MessageId": message},
    )
    assert aws.publish(_bounce(message, marker), TOPIC) == [200]
    assert _entry(client, identifier)["outcome"] == "bounced: no such mailbox"
    told = [
        one
        for one in client.get("/v1/events?types=aws_ses.*&limit=200").json["items"]
        if one["data"]["payload"]["messageId"] == message
    ]
    assert [one["data"]["invocationId"] for one in told] == [identifier, identifier]
    assert "jackfield" not in str([one["data"]["payload"].get("tags") for one in told])
    assert len(aws.sends) == before


def _again(key: str) -> dict[str, Any]:
    inputs = {
        "to": ["ada@example.com"],
        "sender": "noreply@example.com",
        "subject": "Hi",
        "text": "Hi",
        "configurationSetName": "receipts",
    }
    return {
        "connector": "aws-ses",
        "action": "sendEmail",
        "connection": "acme",
        "inputs": inputs,
        "idempotencyKey": key,
    }


def test_a_person_who_was_faster_keeps_the_word_and_gets_the_message_id(
    client: Client, aws: PublishingAws
) -> None:
    """Resolved as succeeded, then ``Send``: the MessageId is filled in, and a bounce joins.
    Resolved as failed: nothing but the note.
    """
    lost, sent, message = _send(client, aws, "two")
    identifier = lost["meta"]["invocationId"]
    assert client.post(f"/v1/invocations/{identifier}/resolve", {"as": "succeeded"}).status == 200
    assert aws.publish(_record("Send", message, _marker(sent)), TOPIC) == [200]
    until(lambda: _entry(client, identifier).get("output") == {"MessageId": message})
    entry = _entry(client, identifier)
    assert (entry["status"], entry["resolvedBy"] != "evidence") == ("succeeded", True)
    assert aws.publish(_bounce(message, _marker(sent)), TOPIC) == [200]
    assert _entry(client, identifier)["outcome"] == "bounced: no such mailbox"
    lost, sent, message = _send(client, aws, "three")
    identifier = lost["meta"]["invocationId"]
    assert client.post(f"/v1/invocations/{identifier}/resolve", {"as": "failed"}).status == 200
    assert aws.publish(_record("Send", message, _marker(sent)), TOPIC) == [200]
    until(lambda: "contradictedBy" in _entry(client, identifier)["meta"]["resolution"])
    assert _entry(client, identifier)["status"] == "failed"


def test_a_rejected_message_had_been_accepted(client: Client, aws: PublishingAws) -> None:
    """``Reject`` says that SES had taken the message: the call took effect, with that outcome."""
    lost, sent, message = _send(client, aws, "four")
    identifier = lost["meta"]["invocationId"]
    assert aws.publish(
        _record("Reject", message, _marker(sent), {"reason": "Bad content"}), TOPIC
    ) == [200]
    until(lambda: _entry(client, identifier)["status"] == "succeeded")
    assert _entry(client, identifier)["outcome"] == "rejected: Bad content"


def test_events_that_prove_nothing_settle_nothing(client: Client, aws: PublishingAws) -> None:
    """An unsigned event, a made-up marker and one of another account change nothing; the last is
    shown. Two messages with one marker are ambiguous. Callers cannot bring a marker along.
    """
    stolen = _again("five")
    stolen["inputs"]["tags"] = [{"key": "jackfield", "value": "jf1-" + "a" * 26}]
    refused = client.post("/v1/invocations", stolen).json
    assert (refused["status"], refused["error"]["code"]) == ("failed", "invalid_input")
    values = {
        "accessKeyId": "AKIAIOSFODNN7EXAMPL2",
        "secretAccessKey": "s3cret-two",
        "endpoint": aws.url,
        "region": "eu-west-1",
    }
    document = {"name": "other", "type": "aws/apiKeySecret", "values": values}
    assert client.call("POST", "/v1/connections?test=false", document).status == 201
    before = {*aws.confirmed}
    inputs = {"configurationSetName": "others", "types": ["sent"]}
    document = {
        "name": "others",
        "trigger": "aws-ses/mailEvents",
        "connection": "other",
        "inputs": inputs,
    }
    assert client.post("/v1/subscriptions", document).status == 201
    until(lambda: client.get("/v1/subscriptions/others").json["status"] == "active")
    lost, sent, message = _send(client, aws, "six")
    identifier, marker = lost["meta"]["invocationId"], _marker(sent)
    record = _record("Send", "m-made-up", "jf1-" + "b" * 26)
    assert 200 in aws.publish(record, TOPIC)
    own, aws.confirmed = {*before}, aws.confirmed - before
    try:
        assert aws.publish(
            _record("Send", "m-foreign", marker, account=""), TOPIC.replace("receipts", "others")
        ) == [200]
    finally:
        aws.confirmed = own
    until(
        lambda: any(
            one["result"] == "similar" for one in _entry(client, identifier).get("looks", ())
        )
    )
    assert _entry(client, identifier)["status"] == "in_doubt"
    said = note(
        json.dumps(_record("Send", message, marker)), time.time(), topic=TOPIC, origin=aws.url
    )
    assert aws.deliver({**said, "Signature": "AAAA"}, *own).status == 401
    assert _entry(client, identifier)["status"] == "in_doubt"
    assert aws.publish(_record("Send", message, marker), TOPIC) == [200]
    until(lambda: _entry(client, identifier)["status"] == "succeeded")
    lost, sent, message = _send(client, aws, "seven")
    identifier, marker = lost["meta"]["invocationId"], _marker(sent)
    assert aws.publish(_record("Send", message, marker), TOPIC) == [200]
    assert aws.publish(_record("Send", "m-copied", marker), TOPIC) == [200]
    until(lambda: len(_entry(client, identifier).get("looks", ())) > 0)
    assert _entry(client, identifier).get("output", {}) in ({}, {"MessageId": message})


@pytest.mark.parametrize("kept", [50, 0])
def test_tags_of_callers_stay_as_they_are(client: Client, aws: PublishingAws, kept: int) -> None:
    """SES takes 50 tags: a caller who uses them all, or the name ``jackfield``, has his own only,
    and no evidence by events.
    """
    tags = {f"t{number}": "x" for number in range(kept)} or {"jackfield": "mine"}
    lost, sent, _ = _send(client, aws, f"tags-{kept}", tags=tags)
    assert {tag["Name"]: tag["Value"] for tag in sent["EmailTags"]} == tags
    assert lost["status"] == "in_doubt"


def test_mail_over_smtp_is_found_by_its_tag(client: Client, aws: PublishingAws) -> None:
    """The server has the whole message and hangs up: its tag is in X-SES-MESSAGE-TAGS, and ``Send``
    settles the doubt with the MessageId. Without a configuration set nobody would tell, so there is
    no tag.
    """
    with (
        SmtpServer(authority().serving(HOST), {".": [CUT, CUT]}) as server,
        resolving({HOST: server.port}),
    ):
        document = {"name": "relay", "type": "aws-ses/smtp", "values": {"hostname": HOST, **LOGIN}}
        assert client.call("POST", "/v1/connections?test=false", document).status == 201
        call = _again("smtp")
        inputs = {**call["inputs"], "tags": {"campaign": "autumn"}}
        lost = client.post(
            "/v1/invocations", {**call, "connection": "relay", "inputs": inputs}
        ).json
        plain = {name: value for name, value in inputs.items() if name != "configurationSetName"}
        client.post(
            "/v1/invocations",
            {**call, "connection": "relay", "inputs": plain, "idempotencyKey": "smtp-plain"},
        )
    assert lost["status"] == "in_doubt", lost
    tags = [
        str(email.message_from_bytes(one.content, policy=email.policy.SMTP)["X-SES-MESSAGE-TAGS"])
        for one in server.received
    ]
    marker = re.findall(r"campaign=autumn,\s+jackfield=(jf1-[a-z2-7]{26})", tags[0])
    assert (len(marker), tags[1]) == (1, "campaign=autumn")
    assert 200 in aws.publish(_record("Send", "m-smtp", marker[0]), TOPIC)
    identifier = lost["meta"]["invocationId"]
    until(lambda: _entry(client, identifier)["status"] == "succeeded")
    assert _entry(client, identifier)["output"] == {"MessageId": "m-smtp"}
    assert 200 in aws.publish(_bounce("m-smtp", marker[0]), TOPIC)
    assert _entry(client, identifier)["outcome"] == "bounced: no such mailbox"


@pytest.mark.parametrize("setting", ["show", "off"])
def test_shown_evidence_settles_nothing(
    aws: PublishingAws, tmp_path_factory: pytest.TempPathFactory, setting: str
) -> None:
    """With ``show``, the look is in the entry, and the doubt stays; with ``off``, no marker is
    sent.
    """
    with connected(aws, tmp_path_factory.mktemp(setting), setting) as opened:
        client = opened.client()
        aws.confirmed.clear()
        _subscribe(client)
        lost, sent, message = _send(client, aws, "one")
        if setting == "off":
            assert not any(tag["Name"] == "jackfield" for tag in sent.get("EmailTags", ()))
            return
        identifier = lost["meta"]["invocationId"]
        assert aws.publish(_record("Send", message, _marker(sent)), TOPIC) == [200]
        until(
            lambda: any(
                one["result"] == "matched" for one in _entry(client, identifier).get("looks", ())
            )
        )
        assert _entry(client, identifier)["status"] == "in_doubt"


@pytest.mark.parametrize("signed", [True, False])
def test_events_of_a_queue_count_where_their_signature_is_checked(
    client: Client, aws: PublishingAws, *, signed: bool
) -> None:
    """A queue whose subscription names its topic has signed events, which settle. Anybody whom a
    queue's policy lets may write others.
    """
    name = f"queue-{signed}".lower()
    document = {
        "connector": "aws-ses",
        "action": "setUpEvents",
        "connection": "acme",
        "inputs": {"configurationSetName": name, "queue": True},
    }
    made = client.post("/v1/invocations", document).json["output"]
    inputs = {
        "queueUrl": made["QueueUrl"],
        "types": ["sent"],
        **({"topicArn": made["TopicArn"]} if signed else {}),
    }
    watched = {
        "name": name,
        "trigger": "aws-ses/mailQueue",
        "connection": "acme",
        "inputs": inputs,
        "every": 10,
    }
    lost, sent, message = _send(client, aws, name)
    body = note(
        json.dumps(_record("Send", message, _marker(sent))),
        time.time(),
        topic=made["TopicArn"],
        origin=aws.url,
    )
    boto_client(aws.behind, "sqs").send_message(
        QueueUrl=made["QueueUrl"], MessageBody=json.dumps(body)
    )
    assert client.post("/v1/subscriptions", watched).status == 201
    until(lambda: client.get(f"/v1/subscriptions/{name}").json.get("lastEventAt"), 60)
    identifier = lost["meta"]["invocationId"]
    if signed:
        until(lambda: _entry(client, identifier)["status"] == "succeeded", 60)
        assert _entry(client, identifier)["output"] == {"MessageId": message}
    assert client.post(f"/v1/invocations/{identifier}/look").status == 200
    assert _entry(client, identifier)["status"] == ("succeeded" if signed else "in_doubt")
    assert client.call("DELETE", f"/v1/subscriptions/{name}").status == 204
