"""Record of one call, as its stages see it. ``recording`` makes it; without a journal there is
none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from jackfield.call.tally import KeyMemory
    from jackfield.connector.context import Call
    from jackfield.invocation import Meta, Result
    from jackfield.invocation.entry import Entry
    from jackfield.manifest.manifest import ActionManifest, Manifest

Barred = Callable[[str], str | None]
"""Function that returns why the caller may not make a read, by the key of its action; None if the
caller may.
"""


class CallRecord(Protocol):
    """Record of one call.

    - ``keeps``: True if the workspace stores the inputs of its invocations.
    - ``fingerprints``: computes the request's fingerprint, which identifies a repeat; it is
      computed again after the workspace's settings are read anew.
    - ``sees``: returns whether the caller may see another entry, to name it in a conflict.
    - ``references``: the places in the output that later events refer to.
    - ``marking``: makes the marker of one attempt, or of ``EVERY`` attempt: 26 characters that
      nobody outside the workspace can compute. None if no look would search for the marker.
    - ``unrecorded``: warning for the caller, if the outcome could not be recorded.
    - ``earlier``: the key under which an earlier run of the call has sent its request, with an
      unknown end; None if there was none.
    """

    keeps: bool
    fingerprints: Callable[[], None]
    sees: Callable[[Entry], bool]
    references: Sequence[str]
    marking: Callable[[int], str] | None
    unrecorded: tuple[Mapping[str, Any], ...]
    earlier: KeyMemory | None

    def name(self, meta: Meta) -> None:
        """Copy the names of connector and action from a Result's meta, where secrets are redacted
        in names that were not found.
        """

    def found(self, manifest: Manifest, action: ActionManifest) -> None:
        """Note the connector and the action, before the rules are applied to them."""

    def rule(self, text: str) -> None:
        """Note the rule that refused the invocation."""

    def describe(
        self,
        manifest: Manifest,
        action: ActionManifest,
        connection: str | None,
        *,
        keeps: bool,
        keeps_unclear: bool,
    ) -> None:
        """Record the connector, action and connection that the invocation's names were resolved to,
        and whether its inputs are stored.
        """

    def keep_inputs(self) -> None:
        """Store the inputs, redacted."""

    def weigh(self, declared: str | None, *, is_unrepeatable: bool, key_kept: float | None) -> None:
        """Record the effect that the action has with these inputs, which decides how a lost call
        ends. None: the effect of ``describe``. ``key_kept``: seconds for which the provider keeps
        the call's key, if it has one.
        """

    @property
    def may_meet_another(self) -> bool:
        """True if another call's row may prevent its begin, since it has a key or may be a twin."""

    @property
    def wait_left(self) -> float:
        """Seconds for which the caller still waits for an earlier call with its key; zero or less
        if the wait is over.
        """

    def set_aside(self) -> None:
        """Leave no row of a call that does not begin and was counted in no limit."""

    async def begin(self) -> bool:
        """Record that the call begins; return False if the row of another call prevents it.

        :raises Unavailable: if the begin cannot be recorded; nothing was sent.
        """

    async def store_job(
        self, job: Mapping[str, Any], seconds: float, in_transaction: Callable[[Any], None] | None
    ) -> bool:
        """Record the output of a job's start and its polls, with ``in_transaction`` in the same
        transaction. Return False if another process has taken over the invocation.
        """

    def goes_on(self, call: Call) -> Callable[[Mapping[str, Any] | Exception], None]:
        """Note that a call still runs, whose caller leaves it in doubt. Return the function that
        records the call's output, or its failure.
        """

    async def end(
        self, result: Result, undecided: Mapping[str, Any] | None, *, is_last: Callable[[], bool]
    ) -> None:
        """Record the outcome, with an output that no policy has decided on. ``is_last`` is called
        once the outcome is recorded or postponed; it returns True if no other call will share the
        commit.
        """

    def finish_interrupted(self, result: Result | None) -> None:
        """Record the Result of an interrupted run; None means that nothing was sent."""
