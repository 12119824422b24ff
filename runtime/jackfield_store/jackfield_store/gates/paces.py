"""Pace of an account: its row changes in the transactions of a call's begin and end, if that holds
up no other call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from jackfield.call.gate import LOADED, QUEUED, RECORDED, REHEARSED, Gate, Passing
from jackfield_store.recording.record import NotNowError

if TYPE_CHECKING:
    from jackfield.call.call_records import Checked
    from jackfield.call.gate import Unit
    from jackfield.call.plan import Plan
    from jackfield.call.reached import Terms
    from jackfield.invocation import Result
    from jackfield.pacing.turn import Ride
    from jackfield_store.database import Transaction
    from jackfield_store.recording.record import Record


class _Pace(Passing):
    _ride: Ride | None = None
    """Turn that is taken with the begin; None if it is taken before the begin, as usual."""

    async def before_begin(self, checked: Checked, *, again: bool) -> None:
        """Prepare to take the turn with a begin that is committed before the call goes on. With
        ``again``, after a rollback, take the turn before the begin.
        """
        record, attempts = cast("Record", self.row), checked.attempts
        if not again:
            if record.may_meet_another or record.draft.effect == "write":
                self._ride = await attempts.ride()
        elif self._ride is not None and self._ride.is_undone:
            self._ride = None
            if not record.may_meet_another:
                await attempts.take_turn()

    def begin(self, unit: Unit) -> Unit:
        """Take the turn first: if the turn is not due now, nothing begins."""
        ride = self._ride
        if ride is None:
            return unit

        def begin(transaction: Transaction) -> int:
            if not ride.take(transaction):
                raise NotNowError("paces")
            return unit(transaction)

        return begin

    def end(self, unit: Unit, result: Result, *, back: bool) -> Unit:
        """Move later slots if the call has begun after its own slot, because its commit took so
        long.
        """
        del result, back
        ride = self._ride
        if ride is None or not ride.late:
            return unit

        def end(transaction: Transaction) -> int:
            ride.correct(transaction)
            return unit(transaction)

        return end


class Paces(Gate):
    """Gate that takes the turns of an account in the transactions of its calls, if the database has
    one writer at a time (``rides``).
    """

    part = _Pace

    def __init__(self, *, rides: bool) -> None:
        self._rides = rides

    def applies(self, plan: Plan, terms: Terms, shape: int) -> bool:
        """Return True for recorded calls of an action with a budget, except queued calls, which
        have their own pace, dry runs, and starts of jobs, whose record has no end that could
        correct the pace.
        """
        del terms
        is_fit = shape & (RECORDED | LOADED | QUEUED | REHEARSED) == RECORDED | LOADED
        return self._rides and is_fit and plan.code.budget is not None and not plan.action.is_job
