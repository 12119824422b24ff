"""Actions for messages."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pika import BasicProperties

from jackfield.connector import Detail, Field, Inputs, InvalidInput, Output, Rejected, Sent
from jackfield.connector.binary import Encoding, decoded, encoded, encoding_field
from jackfield_rabbitmq.client import RabbitClient
from jackfield_rabbitmq.connector import UNRECORDED, connector
from jackfield_rabbitmq.fields import NAME, exchange_field, queue_field
from jackfield_rabbitmq.session import Message, Unfit

_LONGEST = 8 * 1024 * 1024
_PERSISTENT, _TRANSIENT = 2, 1
_SHORT = 255
"""Maximum bytes of a short string (AMQP 0-9-1, section 4.2.5.3)."""
_INT64 = 2**63
_MOST_LEVELS = 64
_HEADERS: dict[str, Any] = {
    "maxProperties": 100,
    "propertyNames": {"maxLength": 128},
    "additionalProperties": {"type": ["string", "integer", "boolean", "null"]},
}


class NewMessage(Inputs):
    """Message to publish."""

    exchange: str = exchange_field(
        "",
        "The exchange's name; empty for the default one, which routes to the queue that the "
        "routing key names.",
    )
    routing_key: str = Field(
        title="Routing Key",
        description="The routing key: the queue's name with the default exchange.",
        examples=["orders"],
        secret=False,
        schema={"maxLength": _SHORT},
    )
    body: str = Field(
        title="Body",
        description="The message.",
        multiline=True,
        examples=['{"order": 7}'],
        schema={"maxLength": _LONGEST},
    )
    encoding: Encoding = encoding_field()
    content_type: str | None = Field(
        None,
        title="Content Type",
        description="The body's media type.",
        blank="absent",
        examples=["application/json"],
        schema=NAME,
    )
    headers: dict[str, Any] = Field(
        {},
        title="Headers",
        description="Headers for consumers and exchanges: texts, numbers.",
        schema=_HEADERS,
    )
    message_id: str | None = Field(
        None,
        title="Message ID",
        blank="absent",
        schema=NAME,
        description=(
            "An ID by which consumers know a message again that comes twice; that of the "
            "invocation by default."
        ),
    )
    correlation_id: str | None = Field(
        None,
        title="Correlation ID",
        description="What the message belongs to.",
        blank="absent",
        schema=NAME,
    )
    reply_to: str | None = Field(
        None, title="Reply To", description="The queue for an answer.", blank="absent", schema=NAME
    )
    type: str | None = Field(
        None, title="Type", description="The kind of message.", blank="absent", schema=NAME
    )
    priority: int | None = Field(
        None,
        title="Priority",
        description="Its priority, in queues that have some.",
        blank="absent",
        schema={"minimum": 0, "maximum": 255},
    )
    expire_seconds: int | None = Field(
        None,
        title="Expire Seconds",
        description="Seconds after which the message is dropped.",
        blank="absent",
        schema={"minimum": 1, "maximum": 2**22},
    )
    persistent: bool = Field(
        True,
        title="Persistent",
        description="True to keep it on disk, in queues that last.",
        blank="absent",
    )
    mandatory: bool = Field(
        True,
        title="Mandatory",
        description="True to fail if no queue takes it; false to drop it then.",
        blank="absent",
    )

    def properties(self, invocation: str) -> BasicProperties:
        """Return the message's properties in AMQP. ``invocation`` is the default message ID.

        :raises InvalidInput: if a header cannot be encoded.
        """
        expiration = None if self.expire_seconds is None else str(self.expire_seconds * 1000)
        for name, value in self.headers.items():
            if isinstance(value, int) and not -_INT64 <= value < _INT64:
                fault = Detail(f"/headers/{name}", "is no 64-bit number")
                raise InvalidInput(
                    "a header cannot be sent", details=[fault], hint="Write it as text."
                )
        return BasicProperties(
            content_type=self.content_type,
            headers=self.headers or None,
            correlation_id=self.correlation_id,
            reply_to=self.reply_to,
            message_id=self.message_id or invocation or None,
            type=self.type,
            priority=self.priority,
            expiration=expiration,
            delivery_mode=_PERSISTENT if self.persistent else _TRANSIENT,
        )


class Published(Output):
    """Message that the broker has confirmed."""

    message_id: str | None = Field(None, title="Message ID", description="Its ID.")


class Taking(Inputs):
    """Messages to take."""

    queue: str = queue_field()
    count: int = Field(
        1,
        title="Count",
        description="How many to take at most.",
        blank="absent",
        schema={"minimum": 1, "maximum": 100},
    )


class Taken(Output):
    """Message that was taken out of a queue."""

    body: str = Field(title="Body", description="The message.")
    encoding: Encoding = Field(
        title="Encoding", description="'text', or 'base64' if the body is no UTF-8."
    )
    exchange: str = Field(title="Exchange", description="The exchange that it was published to.")
    routing_key: str = Field(title="Routing Key", description="Its routing key.", secret=False)
    redelivered: bool = Field(
        title="Redelivered",
        description="True if somebody had got it before, and not acknowledged it.",
    )
    headers: dict[str, Any] = Field(title="Headers", description="Its headers.")
    content_type: str | None = Field(
        None, title="Content Type", description="The body's media type."
    )
    message_id: str | None = Field(None, title="Message ID", description="Its ID.")
    correlation_id: str | None = Field(
        None, title="Correlation ID", description="What it belongs to."
    )
    reply_to: str | None = Field(None, title="Reply To", description="The queue for an answer.")
    type: str | None = Field(None, title="Type", description="The kind of message.")


class Left(Output):
    """Message that was left in its queue."""

    reason: str = Field(title="Reason", description="Why it cannot be read.")
    redelivered: bool = Field(
        title="Redelivered",
        description="True if somebody had got it before, and not acknowledged it.",
    )
    message_id: str | None = Field(
        None, title="Message ID", description="Its ID, if that can be read."
    )


class TakenMessages(Output):
    """Messages that were taken out of a queue."""

    messages: tuple[Taken, ...] = Field(title="Messages", description="The messages, oldest first.")
    unreadable: tuple[Left, ...] = Field(
        (),
        title="Unreadable",
        description="Messages before and between them that cannot be read. They stay in the queue.",
    )


@connector.action(
    "publishMessage",
    effect="write",
    no_evidence=UNRECORDED,
    examples=[
        (
            "Queue an order",
            {"routingKey": "orders", "body": '{"order": 7}', "contentType": "application/json"},
            {"messageId": "0197a2f0-0000-7000-8000-000000000000"},
        )
    ],
    keywords=("send to a queue", "enqueue"),
)
def publish_message(new: NewMessage, client: RabbitClient) -> Published:
    """Publish a message, and wait until the broker has confirmed it."""
    properties, body = (
        new.properties(client.invocation_id),
        encoded(new.body, new.encoding, "/body"),
    )
    client.publish(new.exchange, new.routing_key, properties, body, mandatory=new.mandatory)
    return Published(message_id=properties.message_id)


@connector.action(
    "takeMessages",
    effect="write",
    no_evidence=UNRECORDED,
    examples=[
        (
            "Take an order",
            {"queue": "orders"},
            {
                "messages": [
                    {
                        "body": '{"order": 7}',
                        "encoding": "text",
                        "exchange": "",
                        "routingKey": "orders",
                        "redelivered": False,
                        "headers": {},
                    }
                ]
            },
        )
    ],
    keywords=("consume", "get from a queue", "dequeue"),
)
def take_messages(asked: Taking, client: RabbitClient) -> TakenMessages:
    """Take messages out of a queue and acknowledge them. They are then in no queue: if the answer
    is lost, so are they. Unreadable messages stay in their place, and the ones behind them are
    taken.
    """
    found, unfit = client.take(asked.queue, asked.count, _taken)
    return TakenMessages(messages=tuple(found), unreadable=tuple(_left(one) for one in unfit))


def _left(one: Unfit) -> Left:
    told = one.properties and one.properties.message_id
    return Left(reason=one.error.message, redelivered=one.method.redelivered, message_id=told)


def _taken(message: Message) -> Taken:
    (body,), encoding = decoded([message.body])
    told = message.properties
    return Taken(
        body=body or "",
        encoding=encoding,
        exchange=message.method.exchange,
        routing_key=message.method.routing_key,
        redelivered=message.method.redelivered,
        headers=_json(told.headers or {}),
        content_type=told.content_type,
        message_id=told.message_id,
        correlation_id=told.correlation_id,
        reply_to=told.reply_to,
        type=told.type,
    )


def _json(value: Any, level: int = 0) -> Any:
    """Convert a header's value to JSON: times to ISO 8601, decimals to text, bytes to base64.

    :raises Rejected: if it has more levels than an output may have; the message stays in the queue.
    """
    if level > _MOST_LEVELS:
        hint = "Take it with another program, or let its sender nest less."
        raise Rejected(
            f"the headers of a message have more than {_MOST_LEVELS} levels",
            sent=Sent.NOTHING,
            hint=hint,
        )
    if isinstance(value, Mapping):
        return {str(name): _json(one, level + 1) for name, one in value.items()}
    if isinstance(value, list):
        return [_json(one, level + 1) for one in value]
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).isoformat()
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    return str(value) if isinstance(value, Decimal) else value
