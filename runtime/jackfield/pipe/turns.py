"""Waiting for a turn where the provider throttles, or where the action declares its rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.errors import Cancelled, JackfieldError, RateLimited
from jackfield.pipe.steps import Steps, Wait

if TYPE_CHECKING:
    from jackfield.pipe.pace import Pace
    from jackfield.pipe.run import Run

__all__ = ["turn"]


def turn(run: Run, last: JackfieldError | None = None, *, always: bool = False) -> Steps[None]:
    """Wait until the run may begin its next try; return at once while nothing limits the rate, unless ``always``.

    ``last`` is the error of the try before, which is raised again if the deadline leaves no time for another one.

    :raises RateLimited: where the deadline passes before the first try.
    :raises Cancelled: where the invocation is cancelled meanwhile.
    """
    pace = run.pace
    if pace is None or run.has_turn or not (always or pace.rate is not None):
        return
    run.ticket = pace.join(run.ticket)
    try:
        while (seconds := pace.wait(run.ticket, run.clock.monotonic())) > 0:
            remaining = run.deadline.remaining()
            if remaining <= pace.earliest(run.clock.monotonic()):
                raise last or _late(run, pace)
            yield Wait(min(seconds, remaining), run.cancelled)
            if run.cancelled.is_set():
                raise Cancelled("the invocation was cancelled while it waited for its turn")
    finally:
        pace.leave(run.ticket)
    run.has_turn = True


def _late(run: Run, pace: Pace) -> RateLimited:
    others, rate = pace.waiting - 1, pace.rate
    present = f", which allows about {rate:.2g} calls a second at present" if rate is not None else ""
    behind = f"; {others:,} more wait" if others else ""
    return RateLimited(
        f"the deadline of {run.deadline.seconds:g} s passed before '{run.action.key}' had its turn: the provider throttles it on this "
        f"connection{present}{behind}",
        hint="Nothing was sent. Send fewer at a time, raise 'timeoutSeconds', or have the provider raise the rate.",
        retry_after=max(1.0, pace.earliest(run.clock.monotonic())),
    )
