"""Upkeep that every engine shares: requests to cancel, abandoned claims, and invocations that could
not be run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from jackfield.invocation import Meta, Result
from jackfield.invocation.claimed import Claimed
from jackfield.kernel.errors import Internal, JackfieldError, Unavailable
from jackfield.pacing.turn import PostponedError
from jackfield_store.journal import Queue
from jackfield_store.runtime.runtime_pool import RuntimePool

_LOG = logging.getLogger("jackfield.queue")
EVERY = 1.0
"""Seconds between checks for requests to cancel, and for claims without a task in this process."""
SHORTAGES = (Unavailable, RuntimeError, MemoryError)
"""Errors of a process without database, threads or memory, after which the engine pauses."""
_OUTCOMES: dict[bool | None, str] = {
    True: "could not be started and returns to the queue",
    False: "was started, but its worker could not continue; see its journal entry",
    None: (
        "was abandoned and, unless it was started, returns to the queue when the database responds"
    ),
}


class QueueUpkeep:
    """Upkeep of the queued invocations of one process."""

    def __init__(self, runtimes: RuntimePool, queue: Queue) -> None:
        self._runtimes = runtimes
        self._queue = queue
        self._idle: set[tuple[str, str, int]] = set()

    def check(self, running: Iterable[Claimed]) -> None:
        """Cancel invocations as other processes requested, and return claims without a task in this
        process, seen twice, to the queue.
        """
        for workspace, identifier in self._queue.asked_to_cancel():
            self._runtimes.cancel(workspace, identifier)
        busy = {(item.workspace, item.id, item.delivery) for item in running}
        idle = {item for item in self._queue.held() if item not in busy}
        again, self._idle = idle & self._idle, idle
        for claim in again:
            self._queue.release(*claim)

    def settle(self, claimed: Claimed, error: Exception) -> None:
        """Requeue an invocation whose run raised an exception, or finish it: by its effect if it
        was begun, as failed otherwise.
        """
        if isinstance(error, JackfieldError):
            self._runtimes.blocked.note(claimed.workspace, error)
        if isinstance(error, PostponedError):
            self._queue.postpone(claimed, error.at)
        elif isinstance(error, SHORTAGES):
            given = self._queue.give_back(claimed)
            _LOG.error(
                "the queued invocation %s %s: %s",
                claimed.id,
                _OUTCOMES[given],
                type(error).__name__,
            )
            if given is False:
                self._runtimes.leave(claimed)
        else:
            told = (
                error.message
                if isinstance(error, JackfieldError)
                else f"an unexpected {type(error).__name__}"
            )
            _LOG.error("the queued invocation %s cannot be run: %s", claimed.id, told)
            given_up = Internal(
                f"the queued invocation {claimed.id} cannot be read; it was not sent",
                hint="See the worker's log for the reason.",
            )
            self._runtimes.refuse(claimed, Result("failed", Meta(claimed.id), error=given_up))
