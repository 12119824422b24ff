"""Part of a runtime that deals with invocations that have begun, here or elsewhere: wait for their end, poll their jobs, cancel them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from jackfield.errors import Cancelled, JackfieldError
from jackfield.frames import bordered
from jackfield.invocation import Meta, Result
from jackfield.pipe.recording import required
from jackfield.pipe.settle import failed
from jackfield.pipe.waiter import run_in_thread

if TYPE_CHECKING:
    from jackfield.journal import Entry
    from jackfield.journal.jobs import ClaimedJob
    from jackfield.pipe.invoke import Pipeline
    from jackfield.pipe.on_loop import OnLoop
    from jackfield.pipe.run import Follow
    from jackfield.pipe.waiter import InThread, Waiter


@bordered
class Begun:
    """Base of ``Jackfield``, which has the pipe and what waits."""

    pipeline: Pipeline
    _in_time: InThread

    def _looping(self) -> OnLoop:
        raise NotImplementedError

    def cancel(self, identifier: str) -> bool:
        """Cancel an invocation that has not been sent, whether queued or running, or a job that the provider can cancel. Return False if
        it is too late.

        An invocation in another process is asked to stop: servers check each second, commands and programs that use the library never do.

        :raises InvalidInvocation: if the workspace has no such invocation.
        """
        journal = required(self.pipeline.journal())
        entry = journal.find(identifier)
        if entry.job_until is not None and entry.is_open:
            return self._can_cancel(entry) and journal.jobs.ask_to_cancel(identifier)
        if self.cancel_here(identifier):
            journal.note_cancel(identifier)
            journal.jobs.ask_to_cancel(identifier)  # its start may have ended meanwhile
            return True
        if entry.status == "queued":
            meta = Meta(entry.id, connector=entry.connector, connector_version=entry.connector_version, action=entry.action)
            if journal.end_queued(identifier, failed(meta, Cancelled("the invocation was cancelled before it was started"))):
                return True
        return journal.ask_to_cancel(identifier) or journal.jobs.ask_to_cancel(identifier)

    def _can_cancel(self, entry: Entry) -> bool:
        try:
            return self.pipeline.catalog.find(entry.connector).actions[entry.action].can_cancel
        except (JackfieldError, KeyError):
            return False

    def cancel_here(self, identifier: str) -> bool:
        """Cancel an invocation that runs here and has not been sent; return False if it does not run here."""
        event = self.pipeline.live.get(identifier)
        if event is not None:
            event.set()
        return event is not None

    def wait(
        self, identifier: str, timeout: float | None = None, *, cancelled: threading.Event | None = None, follow: Follow | None = None
    ) -> Result:
        """Wait for the end of an invocation that is queued or runs, for at most ``timeout`` seconds (default: until it ends), or until
        another thread sets ``cancelled``. Return its Result, or one of status ``running`` or ``queued``. This thread polls a job while
        nobody else does.

        :raises InvalidInvocation: if the workspace has no such invocation.
        """
        return run_in_thread(self._awaited(identifier, self._in_time, timeout, cancelled, follow))

    async def await_(self, identifier: str) -> Result:
        """Wait for the end of an invocation in asyncio, as ``wait`` does."""
        return await self._awaited(identifier, self._looping(), None)

    async def _awaited(
        self,
        identifier: str,
        waiter: Waiter,
        seconds: float | None,
        cancelled: threading.Event | None = None,
        follow: Follow | None = None,
    ) -> Result:
        from jackfield.recording.jobs import awaited

        return await awaited(self.pipeline, identifier, waiter, seconds, cancelled, follow)

    async def poll(self, claimed: ClaimedJob) -> Result | None:
        """Poll a job that this process has claimed, in asyncio; return its Result if it has ended, and no call here waits for it."""
        from jackfield.recording.jobs import polled

        result = await polled(self.pipeline, claimed, self._looping())
        return None if claimed.id in self.pipeline.live else result
