"""Signals of a serving process: it ends in time at a signal to stop, and survives other signals."""

from __future__ import annotations

import _thread
import logging
import os
import signal
import threading
from contextlib import contextmanager

TYPE_CHECKING = False  # as in fork
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_LOG = logging.getLogger("jackfield")
_EXTRA = 4.0
"""Seconds beyond ``--stop-within`` after which a process ends by force; the documentation promises
five.
"""
_OUTLASTED = [
    getattr(signal, name) for name in ("SIGHUP", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)
]
ENDS = [getattr(signal, name) for name in ("SIGTERM", "SIGQUIT") if hasattr(signal, name)]
"""Signals other than Ctrl-C that request a process to stop."""
_ENDING = (signal.SIGINT, *ENDS, *_OUTLASTED)
"""Signals that end a process without a handler."""


class ForcedEnd:
    """Forced end of a process whose stop takes longer than ``within`` seconds and a few more,
    because a database or a thread hangs.
    """

    def __init__(self, within: float) -> None:
        self._within = within
        self._over = _thread.allocate_lock()
        self._over.acquire()
        self._begun = False

    @property
    def begun(self) -> bool:
        """True once the process was requested to stop."""
        return self._begun

    def begin(self) -> None:
        """Start the countdown, once. A signal handler may call this: it takes no lock that the
        interrupted thread may hold.

        If no thread can be started (memory, ``pids.max``), an alarm interrupts the main thread
        instead.
        """
        if not self._begun:
            self._begun = True
            try:
                _thread.start_new_thread(self._wait, ())
            except RuntimeError:
                if hasattr(signal, "setitimer"):
                    signal.signal(signal.SIGALRM, self._alarmed)
                    signal.setitimer(signal.ITIMER_REAL, self._within + _EXTRA)

    def cancel(self) -> None:
        """Stop the countdown: the process has stopped serving, and continues with other work."""
        if self._over.locked():
            self._over.release()

    def _wait(self) -> None:
        self._end(over=self._over.acquire(timeout=self._within + _EXTRA))

    def _alarmed(self, _number: int, _frame: FrameType | None) -> None:
        self._end(over=not self._over.locked())

    @staticmethod
    def _end(*, over: bool) -> None:
        if not over:
            _LOG.warning(
                "the shutdown hangs, and is ended by force: the journal has the outcome of what "
                "was answered"
            )
            os._exit(0)


class Hangups:
    """Counter of unhandled SIGHUPs of this process: ``listen`` prevents them from ending it."""

    def __init__(self) -> None:
        self._count = self._seen = 0

    def listen(self) -> None:
        """Count each SIGHUP from now on, and ignore SIGUSR1 and SIGUSR2, which would end the
        process. This only works in the main thread.
        """
        if threading.current_thread() is threading.main_thread():
            for number in _OUTLASTED:
                signal.signal(number, self._note)

    def take(self) -> bool:
        """Return whether there was a SIGHUP since the last call."""
        count, before = self._count, self._seen
        self._seen = count
        return count != before

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._count += number == _OUTLASTED[0]


HANGUPS = Hangups()
"""SIGHUPs of this process, counted."""


@contextmanager
def ending_programs() -> Iterator[None]:
    """Make each signal that would end this process raise an exception in the block, so that the
    program that this process waits for ends, too.
    """
    with _handled(
        [number for number in (*ENDS, *_OUTLASTED) if signal.getsignal(number) is signal.SIG_DFL],
        _leave,
    ):
        yield


@contextmanager
def started_whole() -> Iterator[None]:
    """Delay signals until the end of the block, which starts a program. A signal in between would
    leave an orphaned program.
    """
    taken: list[int] = []
    with _handled(
        [number for number in _ENDING if callable(signal.getsignal(number))],
        lambda number, _frame: taken.append(number),
    ):
        yield
    for number in taken:
        signal.raise_signal(number)


@contextmanager
def _handled(
    numbers: list[signal.Signals], handle: Callable[[int, FrameType | None], object]
) -> Iterator[None]:
    """Handle signals in the block; do nothing in a thread that cannot."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def begin_with_signals(deadline: ForcedEnd, ask: Callable[[int, FrameType | None], object]) -> None:
    """Make Ctrl-C and each signal of ``ENDS`` start ``deadline``, and call ``ask`` as a signal
    handler. Only in the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return

    def handle(number: int, frame: FrameType | None) -> None:
        deadline.begin()
        ask(number if number == signal.SIGINT else signal.SIGTERM, frame)

    for number in (signal.SIGINT, *ENDS):
        signal.signal(number, handle)
