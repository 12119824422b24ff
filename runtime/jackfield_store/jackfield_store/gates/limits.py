"""Limits of a workspace: the number of calls that run at once, and the storage of its files."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from jackfield.call.gate import Gate, Passing
from jackfield.kernel.errors import LimitReached
from jackfield.pacing.turn import PostponedError

if TYPE_CHECKING:
    from jackfield.call.call_records import Checked, Found
    from jackfield.call.plan import Plan
    from jackfield.call.reached import Terms

_SOON, _LATER = 1.0, 30.0
"""Seconds after which a queued call is tried again: calls end soon, and files are deleted later."""


class _Limit(Passing):
    _is_counted = False
    """True if the call is counted as running."""

    async def admit(self, found: Found) -> None:
        """Count the call as running.

        :raises LimitReached: if the limit of running calls is reached.
        :raises PostponedError: instead, for a queued call.
        """
        most, pipe = self.found.terms.limits.get("concurrent"), found.pipe
        if most is None:
            return
        self._is_counted = pipe.dependencies.files.storage.limits.begins(pipe.workspace, most)
        if not self._is_counted:
            raise self._refusal(LimitReached("concurrent", most), _SOON)

    async def before_begin(self, checked: Checked, *, again: bool) -> None:
        """Check that the action's output may be stored. Output that a call has returned is stored,
        whatever its size.

        :raises LimitReached: if the workspace's files have reached its limit.
        :raises PostponedError: instead, for a queued call.
        """
        most = self.found.terms.limits.get("storageBytes")
        if most is None or again or not checked.found.plan.code.returns_files:
            return
        pipe = checked.found.pipe
        if await self.asked.how.waiter.call(
            partial(pipe.dependencies.files.is_full, pipe.workspace)
        ):
            raise self._refusal(LimitReached("storageBytes", most), _LATER)

    def leave(self) -> None:
        """Stop counting the call as running."""
        if self._is_counted:
            pipe = self.found.pipe
            pipe.dependencies.files.storage.limits.ends(pipe.workspace)

    def _refusal(self, error: LimitReached, seconds: float) -> LimitReached | PostponedError:
        if self.asked.how.claimed is not None:
            return PostponedError(self.found.pipe.dependencies.files.time.now() + seconds)
        if self.row is not None:
            self.row.set_aside()
        return error


class Limits(Gate):
    """Limits of the workspace."""

    part = _Limit

    def applies(self, plan: Plan, terms: Terms, shape: int) -> bool:
        """Apply to the calls of a workspace that has limits."""
        del plan, shape
        return bool(terms.limits)
