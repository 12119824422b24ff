"""Twins: a write without a key gets the answer of an equal open write of the same caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from jackfield.call.gate import KEYED, QUEUED, RECORDED, REHEARSED, Gate, Passing
from jackfield_store.recording.replays import replay_of
from jackfield_store.recording.twins import joined, twin_digest

if TYPE_CHECKING:
    from jackfield.call.call_records import Checked
    from jackfield.call.plan import Plan
    from jackfield.call.reached import Terms
    from jackfield.invocation import Result
    from jackfield_store.recording.record import Record


class _Twin(Passing):
    __slots__ = ()

    async def before_begin(self, checked: Checked, *, again: bool) -> Result | None:
        """Record the digest by which equal writes are found. With ``again``, wait for the open
        twin, and return its Result. Otherwise return None.
        """
        record = cast("Record", self.row)
        draft, journal = record.draft, record.journal
        if not again:
            if draft.effect == "write":
                draft.twin = twin_digest(
                    journal, self.found.plan, self.asked.how.caller, checked.inputs
                )
            return None
        if draft.twin is None or (entry := await joined(journal, draft, self.asked)) is None:
            return None
        record.leave()
        return replay_of(entry, is_twin=True)


class Twins(Gate):
    """Gate by which equal writes without a key share the answer of the open one."""

    part = _Twin

    def applies(self, plan: Plan, terms: Terms, shape: int) -> bool:
        """Apply if the workspace or the surface joins equal writes. Queued calls and dry runs are
        excluded.
        """
        return (
            terms.joins
            and plan.action.rule_effect != "read"
            and shape & (KEYED | RECORDED | QUEUED | REHEARSED) == RECORDED
        )
