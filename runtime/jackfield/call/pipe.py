"""Pipe of a workspace, which its calls share, and the port to the recording of calls: a journal, or
nothing (``Recording``).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeVar

from jackfield.call.calls import Calls
from jackfield.call.masking import masked_error
from jackfield.call.reached import Reached
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.errors import JackfieldError

if TYPE_CHECKING:
    from jackfield.call.admit import CallTarget
    from jackfield.call.how import Follow, How, HowAgain
    from jackfield.call.open import OpenConnection
    from jackfield.call.plan import Plan, Plans
    from jackfield.call.policy_steps import ReadStep
    from jackfield.call.ports import Access
    from jackfield.call.reached import Asked, Attempting, Ended, Terms
    from jackfield.call.record import CallRecord
    from jackfield.call.tally import Dependencies
    from jackfield.call.waiter import InThread, Waiter
    from jackfield.callers import Caller
    from jackfield.catalog.installed import Catalog
    from jackfield.connections.connection_lookup import Connections
    from jackfield.connector.hooks import Plugins
    from jackfield.invocation import Enqueued, Result
    from jackfield.invocation.claimed import ClaimedJob
    from jackfield.invocation.entry import Draft
    from jackfield.redaction.redactor import Redactor

    RawInvocation = Mapping[str, Any] | str | bytes
    OnQueued = Callable[[Any, str], None]
    """Statements for the transaction that queues an invocation, of which they get the id."""

T = TypeVar("T")
_USED_EVERY, _EXPIRED_EVERY = 600.0, 60.0
"""Minimum seconds between two notes that a connection works, and between two notes that its
credentials are refused, since both may alternate.
"""
_ignore_stage: Callable[[str], None] = deque[str](maxlen=0).append
"""Function that does nothing, for when no plugin observes stages. A C function is fast: a call
enters five stages.
"""


@dataclass(frozen=True, slots=True, repr=False)
class Pipe:
    """State shared by the calls of one workspace, and by its steps that are not calls. ``journal``
    returns its journal, or None, and ``recording`` writes to it. ``live`` maps running invocations
    to their cancel events.
    """

    catalog: Catalog
    known: Connections
    plans: Plans
    plugins: Plugins
    access: Access
    journal: Callable[[], Any]
    recording: Recording
    dependencies: Dependencies
    gates: Sequence[Any]
    """Features that take part in calls, in order. ``invoke`` knows their type."""
    policies: StepPolicies
    """Policies of the calls, and of steps that are not calls."""
    in_thread: InThread
    """Function by which a thread waits for the end of an invocation, for ``Result.wait``."""
    live: dict[str, threading.Event] = field(default_factory=dict)
    calls: Calls = field(default_factory=Calls)
    wraps: bool = field(init=False)
    """True if a plugin wraps calls."""
    opener: Callable[[str], BinaryIO] = field(init=False)
    """Function that opens a stored file of the workspace, for ``Result.files``."""
    enter: Callable[[str], None] = field(init=False)
    """Function that tells the plugins that observe stages which stage a call enters."""
    is_observed: bool = field(init=False)
    """True if a plugin observes stages."""

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "opener", partial(self.dependencies.files.open_by_id, self.dependencies.workspace)
        )
        object.__setattr__(self, "wraps", self.plugins.has("around"))
        object.__setattr__(self, "is_observed", self.plugins.has("stage"))
        object.__setattr__(self, "enter", self.plugins.stage if self.is_observed else _ignore_stage)

    @property
    def workspace(self) -> str:
        """Workspace whose calls the pipe runs."""
        return self.dependencies.workspace

    async def step(self, how: How, work: Callable[[Reached], Awaitable[T]]) -> T:
        """Run work that uses some stages of a call but is not a call: enqueue an invocation, poll a
        job, look for evidence of a doubt.

        :raises JackfieldError: the error of the work, without secrets.
        """
        call = Reached(how)
        try:
            return await work(call)
        except JackfieldError as error:
            raise masked_error(error, call.redactor) from None

    def note_used(self, opening: OpenConnection, target: CallTarget, moment: float) -> None:
        """Note at most every ten minutes that a named connection works, for other processes."""
        if target.name is not None:
            name, identifier, version = target.name, target.id, target.version
            opening.cache.cached(
                ("used", moment // _USED_EVERY),
                lambda: self.known.note_used(name, identifier, version),
            )

    def note_expired(self, attempts: Attempting, error: JackfieldError) -> None:
        """Mark the stored connection of a call whose credentials the provider refuses. The next
        success over the connection is noted again.
        """
        target, opening, moment = (
            attempts.plan.target,
            attempts.opening,
            self.dependencies.clock.monotonic(),
        )
        if (
            target is not None
            and target.id is not None
            and opening is not None
            and attempts.lost_credentials(error)
        ):
            identifier, version = target.id, target.version

            def note() -> bool:
                self.known.note_expired(identifier, version)
                opening.cache.forget(("used", moment // _USED_EVERY))
                return True

            opening.cache.cached(("expired", moment // _EXPIRED_EVERY), note)


class Judged(Protocol):
    """Call whose plan is found (``call_records.Found``), as policies see it."""

    asked: Asked
    plan: Plan
    terms: Terms

    @property
    def redactor(self) -> Redactor | None:
        """Redactor of the secrets of the connection and the inputs; None if there are no
        secrets.
        """


class StepPolicies(Protocol):
    """Policies of a workspace, for steps of calls outside the pipeline.

    - ``is_on``: True if this process has a policy.
    """

    is_on: bool

    @property
    def must_judge(self) -> bool:
        """True if a policy judges calls, or should judge them."""

    def over(self, plugins: Any) -> StepPolicies:
        """Return the policies that ask other plugins."""

    async def judge(self, found: Judged) -> None:
        """Ask whether a call may be queued."""

    async def judged(self, found: Judged, ended: Ended, caller: Caller | None = None) -> Ended:
        """Return an end without the parts that policies withhold from its ``caller``, by default
        the call's caller.
        """

    def judged_choices(
        self, caller: Caller, about: Mapping[str, Any], fetch: Callable[[], list[dict[str, str]]]
    ) -> list[dict[str, str]]:
        """Return the choices of a form's field that ``fetch`` gets from the provider and the
        policies allow.
        """

    def judge_step(self, step: ReadStep, inputs: Mapping[str, Any]) -> None:
        """Ask whether a read that is not a call may be made."""

    def left_of(self, step: ReadStep, output: Any) -> Any:
        """Return the part of a read's output that policies permit; None if they permit nothing."""

    def seen_by(self, caller: Caller) -> Caller:
        """Return a caller who sees only the connectors and actions that policies permit."""


class Recording(Protocol):
    """Recorder of the calls of a workspace."""

    def drafted(self, asked: Asked, call: Reached) -> Awaitable[CallRecord | None]:
        """Draft the record of a call; None if nothing records it.

        :raises InvalidInvocation: if the call has an idempotency key or requests an event, and
            nothing records it.
        """

    def enqueue(
        self, pipeline: Pipe, given: RawInvocation, call: Reached, on_queued: OnQueued | None
    ) -> Coroutine[Any, Any, Result | str]:
        """Admit, check and queue an invocation. Return its ID, or the Result that its idempotency
        key replays.

        :raises JackfieldError: if the invocation is refused at once.
        """

    def prepared(
        self, pipeline: Pipe, given: RawInvocation, call: Reached
    ) -> Coroutine[Any, Any, Draft]:
        """Admit and check an invocation, and return the entry that it would have in the queue.

        :raises JackfieldError: if the invocation is refused.
        """

    def enqueue_many(
        self, pipeline: Pipe, given: Iterable[RawInvocation], caller: Caller, waiter: Waiter
    ) -> list[Enqueued | Result]:
        """Queue invocations in order, in one commit. A refused invocation is a failed Result."""

    def again(self, pipeline: Pipe, identifier: str, how: HowAgain) -> Mapping[str, Any]:
        """Prepare a call that sends the request of a doubt again, and return its invocation.

        :raises JackfieldError: if its request may not be sent again, or not by this caller.
        """

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
        """Wait for the end of an invocation, for at most ``seconds`` if given. With ``settles``,
        wait also for the end of its doubt if evidence may settle it.

        :raises InvalidInvocation: if the workspace has no such invocation.
        """

    def polled(
        self, pipeline: Pipe, claimed: ClaimedJob, waiter: Waiter
    ) -> Coroutine[Any, Any, Result | None]:
        """Poll a claimed job, and record the finding. Return the job's Result if it has ended, else
        None.
        """
