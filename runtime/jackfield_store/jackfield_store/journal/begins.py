"""Begins of invocations: the begins of one commit are added by one statement, since a distant
server answers each statement late.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from jackfield.kernel.dataclass import dataclass
from jackfield_store.database.batches import JointUnit
from jackfield_store.database.faults import UniqueViolation
from jackfield_store.journal import terms
from jackfield_store.journal.statements import INSERT

if TYPE_CHECKING:
    from jackfield.invocation.entry import Draft
    from jackfield_store.database import Transaction

ENDED_TWIN = """
SELECT id FROM invocations WHERE workspace = :workspace AND twin = :twin AND twin IS NOT NULL AND settled_at > :arrived
    AND status IN ('succeeded', 'failed') AND COALESCE(error_code, '') <> 'cancelled' LIMIT 1
"""
"""Query for a twin that has ended since a write arrived. A cancelled twin has sent nothing, and
answers no other call.
"""


@dataclass(frozen=True, slots=True)
class Begins(JointUnit):
    """Unit that adds the row of an invocation that begins. ``row`` makes the row when it is needed:
    most reads are written whole at their end. ``also`` adds statements to the same transaction.
    """

    draft: Draft
    row: Callable[[], Mapping[str, Any]]
    also: Callable[[Transaction], object] | None = None
    goes_first = True

    @property
    def order(self) -> tuple[str, ...]:
        """Place by the idempotency key: rows that exclude each other have the same place."""
        draft = self.draft
        return (draft.key_space, draft.idempotency_key or "", draft.fingerprint or "")

    def __call__(self, transaction: Transaction) -> int:
        """Run the unit alone."""
        row = self.row()
        begun = terms.insert(transaction, INSERT, row, self.draft)
        if self.also is not None:
            self.also(transaction)
        return begun

    def run_all(self, units: Sequence[Begins], transaction: Transaction) -> None:
        """Add the rows of several units."""
        rows = [unit.row() for unit in units]
        transaction.change_many(INSERT, rows)
        found = sorted(
            (row["workspace"], place)
            for place, row in enumerate(rows)
            if units[place].draft.context
        )
        for workspace, places in groupby(found, key=lambda one: one[0]):
            terms.add(transaction, workspace, [units[place].draft for _, place in places])
        for unit in units:
            if unit.also is not None:
                unit.also(transaction)


def beginning(begins: Begins, workspace: str) -> Callable[[Transaction], int]:
    """Return the unit that records a begin. If a write may have a twin, the same statement searches
    for a twin that has ended meanwhile.
    """
    return begins if begins.draft.twin is None else partial(_begin_alone, begins, workspace)


def _begin_alone(begins: Begins, workspace: str, transaction: Transaction) -> int:
    begun, draft = begins(transaction), begins.draft
    values = {"workspace": workspace, "twin": draft.twin, "arrived": draft.created_at}
    if transaction.find(ENDED_TWIN, values) is not None:
        raise UniqueViolation("invocations_twins")
    return begun
