"""Evidence about doubts: data for looks are stored with the begin, attempts carry markers, and
callers get the findings.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from jackfield.call.call_rules import look_barred
from jackfield.call.gate import KEYED, LOADED, RECORDED, Gate, Passing
from jackfield.call.tally import shares_marker

if TYPE_CHECKING:
    from jackfield.call.call_records import Checked
    from jackfield.call.gate import Unit
    from jackfield.call.plan import Plan
    from jackfield.call.reached import Ended, Terms
    from jackfield.invocation import Result
    from jackfield_store.recording.expectations import Expectation
    from jackfield_store.recording.record import Record


class _Evidence(Passing):
    _expected: Expectation | None = None
    """Data for looks, if the call may end in doubt and its action declares evidence; else None."""

    def attempt(self, checked: Checked) -> None:
        """Prepare the data for looks, and the marker of the attempts."""
        attempts, plan, record = checked.attempts, self.found.plan, cast("Record", self.row)
        # a lent connection allows one request
        leaves = plan.code.evidence and attempts.ends_in_doubt and plan.loan is None
        if record.asking is None and not leaves:
            return
        from jackfield_store.recording.expectations import expected, marker_of

        if record.asking is not None:
            record.marking = partial(marker_of, record.journal, record.draft.id, 0)
            attempts.tally.shares_marker = True
            return
        is_shared = shares_marker(plan.code.marker, attempts.declared, attempts.inputs)
        over: object = None if plan.target is None else plan.target.name or {}
        barred = partial(
            look_barred, self.found.pipe.access, self.asked.how.caller, plan.manifest, over
        )
        attempts.tally.shares_marker = is_shared
        self._expected = expected(
            record.journal, self.found, record.draft, attempts, barred, is_shared=is_shared
        )
        record.marking = None if self._expected is None else self._expected.marker

    def begin(self, unit: Unit) -> Unit:
        """Store the data for looks with the begin."""
        return unit if self._expected is None else self._expected.beginning(unit)

    def end(self, unit: Unit, result: Result, *, back: bool) -> Unit:
        """Schedule the first look of a doubt. A call that returns to the queue is no doubt: its
        next begin stores the data anew.
        """
        del back
        return unit if self._expected is None else self._expected.ending(unit, result)

    async def answer(self, ended: Ended) -> Ended:
        """Add to the Result whether evidence may still settle a doubt, or the finding within the
        caller's time.
        """
        if ended.result.status != "in_doubt":
            return ended
        from jackfield_store.recording.settling import settled

        return ended.shown(await settled(self.found, ended.result))


class Evidence(Gate):
    """Gate that stores the data for looks."""

    part = _Evidence

    def applies(self, plan: Plan, terms: Terms, shape: int) -> bool:
        """Apply to calls that declare evidence, or may be answered with an earlier doubt; also to
        an action's first calls, whose declaration is unknown until the code is loaded.
        """
        if terms.settle == "off" or not shape & RECORDED:
            return False
        return (
            not shape & LOADED
            or bool(shape & KEYED)
            or terms.joins
            or (bool(plan.code.evidence) and plan.loan is None)
        )
