"""Calls that wait for a person's approval, and approved calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from jackfield.call.gate import Passing
from jackfield.gates import unrecorded

if TYPE_CHECKING:
    from types import ModuleType

    from jackfield.call.call_records import Found
    from jackfield.call.gate import Unit
    from jackfield.call.reached import Ended, Reached
    from jackfield.invocation import Result
    from jackfield_store.recording.record import Record


class _Approval(Passing):
    __slots__ = ()

    async def admit(self, found: Found) -> Result | None:
        """Let a call that needs an approval wait, and return its Result. Return None if the call
        needs none, or equals the approved call.

        :raises ApprovalRequired: if it cannot wait.
        :raises Cancelled: if it differs from the approved call.
        """
        if self.found.terms.asks is None and not self._is_approved:
            return None
        result: Result | None = await _recording()[0].asked(found)
        return result

    def begin(self, unit: Unit) -> Unit:
        """Record in the audit log that an approved call begins, which happens once."""
        how, row = self.asked.how, cast("Record", self.row)
        if how.claimed is None or not self._is_approved:
            return unit
        found: Unit = _recording()[1].beginning(
            unit, row.journal, self.found.pipe.dependencies.clock, how.claimed, row.draft.effect
        )
        return found

    def end(self, unit: Unit, result: Result, *, back: bool) -> Unit:
        """Record in the audit log that an approved call goes back to the queue."""
        del result
        how, row = self.asked.how, cast("Record", self.row)
        if not back or how.claimed is None or not self._is_approved:
            return unit
        found: Unit = _recording()[1].returning(
            unit, row.journal, self.found.pipe.dependencies.clock, how.claimed
        )
        return found

    async def answer(self, ended: Ended) -> Ended:
        """Attach the wait for the call's end to the Result of a call that waits for approval."""
        return (
            ended
            if ended.result.status != "waiting"
            else ended.shown(_recording()[2].waited_by(self.found.pipe, ended.result))
        )

    @property
    def _is_approved(self) -> bool:
        return self.asked.how.claimed is not None and self.asked.how.claimed.approval is not None


class Approvals(unrecorded.NoApprovals):
    """Gate that lets calls wait until a person approves them."""

    part = _Approval

    def refuse(self, call: Reached, error: Exception) -> Exception:
        """Return the error that ends a call: an approved call that is no longer permitted counts as
        cancelled.
        """
        if call.how.claimed is None or call.how.claimed.approval is None:
            return error
        found: Exception = _recording()[0].of_approved(call, error)
        return found


def _recording() -> tuple[ModuleType, ModuleType, ModuleType]:
    """Import the modules that store waiting calls, begin approved ones, and wait for their ends;
    most processes need none.
    """
    from jackfield_store.recording import enqueue, jobs, single_use

    return enqueue, single_use, jobs
