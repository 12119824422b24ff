"""Events in the simulator: published as Amazon SES publishes them, through topics and queues whose
policies decide.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Iterator
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest
from botocore.exceptions import ClientError

from boto_client import boto_client
from clocks import FakeClock
from jackfield.connector import HookRequest, Needs
from jackfield.testing import Answer, Provider, Request
from jackfield_aws.notifications import Expected, verify_message, verify_request
from jackfield_aws_ses.events.envelopes import events_of_text
from jackfield_aws_ses_simulator.embedded import EmbeddedAws

_ALL = ["SEND", "REJECT", "BOUNCE", "COMPLAINT", "DELIVERY"]
_EICAR = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
_SIMULATOR = "simulator.amazonses.com"


class _Aws:
    """Simulator with boto3 clients of its role, on a clock that is moved."""

    def __init__(self, aws: EmbeddedAws, clock: FakeClock) -> None:
        self.aws, self.clock = aws, clock
        keys = {"AccessKeyId": aws.access_key_id, "SecretAccessKey": aws.secret_access_key}
        sts = boto_client(aws.url, "sts", keys)
        found = sts.assume_role(
            RoleArn=aws.role_arn,
            RoleSessionName="ada",
            ExternalId=aws.external_id,
            DurationSeconds=3600,
        )
        names = ("sns", "sqs", "sesv2", "cloudwatch")
        self.sns, self.sqs, self.ses, self.cloudwatch = (
            boto_client(aws.url, name, found["Credentials"], timeout=120) for name in names
        )

    def queue(
        self, name: str = "events", topic: str | None = None, **attributes: str
    ) -> tuple[str, str]:
        """Make a queue to which the topic may send, and return its URL and ARN."""
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])[
            "Attributes"
        ]["QueueArn"]
        if topic is not None:
            self.sqs.set_queue_attributes(
                QueueUrl=url, Attributes={"Policy": json.dumps(_lets(topic, arn))}
            )
        return url, arn

    def publishes(
        self, topic: str, types: list[str], *, enabled: bool = True, name: str = "receipts"
    ) -> None:
        """Make a configuration set that publishes to the topic."""
        self.ses.create_configuration_set(ConfigurationSetName=name)
        target = {
            "Enabled": enabled,
            "MatchingEventTypes": types,
            "SnsDestination": {"TopicArn": topic},
        }
        self.ses.create_configuration_set_event_destination(
            ConfigurationSetName=name, EventDestinationName="e", EventDestination=target
        )

    def watched(self, types: list[str], *, enabled: bool = True) -> str:
        """Make topic, queue and event destination, and return the queue's URL."""
        topic = self.sns.create_topic(Name="events")["TopicArn"]
        url, arn = self.queue(topic=topic)
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        self.publishes(topic, types, enabled=enabled)
        return str(url)

    def send(
        self,
        *to: str,
        text: str = "Hi",
        attached: str = "",
        configuration_set: str | None = "receipts",
    ) -> None:
        """Send a mail."""
        files = (
            [{"FileName": "file.txt", "RawContent": attached.encode(), "ContentType": "text/plain"}]
            if attached
            else []
        )
        content = {
            "Subject": {"Data": "Hi"},
            "Body": {"Text": {"Data": text}},
            "Attachments": files,
        }
        named = {"ConfigurationSetName": configuration_set} if configuration_set else {}
        self.ses.send_email(
            FromEmailAddress="noreply@example.com",
            Destination={"ToAddresses": [*to]},
            Content={"Simple": content},
            **named,
        )

    def taken(self, url: str) -> list[str]:
        """Take all messages from a queue, and return what SNS carried in them."""
        found: list[str] = []
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            found += [json.loads(message["Body"])["Message"] for message in messages]
            entries = [
                {"Id": str(place), "ReceiptHandle": message["ReceiptHandle"]}
                for place, message in enumerate(messages)
            ]
            assert len(
                self.sqs.delete_message_batch(QueueUrl=url, Entries=entries)["Successful"]
            ) == len(entries)
        return found


def _lets(topic: str, arn: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    return {
        "Version": "2012-10-17",
        "Statement": [{**statement, "Condition": {"ArnEquals": {"aws:SourceArn": topic}}}],
    }


@pytest.fixture(name="aws")
def _aws() -> Iterator[_Aws]:
    clock = FakeClock()
    with EmbeddedAws(clock=clock.time) as aws:
        yield _Aws(aws, clock)


_OUTCOMES = [
    (f"bounce@{_SIMULATOR}", [("sent", None), ("bounced", True)]),
    (f"Bounce+4711@{_SIMULATOR}", [("sent", None), ("bounced", True)]),
    (f"complaint@{_SIMULATOR}", [("sent", None), ("delivered", None), ("complained", None)]),
    (f"suppressionlist@{_SIMULATOR}", [("sent", None), ("bounced", True)]),
    (f"success@{_SIMULATOR}", [("sent", None), ("delivered", None)]),
    ("Ada Lovelace <ada@example.org>", [("sent", None), ("delivered", None)]),
    ("bounce@example.org", [("sent", None), ("delivered", None)]),
]


@pytest.mark.parametrize(("to", "expected"), _OUTCOMES, ids=[to for to, _ in _OUTCOMES])
def test_each_recipient_has_its_outcome(
    aws: _Aws, to: str, expected: list[tuple[str, bool | None]]
) -> None:
    """The mailbox simulator's addresses bounce and complain, with a label too; all others are
    delivered.
    """
    url = aws.watched(_ALL)
    assert [events_of_text(text) for text in aws.taken(url)] == [[]], "SES tries the topic once"
    aws.send(to)
    events = [event for text in aws.taken(url) for event in events_of_text(text)]
    data: list[Any] = [event.data for event in events]
    assert [
        (event.type, about.permanent) for event, about in zip(events, data, strict=True)
    ] == expected
    assert {about.recipient for about in data} == {to.rpartition("<")[2].rstrip(">")}
    assert {about.configuration_set for about in data} == {"receipts"}


def test_a_virus_is_rejected_and_a_suppressed_address_bounces(aws: _Aws) -> None:
    """A message with the scanners' test file is sent to nobody; one to an address on the
    suppression list bounces at SES.
    """
    url = aws.watched(_ALL)
    aws.taken(url)
    aws.send("ada@example.org", attached=_EICAR)
    assert [json.loads(text)["eventType"] for text in aws.taken(url)] == ["Send", "Reject"]
    aws.ses.put_suppressed_destination(EmailAddress="ada@example.org", Reason="BOUNCE")
    aws.send("ADA@example.org")
    records = [json.loads(text) for text in aws.taken(url)]
    assert [record["eventType"] for record in records] == ["Send", "Bounce"]
    assert records[1]["bounce"]["bounceSubType"] == "OnAccountSuppressionList"
    (event,) = events_of_text(json.dumps(records[1]))
    assert (event.outcome is None or event.outcome.suppresses) is None


def test_only_what_is_asked_for_is_published(aws: _Aws) -> None:
    """Types that the destination does not name, mail without the configuration set and a disabled
    destination publish nothing.
    """
    url = aws.watched(["BOUNCE"])
    aws.taken(url)
    aws.send("ada@example.org")
    aws.send(f"bounce@{_SIMULATOR}", configuration_set=None)
    assert aws.taken(url) == []
    aws.send(f"bounce@{_SIMULATOR}")
    assert len(aws.taken(url)) == 1
    topic = aws.sns.create_topic(Name="events")["TopicArn"]
    target = {
        "Enabled": False,
        "MatchingEventTypes": ["BOUNCE"],
        "SnsDestination": {"TopicArn": topic},
    }
    aws.ses.update_configuration_set_event_destination(
        ConfigurationSetName="receipts", EventDestinationName="e", EventDestination=target
    )
    aws.taken(url)
    aws.send(f"bounce@{_SIMULATOR}")
    assert aws.taken(url) == []


@pytest.mark.parametrize("given", ["none", "other topic", "denied", "topic"])
def test_policies_decide_who_may_publish_and_send(aws: _Aws, given: str) -> None:
    """A queue without a policy, one whose policy names another topic or denies, and a topic that
    does not let SES publish get nothing.
    """
    topic = aws.sns.create_topic(Name="events")["TopicArn"]
    url, arn = aws.queue(
        topic=f"{topic}-2" if given == "other topic" else None if given == "none" else topic
    )
    if given == "denied":
        policy = _lets(topic, arn)
        policy["Statement"].append(
            {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": arn}
        )
        aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    if given == "topic":
        closed = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "*"}
            ],
        }
        aws.sns.set_topic_attributes(
            TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(closed)
        )
    aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    aws.publishes(topic, _ALL)
    aws.send("ada@example.org")
    assert aws.taken(url) == []


def test_messages_in_queues_are_signed(aws: _Aws) -> None:
    """The trigger that names the topic counts only what SNS has signed: so is what the simulator
    puts into the queue, in both versions.
    """
    for version in ("1", "2"):
        topic = aws.sns.create_topic(
            Name=f"events-{version}", Attributes={"SignatureVersion": version}
        )["TopicArn"]
        url, arn = aws.queue(f"q{version}", topic)
        aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        aws.sns.publish(TopicArn=topic, Message="Grüße", Subject="Hi")
        note = json.loads(aws.sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"])
        expected = Expected.of(topic, aws.aws.url, (version,))
        with pytest.raises(Needs) as needed:
            verify_message(note, expected, {})
        pem = _open(needed.value.name)
        assert verify_message(note, expected, {needed.value.name: pem}).text == "Grüße"


def _open(url: str) -> bytes:
    with build_opener(ProxyHandler({})).open(url) as answer:
        found: bytes = answer.read()
    return found


def test_a_web_server_confirms_its_subscription_and_receives(aws: _Aws) -> None:
    """SNS asks the endpoint by a signed message; nothing comes before the link is opened, then each
    message does, signed as well.
    """
    came: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()

    def take(_number: int, request: Request) -> Answer:
        came.put(({name.lower(): value for name, value in request.headers.items()}, request.body))
        return Answer()

    topic = aws.sns.create_topic(Name="events", Attributes={"SignatureVersion": "2"})["TopicArn"]
    expected = Expected.of(topic, aws.aws.url, ("2",))
    with Provider(take) as server:
        endpoint = f"{server.url}/hook?a=b"
        assert (
            aws.sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint)["SubscriptionArn"]
            == "pending confirmation"
        )
        asked = json.loads(came.get(timeout=120)[1])
        assert asked["Type"] == "SubscriptionConfirmation"
        aws.sns.publish(TopicArn=topic, Message="too early")
        assert (
            aws.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][0][
                "SubscriptionArn"
            ]
            == "PendingConfirmation"
        )
        with pytest.raises(ClientError, match="InvalidParameter"):
            aws.sns.confirm_subscription(TopicArn=topic, Token="wrong")
        assert b"ConfirmSubscriptionResponse" in _open(asked["SubscribeURL"])
        aws.sns.publish(TopicArn=topic, Message="now")
        headers, body = came.get(timeout=120)
    request = HookRequest(body, headers, aws.clock.time())
    url = json.loads(body)["SigningCertURL"]
    assert verify_request(request, expected, {url: _open(url)}).text == "now"
    assert b"UnsubscribeResponse" in _open(json.loads(body)["UnsubscribeURL"])
    assert aws.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_a_received_message_is_hidden_until_its_timeout(aws: _Aws) -> None:
    """It becomes visible again after the timeout, or when somebody says so; a deleted one never
    does, and a second deletion is none.
    """
    url, _ = aws.queue(VisibilityTimeout="30")
    aws.sqs.send_message(QueueUrl=url, MessageBody="one")
    first = aws.sqs.receive_message(QueueUrl=url)["Messages"][0]
    assert "Messages" not in aws.sqs.receive_message(QueueUrl=url)
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    assert aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"] == dict(
        zip(counts, "01", strict=True)
    )
    aws.clock.advance(31)
    second = aws.sqs.receive_message(QueueUrl=url, AttributeNames=["All"])["Messages"][0]
    assert (second["MessageId"], second["Attributes"]["ApproximateReceiveCount"]) == (
        first["MessageId"],
        "2",
    )
    aws.sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=0
    )
    third = aws.sqs.receive_message(QueueUrl=url)["Messages"][0]
    for _ in range(2):
        aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=third["ReceiptHandle"])
    aws.clock.advance(1200)
    assert "Messages" not in aws.sqs.receive_message(QueueUrl=url)
    with pytest.raises(ClientError, match="not in flight"):
        aws.sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=third["ReceiptHandle"], VisibilityTimeout=9
        )


def test_a_message_that_nobody_deletes_ends_in_the_dead_letter_queue(aws: _Aws) -> None:
    """After as many receives as the redrive policy allows it moves; what is older than the
    retention goes.
    """
    dead, dead_arn = aws.queue("dead")
    url, _ = aws.queue(
        RedrivePolicy=json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2}),
        MessageRetentionPeriod="600",
    )
    aws.sqs.send_message(QueueUrl=url, MessageBody="one")
    for _ in range(2):
        assert aws.sqs.receive_message(QueueUrl=url, VisibilityTimeout=5)["Messages"]
        aws.clock.advance(6)
    assert "Messages" not in aws.sqs.receive_message(QueueUrl=url)
    assert aws.sqs.receive_message(QueueUrl=dead)["Messages"][0]["Body"] == "one"
    aws.sqs.purge_queue(QueueUrl=dead)
    aws.sqs.send_message(QueueUrl=url, MessageBody="two")
    aws.clock.advance(601)
    assert "Messages" not in aws.sqs.receive_message(QueueUrl=url)
    aws.clock.advance(60)
    assert "Messages" not in aws.sqs.receive_message(QueueUrl=dead)


def test_a_waiting_receive_gets_the_message_that_comes(aws: _Aws) -> None:
    """Long polling: the receive that found nothing returns with the message that is sent
    meanwhile.
    """
    url, _ = aws.queue()
    found: list[Any] = []
    waiting = threading.Thread(
        target=lambda: found.append(aws.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20))
    )
    waiting.start()
    aws.sqs.send_message(QueueUrl=url, MessageBody="one")
    waiting.join(60)
    assert found[0]["Messages"][0]["Body"] == "one"


def test_mistakes_are_refused_as_aws_refuses_them(aws: _Aws) -> None:
    """Unknown queues, topics and attributes, wrong batches: boto3 raises the exceptions that a
    program catches.
    """
    url, _ = aws.queue()
    with pytest.raises(aws.sqs.exceptions.QueueDoesNotExist):
        aws.sqs.get_queue_url(QueueName="nobody")
    with pytest.raises(aws.sqs.exceptions.QueueNameExists):
        aws.sqs.create_queue(QueueName="events", Attributes={"VisibilityTimeout": "31"})
    with pytest.raises(aws.sqs.exceptions.EmptyBatchRequest):
        aws.sqs.delete_message_batch(QueueUrl=url, Entries=[])
    with pytest.raises(ClientError, match="InvalidAttributeValue"):
        aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "-1"})
    with pytest.raises(aws.sns.exceptions.NotFoundException):
        aws.sns.get_topic_attributes(TopicArn="arn:aws:sns:eu-west-1:123456789012:nobody")
    with pytest.raises(ClientError, match="NotImplemented"):
        aws.sns.list_tags_for_resource(ResourceArn="arn:aws:sns:eu-west-1:123456789012:nobody")
    aws.sqs.delete_queue(QueueUrl=url)
    with pytest.raises(aws.sqs.exceptions.QueueDoesNotExist):
        aws.sqs.receive_message(QueueUrl=url)


def test_an_alarm_follows_the_bounces_and_notifies_its_topic(aws: _Aws) -> None:
    """The bounce rate crosses the threshold with the bounce: the alarm's state changes once, and
    its topic has a message.
    """
    topic = aws.sns.create_topic(Name="alarms")["TopicArn"]
    url, arn = aws.queue(topic=topic)
    aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    about = {
        "Namespace": "AWS/SES",
        "MetricName": "Reputation.BounceRate",
        "Statistic": "Average",
        "Period": 300,
        "EvaluationPeriods": 1,
    }
    more = {
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": [topic],
    }
    aws.cloudwatch.put_metric_alarm(AlarmName="bounces", Threshold=0.05, **about, **more)
    assert [one["StateValue"] for one in aws.cloudwatch.describe_alarms()["MetricAlarms"]] == ["OK"]
    for _ in range(2):
        aws.send(f"bounce@{_SIMULATOR}", configuration_set=None)
    assert [
        one["AlarmName"]
        for one in aws.cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"]
    ] == ["bounces"]
    told = [json.loads(text) for text in aws.taken(url)]
    assert [(one["OldStateValue"], one["NewStateValue"]) for one in told] == [("OK", "ALARM")]
    aws.cloudwatch.delete_alarms(AlarmNames=["bounces"])
    assert aws.cloudwatch.describe_alarms()["MetricAlarms"] == []


def test_the_end_of_the_simulator_ends_a_waiting_receive() -> None:
    """Nobody waits for a simulator that is gone: the receive ends with an empty answer or a broken
    connection.
    """
    ended = threading.Event()
    with EmbeddedAws() as embedded:
        aws = _Aws(embedded, FakeClock())
        url, _ = aws.queue()

        def wait() -> None:
            with contextlib.suppress(Exception):  # whatever boto3 makes of a broken connection
                aws.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)
            ended.set()

        threading.Thread(target=wait, daemon=True).start()
    assert ended.wait(15)
