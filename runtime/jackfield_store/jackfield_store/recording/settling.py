"""The call itself looks for evidence of its doubt until its deadline, for callers who ask for ``onDoubt: "settle"``."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from jackfield.invocation import Result
from jackfield.kernel.errors import JackfieldError
from jackfield.pipe.unstored import required
from jackfield_store.database.due_rows import OvertakenError
from jackfield_store.journal.doubts import Doubts
from jackfield_store.recording.looks import look, next_look, waits_for_events

if TYPE_CHECKING:
    from jackfield.pipe.recording import Pipe
    from jackfield.pipe.run import Run

_SOON = 10.0
"""Seconds after the doubt within which a source is looked at for the first time, if a call waits for it."""
_PAUSE = 1.0
"""Seconds between two looks at the entry of a call whose doubt an event may settle at any moment."""
_NEVER = 1e9


async def settled(pipeline: Pipe, run: Run, result: Result) -> Result:
    """Return the Result of a call in doubt, with what evidence has found by its deadline. What fails meanwhile leaves the doubt.

    A worker waits for nobody: its process looks for all doubts.
    """
    if run.claimed is not None or result.meta.replayed or run.settle == "off":
        return result
    with suppress(JackfieldError):
        return await _looked(pipeline, run, result)
    return result


async def _looked(pipeline: Pipe, run: Run, result: Result) -> Result:
    journal, identifier, waiter = required(pipeline.journal()), run.meta.invocation_id, run.waiter
    doubts = Doubts(journal.database, journal.vault, journal.workspace, pipeline.dependencies.clock)
    while not run.cancelled.is_set():
        doubt = await waiter.ask(partial(doubts.find, identifier))
        due = None if doubt is None else next_look(doubt, _SOON)
        seconds = _NEVER if due is None else due - doubts.time.now()
        left, waits = run.deadline.remaining(), doubt is not None and waits_for_events(doubt)
        if doubt is None or left <= 0 or (seconds >= left and not waits):
            break
        await waiter.pause(max(0.0, min(seconds, left, _PAUSE) if waits else seconds), run.cancelled)
        if seconds <= _PAUSE or not waits:
            with suppress(OvertakenError):  # the loop of a process looks at this moment
                await waiter.call(partial(look, pipeline, journal, doubt, settle=run.settle, absent=False))
        entry = await waiter.ask(partial(journal.find, identifier))
        if entry.status != "in_doubt" and entry.result is not None:
            return Result.from_json(entry.result)
    return result
