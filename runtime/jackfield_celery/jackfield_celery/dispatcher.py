"""The dispatcher: a thread of each process; one dispatcher at a time passes queued invocations to a
broker.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Protocol

from jackfield.kernel.errors import JackfieldError, Unavailable, brief
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.rate_limiter import Lines
from jackfield_celery.outbox import Message, Outbox
from jackfield_store.database.blocked import LOOP_FAULTS
from jackfield_store.runtime.runtime_pool import RuntimePool

_LOG = logging.getLogger("jackfield.queue")
_TICK = 0.025
"""Seconds between selections of the process that leads."""
_SECOND = 1.0
_AHEAD = 0.25
"""Seconds of work that are released ahead of the workers. More would let one workspace's burst
delay another's invocation.
"""
_LEAST = 16
_MOST = 1000
_LOST = 3.0
"""Seconds after which an invocation is released again if the broker holds fewer messages than were
released. A worker claims each message at once, and a second message for the same invocation runs
nothing.
"""
_LOST_ANYWAY = 60.0
"""Seconds after which an invocation is released again in any case: the broker's messages may be
duplicates, or belong to others.
"""
_DEAD_AT_ONCE = 100
_NOT_HANDED_OVER = "queued invocations cannot be handed to the broker and wait in the journal"
_NOT_READ = (
    "the broker's queues cannot be read; invocations whose messages are lost are released "
    "again after a minute"
)


class Publisher(Protocol):
    """Connection of the dispatcher to a broker, opened by its first call. Its methods raise
    Unavailable if the broker is unavailable.
    """

    def publish(self, messages: Sequence[Message]) -> None:
        """Publish messages, and wait until the broker has confirmed all of them."""

    def ready(self) -> int:
        """Return the number of messages that wait in the broker."""

    def dead(self, most: int) -> Iterable[Message]:
        """Consume up to ``most`` messages that the broker has given up."""

    def close(self) -> None:
        """Close the connection."""


class Dispatcher(ProcessLocal):
    """Thread that releases invocations in fair order, only as many as the workers begin soon: all
    others wait in the journal.

    A message is published before its row is marked, so a crash in between yields a second message,
    of which only one can claim the row.
    """

    def __init__(self, runtimes: RuntimePool, publisher: Publisher, lines: Lines) -> None:
        self._runtimes = runtimes
        self._publisher = publisher
        self._woken: SimpleQueue[None] = SimpleQueue()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._leads_until = self._check_at = 0.0
        self._leads = False
        self._slots = 0
        self._left = 0
        """Invocations that were released and not claimed after the last selection."""
        self._rate = 0.0
        self._selected_at = 0.0
        self._lines = lines

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(
            target=self._serve, name="jackfield-dispatcher", daemon=True
        )
        self._thread.start()

    def wake(self) -> None:
        """Select now, since an invocation was queued."""
        if self._woken.empty():
            self._woken.put(None)

    def stop(self, within: float = 2.0) -> None:
        """Stop, and let another process lead at once."""
        self._stopped = True
        self.wake()
        if self._thread is not None:
            self._thread.join(within)

    def _serve(self) -> None:
        outbox: Outbox | None = None
        while not self._stopped:
            pause = _SECOND
            try:
                outbox = outbox or self._open_outbox()
                pause = self._step(outbox)
            except LOOP_FAULTS as error:  # what nobody has foreseen, too, must not end the thread
                self._lines.error("%s: %s", _NOT_HANDED_OVER, brief(error))
            with suppress(Empty):
                self._woken.get(timeout=pause)
        with suppress(JackfieldError):
            if outbox is not None and self._leads:
                outbox.resign()
        self._publisher.close()

    def _open_outbox(self) -> Outbox:
        runtimes = self._runtimes
        return Outbox(
            runtimes.storage.database,
            runtimes.clock,
            runtimes.limits,
            runtimes.has_lost,
            runtimes.blocked,
        )

    def _step(self, outbox: Outbox) -> float:
        """Release as many invocations as the workers can begin soon, if this process leads, and
        return the seconds until the next step.
        """
        now = time.monotonic()
        if now >= self._leads_until:
            self._leads = outbox.lead()
            self._leads_until = now + _SECOND
        if not self._leads:
            self._publisher.close()
            return _SECOND
        if now >= self._check_at:
            self._check_at = now + _SECOND
            self._slots = outbox.slots()
            try:
                waiting: float = self._publisher.ready()
                self._take_back(outbox)
            except Unavailable as error:
                self._lines.error("%s: %s", _NOT_READ, error.message)
                waiting = math.inf
            self._recall(outbox, waiting)
        self._release(outbox, now)
        return _TICK

    def _release(self, outbox: Outbox, now: float) -> None:
        left = outbox.released()
        elapsed, self._selected_at = now - self._selected_at, now
        weight = 1.0 - math.exp(-elapsed / _AHEAD)
        self._rate += weight * (max(0, self._left - left) / max(elapsed, 0.001) - self._rate)
        self._left = left
        room = min(max(_LEAST, self._slots + math.ceil(self._rate * _AHEAD)), _MOST) - left
        if room <= 0:
            return
        messages = outbox.due(room)
        if messages:
            self._publisher.publish(messages)
            outbox.mark(messages)
            self._left += len(messages)

    def _take_back(self, outbox: Outbox) -> None:
        """Release again the messages that the broker has given up. The journal decides whether an
        invocation is given up.
        """
        for message in self._publisher.dead(_DEAD_AT_ONCE):
            if outbox.recall_one(message):
                _LOG.warning(
                    "the queued invocation %s is released again: the broker gave up its message",
                    message[1],
                )

    def _recall(self, outbox: Outbox, waiting: float) -> None:
        """Release again the invocations that no worker received: after ``_LOST`` seconds if the
        broker holds fewer messages than were released, otherwise after ``_LOST_ANYWAY`` seconds if
        there are workers.
        """
        if waiting < outbox.released():
            age = _LOST
        elif self._slots:
            age = _LOST_ANYWAY
        else:  # nobody could have got them, and messages without workers must not add up
            return
        recalled = outbox.recall(age)
        if recalled:
            _LOG.warning(
                "%d queued invocations are released again: no worker got their messages", recalled
            )
