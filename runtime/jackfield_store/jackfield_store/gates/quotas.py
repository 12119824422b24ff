"""Quotas on effects: a call is counted against its quotas before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.call.gate import QUEUED, RECORDED, REHEARSED, Gate, Passing

if TYPE_CHECKING:
    from types import ModuleType

    from jackfield.call.plan import Plan
    from jackfield.call.reached import Terms


class Quotas(Gate):
    """Gate that counts effects against the quotas of the workspace and of the caller's token."""

    @property
    def part(self) -> type[Passing]:  # type: ignore[override]  # it is known where there is a quota
        """Class of the gate's part in a call."""
        found: type[Passing] = _counting().Counting
        return found

    def applies(self, plan: Plan, terms: Terms, shape: int) -> bool:
        """Apply to recorded calls that a quota counts, and to no dry run."""
        if not terms.quotas or not shape & (RECORDED | QUEUED) or shape & REHEARSED:
            return False
        return bool(_counting().fitting(terms, plan))


def _counting() -> ModuleType:
    """Import the module that counts; most processes have no quota."""
    from jackfield_store.recording import quotas

    return quotas
