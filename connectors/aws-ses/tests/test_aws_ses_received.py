"""Mail that arrives: a receipt rule stores it and publishes over SNS, and each message is one
event, with what SES found.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from boto_client import boto_client
from http_stand import Client
from publishing_aws import PublishingAws, connected, publishing_aws
from sns_signer import note
from waiting import until

_BUCKET = {
    "bucketName": "acme-mail",
    "objectKeyPrefix": "inbox/",
    "recipients": ["support@example.com", "example.org"],
}


@pytest.fixture(name="aws", scope="module")
def _aws() -> Iterator[PublishingAws]:
    with publishing_aws() as aws:
        yield aws


@pytest.fixture(name="client", scope="module")
def _client(aws: PublishingAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server with a connection to that AWS."""
    with connected(aws, tmp_path_factory.mktemp("received")) as opened:
        yield opened.client()


@pytest.fixture(name="topic", scope="module")
def _topic(client: Client, aws: PublishingAws) -> str:
    """The topic of a subscription with a receipt rule, which its worker has registered and SNS has
    confirmed.
    """
    assert _added(client, "mail", _BUCKET) == 201
    until(lambda: client.get("/v1/subscriptions/mail").json["status"] == "active")
    (name,) = aws.rules
    return f"arn:aws:sns:eu-west-1:123456789012:{name}"


def _added(client: Client, name: str, inputs: dict[str, Any]) -> int:
    document = {
        "name": name,
        "trigger": "aws-ses/mailReceived",
        "connection": "acme",
        "inputs": inputs,
    }
    return int(client.post("/v1/subscriptions", document).status)


def _receipt(
    message: str, *recipients: str, action: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """A notification of a receipt rule, as SES's developer guide has it."""
    verdicts = {f"{name}Verdict": {"status": "PASS"} for name in ("spam", "virus", "spf", "dkim")}
    stored = {
        "type": "S3",
        "topicArn": "t",
        "bucketName": "acme-mail",
        "objectKeyPrefix": "inbox",
        "objectKey": f"inbox/{message}",
    }
    return {
        "notificationType": "Received",
        "mail": {
            "timestamp": "2026-11-20T10:00:00.000Z",
            "source": "bounces@example.net",
            "messageId": message,
            "destination": list(recipients),
            "headersTruncated": False,
            "headers": [{"name": "Subject", "value": "My order"}],
            "commonHeaders": {
                "from": ["Ada <ada@example.net>"],
                "to": ["support@example.com"],
                "subject": "My order",
            },
        },
        "receipt": {
            "timestamp": "2026-11-20T10:00:00.000Z",
            "processingTimeMillis": 222,
            "recipients": list(recipients),
            **verdicts,
            "dmarcVerdict": {"status": "FAIL"},
            "dmarcPolicy": "REJECT",
            "action": action or stored,
        },
        **more,
    }


def _events(client: Client, message: str) -> list[dict[str, Any]]:
    items = client.get("/v1/events?types=aws_ses.mailReceived&limit=200").json["items"]
    return [
        item["data"]["payload"] for item in items if item["data"]["payload"]["messageId"] == message
    ]


def test_a_receipt_rule_is_made_last_and_named_by_the_topics_policy(
    client: Client, aws: PublishingAws, topic: str
) -> None:
    """It is in the active rule set, stores in the bucket and publishes to the topic; made again,
    nothing is twice.
    """
    order = [
        name
        for name in aws.asked
        if name in ("CreateTopic", "Subscribe", "ConfirmSubscription", "CreateReceiptRule")
    ]
    assert order == ["CreateTopic", "Subscribe", "ConfirmSubscription", "CreateReceiptRule"]
    name = topic.rpartition(":")[2]
    rule, where = aws.rules[name], "Rule.Actions.member.1.S3Action."
    assert (rule["RuleSetName"], rule["Rule.Enabled"], rule["Rule.ScanEnabled"]) == (
        "inbound",
        "true",
        "true",
    )
    assert [rule[f"{where}{part}"] for part in ("BucketName", "ObjectKeyPrefix", "TopicArn")] == [
        "acme-mail",
        "inbox/",
        topic,
    ]
    assert [rule[f"Rule.Recipients.member.{number}"] for number in (1, 2)] == [
        "support@example.com",
        "example.org",
    ]
    attributes = boto_client(aws.behind, "sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    (statement,) = [
        one
        for one in json.loads(attributes["Policy"])["Statement"]
        if one.get("Sid") == "JackfieldSes"
    ]
    arn = f"arn:aws:ses:eu-west-1:123456789012:receipt-rule-set/inbound:receipt-rule/{name}"
    assert statement["Condition"]["StringEquals"] == {
        "aws:SourceAccount": "123456789012",
        "aws:SourceArn": arn,
    }
    before = len(aws.asked)
    assert client.post("/v1/subscriptions/mail:enable").status == 200
    until(lambda: "UpdateReceiptRule" in aws.asked[before:])
    until(lambda: client.get("/v1/subscriptions/mail").json["status"] == "active")
    assert "Subscribe" not in aws.asked[before:]
    assert list(aws.rules) == [name]


def test_a_message_is_one_event_with_its_verdicts_and_its_place(
    client: Client, aws: PublishingAws, topic: str
) -> None:
    """Told again, it is none; stored elsewhere by another rule, or for another recipient, it is
    another.
    """
    assert aws.publish(_receipt("m-1", "support@example.com", "Sales@example.org"), topic) == [200]
    assert aws.publish(_receipt("m-1", "sales@example.org", "support@example.com"), topic) == [200]
    (found,) = _events(client, "m-1")
    assert found == {
        "messageId": "m-1",
        "recipients": ["support@example.com", "Sales@example.org"],
        "sender": "bounces@example.net",
        "from": ["Ada <ada@example.net>"],
        "to": ["support@example.com"],
        "cc": [],
        "subject": "My order",
        "verdicts": {
            "spam": "PASS",
            "virus": "PASS",
            "spf": "PASS",
            "dkim": "PASS",
            "dmarc": "FAIL",
        },
        "dmarcPolicy": "REJECT",
        "action": "S3",
        "s3": {"bucketName": "acme-mail", "objectKey": "inbox/m-1"},
        "headers": [{"name": "Subject", "value": "My order"}],
        "headersTruncated": False,
    }
    copy = {"type": "S3", "topicArn": "t", "bucketName": "archive", "objectKey": "m-1"}
    assert aws.publish(
        _receipt("m-1", "support@example.com", "sales@example.org", action=copy), topic
    ) == [200]
    assert aws.publish(_receipt("m-1", "support@example.com"), topic) == [200]
    assert [one["s3"]["bucketName"] for one in _events(client, "m-1")] == [
        "acme-mail",
        "archive",
        "acme-mail",
    ]


def test_what_is_no_receipt_is_refused(client: Client, aws: PublishingAws, topic: str) -> None:
    """Records of what was sent, and what SES does not publish: 400, no event. SES's validation of a
    topic is accepted, and none either.
    """
    mail = {"messageId": "m-sent", "timestamp": "2026-11-20T10:00:00.000Z"}
    odd: list[Any] = [
        {"eventType": "Delivery", "mail": mail},
        {"notificationType": "Received"},
        {"Records": []},
        "not JSON",
        [],
        {"notificationType": "Received", "mail": {"messageId": 1}},
    ]
    assert [aws.publish(record, topic) for record in odd] == [[400]] * len(odd)
    assert aws.publish(
        "Successfully validated SNS topic for Amazon SES event publishing.", topic
    ) == [200]
    half: dict[str, Any] = {
        "notificationType": "Received",
        "mail": {"messageId": "m-half", "destination": ["a@example.com"]},
        "receipt": 7,
    }
    assert aws.publish(half, topic) == [200]
    (found,) = _events(client, "m-half")
    assert (found["recipients"], found["verdicts"]) == (["a@example.com"], {})
    assert aws.publish(_receipt("m-forged", "support@example.com"), f"{topic}-2") == [401]
    assert _events(client, "m-forged") == []


def test_rules_of_ones_own_publish_to_a_topic_that_stays(
    client: Client, aws: PublishingAws, topic: str
) -> None:
    """Only the subscription is made and removed; the SNS action brings the message itself."""
    sns = boto_client(aws.behind, "sns")
    own = sns.create_topic(Name="own-inbound")["TopicArn"]
    before = len(aws.asked)
    assert _added(client, "own", {"topicArn": own}) == 201
    until(lambda: client.get("/v1/subscriptions/own").json["status"] == "active")
    assert not {"CreateTopic", "SetTopicAttributes", "CreateReceiptRule"} & set(aws.asked[before:])
    url = client.get("/v1/subscriptions/own").json["url"]
    action = {"type": "SNS", "topicArn": own, "encoding": "BASE64"}
    record = _receipt("m-own", "support@example.com", action=action, content="U3ViamVjdDogSGk=")
    message = note(json.dumps(record), time.time(), topic=own, origin=aws.url, version="1")
    assert aws.deliver(message, url).status == 200
    (found,) = _events(client, "m-own")
    assert (found["action"], found["content"], found["encoding"], "s3" in found) == (
        "SNS",
        "U3ViamVjdDogSGk=",
        "BASE64",
        False,
    )
    before = len(aws.asked)
    confirmed = set(aws.confirmed)
    assert client.call("DELETE", "/v1/subscriptions/own").status == 204
    until(lambda: "Unsubscribe" in aws.asked[before:])
    assert not {"DeleteTopic", "DeleteReceiptRule"} & set(aws.asked[before:])
    assert own in [one["TopicArn"] for one in sns.list_topics()["Topics"]]
    aws.confirmed.update(confirmed - {url})


def test_what_cannot_be_is_refused_with_what_to_do(
    client: Client, aws: PublishingAws, topic: str
) -> None:
    """Inputs that exclude each other, a region that receives nothing, a bucket that SES may not
    write to.
    """
    own = "arn:aws:sns:eu-west-1:123456789012:own-inbound"
    for inputs in (
        {},
        {**_BUCKET, "topicArn": own},
        {"topicArn": own, "recipients": ["example.org"]},
        {"bucketName": "A b"},
    ):
        assert _added(client, "odd", dict(inputs)) == 400, inputs
    aws.active = ""
    assert _added(client, "none", {"bucketName": "acme-mail"}) == 201
    until(
        lambda: (
            "no active receipt rule set"
            in client.get("/v1/subscriptions/none").json.get("reason", "")
        )
    )
    aws.active, aws.refuses = "inbound", "InvalidS3Configuration"
    assert client.post("/v1/subscriptions/none:disable").status == 200
    until(lambda: client.get("/v1/subscriptions/none").json["status"] == "paused")
    assert client.post("/v1/subscriptions/none:enable").status == 200
    until(lambda: "s3:PutObject" in client.get("/v1/subscriptions/none").json.get("reason", ""))
    aws.refuses, before = "", len(aws.asked)
    assert client.call("DELETE", "/v1/subscriptions/none").status == 204
    until(lambda: "DeleteTopic" in aws.asked[before:])


def test_a_rule_moves_with_the_active_set_only_on_purpose(
    client: Client, aws: PublishingAws, topic: str
) -> None:
    """The rule is where it was made; disabled, it is removed first, then subscription and topic;
    enabled, it is in the active set.
    """
    aws.active = "other"
    assert client.post("/v1/subscriptions/mail:enable").status == 200
    until(
        lambda: (
            "the active one is 'other'"
            in client.get("/v1/subscriptions/mail").json.get("reason", "")
        )
    )
    before = len(aws.asked)
    assert client.post("/v1/subscriptions/mail:disable").status == 200
    until(lambda: "DeleteTopic" in aws.asked[before:])
    until(lambda: client.get("/v1/subscriptions/mail").json["status"] == "paused")
    removed = [name for name in aws.asked[before:] if name.startswith(("Delete", "Unsubscribe"))]
    assert removed == ["DeleteReceiptRule", "Unsubscribe", "DeleteTopic"]
    assert aws.rules == {}
    assert client.post("/v1/subscriptions/mail:enable").status == 200
    until(lambda: client.get("/v1/subscriptions/mail").json["status"] == "active")
    assert [rule["RuleSetName"] for rule in aws.rules.values()] == ["other"]
