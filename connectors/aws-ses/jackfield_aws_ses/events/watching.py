"""Triggers about messages' events: over SNS (``mailEvents``), and over a queue fed by SNS or
EventBridge (``mailQueue``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import WithJsonSchema

from jackfield.connector import (
    Field,
    Forged,
    Hook,
    HookRequest,
    Malformed,
    Needs,
    Polled,
    Received,
    Since,
    TriggerEvent,
    Unfinished,
    strict_json,
)
from jackfield.kernel.dataclass import replace
from jackfield_aws import AwsClients
from jackfield_aws.notifications import (
    CONFIRMATION,
    ENDED,
    Expected,
    fetch_certificate,
    verify_message,
)
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.events.envelopes import events_of, events_of_text
from jackfield_aws_ses.events.notices import is_notice
from jackfield_aws_ses.events.record import TYPES, MailEvent
from jackfield_aws_ses.events.setting_up import SES_NAMES, USUAL, Wanted
from jackfield_aws_ses.events.topics import (
    PERMISSIONS,
    received,
    register,
    remove,
    topic_field,
    verified,
)
from jackfield_aws_ses.events.unreadable import RECEIVES, Unreadable
from jackfield_aws_ses.provider import Watched

_AT_ONCE = 10
_WATCHED = [name for name in TYPES if name in SES_NAMES]
EventTypes = Annotated[
    tuple[str, ...],
    WithJsonSchema(
        {"type": "array", "items": {"enum": _WATCHED}, "minItems": 1, "uniqueItems": True}
    ),
]
_EXAMPLE = {
    "messageId": "0102018f6b1c2d3e-4f5a6b7c-8d9e-4f0a-b1c2-d3e4f5a6b7c8-000000",
    "recipient": "ada@example.com",
    "sender": "noreply@example.com",
    "configurationSet": "receipts",
    "reason": "mailbox full",
    "permanent": False,
}
_EXAMPLES = [{"title": "A full mailbox", "events": [_EXAMPLE]}]
_PERMISSIONS = {
    "aws:iam": [
        *PERMISSIONS,
        "ses:GetConfigurationSet",
        "ses:CreateConfigurationSet",
        "ses:CreateConfigurationSetEventDestination",
        "ses:GetConfigurationSetEventDestinations",
        "ses:UpdateConfigurationSetEventDestination",
        "ses:DeleteConfigurationSetEventDestination",
    ]
}


class _Typed(Watched):
    types: EventTypes = Field(
        USUAL,
        title="Event Types",
        description=(
            "Events to tell: of opens and clicks only if named, since SES rewrites messages "
            "to see them."
        ),
    )

    def wants(self, event: TriggerEvent) -> bool:
        """Return whether an event's type is selected, or new in SES."""
        return event.type in (*self.types, "unknown")


class MailWatch(_Typed):
    """Events of the messages that are sent with a configuration set."""

    configuration_set_name: str = Field(
        title="Configuration Set",
        trim=True,
        schema={"pattern": "^[A-Za-z0-9_-]{1,64}$"},
        expects="the name of a configuration set (letters, digits, '_' and '-')",
        description="Made if it does not exist.",
    )
    topic_arn: str | None = topic_field(
        "A topic that exists already, and stays; by default one is made."
    )

    @property
    def wanted(self) -> Wanted:
        """Events to publish, as ``setting_up`` creates them."""
        return Wanted(self.configuration_set_name, self.types, self.aws_region, self.topic_arn)


mail_events = connector.webhook(
    "mailEvents",
    verify=verified,
    inputs=MailWatch,
    event=MailEvent,
    types=TYPES,
    permissions=_PERMISSIONS,
    examples=_EXAMPLES,
    setup=(
        "Topic, subscription and event destination are made with the connection. Send with "
        "the configuration set."
    ),
)
mail_events.fetch(fetch_certificate)


@mail_events.receive
def receive(request: HookRequest, hook: Hook) -> Received:
    """Report the outcomes of messages: deliveries, bounces, complaints and more, as Amazon SES
    publishes them through an SNS topic.
    """
    return received(request, hook, lambda text: filter(hook.inputs.wants, events_of_text(text)))


@mail_events.enable
def enable(hook: Hook, aws: AwsClients) -> Mapping[str, Any] | Unfinished:
    """Create the topic, subscribe the URL, and create the event destination."""
    return register(hook, aws, hook.inputs.wanted)


@mail_events.disable
def disable(hook: Hook, aws: AwsClients) -> None:
    """Remove the event destination, then subscription and topic."""
    remove(hook, aws, hook.inputs.wanted)


class QueueWatch(_Typed):
    """Events in a queue of Amazon SQS."""

    queue_url: str = Field(
        title="Queue",
        trim=True,
        schema={"pattern": "^https?://[^\\s]{1,500}$"},
        expects="the URL of a queue",
        description="URL of the queue that SNS, or a rule of EventBridge, sends the events to.",
    )
    topic_arn: str | None = topic_field(
        "Only messages that this topic has signed are events. Without it, the queue's policy "
        "says who may send to it."
    )


@connector.poll(
    "mailQueue",
    inputs=QueueWatch,
    event=MailEvent,
    every=60,
    types=TYPES,
    permissions={"aws:iam": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]},
    examples=_EXAMPLES,
)
def mail_queue(watch: QueueWatch, aws: AwsClients, since: Since) -> Polled:
    """Report the outcomes of messages, from a queue: for servers that SNS cannot reach. A message
    is deleted once its events are stored, a notice at once. Other messages stay for the dead-letter
    queue.
    """
    queue = aws.client("sqs", watch.aws_region or aws.region)
    taken, certificates = since.mark.get("taken", []), dict(since.mark.get("certificates", {}))
    if taken:
        entries = [
            {"Id": str(place), "ReceiptHandle": handle} for place, handle in enumerate(taken)
        ]
        queue.delete_message_batch(QueueUrl=watch.queue_url, Entries=entries)
    asked = {
        "QueueUrl": watch.queue_url,
        "MaxNumberOfMessages": _AT_ONCE,
        "AttributeNames": [RECEIVES],
    }
    found = queue.receive_message(**asked).get("Messages") or []
    events, handles, unreadable = (
        [],
        [],
        Unreadable(queue, watch.queue_url, since.mark.get("unreadable", 0)),
    )
    for message in found:
        try:
            events += _queued(message.get("Body", ""), watch, aws, certificates)
        except (Forged, Malformed) as error:
            unreadable.add(message, error)
            continue
        handles.append(message["ReceiptHandle"])
    handles += unreadable.given_up()
    mark = {"taken": handles, "certificates": certificates, "unreadable": unreadable.count}
    more = bool(handles) or (len(found) == _AT_ONCE and not unreadable.stuck)
    return Polled([one for one in events if watch.wants(one)], mark, more=more)


def _queued(
    text: str, watch: QueueWatch, aws: AwsClients, certificates: dict[str, str]
) -> list[TriggerEvent]:
    """Return the events in a queue's message: a message of SNS, or raw content of SNS or
    EventBridge.
    """
    if is_notice(text):
        return []
    body = strict_json(text)
    if not isinstance(body, Mapping):
        raise Malformed
    if watch.topic_arn is None:
        events = _of_sns(body, body.get("Message")) if "TopicArn" in body else events_of(body)
        # nobody has signed them: they are no evidence
        return [replace(event, marker=None) for event in events]
    # nobody has signed it: a notice is deleted and not believed, a record may be an event
    if "TopicArn" not in body:
        if is_notice(body, tell=False):
            return []
        events_of(body)
        raise Forged("set RawMessageDelivery of the subscription to false")
    expected = Expected.of(watch.topic_arn, aws.endpoint_of("sns"))
    try:
        note = verify_message(body, expected, _files(certificates))
    except Needs as needed:
        certificates.clear()
        certificates[needed.name] = fetch_certificate(
            needed.name, aws, expected.topic.region
        ).decode("ascii", "replace")
        note = verify_message(body, expected, _files(certificates))
    return _of_sns(body, note.text)


def _of_sns(body: Mapping[str, Any], message: Any) -> list[TriggerEvent]:
    if not isinstance(message, str):
        raise Malformed
    return (
        []
        if body.get("Type") in (CONFIRMATION, ENDED) and is_notice(body)
        else events_of_text(message)
    )


def _files(certificates: Mapping[str, str]) -> dict[str, bytes]:
    return {name: text.encode() for name, text in certificates.items()}
