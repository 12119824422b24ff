"""Queueing of one invocation, whatever the outcome of its commit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from jackfield.kernel.commits import CommitUnknown
from jackfield.kernel.errors import IdempotencyConflict, LimitReached, Unavailable
from jackfield.kernel.hints import NextStep
from jackfield_store.database.faults import UniqueViolation
from jackfield_store.recording.approvals import waiting_twin
from jackfield_store.recording.twins import LONGEST_LOOK

if TYPE_CHECKING:
    from jackfield.invocation import Result
    from jackfield_store.recording.record import Record

_OUTCOME_WAIT = 5.0
"""Seconds in which to determine whether an invocation was queued."""


async def queued(record: Record, limits: Mapping[str, float] | None = None) -> Result | None:
    """Queue an invocation durably for the workers, within the ``limits`` of the workspace.

    :returns: the Result to replay if another caller with the same key was first, or if an equal
        call waits for an approval; else None.
    :raises LimitReached: if as many wait as may.
    """
    journal, draft, how = record.journal, record.draft, record.call.how
    unknown: CommitUnknown | None = None
    until = how.deadline.clock.monotonic() + min(_OUTCOME_WAIT, how.deadline.remaining())
    while True:
        try:
            if unknown is not None and await how.waiter.ask(lambda: journal.has(draft.id)):
                return None
            try:
                draft.queued_by = None if record.asking is None else record.asking.queue(draft)
                await how.waiter.record(journal.database, journal.queueing(draft, limits))
            except (UniqueViolation, LimitReached) as error:
                found = await _before(record, error, may_be_ours=unknown is not None)
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
    record: Record, error: UniqueViolation | LimitReached, *, may_be_ours: bool
) -> Result | Literal[False] | None:
    """Return the Result to replay if another caller's entry holds the key, or an equal call waits;
    None if there is no such entry. False means that the key's entry is this one: its commit, with
    an unknown outcome, had taken effect.
    """
    is_full, draft = isinstance(error, LimitReached), record.draft
    if record.asking is not None:
        if is_full:
            raise error
        return await _overtaken(record)
    if may_be_ours and (await record.call.how.waiter.ask(lambda: record.journal.has(draft.id))):
        return False
    found: Result | None
    if draft.approval is not None and draft.approval.twin is not None:
        found = await waiting_twin(record.journal, draft.approval.twin, record.call)
    else:
        found = await record.replay(joins=True)
    if found is None and is_full:
        raise error
    return found
