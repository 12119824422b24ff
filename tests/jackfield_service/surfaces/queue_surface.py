"""The queue as a surface: each vector is queued in a journal of its own, handed over by a real
RabbitMQ, and run by one Celery worker.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Mapping
from typing import Any
from unittest import mock

from corpus import Vector
from jackfield.kernel.errors import Unavailable
from jackfield.kernel.rate_limiter import Lines
from jackfield_celery.broker import new_app
from jackfield_celery.outbox import Message
from jackfield_celery.publisher import CeleryPublisher
from jackfield_celery.worker import Worker
from jackfield_store.journal import Queue
from jackfield_store.runtime import Jackfield
from rabbitmq import missing, process_node
from stage import Place

_PATIENCE = 60.0
_REFUSED = frozenset(
    {
        "invalid_invocation",
        "unknown_connector",
        "unknown_action",
        "unknown_connection",
        "invalid_input",
        "invalid_connection",
        "not_allowed",
    }
)
"""Codes of invocations that are refused before they are queued."""


_APART = frozenset({"identities-wait"})
"""A vector whose action waits for a condition: in the queue between two deliveries, of which the
Result counts the last one's attempts.
"""


class _Stand:
    """The broker of this process, and a worker, which ``rest`` ends."""

    def __init__(self) -> None:
        node = self._node = process_node()
        self._publisher = CeleryPublisher(new_app(node.url), node.url)
        self._publisher.publish([])
        self._jackfield: Jackfield | None = None
        self._done = threading.Event()
        self._worker: Worker | None = None

    def rest(self) -> None:
        """End the worker."""
        if self._worker is not None:
            self._worker.stop(60.0)
        self._worker = None

    def play(self, jackfield: Jackfield, identifier: str) -> None:
        """Hand an invocation over, and wait until the worker is done with it."""
        self._jackfield = jackfield
        self._done.clear()
        if self._worker is None:
            self._worker = Worker(
                new_app(self._node.url),
                "vectors@localhost",
                1,
                self._deliver,
                Lines(logging.getLogger("jackfield.queue")),
            )
            self._worker.start()
        try:
            self._publisher.publish([("default", identifier)])
        except Unavailable:
            # the dispatcher publishes again: a broker with much to do may refuse a message
            self._publisher.publish([("default", identifier)])
        assert self._done.wait(_PATIENCE)

    def _deliver(self, message: Message) -> None:
        jackfield = self._jackfield
        assert jackfield is not None
        try:
            claimed = Queue(jackfield.storage.database, jackfield.clock).claim_one(*message)
            assert claimed is not None
            jackfield.run(claimed)
        finally:
            self._done.set()


@functools.cache
def _stand() -> _Stand:
    return _Stand()


def rest() -> None:
    """End the worker, until another vector needs one.

    Celery asks the workers of a process to stop by one variable: a test that stops its own worker
    would end this one, too, which then says that it ended by itself, in the log of the test after
    that.
    """
    if _stand.cache_info().currsize:
        _stand().rest()


def takes_queue(vector: Vector) -> bool:
    """Whether the vector is accepted for the queue, and there is a broker
    (``test_surfaces_equal.py`` skips without one).
    """
    given = vector.given
    if (
        missing() is not None
        or vector.process
        or vector.name in _APART
        or not isinstance(given, Mapping)
    ):
        return False
    if isinstance(given.get("connection"), Mapping):
        return False
    if given.get("dryRun") and "output" in vector.expect:  # the journal stores no preview
        return False
    return vector.expect.get("error", {}).get("code") not in _REFUSED


def through_queue(vector: Vector, place: Place) -> dict[str, Any]:
    """Queue, deliver, run; the Result as the journal has it. Where the vector says what is sent,
    without the marker that a journal adds.
    """
    environment = {"JACKFIELD_DATABASE_URL": f"sqlite:///{place.folder / 'queue.db'}"}
    environment |= {"JACKFIELD_SETTLE": "off"} if "requests" in vector.expect else {}
    with (
        mock.patch.dict(os.environ, environment),
        Jackfield(connections=place.files, clock=place.clock) as jackfield,
    ):
        identifier = jackfield.enqueue(place.given)
        assert isinstance(identifier, str)
        _stand().play(jackfield, identifier)
        journal = jackfield.journal
        assert journal is not None
        entry = journal.find(identifier)
        assert entry.result is not None, entry.to_json()
        return dict(entry.result)
