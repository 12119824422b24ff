"""Twins: equal writes of one caller without an idempotency key that overlap. The first is sent, and its outcome answers the others.

A partial unique index lets one of them be open. What has ended while another was on its way to its begin is found beside it, in the same
transaction. That is done after the insert, so that each of two processes sees what the other has committed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.journal.begins import ENDED_TWIN

if TYPE_CHECKING:
    from jackfield.journal.entry import Draft, Entry
    from jackfield.journal.journal import Journal

DOUBTED = 86_400.0
"""Seconds for which a doubt answers an equal write."""
_OPEN = """
SELECT id FROM invocations WHERE workspace = :workspace AND twin = :twin AND twin IS NOT NULL AND status IN ('running', 'in_doubt')
"""
_FREE = "UPDATE invocations SET twin = NULL WHERE workspace = :workspace AND id = :id AND status = 'in_doubt' AND settled_at < :before"


def twin_of(journal: Journal, draft: Draft) -> Entry | None:
    """Find the twin of a write that could not begin, and recover it by its effect if its process has died. None if there is none any more,
    or its doubt is older than a day: then the write may begin.

    One that was cancelled has sent nothing, and answers no other.
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
    before = journal.time.now() - DOUBTED
    freed = journal.database.record(lambda transaction: transaction.change(_FREE, {**values, "id": entry.id, "before": before}))
    return None if freed else entry
