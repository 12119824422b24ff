"""Part of a runtime for invocations that end elsewhere or later: queue them, wait for their end,
poll their jobs, cancel them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield.call.how import How
from jackfield.call.waiter import run_in_thread
from jackfield.callers.caller import LIBRARY, Caller
from jackfield.invocation import Result
from jackfield.kernel.errors import InvalidInvocation

if TYPE_CHECKING:
    import threading

    from jackfield.call.how import Follow
    from jackfield.call.pipe import OnQueued, Pipe, RawInvocation
    from jackfield.call.ports import Storage
    from jackfield.call.reached import Reached
    from jackfield.call.waiter import InThread, Waiter
    from jackfield.invocation import Enqueued
    from jackfield.invocation.claimed import ClaimedJob
    from jackfield.invocation.entry import Draft

T = TypeVar("T")


class Queued:
    """Base of ``Jackfield`` for queued calls, with the pipe and the waits. The recording queues
    calls: without a journal, no call is queued.
    """

    pipeline: Pipe
    storage: Storage
    _in_thread: InThread
    _in_time: InThread

    def _looping(self) -> Waiter:
        raise NotImplementedError

    def enqueue(
        self,
        invocation: RawInvocation,
        *,
        caller: Caller = LIBRARY,
        on_queued: OnQueued | None = None,
    ) -> Result | str:
        """Queue an invocation for the workers, and run the statements ``on_queued`` in the same
        transaction. Return its ID once it is on disk, or the Result that its idempotency key
        replays: of status ``queued`` or ``running`` while the earlier invocation has not ended.

        :raises JackfieldError: if it is refused at once (unknown action, invalid inputs, the key of
            another request).
        """
        return self._queued(
            lambda call: self.pipeline.recording.enqueue(
                self.pipeline, invocation, call, on_queued
            ),
            caller,
        )

    def prepare(self, invocation: RawInvocation, *, caller: Caller = LIBRARY) -> Draft:
        """Admit and check an invocation as ``enqueue_many`` does, queue nothing, and return the
        entry that it would have.

        :raises JackfieldError: if the invocation is refused.
        """
        return self._queued(
            lambda call: self.pipeline.recording.prepared(self.pipeline, invocation, call), caller
        )

    def _queued(self, step: Callable[[Reached], Coroutine[Any, Any, T]], caller: Caller) -> T:
        with self.storage.one_state():
            return run_in_thread(self.pipeline.step(How(self._in_thread, caller), step))

    def enqueue_many(
        self, invocations: Iterable[Mapping[str, Any] | str | bytes], *, caller: Caller = LIBRARY
    ) -> list[Enqueued | Result]:
        """Queue invocations in order, in one commit: several thousand a second. Pass a thousand at
        a time to bound memory.

        A refused invocation is a failed Result and does not affect the others. If an idempotency
        key is already in use, the call is not queued again: the outcome is the earlier invocation
        with this key, or its Result once it has ended.

        :raises InvalidInvocation: if one invocation is passed instead of several.
        """
        if isinstance(invocations, Mapping | str | bytes):
            raise InvalidInvocation(
                "enqueue_many takes a list of invocations",
                hint="Pass a list, or call 'enqueue' for one invocation.",
            )
        with self.storage.one_state():
            return self.pipeline.recording.enqueue_many(
                self.pipeline, invocations, caller, self._in_thread
            )

    def cancel(self, identifier: str) -> bool:
        """Cancel an invocation that has not been sent, whether queued or running, or a job that the
        provider can cancel. Return False if it is too late.

        An invocation in another process is requested to stop: servers check each second, commands
        and programs that use the library never do.

        :raises InvalidInvocation: if the workspace has no such invocation.
        """
        return self.pipeline.recording.cancel(self.pipeline, identifier, self.cancel_here)

    def cancel_here(self, identifier: str) -> bool:
        """Cancel an invocation that runs here and has not been sent; return False if it does not
        run here.
        """
        event = self.pipeline.live.get(identifier)
        if event is not None:
            event.set()
        return event is not None

    def wait(
        self,
        identifier: str,
        timeout: float | None = None,
        *,
        cancelled: threading.Event | None = None,
        follow: Follow | None = None,
        settles: bool = False,
    ) -> Result:
        """Wait for the end of an invocation that is queued or runs, for at most ``timeout`` seconds
        (default: until it ends), or until another thread sets ``cancelled``. Return its Result, or
        a Result of status ``running`` or ``queued``. This thread polls a job while no other process
        does. With ``settles``, it also looks for evidence and waits for the end of a doubt that
        evidence may settle.

        :raises InvalidInvocation: if the workspace has no such invocation.
        """
        awaited = self.pipeline.recording.awaited
        return run_in_thread(
            awaited(
                self.pipeline,
                identifier,
                self._in_time,
                timeout,
                cancelled,
                follow,
                settles=settles,
            )
        )

    async def await_(self, identifier: str, *, settles: bool = False) -> Result:
        """Wait for the end of an invocation in asyncio, as ``wait`` does."""
        return await self.pipeline.recording.awaited(
            self.pipeline, identifier, self._looping(), None, settles=settles
        )

    async def poll(self, claimed: ClaimedJob) -> Result | None:
        """Poll a job that this process has claimed, in asyncio. Return its Result if it has ended
        and no call in this process waits for it; else None.
        """
        result = await self.pipeline.recording.polled(self.pipeline, claimed, self._looping())
        return None if claimed.id in self.pipeline.live else result
