"""Waiting for the call that holds an idempotency key, and its Result."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from jackfield.invocation import Meta
from jackfield.kernel.errors import IdempotencyConflict
from jackfield.kernel.hints import NextStep
from jackfield_store.recording.replays import replay_of, unended
from jackfield_store.recording.twins import FIRST_LOOK, LONGEST_LOOK

if TYPE_CHECKING:
    from jackfield.call.reached import Reached
    from jackfield.invocation import Result
    from jackfield.invocation.entry import Entry
    from jackfield_store.journal.journal import Journal


class Claimant(Protocol):
    """Record of a call whose key another call may hold."""

    @property
    def journal(self) -> Journal:
        """Journal that the record is written to."""

    @property
    def call(self) -> Reached:
        """Call that the record describes."""

    @property
    def wait_left(self) -> float:
        """Seconds for which the caller still waits."""

    def holder(self) -> Entry | None:
        """Return the entry that holds the call's key; None if the key is free."""


async def result_of_holder(
    claimant: Claimant, approvals: Callable[[], Any], *, joins: bool
) -> Result | None:
    """Return the Result of the call that holds a key; None if the key is free. A caller that
    ``joins`` gets a Result of status ``queued`` or ``running`` if that call has not ended after the
    time to wait. ``approvals`` returns the module of calls that wait for a person.

    :raises IdempotencyConflict: if the key belongs to another request, or its request still runs
        after the time to wait.
    """
    call, pause = claimant.call, FIRST_LOOK
    while True:
        entry: Entry | None = await call.how.waiter.ask(claimant.holder)
        if entry is None:
            return None
        if not entry.is_open:
            return replay_of(entry)
        if entry.status == "waiting" and await approvals().frees_key(claimant.journal, entry, call):
            continue
        left = claimant.wait_left
        if (left <= 0 and joins) or entry.status == "waiting":
            meta = Meta(
                entry.id,
                entry.connector,
                entry.connector_version,
                entry.action,
                entry.attempts,
                replayed=True,
            )
            return unended(meta, entry)
        if left <= 0:
            raise IdempotencyConflict(
                f"the request with this idempotency key is still running, as invocation {entry.id}",
                running=True,
                hint=NextStep("wait"),
                retry_after=1.0,
            )
        await call.how.waiter.pause(min(pause, left))
        pause = min(LONGEST_LOOK, pause * 2)
