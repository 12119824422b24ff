"""Resources by which Amazon SES publishes events: a topic that it may publish to, subscribers, and
event destinations.

The order is safe: nothing is published before there is a subscriber, and subscribers are removed
only after publishing has ended. Each step reads the present state and corrects it, so that all
steps may run again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from botocore.exceptions import ClientError

from jackfield.connector import Rejected, check_price
from jackfield.kernel.dataclass import dataclass
from jackfield_aws import AwsClients
from jackfield_aws_ses.provider import ask, filled

SES_NAMES: Mapping[str, str] = {
    "sent": "SEND",
    "rejected": "REJECT",
    "bounced": "BOUNCE",
    "complained": "COMPLAINT",
    "delivered": "DELIVERY",
    "opened": "OPEN",
    "clicked": "CLICK",
    "renderingFailed": "RENDERING_FAILURE",
    "delayed": "DELIVERY_DELAY",
    "subscription": "SUBSCRIPTION",
}
"""SES's names for the types of events that it publishes."""
USUAL = ("bounced", "complained", "delivered", "rejected", "delayed", "renderingFailed")
"""Default event types, without opens and clicks, for which SES rewrites the message."""
MOST_RECEIVES = 20
"""Number of receives after which SQS moves a message to the dead-letter queue. During an outage,
messages whose events cannot be stored are received again each minute.
"""
DEAD_LETTERS_KEPT = 14 * 24 * 3600
"""Retention of the dead-letter queue in seconds, SQS's maximum."""
_STATEMENT = "JackfieldSes"
GONE = frozenset(
    {
        "NotFound",
        "NotFoundException",
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
        "ConfigurationSetDoesNotExist",
    }
)
"""Error codes for a resource that does not exist."""
EXISTS = frozenset({"AlreadyExistsException"})
"""Error codes for the creation of a resource that exists."""
_REFUSED = frozenset({"InvalidParameter", "InvalidParameterException"})


class Publisher(Protocol):
    """Resource of Amazon SES that publishes to a topic. A topic named by ``topic_arn`` exists
    already, and stays.
    """

    @property
    def region(self) -> str | None:
        """Region of all resources; None for the connection's."""

    @property
    def topic_arn(self) -> str | None:
        """ARN of the owner's existing topic; None to create a topic."""

    @property
    def name(self) -> str:
        """Name of the topic and all further resources."""

    @property
    def source(self) -> str | None:
        """End of the ARN that may publish to the topic; None if the owner controls the topic's
        policy.
        """

    def prepare(self, aws: AwsClients) -> None:
        """Create the resources named in the topic's policy."""

    def publish(self, aws: AwsClients, topic_arn: str) -> None:
        """Make SES publish to the topic, or correct it: the last step."""

    def withdraw(self, aws: AwsClients) -> None:
        """Stop publishing: the first step of the removal."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Event types of a configuration set that SES shall publish."""

    configuration_set: str
    types: Sequence[str] = USUAL
    region: str | None = None
    topic_arn: str | None = None

    @property
    def name(self) -> str:
        """Name of the topic, the destination and the queue."""
        return f"jackfield-{self.configuration_set}"[:64]

    @property
    def dead_letters(self) -> str:
        """Name of the dead-letter queue."""
        return f"{self.name}-dead"

    @property
    def source(self) -> str:
        """End of the ARN of the configuration set."""
        return f"configuration-set/{self.configuration_set}"

    def prepare(self, aws: AwsClients) -> None:
        """Create the configuration set if it does not exist."""
        region, named = region_of(aws, self), {"ConfigurationSetName": self.configuration_set}
        if not passing(GONE, aws, region, "get_configuration_set", named):
            passing(EXISTS, aws, region, "create_configuration_set", named)

    def publish(self, aws: AwsClients, topic_arn: str) -> None:
        """Create or correct the event destination, and enable it last."""
        region, target = region_of(aws, self), self.target(topic_arn)
        known = self.destination(aws)
        named = {"ConfigurationSetName": self.configuration_set, "EventDestinationName": self.name}
        if known is None:
            parameters = {**named, "EventDestination": {"Enabled": False, **target}}
            passing(EXISTS, aws, region, "create_configuration_set_event_destination", parameters)
        if known is None or not self.is_published(known, topic_arn):
            parameters = {**named, "EventDestination": {"Enabled": True, **target}}
            ask(aws, region, "update_configuration_set_event_destination", parameters)

    def target(self, topic_arn: str) -> dict[str, Any]:
        """Return the members required of the event destination."""
        return {
            "MatchingEventTypes": [SES_NAMES[name] for name in self.types],
            "SnsDestination": {"TopicArn": topic_arn},
        }

    def destination(self, aws: AwsClients) -> Mapping[str, Any] | None:
        """Return the event destination; None if it or its configuration set does not exist.

        :raises JackfieldError: if it cannot be read.
        """
        names = {"ConfigurationSetName": self.configuration_set}
        try:
            found = (
                ask(
                    aws, region_of(aws, self), "get_configuration_set_event_destinations", names
                ).get("EventDestinations")
                or []
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in GONE:
                raise
            return None
        return next((one for one in found if one.get("Name") == self.name), None)

    def is_published(self, known: Mapping[str, Any], topic_arn: str) -> bool:
        """Return whether an event destination is enabled, and publishes these event types to the
        topic.
        """
        return bool(known.get("Enabled")) and _fits(known, self.target(topic_arn))

    def withdraw(self, aws: AwsClients) -> None:
        """Remove the event destination."""
        named = {"ConfigurationSetName": self.configuration_set, "EventDestinationName": self.name}
        passing(
            GONE, aws, region_of(aws, self), "delete_configuration_set_event_destination", named
        )


def ensure_topic(aws: AwsClients, wanted: Publisher) -> str:
    """Create the topic that SES may publish to, with signatures of version 2, and the resources in
    its policy; return the topic's ARN.
    """
    region = region_of(aws, wanted)
    wanted.prepare(aws)
    arn = wanted.topic_arn or str(
        ask(aws, region, "create_topic", {"Name": wanted.name}, "TopicArn", service="sns")[
            "TopicArn"
        ]
    )
    for name, value in topic_changes(aws, wanted, arn).items():
        parameters = {"TopicArn": arn, "AttributeName": name, "AttributeValue": value}
        ask(aws, region, "set_topic_attributes", parameters, service="sns")
    return arn


def topic_changes(aws: AwsClients, wanted: Publisher, arn: str) -> dict[str, str]:
    """Return the new values of the topic's attributes that need a change."""
    if wanted.source is None:
        return {}
    asked = {"TopicArn": arn}
    attributes = ask(
        aws, region_of(aws, wanted), "get_topic_attributes", asked, "Attributes", service="sns"
    )["Attributes"]
    policy = _with_statement(attributes.get("Policy"), topic_statement(arn, wanted.source))
    found = {"Policy": policy} if wanted.topic_arn else {"SignatureVersion": "2", "Policy": policy}
    return {name: value for name, value in found.items() if attributes.get(name) != value}


def topic_statement(arn: str, source: str) -> dict[str, Any]:
    """Return the statement of a topic's policy that lets SES publish for a single resource of this
    account.
    """
    _, partition, _, region, account, _ = arn.split(":", 5)
    return {
        "Sid": _STATEMENT,
        "Effect": "Allow",
        "Principal": {"Service": "ses.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": arn,
        "Condition": {
            "StringEquals": {
                "aws:SourceAccount": account,
                "aws:SourceArn": f"arn:{partition}:ses:{region}:{account}:{source}",
            }
        },
    }


def subscribe(
    aws: AwsClients, wanted: Publisher, topic_arn: str, protocol: str, endpoint: str
) -> str:
    """Subscribe an endpoint to the topic; return the subscription's ARN. SNS sends an https
    endpoint a token for the confirmation.
    """
    parameters = {
        "TopicArn": topic_arn,
        "Protocol": protocol,
        "Endpoint": endpoint,
        "ReturnSubscriptionArn": True,
    }
    return str(
        ask(aws, region_of(aws, wanted), "subscribe", parameters, "SubscriptionArn", service="sns")[
            "SubscriptionArn"
        ]
    )


def is_subscribed(aws: AwsClients, wanted: Publisher, subscription_arn: str) -> bool:
    """Return whether a subscription exists."""
    return passing(
        GONE,
        aws,
        region_of(aws, wanted),
        "get_subscription_attributes",
        {"SubscriptionArn": subscription_arn},
        "sns",
    )


def confirm(aws: AwsClients, wanted: Publisher, topic_arn: str, token: str) -> str | None:
    """Confirm a subscription by SNS's token and return its ARN; None for an invalid token.

    After that, only the account's own credentials can end it.
    """
    parameters = {"TopicArn": topic_arn, "Token": token, "AuthenticateOnUnsubscribe": "true"}
    try:
        return str(
            ask(
                aws,
                region_of(aws, wanted),
                "confirm_subscription",
                parameters,
                "SubscriptionArn",
                service="sns",
            )["SubscriptionArn"]
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in _REFUSED:
            raise
        return None


def ensure_queue(aws: AwsClients, wanted: Wanted, topic_arn: str) -> tuple[str, str]:
    """Create a queue subscribed to the topic, and its dead-letter queue, unless the queue has
    another one. Return the URLs of the queue and of the dead-letter queue.
    """
    region = region_of(aws, wanted)
    url = _queue(aws, region, wanted.name)
    dead_url = _queue(
        aws, region, wanted.dead_letters, MessageRetentionPeriod=str(DEAD_LETTERS_KEPT)
    )
    arn, changes = queue_changes(aws, wanted, url, topic_arn)
    if changes:
        ask(
            aws,
            region,
            "set_queue_attributes",
            {"QueueUrl": url, "Attributes": changes},
            service="sqs",
        )
    subscribe(aws, wanted, topic_arn, "sqs", arn)
    return url, dead_url


def _queue(aws: AwsClients, region: str, name: str, **attributes: str) -> str:
    """Create a queue if it does not exist; return its URL."""
    parameters = {"QueueName": name, **({"Attributes": attributes} if attributes else {})}
    return str(ask(aws, region, "create_queue", parameters, "QueueUrl", service="sqs")["QueueUrl"])


def queue_changes(
    aws: AwsClients, wanted: Wanted, url: str, topic_arn: str
) -> tuple[str, dict[str, str]]:
    """Return the queue's ARN, and the new values of attributes that need a change. An existing
    dead-letter queue stays.
    """
    asked = {"QueueUrl": url, "AttributeNames": ["QueueArn", "Policy", "RedrivePolicy"]}
    attributes = ask(
        aws, region_of(aws, wanted), "get_queue_attributes", asked, "Attributes", service="sqs"
    )["Attributes"]
    arn = attributes["QueueArn"]
    dead = f"{arn.rpartition(':')[0]}:{wanted.dead_letters}"
    redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": MOST_RECEIVES})
    policy = _with_statement(attributes.get("Policy"), queue_statement(arn, topic_arn))
    changes = {} if attributes.get("Policy") == policy else {"Policy": policy}
    return arn, changes | ({} if attributes.get("RedrivePolicy") else {"RedrivePolicy": redrive})


def is_queue_subscribed(aws: AwsClients, wanted: Wanted, topic_arn: str, queue_arn: str) -> bool:
    """Return whether the queue is subscribed to the topic."""
    listed = aws.client("sns", region_of(aws, wanted)).get_paginator("list_subscriptions_by_topic")
    return any(
        (one.get("Protocol"), one.get("Endpoint")) == ("sqs", queue_arn)
        for page in listed.paginate(TopicArn=topic_arn)
        for one in page.get("Subscriptions", ())
    )


def queue_statement(queue_arn: str, topic_arn: str) -> dict[str, Any]:
    """Return the statement of a queue's policy that lets only the topic send to it."""
    return {
        "Sid": _STATEMENT,
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }


def unsubscribe(aws: AwsClients, wanted: Publisher, subscription_arn: str) -> None:
    """End a subscription. An unconfirmed one cannot be ended: it expires."""
    if ":" in subscription_arn:
        passing(
            GONE | _REFUSED,
            aws,
            region_of(aws, wanted),
            "unsubscribe",
            {"SubscriptionArn": subscription_arn},
            "sns",
        )


def remove_topic(aws: AwsClients, wanted: Publisher, topic_arn: str) -> None:
    """Delete the topic with its subscriptions; an existing topic in ``topic_arn`` stays."""
    if wanted.topic_arn is None:
        passing(GONE, aws, region_of(aws, wanted), "delete_topic", {"TopicArn": topic_arn}, "sns")


def remove_queues(aws: AwsClients, wanted: Wanted) -> None:
    """Delete the queue and its dead-letter queue."""
    for name in (wanted.name, wanted.dead_letters):
        url = find_queue(aws, wanted, name)
        if url is not None:
            passing(GONE, aws, region_of(aws, wanted), "delete_queue", {"QueueUrl": url}, "sqs")


def find_queue(aws: AwsClients, wanted: Wanted, name: str | None = None) -> str | None:
    """Return a queue's URL, by default that of the queue of ``ensure_queue``; None if the queue
    does not exist.
    """
    asked = {"QueueName": name or wanted.name}
    try:
        return str(
            ask(aws, region_of(aws, wanted), "get_queue_url", asked, "QueueUrl", service="sqs")[
                "QueueUrl"
            ]
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in GONE:
            raise
        return None


def find_topic(aws: AwsClients, wanted: Wanted) -> str | None:
    """Return the ARN of ``ensure_topic``'s topic; None if the topic does not exist."""
    if wanted.topic_arn is not None:
        return wanted.topic_arn
    region = region_of(aws, wanted)
    for page in aws.client("sns", region).get_paginator("list_topics").paginate():
        for one in page.get("Topics", ()):
            if str(one["TopicArn"]).rpartition(":")[2] == wanted.name:
                return str(one["TopicArn"])
    return None


def region_of(aws: AwsClients, wanted: Publisher) -> str:
    """Return the publisher's region, by default the connection's.

    :raises Rejected: if neither is set.
    """
    region = wanted.region or aws.region
    if region is None:
        raise Rejected(
            "no AWS region is given",
            hint="Set 'region' in the connection, or 'awsRegion' in the inputs.",
        )
    return region


def passing(
    codes: Iterable[str],
    aws: AwsClients,
    region: str,
    operation: str,
    parameters: Mapping[str, Any],
    service: str = "sesv2",
) -> bool:
    """Call an operation and return True. Return False for a refusal with one of ``codes``, which
    means that nothing needed a change.
    """
    try:
        getattr(aws.client(service, region), operation)(**filled(parameters))
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in codes:
            raise
        return False
    return True


def _fits(known: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
    topic = (known.get("SnsDestination") or {}).get("TopicArn")
    return (
        set(known.get("MatchingEventTypes", ())) == set(target["MatchingEventTypes"])
        and topic == target["SnsDestination"]["TopicArn"]
    )


def _with_statement(policy: str | None, statement: Mapping[str, Any]) -> str:
    """Return a policy with ``statement`` in place of one with the same ID. Other statements
    stay.
    """
    check_price((policy or "").encode())
    found = json.loads(policy or '{"Version": "2012-10-17", "Statement": []}')
    if policy and statement in found["Statement"]:
        return policy
    others = [one for one in found["Statement"] if one.get("Sid") != statement["Sid"]]
    return json.dumps({**found, "Statement": [*others, statement]})
