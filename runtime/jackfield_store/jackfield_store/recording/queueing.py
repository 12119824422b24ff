"""Queueing of one invocation, whatever the outcome of its commit."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Literal, Protocol

from jackfield.kernel.commits import CommitUnknown
from jackfield.kernel.errors import IdempotencyConflict, Unavailable
from jackfield.kernel.hints import NextStep
from jackfield_store.database.faults import UniqueViolation
from jackfield_store.recording.approvals import waiting_twin
from jackfield_store.recording.twins import LONGEST_LOOK

if TYPE_CHECKING:
    from jackfield.call.reached import Reached
    from jackfield.invocation import Result
    from jackfield.invocation.entry import Draft
    from jackfield_store.journal.journal import Journal
    from jackfield_store.recording.record import Record

_OUTCOME_WAIT = 5.0
"""Seconds in which to determine whether an invocation was queued."""


class Replay(Protocol):
    """Query for the Result of an earlier call with the same key."""

    def __call__(self, *, joins: bool = False) -> Awaitable[Result | None]:
        """Return the Result of the earlier call; None without an earlier call."""


async def queued(record: Record, most: float | None = None) -> Result | None:
    """Queue an invocation durably for the workers; at most ``most`` invocations may wait.

    :returns: the Result to replay if another caller with the same key was first; else None.
    """
    journal, draft, call, replay = record.journal, record.draft, record.call, record.replay
    how = call.how
    unknown: CommitUnknown | None = None
    until = how.deadline.clock.monotonic() + min(_OUTCOME_WAIT, how.deadline.remaining())
    while True:
        try:
            if unknown is not None and await how.waiter.ask(lambda: journal.has(draft.id)):
                return None
            try:
                draft.queued_by = None if record.asking is None else record.asking.queue(draft)
                await how.waiter.record(journal.database, journal.queueing(draft, most))
            except UniqueViolation:
                if record.asking is not None:
                    return await _overtaken(record)
                found = await _before(journal, draft, call, replay, may_be_ours=unknown is not None)
                if found is not None:
                    return found or None
                continue
        except Unavailable as error:
            unknown = error if isinstance(error, CommitUnknown) else unknown
            if unknown is None or record.asking is not None:
                raise
        else:
            return None
        if how.deadline.clock.monotonic() > until:
            raise unknown.of_queued(draft.id, keyed=draft.idempotency_key is not None)
        # then the same entry again: its id tells whether it is there
        await how.waiter.pause(LONGEST_LOOK)


async def _overtaken(record: Record) -> Result:
    """Return the Result of a doubt that was settled, or asked, before its request was queued again.

    :raises IdempotencyConflict: if its key is free now.
    """
    record.ask_nothing()
    found = await record.replay(joins=True)
    if found is None:
        raise IdempotencyConflict(
            "the earlier request with this key was settled meanwhile",
            running=True,
            hint=NextStep("wait"),
            retry_after=1.0,
        )
    return found


async def _before(
    journal: Journal, draft: Draft, call: Reached, replay: Replay, *, may_be_ours: bool
) -> Result | Literal[False] | None:
    """Return the Result to replay if another caller's entry holds the key, None if that entry is
    gone. False means that the key's entry is this one: its commit, with an unknown outcome, had
    taken effect.
    """
    if may_be_ours and (await call.how.waiter.ask(lambda: journal.has(draft.id))):
        return False
    if draft.approval is not None and draft.approval.twin is not None:
        found: Result | None = await waiting_twin(journal, draft.approval.twin, call)
        return found
    return await replay(joins=True)
