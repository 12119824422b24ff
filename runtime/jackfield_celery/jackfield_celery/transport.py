"""The broker's transports, guarded: a forged message on the broker can neither fill the memory, end
the consumer nor get lost.

Celery decompresses a message before it checks it, kombu's Redis transport ends on an invalid
message, and Redis drops rejected messages.
"""

from __future__ import annotations

import base64
import logging
import uuid
from collections.abc import Mapping
from json import loads
from queue import Empty
from typing import Any

from celery.app.amqp import AMQP
from kombu import Connection
from kombu.transport import pyamqp, redis, virtual

_LOG = logging.getLogger("jackfield.queue")
DEAD = "jackfield.dead"
"""The broker's queue of dead letters."""
_ANSWER_WITHIN = 10.0
"""Seconds for RabbitMQ to answer."""
TRIAL = "jackfield.trial"
"""Destination of trial messages: no queue in RabbitMQ, and in Redis a list that is deleted in the
same step.
"""
LONGEST_BODY = 4 * 1024
"""Maximum bytes of a message's body: it has the name of a workspace and an ID."""
_LONGEST_ENVELOPE = 64 * 1024
"""Maximum characters of a message with its headers on Redis. Of a longer message, only the
beginning enters the dead letters.
"""


class Refused(ValueError):
    """Error for a message that jackfield never sends."""


def _fault(headers: object, body: object) -> Refused | None:
    if not isinstance(headers, Mapping) or "compression" in headers:
        return Refused("it is compressed")
    size = (
        len(body) if isinstance(body, str | bytes | memoryview) else LONGEST_BODY + 1 if body else 0
    )
    return (
        Refused(f"its body has more than {LONGEST_BODY:,} bytes") if size > LONGEST_BODY else None
    )


def _errors(headers: object, body: object) -> list[Any]:
    """Return kombu's record of the error of a refused message: kombu then decodes nothing, and
    leaves the decision to the consumer.
    """
    fault = _fault(headers, body)
    return [] if fault is None else [(Refused, fault, None)]


class AmqpMessage(pyamqp.Message):
    """Message of RabbitMQ that is checked before any part of it is decoded."""

    def __init__(self, msg: Any, channel: Any = None, **named: Any) -> None:
        self.errors = _errors(msg.properties.get("application_headers") or {}, msg.body)
        super().__init__(msg, channel, **named)


class AmqpChannel(pyamqp.Channel):
    """Channel to RabbitMQ that checks its messages."""

    Message = AmqpMessage


class AmqpConnection(pyamqp.Connection):
    """Connection to RabbitMQ with checked messages that never waits endlessly for an answer. If a
    network drops bytes without closing the connection, or a node hangs, nothing else ends that
    wait. A worker that waits for messages notices the loss by their heartbeats.
    """

    Channel = AmqpChannel

    def blocking_read(self, timeout: float | None = None) -> Any:
        """Read a frame."""
        return super().blocking_read(_ANSWER_WITHIN if timeout is None else timeout)


class AmqpTransport(pyamqp.Transport):
    """Transport of ``amqp`` with guarded connections."""

    Connection = AmqpConnection


class AmqpsTransport(pyamqp.SSLTransport):
    """Transport of ``amqps`` with guarded connections."""

    Connection = AmqpConnection


class RedisMessage(virtual.Message):
    """Message of Redis that is checked before any part of it is decoded."""

    def __init__(self, payload: Any, channel: Any = None, **named: Any) -> None:
        self.errors = _errors(payload.get("headers") or {}, payload.get("body"))
        super().__init__(payload, channel, **named)


class RedisChannel(redis.Channel):
    """Channel to Redis that moves rejected and unreadable messages to the dead letters."""

    Message = RedisMessage

    def __init__(self, *given: Any, **named: Any) -> None:
        """Connect. A replica among several servers is skipped: it accepts connections, but refuses
        publishing and consuming.

        :raises ConnectionError: if the server is a replica; Celery tries the next URL.
        """
        super().__init__(*given, **named)
        if len(self.connection.client.alt) > 1:
            try:
                self.client.pipeline().lpush(TRIAL, "").delete(TRIAL).execute()
            except self.ResponseError as error:
                if "read only" in str(error):  # what else is refused concerns the primary, too
                    self._disconnect_pools()
                    raise ConnectionError("the server is a replica") from error

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Return a message to its queue if ``requeue`` is True; otherwise move it to the dead
        letters.
        """
        if not requeue:
            self._bury(self.qos.get(delivery_tag).serializable())
        super().basic_reject(delivery_tag, requeue)

    def _bury(self, payload: Mapping[str, Any]) -> None:
        """Move a message to the list of dead letters. It also returns there if a reader does not
        acknowledge it.
        """
        about = {
            **payload["properties"],
            "delivery_info": {"exchange": "", "routing_key": DEAD},
            "delivery_tag": str(uuid.uuid4()),
        }
        self._put(DEAD, {**payload, "properties": about})

    def _brpop_read(self, **options: Any) -> bool:
        """Read the next message and return True. An invalid message goes to the dead letters, and
        the consumer continues.

        :raises Empty: if no message has arrived.
        """
        try:
            try:
                answer = self.client.parse_response(self.client.connection, "BRPOP", **options)
            except self.connection_errors:
                self.client.connection.disconnect()
                raise
            if not answer:
                raise Empty
            queue = answer[0].decode().rsplit(self.sep, 1)[0]
            self._queue_cycle.rotate(queue)
            payload = _parse_message(answer[1])
            if payload is None:
                self._bury(_wrapped(answer[1]))
                _LOG.error("an unreadable message was moved to the broker's queue '%s'", DEAD)
            else:
                self.connection._deliver(payload, queue)  # noqa: SLF001 (kombu's own channels do this)
            return True
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()

    def _get(self, queue: str) -> Any:
        """Return the next message of a queue; an invalid item is wrapped in a message.

        :raises Empty: if the queue is empty.
        """
        with self.conn_or_acquire() as client:
            for priority in self.priority_steps:
                item = client.rpop(self._q_for_pri(queue, priority))
                if item:
                    return _parse_message(item) or _wrapped(item)
        raise Empty


class RedisTransport(redis.Transport):
    """Transport of ``redis`` and ``rediss`` with guarded channels."""

    Channel = RedisChannel


def _parse_message(item: bytes) -> Mapping[str, Any] | None:
    """Return the message in an item of a list; None if the item is no message."""
    if len(item) > _LONGEST_ENVELOPE:
        return None
    try:
        found = loads(item)
    except (ValueError, RecursionError):
        return None
    if (
        not isinstance(found, dict)
        or not isinstance(found.get("headers") or {}, dict)
        or not isinstance(found.get("body"), str)
    ):
        return None
    about = found.get("properties")
    texts = [found.get("content-type"), found.get("content-encoding")]
    if not isinstance(about, dict) or not all(isinstance(text, str | None) for text in texts):
        return None
    place = about.get("delivery_info")
    well_formed = isinstance(about.get("delivery_tag"), str) and about.get("body_encoding") in (
        None,
        "base64",
    )
    if (
        not well_formed
        or not isinstance(place, dict)
        or not all(isinstance(place.get(name), str) for name in ("exchange", "routing_key"))
    ):
        return None
    return found if about.get("body_encoding") is None or _is_base64(found["body"]) else None


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text)
    except ValueError:
        return False
    return True


def _wrapped(item: bytes) -> Mapping[str, Any]:
    about = {
        "delivery_tag": str(uuid.uuid4()),
        "body_encoding": "base64",
        "delivery_info": {"exchange": "", "routing_key": DEAD},
    }
    body = base64.b64encode(bytes(item[:LONGEST_BODY])).decode()
    kind = {"content-type": "application/octet-stream", "content-encoding": "binary"}
    return {"body": body, **kind, "headers": {}, "properties": about}


class Broker(Connection):
    """Connection to one of several brokers, which are tried in turn. Kombu would use the guarded
    transport for the first broker only.
    """

    def switch(self, conn_str: str) -> None:
        """Switch to another URL."""
        super().switch(conn_str)
        self.transport_cls = transport_of(conn_str)


class Amqp(AMQP):
    """Celery's factory of connections, which makes guarded ones."""

    Connection = Broker


def transport_of(url: str) -> str:
    """Return the guarded transport of a broker's URL, as Celery's setting ``broker_transport``."""
    name = {"amqp": "AmqpTransport", "amqps": "AmqpsTransport"}.get(
        url.partition(":")[0], "RedisTransport"
    )
    return f"{__name__}:{name}"
