"""The dispatcher's connection to the broker: publishing with confirmations, and the messages that
the broker gave up.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from celery import Celery
from kombu import Connection
from kombu.exceptions import KombuError

from jackfield.kernel.errors import Unavailable
from jackfield_celery.broker import QUEUE, TASK, queues
from jackfield_celery.outbox import Message
from jackfield_celery.transport import DEAD

_LOG = logging.getLogger("jackfield.queue")
_CONFIRM_WITHIN = 10.0
"""Seconds to wait for the confirmations of one batch."""
_MOST_UNREADABLE = 1000
_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")
"""Regular expression of workspaces and ids. The database refuses other texts; a worker would
mistake the refusal for an outage and retry for ever.
"""


def read_message(body: object) -> Message | None:
    """Read workspace and id from the body of a message; None if jackfield did not send it."""
    if isinstance(body, str | bytes):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            return None
    arguments = body[0] if isinstance(body, list) and body else None
    if (
        isinstance(arguments, list)
        and len(arguments) == 2
        and all(isinstance(item, str) and _NAME.fullmatch(item) for item in arguments)
    ):
        return arguments[0], arguments[1]
    return None


class CeleryPublisher:
    """Publisher of task messages for Celery's workers. Used by one thread."""

    def __init__(self, app: Celery, url: str) -> None:
        self._app = app
        self._queues = queues(url)
        self._connection: Connection | None = None
        self._channel: Any = None
        self._confirms = False
        self._open: set[int] = set()
        """Numbers of the messages that the broker has not confirmed."""
        self._refused = False
        self._published = 0
        self._unreadable = 0

    def publish(self, messages: Sequence[Message]) -> None:
        """Publish messages and wait for the broker's confirmation of all of them; Redis answers
        each command instead.
        """
        with self._connected() as channel:
            for workspace, identifier in messages:
                self._send(channel, workspace, identifier)
            until = time.monotonic() + _CONFIRM_WITHIN
            while self._open and not self._refused:
                channel.connection.drain_events(timeout=max(0.001, until - time.monotonic()))
            if self._refused:
                raise ConnectionError("the broker refused a message")

    def ready(self) -> int:
        """Return the number of messages that wait in the broker.

        Redis has no empty queues: it answers a passive declaration of an empty queue with an error.
        An active declaration creates nothing there.
        """
        with self._connected() as channel:
            return int(channel.queue_declare(QUEUE, passive=self._confirms).message_count)

    def dead(self, most: int) -> Iterator[Message]:
        """Consume up to ``most`` messages that the broker has given up, and yield them. Up to 1,000
        unreadable messages stay in the broker, where a person can read them; further ones are
        removed.
        """
        with self._connected() as channel:
            for _ in range(most):
                message = channel.basic_get(DEAD)
                if message is None:
                    return
                found = read_message(message.body)
                if found is not None:
                    yield found
                    channel.basic_ack(message.delivery_tag)
                elif self._unreadable < _MOST_UNREADABLE:
                    # unacknowledged: it returns to the queue when this connection ends
                    self._unreadable += 1
                    _LOG.error("an unreadable message lies in the broker's queue '%s'", DEAD)
                else:
                    channel.basic_ack(message.delivery_tag)

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            with suppress(*self._errors(connection)):
                connection.close()

    def _send(self, channel: Any, workspace: str, identifier: str) -> None:
        headers = {
            "lang": "py",
            "task": TASK,
            "id": identifier,
            "root_id": identifier,
            "ignore_result": True,
        }
        headers |= {
            "argsrepr": repr((workspace, identifier)),
            "kwargsrepr": "{}",
            "retries": 0,
            "timelimit": [None, None],
        }
        body = json.dumps(
            [
                [workspace, identifier],
                {},
                {"callbacks": None, "errbacks": None, "chain": None, "chord": None},
            ]
        )
        message = channel.prepare_message(
            body,
            content_type="application/json",
            content_encoding="utf-8",
            headers=headers,
            properties={
                "delivery_mode": 2,
                "correlation_id": identifier,
                "delivery_info": {"exchange": "", "routing_key": QUEUE},
            },
        )
        channel.basic_publish(
            message,
            exchange="",
            routing_key=QUEUE,
            **({"mandatory": True} if self._confirms else {}),
        )
        self._published += 1
        if self._confirms:
            self._open.add(self._published)

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """Yield the channel, connected on first use.

        :raises Unavailable: if the broker is unavailable; the next use connects anew.
        """
        connection = self._connection or self._app.connection_for_write()
        try:
            if self._channel is None:
                self._connection, self._channel = connection, self._opened(connection)
            yield self._channel
        except self._errors(connection) as error:
            self._connection = self._channel = None
            with suppress(*self._errors(connection)):
                connection.collect()  # without a word that the broker would have to answer
            raise Unavailable(
                f"the broker is unavailable ({type(error).__name__})",
                hint="Check JACKFIELD_QUEUE_URL and the broker.",
            ) from None

    def _opened(self, connection: Connection) -> Any:
        connection.ensure_connection(
            max_retries=max(1, len(connection.alt) - 1), interval_start=0, timeout=5.0
        )
        channel = connection.channel()
        for queue in self._queues:
            queue(channel).declare()
        self._confirms = connection.transport.driver_type == "amqp"
        self._published = self._unreadable = 0
        self._open, self._refused = set(), False
        if self._confirms:
            channel.confirm_select()
            channel.events["basic_ack"].add(self._on_ack)
            channel.events["basic_nack"].add(self._on_refusal)
            channel.events["basic_return"].add(self._on_refusal)
        return channel

    def _on_ack(self, delivery_tag: int, multiple: bool) -> None:
        self._open = (
            {number for number in self._open if number > delivery_tag}
            if multiple
            else self._open - {delivery_tag}
        )

    def _on_refusal(self, *_arguments: object) -> None:
        self._refused = True

    @staticmethod
    def _errors(connection: Connection) -> tuple[type[Exception], ...]:
        return (*connection.connection_errors, *connection.channel_errors, KombuError, OSError)
