"""End of a runtime: refuse new calls, let running calls end, then close threads and connections."""

from __future__ import annotations

import math
import threading
import warnings
from _tracemalloc import is_tracing  # tracemalloc itself imports much
from functools import partial
from typing import TYPE_CHECKING, Self

from jackfield.call.calls import LOOK
from jackfield.call.waiter import running_loop
from jackfield.kernel.clock import monotonic
from jackfield.kernel.clock import within as within_seconds
from jackfield.kernel.ends import is_ending

if TYPE_CHECKING:
    import asyncio

    from jackfield.call.on_loop import OnLoop
    from jackfield.call.on_time import OnTime
    from jackfield.call.pipe import Pipe
    from jackfield.call.ports import Kept, Storage
    from jackfield.call.waiter import LoopThread
    from jackfield.catalog.loading import Isolated
    from jackfield.invocation import Result

# seconds to wait at the end for a locked database, to record outstanding outcomes
_OUTSTANDING_WAIT = 2.0


class Closing:
    """Base of ``Jackfield`` that ends it, for threads and for tasks."""

    pipeline: Pipe
    storage: Storage
    _loop: LoopThread
    _on_loop: OnLoop | None
    _on_time: OnTime
    _children: Isolated
    _tasks: set[asyncio.Task[Result]]
    _kept: Kept
    _owns_storage: bool

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        # who presses Ctrl-C waits for no other thread's call
        self.close(0.0 if kind is KeyboardInterrupt else math.inf)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def close(self, within: float = math.inf) -> None:
        """Refuse new calls (``unavailable``), wait for running ones, then stop the threads and
        close the connections.

        If calls still run after ``within`` seconds, return. A daemon thread then waits for these
        calls and closes threads and connections, so that their outcomes are recorded if the process
        lives on.

        In a running event loop, which must not block, a thread waits for the running calls and then
        closes threads and connections. To wait for this thread, ``await aclose()``.
        """
        calls = self.pipeline.calls
        calls.is_closed = True
        if running_loop() is not None and calls.any_others() and not is_ending():
            threading.Thread(target=self._end, args=(within,), name="jackfield-closing").start()
        else:
            self._end(within)

    def __del__(self) -> None:
        """Warn that the runtime was not closed; its resources end by themselves. There is no
        warning while the program ends.
        """
        if (
            getattr(self, "_owns_storage", False)
            and self.storage.is_open
            and not (self.pipeline.calls.is_closed or is_ending())
        ):
            # what records the warning keeps it, and with it the database
            source = self if is_tracing() else None
            warnings.warn(
                f"unclosed {self!r}: use 'with', or close it",
                ResourceWarning,
                stacklevel=1,
                source=source,
            )

    async def aclose(self, within: float = math.inf) -> None:
        """Close as ``close`` does, and wait without blocking the event loop. All tasks of the loop
        have their Results when this returns.
        """
        self.pipeline.calls.is_closed = True
        loop = running_loop()
        if loop is None:
            return
        if not is_ending():
            await loop.run_in_executor(None, partial(self._end, within))
            return
        end = monotonic() + within
        # no thread can wait for their event
        while self.pipeline.calls.any_others() and monotonic() < end:
            pause = loop.create_future()
            loop.call_later(LOOK, pause.set_result, None)
            await pause
        self._end(0.0)

    def _end(self, within: float) -> None:
        if not self.pipeline.calls.wait_for_others(within):
            if not is_ending():
                threading.Thread(
                    target=self._end, args=(math.inf,), name="jackfield-closing", daemon=True
                ).start()
            return
        self._loop.close()
        if self._on_loop is not None:
            self._on_loop.close(wait=not self._on_time.overdue)
        self._on_time.close()
        self.pipeline.plans.opener.release()
        self._children.close()
        if self._kept.current is not None:
            with within_seconds(_OUTSTANDING_WAIT):
                self._kept.current.record_owed()
        if self._owns_storage:
            self.storage.close()

    async def drained(self, within: float) -> int:
        """Wait up to ``within`` seconds for tasks of ``ainvoke``, ``begin`` and ``arun``, then
        cancel the tasks that still run and record their state.

        Return the number of cancelled tasks; their threads may still run.
        """
        import asyncio

        left: set[asyncio.Task[Result]] = set()
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=within)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        journal = self._kept.current
        if journal is not None and journal.owes:
            with within_seconds(_OUTSTANDING_WAIT):
                await asyncio.to_thread(journal.record_owed)
        return len(left)
