"""The port by which a feature takes part in calls. A ``Gate`` says which calls pass it, a ``Passing`` is its part in one of them.

Gates are chosen once per plan, terms and shape of a call (``Chosen``), in one order for all points. A call enters only the gates that apply
to it, and of each only the points that it defines.
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
"""Shape of a call: the facts beyond plan and terms that decide about gates. It has a key, wants a part of its output, comes from the queue,
was approved, is a dry run, is recorded, or its code is loaded."""


class Passing:
    """Part that a gate plays in one call. A subclass defines only the points at which it acts; the call enters no others. Attributes get
    their first values in the class."""

    __slots__ = ("asked", "found", "row")

    def __init__(self, found: Found) -> None:
        self.asked, self.found, self.row = found.asked, found, found.row

    def __init_subclass__(cls) -> None:
        """Refuse a misspelt point, which would never be asked.

        :raises TypeError: for a public method that is no point.
        """
        unknown = [name for name in vars(cls) if not name.startswith("_") and name not in POINTS and callable(getattr(cls, name))]
        if unknown:
            raise TypeError(f"'{unknown[0]}' is no point of a call; known are {', '.join(POINTS)}")

    async def admit(self, found: Found) -> Result | None:
        """Look at a call whose plan is found, and of whose inputs nothing was read. A Result ends the call."""

    async def check(self, checked: Checked) -> None:
        """Check a call whose inputs are valid, dry runs too, and refuse it if need be. Its code is loaded; its connection is not resolved
        yet."""

    async def before_begin(self, checked: Checked, *, again: bool) -> Result | None:
        """Look at a call whose connection is open; ``again``, if the row of another call was in the way of its begin. A Result ends it."""

    def attempt(self, checked: Checked) -> None:
        """Prepare the attempts of a call that is about to begin."""

    def begin(self, unit: Unit) -> Unit:
        """Return the unit that writes the begin, extended by statements of this call's rows for the same transaction.

        It is called for begins that must be on the disk before anything is sent: writes, calls with a key, and calls from the queue.
        """
        return unit

    async def follow(self, checked: Checked, output: Any) -> Ended | None:
        """Inspect the output of an attempt. A returned end replaces settling."""

    async def output(self, ended: Ended) -> Ended:
        """Change the Result of an ended call before it is recorded and shown.

        If one raises, all are asked once more, about the failure.
        """
        return ended

    def end(self, unit: Unit, result: Result, *, back: bool) -> Unit:
        """Return the unit that writes the end of a begun row, extended by statements for the same transaction; ``back``: the row goes back
        to the queue."""
        del result, back
        return unit

    async def answer(self, ended: Ended) -> Ended:
        """Change the answer that the caller gets after the end is recorded."""
        return ended

    def leave(self) -> None:
        """Note that the call is over, whatever its end. It must not raise."""


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
        """Return the error that ends a call that has failed, perhaps before its gates were chosen."""
        del call
        return error


@cache
def _points(parts: tuple[type[Passing], ...]) -> Points:
    """Return the points of these parts: a call over inline values has a plan of its own, and so chooses its gates anew."""
    return Points(parts, Passing)


class Chosen:
    """Gates that calls of one plan, terms and shape pass: makers of their parts, in order, and the points at which these act."""

    __slots__ = ("makers", "points")

    def __init__(self, gates: Sequence[Gate], plan: Plan, terms: Terms, shape: int) -> None:
        found = [gate for gate in gates if gate.applies(plan, terms, shape)]
        self.makers: Sequence[Callable[[Found], Passing]] = [gate.part if type(gate).of is Gate.of else gate.of for gate in found]
        self.points = _points(tuple([gate.part for gate in found]))


def chosen(gates: Sequence[Gate], served: Served, asked: Asked) -> Chosen:
    """Return the gates that a call passes, as chosen for the first call of its plan, terms and shape."""
    invocation, claimed, plan = asked.invocation, asked.how.claimed, served.plan
    shape = RECORDED if asked.row is not None else 0
    if plan.is_loaded:
        shape |= LOADED
    if invocation.idempotency_key is not None:
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
