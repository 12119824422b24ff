"""Record of one call, as its stages know it. ``recording`` makes one; without a journal there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from jackfield.invocation import Meta, Result
    from jackfield.invocation.entry import Entry
    from jackfield.manifest.manifest import ActionManifest, Manifest

Barred = Callable[[str], str | None]
"""Returns why the caller may not make a read himself, by the key of its action; None if he may."""


class CallRecord(Protocol):
    """Record of one call.

    - ``keeps``: True if the workspace keeps the inputs of its invocations.
    - ``fingerprints``: computes the request's fingerprint, which identifies a repeat; it is computed again after the workspace's settings
      are read anew.
    - ``sees``: returns whether the caller may see another entry, to name it in a conflict.
    - ``references``: the places in the output that later events refer to.
    - ``marking``: makes the marker of one attempt, or of ``EVERY`` attempt: 26 characters that nobody outside the workspace can compute.
      None if no look would search for it.
    - ``unrecorded``: warning for the caller, if the outcome could not be recorded.
    """

    keeps: bool
    fingerprints: Callable[[], None]
    sees: Callable[[Entry], bool]
    references: Sequence[str]
    marking: Callable[[int], str] | None
    unrecorded: tuple[Mapping[str, Any], ...]

    def name(self, meta: Meta) -> None:
        """Take the names of connector and action from a Result's meta, in which secrets are redacted if they were not found."""

    def found(self, manifest: Manifest, action: ActionManifest) -> None:
        """Note the connector and the action, before the rules are applied to them."""

    def rule(self, text: str) -> None:
        """Note the rule that refused the invocation."""

    def describe(self, manifest: Manifest, action: ActionManifest, connection: str | None, *, keeps: bool) -> None:
        """Record the connector, action and connection that the invocation's names were resolved to, and whether its inputs are kept."""

    def keep_inputs(self) -> None:
        """Store the inputs, redacted."""

    def weigh(self, declared: str | None, *, is_unrepeatable: bool) -> None:
        """Record the effect that the action has with these inputs, by which a lost call ends; None: as described."""

    @property
    def may_meet_another(self) -> bool:
        """True if another call's row may be in the way of its begin: it has a key, or is a twin."""

    @property
    def wait_left(self) -> float:
        """Seconds for which the caller still waits for an earlier call with its key; none are left if that is not positive."""

    def set_aside(self) -> None:
        """Leave no row of a call that does not begin, and was counted nowhere."""

    async def begin(self) -> bool:
        """Record that the call begins; return False if the row of another call is in the way.

        :raises Unavailable: if it cannot be recorded; nothing was sent.
        """

    async def store_job(self, job: Mapping[str, Any], seconds: float, in_transaction: Callable[[Any], None] | None) -> bool:
        """Record the output of a job's start and its polls, with ``in_transaction`` in the same transaction; False if another process has
        taken the invocation over."""

    def answer_late(self, made: Mapping[str, Any] | Exception) -> None:
        """Record the output, or the failure, of a call that has ended in doubt and whose caller has left."""

    async def end(self, result: Result, undecided: Mapping[str, Any] | None, *, is_last: Callable[[], bool]) -> None:
        """Record the outcome, with an output that no policy has decided on. ``is_last``, asked once that is recorded or put off, returns
        whether no other call is to share the commit."""

    def finish_interrupted(self, result: Result | None) -> None:
        """Record the outcome of a run that is interrupted; None if nothing was sent."""
