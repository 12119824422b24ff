"""Port to what records calls: a journal, or nothing. Types alone, as in ``call.ports``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeVar

if TYPE_CHECKING:
    import threading

    from jackfield.call.how import Follow, How
    from jackfield.call.plan import Plan, Plans
    from jackfield.call.policy_steps import Step
    from jackfield.call.ports import Access
    from jackfield.call.reached import Asked, Ended, Reached, Terms
    from jackfield.call.record import Record
    from jackfield.call.tally import Dependencies
    from jackfield.call.waiter import InThread, Waiter
    from jackfield.callers import Caller
    from jackfield.catalog.installed import Catalog
    from jackfield.connections.connection_lookup import Connections
    from jackfield.invocation import Enqueued, Result
    from jackfield.invocation.claimed import ClaimedJob
    from jackfield.invocation.entry import Draft
    from jackfield.redaction.redactor import Redactor

    RawInvocation = Mapping[str, Any] | str | bytes
    OnQueued = Callable[[Any, str], None]
    """Statements for the transaction that queues an invocation, of which they get the id."""

T = TypeVar("T")


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

    def step(self, how: How, work: Callable[[Reached], Awaitable[T]]) -> Coroutine[Any, Any, T]:
        """Do what consists of a part of a call's stages, and is none."""

    @property
    def opener(self) -> Callable[[str], BinaryIO]:
        """Opens a stored file, for ``Result.files``."""

    @property
    def policies(self) -> Policies:
        """Policies of the calls, and of steps that are no calls."""

    @property
    def enter(self) -> Callable[[str], None]:
        """Tells the plugins that observe stages which one a call enters."""

    @property
    def is_observed(self) -> bool:
        """True if a plugin observes stages."""

    @property
    def in_thread(self) -> InThread:
        """How a thread waits for the end of an invocation, for ``Result.wait``."""


class Judged(Protocol):
    """Call whose plan is found (``call_records.Found``), as policies see it."""

    asked: Asked
    plan: Plan
    terms: Terms

    @property
    def redactor(self) -> Redactor | None:
        """Redactor of the secrets of the connection and the inputs; None if there are none."""


class Policies(Protocol):
    """Policies of a workspace, for steps of calls that are made elsewhere.

    - ``is_on``: True if this process has one.
    """

    is_on: bool

    @property
    def must_judge(self) -> bool:
        """True if a policy judges calls, or is to."""

    def over(self, plugins: Any) -> Policies:
        """Return the policies as other plugins ask them."""

    async def judge(self, found: Judged) -> None:
        """Ask whether a call may be queued."""

    async def judged(self, found: Judged, ended: Ended, caller: Caller | None = None) -> Ended:
        """Return an end without what they withhold of it from its ``caller``, by default the call's."""

    def judged_choices(self, caller: Caller, about: Mapping[str, Any], fetch: Callable[[], list[dict[str, str]]]) -> list[dict[str, str]]:
        """Return the choices of a form's field that they leave of those that ``fetch`` gets from the provider."""

    def judge_step(self, step: Step, inputs: Mapping[str, Any]) -> None:
        """Ask whether a read may be made that is no call."""

    def left_of(self, step: Step, output: Any) -> Any:
        """Return what they leave of what such a step has returned; None if that is nothing."""

    def seen_by(self, caller: Caller) -> Caller:
        """Return a caller who sees the connectors and actions that they leave."""


class Recording(Protocol):
    """Records the calls of a workspace."""

    def drafted(self, asked: Asked, call: Reached) -> Awaitable[Record | None]:
        """Draft the record of a call; None if nothing records it.

        :raises InvalidInvocation: for an idempotency key, or a wish for an event, that nothing records.
        """

    def enqueue(self, pipeline: Pipe, given: RawInvocation, call: Reached, on_queued: OnQueued | None) -> Coroutine[Any, Any, Result | str]:
        """Admit, check and queue an invocation. Return its id, or the Result that its idempotency key replays.

        :raises JackfieldError: if it is refused at once.
        """

    def prepared(self, pipeline: Pipe, given: RawInvocation, call: Reached) -> Coroutine[Any, Any, Draft]:
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
