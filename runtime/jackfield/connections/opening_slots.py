"""Limit of the threads in which connections of one source of credentials are opened at once.

Whoever finds no slot waits in the event loop, without a thread, until its own deadline: however many calls wait for a source that hangs, it
holds no thread that others need.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from jackfield.clock import Deadline
from jackfield.errors import JackfieldError, Sent, TimedOut, Unavailable
from jackfield.failures import OnFailure
from jackfield.fork import ProcessLocal

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

_MOST, _SUSPECT = 16, 2
"""Limits of the threads: of a source that has answered last, and of one that has not."""


class OpeningSlots(ProcessLocal):
    """Slots of one source. Tasks of several event loops may share them."""

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Begin with free slots: the threads that hold those of a parent do not exist in a forked child."""
        self._lock = threading.Lock()
        self._taken = 0
        self._waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        self._fault: JackfieldError | None = None
        """Why the last opening failed, if the source was out of reach."""

    async def take(self, deadline: Deadline, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        """Wait for a slot in the running loop, and return the function that gives it back; only its first call counts.

        :raises TimedOut: if the deadline passes before; nothing was sent.
        """
        with self._lock:
            if self._taken < self._limit:
                self._taken += 1
                return self._back()
            turn = loop.create_future()
            self._waiting.append((loop, turn))
        alarm = loop.call_later(deadline.remaining(), self._time_out, deadline, turn)
        try:
            with OnFailure(self._leave, turn):
                await turn
        finally:
            alarm.cancel()
        return self._back()

    def opened(self, function: Callable[[], T], give_back: Callable[[], None]) -> T:
        """Open a connection in this thread, and give its slot back."""
        try:
            found = function()
        except JackfieldError as error:
            self._fault = _silence(error)
            raise
        else:
            self._fault = None
            return found
        finally:
            give_back()

    @property
    def _limit(self) -> int:
        return _MOST if self._fault is None else _SUSPECT

    def _time_out(self, deadline: Deadline, turn: asyncio.Future[None]) -> None:
        if not turn.done():
            cause = self._fault or Unavailable("other calls were still opening the connection")
            turn.set_exception(deadline.passed(Sent.NOTHING, cause))

    def _leave(self, turn: asyncio.Future[None]) -> None:
        """Stop waiting, and pass a slot on that came too late to be used."""
        with self._lock:
            self._waiting = deque(item for item in self._waiting if item[1] is not turn)
        if turn.done() and not turn.cancelled() and turn.exception() is None:
            self._give()

    def _back(self) -> Callable[[], None]:
        once = threading.Lock()

        def give_back() -> None:
            if once.acquire(blocking=False):
                self._give()

        return give_back

    def _give(self) -> None:
        with self._lock:
            self._taken -= 1
            while self._waiting and self._taken < self._limit:
                loop, turn = self._waiting.popleft()
                if not loop.is_closed():
                    self._taken += 1
                    loop.call_soon_threadsafe(self._granted, turn)

    def _granted(self, turn: asyncio.Future[None]) -> None:
        if turn.done():  # its deadline passed, or its task was cancelled, meanwhile
            self._give()
        else:
            turn.set_result(None)


def _silence(error: JackfieldError) -> JackfieldError | None:
    """Return why a source gives no answer, without a traceback, which would hold what the call was about; None for a refusal."""
    if not error.retryable:
        return None
    cause = error.__cause__ if isinstance(error, TimedOut) and isinstance(error.__cause__, JackfieldError) else error
    return Unavailable(cause.message, hint=cause.hint)
