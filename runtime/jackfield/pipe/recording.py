"""Port to what records calls: a journal, or nothing. Types alone, as in ``pipe.ports``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

if TYPE_CHECKING:
    import threading

    from jackfield.callers import Caller
    from jackfield.catalog import Catalog
    from jackfield.connections.connection_lookup import Connections
    from jackfield.invocation import Enqueued, Invocation, Result
    from jackfield.invocation.claimed import ClaimedJob
    from jackfield.invocation.entry import Draft
    from jackfield.pipe.attempts import Attempts
    from jackfield.pipe.evidence import Dependencies
    from jackfield.pipe.plan import Plan, Plans
    from jackfield.pipe.policy_steps import Step
    from jackfield.pipe.ports import Access
    from jackfield.pipe.record import Record
    from jackfield.pipe.run import Follow, Run
    from jackfield.pipe.waiter import InThread, Waiter

    RawInvocation = Mapping[str, Any] | str | bytes
    OnQueued = Callable[[Any, str], None]
    """Statements for the transaction that queues an invocation, of which they get the id."""


class Pipe(Protocol):
    """Part of a workspace's pipe that polls need."""

    @property
    def workspace(self) -> str:
        """Workspace whose calls it runs."""

    @property
    def catalog(self) -> Catalog:
        """Source of connectors."""

    @property
    def known(self) -> Connections:
        """Connections of the workspace."""

    @property
    def access(self) -> Access:
        """Settings and access decisions."""

    @property
    def plans(self) -> Plans:
        """Plans of calls."""

    @property
    def journal(self) -> Callable[[], Any]:
        """Returns the journal, of the package's class that keeps one, or None."""

    @property
    def dependencies(self) -> Dependencies:
        """Clock, files and paces."""

    @property
    def recording(self) -> Recording:
        """Records its calls."""

    @property
    def opener(self) -> Callable[[str], BinaryIO]:
        """Opens a stored file, for ``Result.files``."""

    @property
    def judges(self) -> bool:
        """True if a policy judges calls and outputs."""

    @property
    def must_judge(self) -> bool:
        """True if a policy judges calls, or is to."""

    def judge_step(self, step: Step, inputs: Mapping[str, Any]) -> None:
        """Ask the policies whether a read may be made that is no call."""

    async def judge(self, run: Run) -> None:
        """Ask the policies whether a call may be queued."""

    async def judged(self, run: Run, result: Result, caller: Caller | None = None) -> Result:
        """Return a Result without what the policies withhold of it from its ``caller``, by default the run's."""

    @property
    def in_thread(self) -> InThread:
        """How a thread waits for the end of an invocation, for ``Result.wait``."""


class Recording(Protocol):
    """Records the calls of a workspace."""

    def drafted(self, invocation: Invocation, run: Run) -> Awaitable[Record | None]:
        """Draft the record of a call; None if nothing records it.

        :raises InvalidInvocation: for an idempotency key, or a wish for an event, that nothing records.
        """

    async def refuse_suppressed(self, plan: Plan, inputs: Mapping[str, Any], run: Run) -> None:
        """Refuse a call over a guarded connection that would send to suppressed recipients.

        :raises NotAllowed: with the place of each of these recipients.
        """

    async def followed(self, pipeline: Pipe, attempts: Attempts, handle: Mapping[str, Any]) -> Result:
        """Store the handle of a job that has started, and wait for its end until the call's deadline."""

    async def asked(self, pipeline: Pipe, given: RawInvocation, run: Run) -> Result | None:
        """Let a call that needs a person's approval wait for it, and return its Result of status ``waiting``; None if it has one.

        :raises ApprovalRequired: if it cannot wait.
        :raises Cancelled: if it is not what was approved any more.
        """

    async def settled(self, pipeline: Pipe, run: Run, result: Result) -> Result:
        """Return the Result of a call in doubt, which says whether evidence may still settle it. A call with ``onDoubt: "settle"`` looks
        for that until its deadline. One that is answered with an earlier doubt waits for it as long as its caller waits for earlier
        calls."""

    def of_claimed(self, run: Run, error: Exception) -> Exception:
        """Return the error that ends a call from the queue: one that was approved, and may not be made any more, was cancelled."""

    def waited_by(self, pipeline: Pipe, result: Result) -> Result:
        """Let a Result wait for the end of its invocation; return it."""

    def enqueue(self, pipeline: Pipe, given: RawInvocation, run: Run, on_queued: OnQueued | None) -> Coroutine[Any, Any, Result | str]:
        """Admit, check and queue an invocation. Return its id, or the Result that its idempotency key replays.

        :raises JackfieldError: if it is refused at once.
        """

    def prepared(self, pipeline: Pipe, given: RawInvocation, run: Run) -> Coroutine[Any, Any, Draft]:
        """Admit and check an invocation, and return the entry that it would have in the queue.

        :raises JackfieldError: if it is refused.
        """

    def enqueue_many(self, pipeline: Pipe, given: Iterable[RawInvocation], caller: Caller, waiter: Waiter) -> list[Enqueued | Result]:
        """Queue invocations in order, in one commit. A refused one is a failed Result."""

    def cancel(self, pipeline: Pipe, identifier: str, cancel_here: Callable[[str], bool]) -> bool:
        """Cancel an invocation wherever it waits or runs; return False if it is too late.

        :raises InvalidInvocation: if the workspace has no such invocation.
        """

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
        """Wait for the end of an invocation, at most for ``seconds`` if given; with ``settles``, of its doubt, too, while evidence may
        settle that.

        :raises InvalidInvocation: if the workspace has no such invocation.
        """

    def polled(self, pipeline: Pipe, claimed: ClaimedJob, waiter: Waiter) -> Coroutine[Any, Any, Result | None]:
        """Poll a claimed job, and record what was found. Return its Result if it has ended."""
