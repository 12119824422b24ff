"""Twins: equal writes of one caller without an idempotency key that overlap. The first is sent, and
its outcome answers the others.

A partial unique index allows one open twin. If a twin ends while another is about to begin, the
begin's transaction finds it, after the insert: so each of two processes sees the other's commits.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.kernel.errors import Cancelled, IdempotencyConflict
from jackfield.kernel.hints import NextStep
from jackfield_store.journal.begins import ENDED_TWIN

if TYPE_CHECKING:
    from jackfield.call.reached import Asked, Planned
    from jackfield.callers import Caller
    from jackfield.invocation.entry import Draft, Entry
    from jackfield_store.journal.journal import Journal

FIRST_LOOK, LONGEST_LOOK = 0.01, 0.25
"""Shortest and longest interval, in seconds, at which a call reads the invocation that it waits
for; doubled each time.
"""
_DOUBTED = 86_400.0
"""Seconds for which a doubt answers an equal write."""
_OPEN = """
SELECT id FROM invocations WHERE workspace = :workspace AND twin = :twin AND twin IS NOT NULL AND status IN ('running', 'in_doubt')
"""
_FREE = (
    "UPDATE invocations SET twin = NULL WHERE workspace = :workspace AND id = :id AND status "
    "= 'in_doubt' AND settled_at < :before"
)


def twin_digest(
    journal: Journal, plan: Planned, caller: Caller, inputs: Mapping[str, Any]
) -> str | None:
    """Compute the keyed digest that equal writes share: writes of the same caller and version of
    connector and connection, with the same inputs. None for a caller who may stand for many people.
    """
    if caller.identity is None:
        return None
    target = plan.target
    connection = (
        None
        if target is None
        else [target.name, target.id, target.version, target.values if target.id is None else None]
    )
    request = {
        "caller": [*caller.identity],
        "connector": plan.manifest.key,
        "version": plan.manifest.version,
        "action": plan.action.key,
        "connection": connection,
        "inputs": inputs,
    }
    return journal.fingerprint(request)


async def joined(journal: Journal, draft: Draft, asked: Asked) -> Entry | None:
    """Wait for the end of the open twin, until the call's deadline, and return it. None if the call
    may begin: there is no open twin any more, or the caller wants both writes.

    :raises IdempotencyConflict: if the twin still runs at the deadline.
    :raises Cancelled: if the call is cancelled meanwhile; nothing was sent.
    """
    if asked.invocation.repeat or asked.invocation.on_doubt == "retry":
        draft.twin = None
        return None
    pause, how = FIRST_LOOK, asked.how
    while (
        entry := await how.waiter.ask(partial(_twin_of, journal, draft))
    ) is not None and entry.is_open:
        if how.cancelled.is_set():
            raise Cancelled("cancelled while an equal call ran; nothing was sent by this one")
        left = how.deadline.remaining()
        if left <= pause:
            raise IdempotencyConflict(
                f"an equal write of this caller is still running, as invocation {entry.id}",
                running=True,
                hint=NextStep("twin", id=entry.id),
                retry_after=1.0,
            )
        await how.waiter.pause(pause, how.cancelled)
        pause = min(LONGEST_LOOK, pause * 2)
    return None if entry is None or entry.error_code == "cancelled" else entry


def _twin_of(journal: Journal, draft: Draft) -> Entry | None:
    """Find the twin of a write that could not begin, and recover it by its effect if its process
    has died. None if there is no twin any more, or its doubt is older than a day: then the write
    may begin.

    A cancelled twin has sent nothing, and answers no other call.
    """
    journal.record_owed()
    values = {"workspace": journal.workspace, "twin": draft.twin}
    row = journal.database.look_up(_OPEN, values, flush=True)
    if row is None:
        row = journal.database.look_up(ENDED_TWIN, {**values, "arrived": draft.created_at})
    if row is None:
        return None
    entry = journal.find(row.id)
    if journal.recover_if_lost(entry):
        entry = journal.find(row.id)
    if entry.status != "in_doubt":
        return entry if entry.is_open or (entry.settled_at or 0.0) > draft.created_at else None
    before = journal.time.now() - _DOUBTED
    freed = journal.database.record(
        lambda transaction: transaction.change(_FREE, {**values, "id": entry.id, "before": before})
    )
    return None if freed else entry
