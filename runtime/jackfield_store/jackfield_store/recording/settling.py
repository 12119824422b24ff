"""Waits for the evidence that settles a doubt: by the call itself (``onDoubt: "settle"``), and by
callers who get its Result later.
"""

from __future__ import annotations

import copy
import math
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.call.reached import Ended
from jackfield.call.unstored import required
from jackfield.call.waiter import run_in_thread
from jackfield.invocation import Result
from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.hints import NextStep
from jackfield_store.database.due_rows import OvertakenError
from jackfield_store.journal.doubts import Doubts
from jackfield_store.journal.marks import KEPT
from jackfield_store.recording.jobs import awaited
from jackfield_store.recording.looks import look, next_look, waits_for_events
from jackfield_store.recording.replays import replay_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from jackfield.call.call_records import Found
    from jackfield.call.how import Follow
    from jackfield.call.pipe import Pipe
    from jackfield.call.waiter import Waiter
    from jackfield.invocation import Meta
    from jackfield.invocation.entry import Entry
    from jackfield_store.journal.doubts import Doubt
    from jackfield_store.journal.journal import Journal

_SOON = 10.0
"""Seconds after the begin of a doubt within which each source has its first look, if a call
waits.
"""
_PAUSE = 1.0
"""Seconds between two reads of the entry of a call whose doubt an event, another process or a
person may settle at any moment.
"""
_NEVER = 1e9


async def settled(found: Found, result: Result) -> Result:
    """Return the Result of a call in doubt, with evidence found within its caller's time. A failure
    meanwhile leaves the doubt open.

    A worker does not wait, since its process makes the looks for all doubts.
    """
    how, settle = found.asked.how, found.terms.settle
    if how.claimed is not None:
        return result
    with suppress(JackfieldError):
        if result.meta.replayed or result.meta.twin_of is not None:
            return await (
                _held(found, result)
                if settle == "on"
                else how.waiter.ask(partial(_result_with_settlement, found.pipe, result, settle))
            )
        if found.asked.invocation.on_doubt == "settle":
            result = await _looked(found, result)
        if result.status == "in_doubt" and found.row is not None and found.row.marking is not None:
            return await how.waiter.ask(
                partial(_result_with_settlement, found.pipe, result, settle)
            )
    return result


async def _looked(found: Found, result: Result) -> Result:
    pipeline, how = found.pipe, found.asked.how
    journal, identifier, waiter = required(pipeline.journal()), how.meta.invocation_id, how.waiter
    doubts = _doubts(pipeline, journal)
    while not how.cancelled.is_set():
        doubt = await waiter.ask(partial(doubts.find, identifier))
        due = None if doubt is None else next_look(doubt, _SOON)
        seconds = _NEVER if due is None else due - doubts.time.now()
        left, waits = how.deadline.remaining(), doubt is not None and waits_for_events(doubt)
        if doubt is None or left <= 0 or (seconds >= left and not waits):
            break
        await waiter.pause(
            max(0.0, min(seconds, left, _PAUSE) if waits else seconds), how.cancelled
        )
        if seconds <= _PAUSE or not waits:
            with suppress(OvertakenError):  # the loop of a process looks at this moment
                await waiter.call(
                    partial(look, pipeline, journal, doubt, settle=found.terms.settle, absent=False)
                )
        entry = await waiter.ask(partial(journal.find, identifier))
        if entry.status != "in_doubt" and entry.result is not None:
            return Result.from_json(entry.result)
    return result


async def _held(found: Found, result: Result) -> Result:
    """Return the Result of an earlier call that holds the key, or was joined, after the time for
    which the caller waits for such calls.
    """
    pipeline, how = found.pipe, found.asked.how
    journal, waiter = required(pipeline.journal()), how.waiter
    if found.row is not None:
        left = partial(getattr, found.row, "wait_left")
        entry = await watched(
            pipeline, journal, result.meta.invocation_id, waiter, left, how.cancelled
        )
        if entry is not None and entry.status != "in_doubt":
            earlier = replay_of(entry, is_twin=result.meta.twin_of is not None)
            return (await pipeline.policies.judged(found, Ended(earlier))).result
    return await waiter.ask(partial(_result_with_settlement, pipeline, result, found.terms.settle))


async def watched(
    pipeline: Pipe,
    journal: Journal,
    identifier: str,
    waiter: Waiter,
    left: Callable[[], float],
    cancelled: threading.Event | None,
) -> Entry | None:
    """Wait until a doubt is settled, and make the due looks, while evidence may settle it and
    ``left`` returns a positive time. Return its entry; None if no time was left.
    """
    doubts, entry = _doubts(pipeline, journal), None
    while (seconds := left()) > 0 and not (cancelled is not None and cancelled.is_set()):
        entry = await waiter.ask(partial(journal.find, identifier))
        doubt = (
            await waiter.ask(partial(doubts.find, identifier))
            if entry.status == "in_doubt"
            else None
        )
        # of a function others look, or the next direct call
        if doubt is None or doubt.function is not None:
            break
        # which it may be since its entry was read
        if settling(doubt, now := doubts.time.now()) is None:
            return await waiter.ask(partial(journal.find, identifier))
        due = _NEVER if doubt.look_at is None else doubt.look_at - now
        if due <= 0 and (claimed := await waiter.ask(partial(doubts.claim, doubt))) is not None:
            with suppress(OvertakenError):  # a person looks at this moment
                absent = pipeline.access.settings.settle_absent
                await waiter.call(
                    partial(
                        look,
                        pipeline,
                        journal,
                        claimed,
                        settle=pipeline.access.settle,
                        absent=absent,
                    )
                )
            continue
        await waiter.pause(min(seconds, _PAUSE, max(0.05, due)), cancelled)
    return entry


async def ended(
    pipeline: Pipe,
    identifier: str,
    waiter: Waiter,
    seconds: float | None,
    cancelled: threading.Event | None = None,
    follow: Follow | None = None,
) -> Result:
    """Wait for the end of an invocation, and of its doubt while evidence may settle it, at most for
    ``seconds`` if given.
    """
    clock = pipeline.dependencies.clock
    until = clock.monotonic() + (math.inf if seconds is None else seconds)
    result = await awaited(pipeline, identifier, waiter, seconds, cancelled, follow)
    if result.status == "in_doubt" and pipeline.access.settle == "on":
        journal = required(pipeline.journal())
        entry = await watched(
            pipeline, journal, identifier, waiter, lambda: until - clock.monotonic(), cancelled
        )
        if entry is not None and entry.status != "in_doubt":
            return await awaited(pipeline, identifier, waiter, seconds)
        return await waiter.ask(partial(_result_with_settlement, pipeline, result, "on"))
    return result


def settling(doubt: Doubt, now: float) -> dict[str, Any] | None:
    """Return the number of looks for a doubt, and the time of the ``next`` one, if evidence may
    still settle the doubt; else None. The time is missing if only events may settle it.
    """
    if doubt.look_at:
        return {"next": iso(max(doubt.look_at, now)), "looks": doubt.looks}
    is_open = waits_for_events(doubt) and not doubt.log.get("ended") and now - doubt.since < KEPT
    return {"looks": doubt.looks} if is_open else None


def _result_with_settlement(pipeline: Pipe, result: Result, settle: str) -> Result:
    """Return a Result in doubt that says whether evidence may still settle the doubt, with a wait
    for that. If ``settle`` is ``show``, only its hint changes: the evidence is for a person, who
    resolves the doubt.
    """
    doubts = _doubts(pipeline, required(pipeline.journal()))
    doubt = doubts.find(result.meta.invocation_id)
    about = None if doubt is None else settling(doubt, doubts.time.now())
    if about is None:
        return result
    if settle != "on":
        return replace(
            result, error=_hinted(result, NextStep("looking", id=result.meta.invocation_id))
        )
    found = awaitable(result, about, _Settlement(pipeline, result.meta))
    object.__setattr__(found, "opener", pipeline.opener)
    return found


def awaitable(
    result: Result,
    about: Mapping[str, Any],
    wait: Callable[[str, float | None], Result],
    step: str = "settling",
) -> Result:
    """Return a Result in doubt that says which looks are made, and whose caller can ``wait`` for
    them. ``step`` is its hint.
    """
    error = _hinted(result, NextStep(step, id=result.meta.invocation_id))
    found = replace(result, error=error, meta=replace(result.meta, settling=about))
    object.__setattr__(found, "waiter", wait)
    return found


def _hinted(result: Result, step: NextStep) -> JackfieldError | None:
    error = copy.copy(result.error)
    if error is not None:
        error.hint = step
    return error


class _Settlement:
    """Wait of ``Result.wait`` for the end of a doubt."""

    def __init__(self, pipeline: Pipe, meta: Meta) -> None:
        self._pipeline, self._meta = pipeline, meta

    def __call__(self, identifier: str, timeout: float | None = None) -> Result:
        found = run_in_thread(ended(self._pipeline, identifier, self._pipeline.in_thread, timeout))
        found.meta.replayed, found.meta.twin_of = self._meta.replayed, self._meta.twin_of
        return found


def _doubts(pipeline: Pipe, journal: Journal) -> Doubts:
    return Doubts(journal.database, journal.vault, journal.workspace, pipeline.dependencies.clock)
