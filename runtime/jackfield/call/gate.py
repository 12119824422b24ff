"""The port by which a feature takes part in calls. A ``Gate`` decides which calls pass it; a
``Passing`` is its part in one call.

Gates are chosen once per plan, terms and shape of a call (``Chosen``), in one order for all points.
A call enters only the gates that apply to it, and of each only the points that it defines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from jackfield.call.points import POINTS, Points

if TYPE_CHECKING:
    from jackfield.call.call_records import Checked, Found
    from jackfield.call.plan import Plan, Served
    from jackfield.call.reached import Asked, Ended, Reached, Terms
    from jackfield.invocation import Result

    Unit = Callable[[Any], int]
    """Statements of one transaction; returns how many rows they changed."""

KEYED, PARTIAL, QUEUED, APPROVED, REHEARSED, RECORDED, LOADED = 1, 2, 4, 8, 16, 32, 64
"""Flags of a call's shape, the facts besides plan and terms that decide about gates. The call has a
key, wants a part of its output, comes from the queue, was approved, is a dry run, is recorded, or
its code is loaded.
"""


class Passing:
    """Part of a gate in one call. A subclass defines only the points at which it acts; the call
    enters no others. Attributes get their first values in the class.
    """

    __slots__ = ("asked", "found", "row")

    def __init__(self, found: Found) -> None:
        self.asked, self.found, self.row = found.asked, found, found.row

    def __init_subclass__(cls) -> None:
        """Refuse a misspelt point, which would never be called.

        :raises TypeError: for a public method that is not a point.
        """
        unknown = [
            name
            for name in vars(cls)
            if not name.startswith("_") and name not in POINTS and callable(getattr(cls, name))
        ]
        if unknown:
            raise TypeError(f"'{unknown[0]}' is no point of a call; known are {', '.join(POINTS)}")

    async def admit(self, found: Found) -> Result | None:
        """Inspect a call whose plan is found, before its inputs are read. A Result ends the call;
        None lets it go on.
        """

    async def check(self, checked: Checked) -> None:
        """Check a call with valid inputs, also a dry run; raise to refuse it. Its code is loaded;
        its connection is not resolved yet.
        """

    async def before_begin(self, checked: Checked, *, again: bool) -> Result | None:
        """Inspect a call whose connection is open. ``again``: the row of another call prevented its
        begin. A Result ends the call; None lets it go on.
        """

    def attempt(self, checked: Checked) -> None:
        """Prepare the attempts of a call that is about to begin."""

    def begin(self, unit: Unit) -> Unit:
        """Return the unit of work that writes the begin, extended by statements for the same
        transaction.

        It is called for begins that must be on the disk before anything is sent: writes, calls with
        a key, and calls from the queue.
        """
        return unit

    async def follow(self, checked: Checked, output: Any) -> Ended | None:
        """Inspect the output of an attempt. A returned end replaces settling; None settles the
        output as usual.
        """

    async def output(self, ended: Ended) -> Ended:
        """Return the end of a call, changed if need be, before it is recorded and returned.

        If one gate raises, all are called once more with the failure.
        """
        return ended

    def end(self, unit: Unit, result: Result, *, back: bool) -> Unit:
        """Return the unit of work that writes the end of a begun row, extended by statements for
        the same transaction. ``back``: the row returns to the queue.
        """
        del result, back
        return unit

    async def answer(self, ended: Ended) -> Ended:
        """Return the answer for the caller, changed if need be, after the end is recorded."""
        return ended

    def leave(self) -> None:
        """Clean up after the call, however it ended. It must not raise."""


class Gate:
    """Feature that may take part in calls. It holds no state of a single call."""

    part: ClassVar[type[Passing]]

    def applies(self, plan: Plan, terms: Terms, shape: int) -> bool:
        """Return whether calls of this plan, terms and shape pass it."""
        raise NotImplementedError

    def of(self, found: Found) -> Passing:
        """Return the gate's part in a call."""
        return self.part(found)

    def refuse(self, call: Reached, error: Exception) -> Exception:
        """Return the error that ends a call that has failed, perhaps before its gates were
        chosen.
        """
        del call
        return error


@cache
def _points(parts: tuple[type[Passing], ...]) -> Points:
    """Return the points of these parts. They are cached, since each call over inline values has its
    own plan and chooses its gates anew.
    """
    return Points(parts, Passing)


class Chosen:
    """Gates that calls of one plan, terms and shape pass: factories of their parts, in order, and
    the points at which these act.
    """

    __slots__ = ("makers", "points")

    def __init__(self, gates: Sequence[Gate], plan: Plan, terms: Terms, shape: int) -> None:
        found = [gate for gate in gates if gate.applies(plan, terms, shape)]
        self.makers: Sequence[Callable[[Found], Passing]] = [
            gate.part if type(gate).of is Gate.of else gate.of for gate in found
        ]
        self.points = _points(tuple([gate.part for gate in found]))


def chosen(gates: Sequence[Gate], served: Served, asked: Asked) -> Chosen:
    """Return the gates that a call passes. They are chosen at the first call of its plan, terms and
    shape.
    """
    invocation, claimed, plan = asked.invocation, asked.how.claimed, served.plan
    shape = RECORDED if asked.row is not None else 0
    if plan.is_loaded:
        shape |= LOADED
    if invocation.idempotency_key is not None or asked.how.again is not None:
        shape |= KEYED
    if invocation.select is not None or invocation.max_bytes is not None:
        shape |= PARTIAL
    if claimed is not None:
        shape |= QUEUED if claimed.approval is None else QUEUED | APPROVED
    if invocation.dry_run:
        shape |= REHEARSED
    found: Chosen | None = served.gates.get(shape)
    if found is None:
        found = served.gates[shape] = Chosen(gates, plan, served.terms, shape)
    return found
