"""Quotas on effects: a call that one counts takes its places before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.call.gate import QUEUED, RECORDED, REHEARSED, Gate, Passing

if TYPE_CHECKING:
    from jackfield.call.plan import Plan
    from jackfield.call.reached import Terms


class Quotas(Gate):
    """Counts effects against the quotas of the workspace and of the caller's token."""

    part = Passing
    """Replaced by the part that counts once there is a quota: most processes have none."""

    def applies(self, plan: Plan, terms: Terms, shape: int) -> bool:
        """Apply to recorded calls that a quota counts, and to no dry run."""
        if not terms.quotas or not shape & (RECORDED | QUEUED) or shape & REHEARSED:
            return False
        from jackfield_store.recording.quotas import Counting, fitting

        Quotas.part = Counting
        return bool(fitting(terms, plan))
