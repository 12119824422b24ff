"""Recording of a workspace's calls in its journal: calls that run here, wait in the queue, or run
elsewhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.errors import JackfieldError
from jackfield_store.recording.drafting import drafted

if TYPE_CHECKING:
    import threading
    from types import ModuleType

    from jackfield.call.how import Follow, HowAgain
    from jackfield.call.pipe import OnQueued, Pipe, RawInvocation
    from jackfield.call.reached import Asked, Reached
    from jackfield.call.tally import Dependencies
    from jackfield.call.waiter import Waiter
    from jackfield.callers import Caller
    from jackfield.invocation import Enqueued, Result
    from jackfield.invocation.claimed import ClaimedJob
    from jackfield.invocation.entry import Draft, Entry
    from jackfield_store.journal.journal import Journal
    from jackfield_store.recording.record import Record


class Recorder:
    """Recording of a workspace's calls in its journal."""

    def __init__(self, journal: Callable[[], Journal], dependencies: Dependencies) -> None:
        self._journal, self._dependencies = journal, dependencies

    def drafted(self, asked: Asked, call: Reached) -> Awaitable[Record]:
        """Draft the journal's entry of a call."""
        return drafted(asked, call, self._journal(), self._dependencies)

    def enqueue(
        self, pipeline: Pipe, given: RawInvocation, call: Reached, on_queued: OnQueued | None
    ) -> Coroutine[Any, Any, Result | str]:
        """Admit, check and queue an invocation."""
        found: Coroutine[Any, Any, Result | str] = _intake().enqueue(
            pipeline, given, call, on_queued
        )
        return found

    def prepared(
        self, pipeline: Pipe, given: RawInvocation, call: Reached
    ) -> Coroutine[Any, Any, Draft]:
        """Admit and check an invocation, and return the entry that it would have in the queue."""
        found: Coroutine[Any, Any, Draft] = _intake().prepared(pipeline, given, call)
        return found

    def enqueue_many(
        self, pipeline: Pipe, given: Iterable[RawInvocation], caller: Caller, waiter: Waiter
    ) -> list[Enqueued | Result]:
        """Queue invocations in order, in one commit."""
        found: list[Enqueued | Result] = _intake().enqueue_many(pipeline, given, caller, waiter)
        return found

    def again(self, pipeline: Pipe, identifier: str, how: HowAgain) -> Mapping[str, Any]:
        """Prepare a call that sends the request of a doubt again; return its invocation."""
        found: Mapping[str, Any] = _doubts()[0].asked_again(pipeline, identifier, how)
        return found

    def cancel(self, pipeline: Pipe, identifier: str, cancel_here: Callable[[str], bool]) -> bool:
        """Cancel an invocation wherever it waits or runs; return False if it is too late."""
        journal = self._journal()
        entry = journal.find(identifier)
        if entry.job_until is not None and entry.is_open:
            return _can_cancel(pipeline, entry) and journal.jobs.ask_to_cancel(identifier)
        # first where it waits: a process that has claimed it can no longer begin it then
        if entry.status in ("queued", "waiting") and journal.cancel_queued(identifier):
            return True
        if cancel_here(identifier):
            journal.note_cancel(identifier)
            journal.jobs.ask_to_cancel(identifier)  # its start may have ended meanwhile
            return True
        return journal.ask_to_cancel(identifier) or journal.jobs.ask_to_cancel(identifier)

    def awaited(
        self,
        pipeline: Pipe,
        identifier: str,
        waiter: Waiter,
        seconds: float | None,
        cancelled: threading.Event | None = None,
        follow: Follow | None = None,
        *,
        settles: bool = False,
    ) -> Coroutine[Any, Any, Result]:
        """Wait for the end of an invocation, and poll its due job; with ``settles``, also wait for
        the end of its doubt.
        """
        awaited = _doubts()[1].ended if settles else _jobs().awaited
        found: Coroutine[Any, Any, Result] = awaited(
            pipeline, identifier, waiter, seconds, cancelled, follow
        )
        return found

    def polled(
        self, pipeline: Pipe, claimed: ClaimedJob, waiter: Waiter
    ) -> Coroutine[Any, Any, Result | None]:
        """Poll a claimed job, and record the finding."""
        found: Coroutine[Any, Any, Result | None] = _jobs().polled(pipeline, claimed, waiter)
        return found


def _can_cancel(pipeline: Pipe, entry: Entry) -> bool:
    try:
        return pipeline.catalog.find(entry.connector).actions[entry.action].can_cancel
    except (JackfieldError, KeyError):
        return False


def _intake() -> ModuleType:
    """Import the module that queues; most processes queue nothing."""
    return _later()[0]


def _jobs() -> ModuleType:
    """Import the module that polls jobs; most processes have none."""
    return _later()[1]


def _doubts() -> tuple[ModuleType, ModuleType]:
    """Import the modules that send a doubt's request again, and that wait for evidence; most
    processes have no doubts.
    """
    from jackfield_store.recording import again, settling

    return again, settling


def _later() -> tuple[ModuleType, ModuleType]:
    from jackfield_store.recording import enqueue, jobs

    return enqueue, jobs
