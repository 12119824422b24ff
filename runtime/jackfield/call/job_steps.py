"""Steps of a job, and the job whose handle cannot be stored: its call polls it. ``recording/jobs``
has all other jobs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from jackfield.call.attempts import Attempts
from jackfield.call.errors_map import quoted
from jackfield.call.reached import Ended
from jackfield.call.settle import settled
from jackfield.invocation.request import FIRST_POLL
from jackfield.invocation.result import NO_PROGRESS
from jackfield.kernel.errors import (
    Detail,
    InDoubt,
    InvalidOutput,
    JackfieldError,
    JobFailed,
    Sent,
    TimedOut,
)
from jackfield.kernel.failures import contained

if TYPE_CHECKING:
    from jackfield.call.how import How
    from jackfield.call.plan import Plan
    from jackfield.call.reached import Asked
    from jackfield.call.tally import Dependencies
    from jackfield.connector import Action

LEAST, MOST = 1.0, 60.0
"""Bounds in seconds of the default time to the next poll, which is a tenth of the job's age."""
_MOST_RESERVED = 5.0
SOONEST, _LATEST = 0.1, 3600.0
"""Bounds in seconds of an interval between polls that the author sets."""


async def followed_here(attempts: Attempts, handle: Mapping[str, Any]) -> Ended:
    """Poll a job whose handle cannot be stored, until the call's deadline."""
    how, steps = attempts.asked.how, attempts.plan.code.job
    if steps is None:
        raise TypeError("this action is no job")
    started, pause, clock = (
        attempts.dependencies.clock.monotonic(),
        FIRST_POLL,
        attempts.dependencies.clock,
    )
    reserve = _reserved(how) if steps.cancels_late else 0.0
    while pause < how.deadline.remaining() - reserve and not how.cancelled.is_set():
        await how.waiter.pause(pause, how.cancelled)
        if how.cancelled.is_set():
            break
        pause = min(MOST, max(LEAST, (clock.monotonic() - started) / 10))
        try:
            polling = await _next_step(attempts, steps.poll, handle)
            answer = await polling.page(cast("Any", handle))
        except JobFailed as failure:
            if failure.is_unclear:
                raise attempts.unusable(failure) from None
            raise
        except JackfieldError as error:
            pause = max(pause, error.retry_after or 0.0)
            continue
        if "output" in answer:
            return contained(partial(_settled_here, attempts, polling, answer["output"]))
        told = answer.get("progress", {})
        pause = bounded(told.get("retryAfter")) or pause
        if how.follow is not None:
            how.follow(
                {**NO_PROGRESS, **{name: told[name] for name in NO_PROGRESS if name in told}}
            )
    raise await abandoned(
        attempts,
        handle,
        "it had not ended by the deadline of its call, and its handle could not be kept for later",
    )


def _reserved(how: How) -> float:
    return min(_MOST_RESERVED, how.deadline.remaining() / 4)


async def abandoned(attempts: Attempts, handle: Mapping[str, Any], reason: str) -> JackfieldError:
    """Cancel a started job that nobody will poll, if its author declares late cancelling; return
    the error that says so.
    """
    steps = attempts.plan.code.job
    if steps is not None and steps.cancels_late and steps.cancel is not None:
        reason += await _stopped(attempts, steps.cancel, handle)
    return unended(attempts, handle, reason)


async def _stopped(attempts: Attempts, cancel: Action, handle: Mapping[str, Any]) -> str:
    """Cancel an abandoned job, and return a sentence about the outcome."""
    try:
        stopping = await _next_step(attempts, cancel, handle)
        await stopping.page(cast("Any", handle))
    except JackfieldError as error:
        return f"; it could not be cancelled: {error.message}"
    return "; it was cancelled"


def _settled_here(attempts: Attempts, polling: Attempts, output: Mapping[str, Any]) -> Ended:
    try:
        found = settled(polling, output)
    except InvalidOutput as fault:
        raise attempts.unusable(fault) from None
    return Ended(found.result, attempts, found.recorded)


async def step(
    asked: Asked,
    plan: Plan,
    code: Action,
    handle: Mapping[str, Any],
    dependencies: Dependencies,
    *,
    conceals: bool,
) -> Attempts:
    """Create the attempts of one step of a job: a poll or a cancellation."""
    opening = await plan.resolved(asked.how, dependencies)
    return Attempts(
        asked,
        plan.with_code(code),
        cast("Any", handle),
        asked.given.inputs,
        opening,
        dependencies,
        conceals,
    )


async def _next_step(attempts: Attempts, code: Action, handle: Mapping[str, Any]) -> Attempts:
    return await step(
        attempts.asked,
        attempts.plan,
        code,
        handle,
        attempts.dependencies,
        conceals=attempts.conceals,
    )


def bounded(seconds: object) -> float | None:
    """Return the author's interval in seconds, within bounds; None if it is not a number."""
    if not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return None
    return min(_LATEST, max(SOONEST, seconds))


def still(action: str, effect: str | None, reason: str) -> JackfieldError:
    """Build the error for a job that was started and whose end is unknown."""
    text = f"the job '{action}' was started, and {reason}"
    if effect == "write":
        return InDoubt(
            text,
            hint="Check with the provider whether it has ended before you start it again.",
            sent=Sent.UNKNOWN,
        )
    return TimedOut(text, hint="Start it again, or check with the provider.", sent=Sent.UNKNOWN)


def unended(attempts: Attempts, handle: Mapping[str, Any], reason: str) -> JackfieldError:
    """Build the error for a job that was started over ``attempts`` and is no longer polled; it
    names the handle.
    """
    effect = "write" if attempts.ends_in_doubt else attempts.declared
    error = still(attempts.plan.code.key, effect, reason)
    error.details = (Detail("", f"the job's handle is {quoted(handle)}"),)
    return error
