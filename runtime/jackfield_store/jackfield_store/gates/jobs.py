"""Jobs: the handle of one that has started is stored, and whoever polls it writes its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jackfield.connector.conversion import Handle
from jackfield.pipe.gate import Gate, Passing

if TYPE_CHECKING:
    from jackfield.pipe.call_records import Checked
    from jackfield.pipe.plan import Plan
    from jackfield.pipe.run import Ended, Terms


class _Job(Passing):
    __slots__ = ()

    async def follow(self, checked: Checked, output: Any) -> Ended | None:
        """Store the handle of the job that has started, and wait for its end until the call's deadline."""
        if not isinstance(output, Handle):
            return None
        from jackfield_store.recording.jobs import followed

        return await followed(self.found.pipe, checked.attempts, output)


class Jobs(Gate):
    """Stores the handles of jobs."""

    part = _Job

    def applies(self, plan: Plan, terms: Terms, shape: int) -> bool:
        """Apply to actions that start jobs."""
        del terms, shape
        return plan.action.is_job
