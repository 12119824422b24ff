"""Running of a queued invocation in a process that serves no queue: ``jackfield mcp`` runs the
invocations of its own client.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from jackfield.kernel.errors import JackfieldError
from jackfield.pacing.turn import PostponedError
from jackfield_store.journal import Queue
from jackfield_store.runtime import Jackfield

if TYPE_CHECKING:
    from jackfield.invocation.claimed import Claimed

_LOG = logging.getLogger("jackfield.mcp")
_LOOK = 1.0
"""Seconds between two checks of an invocation that waits for an approval, a time, or another
process.
"""


async def run_to_end(runtime: Jackfield, identifier: str) -> None:
    """Run an invocation once it is due, unless another process runs it, and poll its job until that
    ends.

    An invocation that does not end with this process stays in the journal. A server with the same
    database continues it, or the next request about the task.
    """
    queue = Queue(runtime.storage.database, runtime.clock)
    while True:
        try:
            if await _is_over(runtime, queue, identifier):
                return
        except (JackfieldError, RuntimeError, MemoryError) as error:
            _LOG.warning(
                "the queued invocation %s has to wait: %s", identifier, type(error).__name__
            )
        await asyncio.sleep(_LOOK)


async def _is_over(runtime: Jackfield, queue: Queue, identifier: str) -> bool:
    """Carry out the invocation's next step; return whether it has ended."""
    journal = runtime.journal
    entry = None if journal is None else await asyncio.to_thread(journal.find, identifier)
    if entry is None or not entry.is_open:
        return True
    if entry.status == "running":
        await runtime.await_(identifier)
        return True
    claimed = await asyncio.to_thread(queue.claim_one, runtime.workspace, identifier)
    if claimed is not None:
        await _run(runtime, queue, claimed)
    return False


async def _run(runtime: Jackfield, queue: Queue, claimed: Claimed) -> None:
    try:
        await runtime.arun(claimed)
    except PostponedError as later:
        await asyncio.to_thread(queue.postpone, claimed, later.at)
    except JackfieldError:
        await asyncio.to_thread(queue.give_back, claimed)
        raise
