"""Record of one call, as its stages know it. ``recording`` makes one; without a journal there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from jackfield.connector import Action
    from jackfield.invocation import Meta, Result
    from jackfield.invocation.entry import Entry
    from jackfield.manifest.manifest import ActionManifest, Manifest

Barred = Callable[[str], str | None]
"""Returns why the caller may not make a read himself, by the key of its action; None if he may."""


class Record(Protocol):
    """Record of one call.

    - ``keeps``: True if the workspace keeps the inputs of its invocations.
    - ``fingerprints``: computes the request's fingerprint, by which a repeat is known; again, once the workspace's settings were read anew.
    - ``sees``: returns whether the caller may see another entry, to name it in a conflict.
    - ``references``: what later events name, in the output.
    - ``unrecorded``: warning for the caller, if the outcome could not be recorded.
    """

    keeps: bool
    fingerprints: Callable[[], None]
    sees: Callable[[Entry], bool]
    references: Sequence[str]
    unrecorded: tuple[Mapping[str, Any], ...]

    def name(self, meta: Meta) -> None:
        """Take the names of connector and action from a Result's meta, in which secrets are redacted if they were not found."""

    def found(self, manifest: Manifest, action: ActionManifest) -> None:
        """Note the connector and the action, before the rules are applied to them."""

    def rule(self, text: str) -> None:
        """Note the rule that refused the invocation."""

    def describe(self, manifest: Manifest, action: ActionManifest, connection: str | None, *, keeps: bool) -> None:
        """Note what the names in the invocation were resolved to, and whether its inputs are kept."""

    def keep_inputs(self) -> None:
        """Store the inputs, redacted."""

    def weigh(self, declared: str | None, *, is_unrepeatable: bool) -> None:
        """Record the effect that the action has with these inputs, by which a lost call ends; None: as described."""

    def pair(self, inputs: Mapping[str, Any]) -> bool:
        """Let an equal ``write`` of the same caller that is open answer this one, and return whether it may. ``inputs`` are those that take
        effect."""

    @property
    def wait_left(self) -> float:
        """Seconds for which the caller still waits for an earlier call with its key; none are left if that is not positive."""

    @property
    def marking(self) -> Callable[[int], str] | None:
        """Maker of the marker of an attempt, or of ``EVERY`` one: 26 characters that nobody outside the workspace can compute. None if
        nobody would look for it."""

    def expect(self, code: Action, inputs: Mapping[str, Any], barred: Barred, *, is_shared: bool) -> None:
        """Keep what looks for evidence need, in case the call ends in doubt. ``inputs`` are those that take effect; with ``is_shared`` all
        attempts carry one marker."""

    async def replay(self, *, puts_off: bool = False) -> Result | None:
        """Return the recorded Result for the idempotency key; None if this invocation is the first with it, or has no key.

        ``puts_off``: a key that is most likely new may be looked for only where the call begins or ends.

        :raises IdempotencyConflict: if the key belongs to another request, or its request still runs after the time to wait.
        """

    async def start(self) -> Result | None:
        """Record that the call begins.

        :returns: a Result to replay if another caller with the same key was faster, or that of an open twin; else None.
        :raises Unavailable: if it cannot be recorded; nothing was sent.
        """

    async def store_job(self, job: Mapping[str, Any], seconds: float, in_transaction: Callable[[Any], None] | None) -> bool:
        """Record what the start of a job has returned, and what polls it, with ``in_transaction`` in the same transaction; False if another
        process has taken the invocation over."""

    async def end(self, result: Result, *, is_last: Callable[[], bool]) -> Result | None:
        """Record the outcome. Return what takes its place: the Result of an earlier call with the key, if the look for it was put off.
        ``is_last``, asked once that is recorded or put off, returns whether no other call is to share the commit."""

    def finish_interrupted(self, result: Result | None) -> None:
        """Record the outcome of a run that is interrupted; None if nothing was sent."""
