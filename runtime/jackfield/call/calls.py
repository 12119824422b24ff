"""Calls of one runtime that run in this process. The end of the runtime waits for them."""

from __future__ import annotations

import math
import sys
import threading
from typing import TYPE_CHECKING

from jackfield.call.on_time import GRACE
from jackfield.call.waiter import running_loop
from jackfield.kernel.clock import monotonic
from jackfield.kernel.ends import no_modules
from jackfield.kernel.errors import Sent, Unavailable
from jackfield.kernel.fork import ProcessLocal

if TYPE_CHECKING:
    import asyncio

    from jackfield.call.reached import Reached

LOOK = 0.1
"""Seconds after which the end of a runtime checks again for calls whose loops may have stopped."""


class Calls(ProcessLocal):
    """Calls of one runtime that run in this process."""

    def __init__(self) -> None:
        self.is_closed = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._running: dict[Reached, tuple[int, asyncio.AbstractEventLoop | None]] = {}
        """Each call's thread and loop."""
        self._unrecorded: set[Reached] = set()
        """Calls whose outcomes are not recorded yet: they share the next commit of postponed
        outcomes.
        """
        self._ended = threading.Event()

    def begin(self, call: Reached) -> None:
        """Note that a call runs."""
        self._unrecorded.add(call)
        self._running[call] = threading.get_ident(), running_loop()

    def check(self) -> None:
        """Refuse a call that comes too late.

        :raises Unavailable: if the runtime is closed, or Python no longer imports modules.
        """
        if sys.is_finalizing():
            raise no_modules(Sent.NOTHING)
        if self.is_closed:
            raise Unavailable(
                "the runtime is closed",
                hint="Make a new Jackfield, or close this one later.",
                sent=Sent.NOTHING,
            )

    def end(self, call: Reached) -> None:
        """Note that a call has ended."""
        self._unrecorded.discard(call)
        self._running.pop(call, None)
        if self.is_closed:
            self._ended.set()

    def is_last(self, call: Reached) -> bool:
        """Note that the outcome of a call is recorded or postponed; return whether no other outcome
        is to come.

        Of calls that end at the same time exactly one is the last.
        """
        self._unrecorded.discard(call)
        return not self._unrecorded or all(other.row is None for other in [*self._unrecorded])

    def any_others(self) -> bool:
        """Return whether other calls run that will end by themselves. Calls of this thread, of
        stopped loops and past their deadlines do not count.
        """
        own = threading.get_ident()
        return any(
            (thread != own if loop is None else loop.is_running()) and _is_in_time(call)
            for call, (thread, loop) in [*self._running.items()]
        )

    def wait_for_others(self, within: float = math.inf) -> bool:
        """Wait up to ``within`` seconds until no other call runs; return False if one still
        runs.
        """
        end = monotonic() + within
        while self.any_others():
            left = end - monotonic()
            if left <= 0:
                return False
            self._ended.wait(min(LOOK, left))
            self._ended.clear()
        return True


def _is_in_time(call: Reached) -> bool:
    deadline = getattr(call.how, "deadline", None)
    return deadline is None or bool(deadline.clock.monotonic() < deadline.at + GRACE)
