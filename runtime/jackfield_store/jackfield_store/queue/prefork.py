"""Prefork: a master that forks processes, starts those that die again, and ends them in order.

The master has no threads, so that each fork is clean; it waits for signals and does nothing else. A child notices the end of its master,
however it ends, by a pipe.
"""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import NoReturn

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.notices import Notices
from jackfield.kernel.signals import HANGUPS

_LOG = logging.getLogger("jackfield.queue")
_STEADY = 10.0
"""Seconds after which a process that ends did not fail at its start."""
_SOON = 1.0
"""Seconds after which systemd is told again that this process lives."""
_LOOK = 2.0
"""Seconds between looks at the processes, whatever signals come."""
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 30.0
_EXTRA = 5.0
"""Seconds beyond the drain after which a process is killed."""
_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT) if sys.platform != "win32" else ()
_WAITED = frozenset({*_STOPS, signal.SIGCHLD, signal.SIGALRM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2}) if _STOPS else frozenset()

_OF_GROUP = _STOPS[1:]
"""Signals of a terminal, which reach the whole group; the master decides."""


class State(IntEnum):
    """State of a process."""

    STARTING = 0
    READY = 1
    STOPPING = 2


class Board:
    """States of all processes, in memory that they share."""

    def __init__(self, size: int) -> None:
        self._states = mmap.mmap(-1, max(1, size))
        self.size = size

    def set(self, place: int, state: State) -> None:
        """Note the state of one process."""
        self._states[place] = state

    def set_all(self, state: State) -> None:
        """Note the state of all processes."""
        for place in range(self.size):
            self.set(place, state)

    def states(self) -> list[State]:
        """Return the state of each process."""
        return [State(self._states[place]) for place in range(self.size)]


@dataclass(slots=True)
class _Slot:
    """Place of one process."""

    number: int
    run: Callable[[], int]
    pid: int | None = None
    started: float = 0.0
    failures: int = 0
    restart_at: float = 0.0


class Master:
    """Master of ``workers``, each a function that runs in a process of its own until SIGTERM, and of ``probe``, which ends last.

    A worker gets a function to call once it is ready; ``board`` shows the states. Workers have ``within`` seconds to end. ``renew`` is
    called at SIGHUP, in this process; each other one does so for itself.
    """

    def __init__(
        self,
        workers: Sequence[Callable[[Callable[[], None]], int]],
        within: float,
        board: Board,
        probe: Callable[[], int] | None = None,
        renew: Callable[[], object] = bool,
    ) -> None:
        self._board = board
        self._within = within
        self._renew = renew
        self._notices = Notices()
        self._workers = [_Slot(number, _prepared(run, board, number)) for number, run in enumerate(workers)]
        self._probe = [] if probe is None else [_Slot(len(workers), probe)]
        self._life, self._alive = os.pipe()
        self._deadline: float | None = None
        self._taken: list[int] = []

    def run(self, began: Callable[[], None]) -> int:
        """Run until SIGTERM or Ctrl-C and return the exit code. A second signal ends all processes at once.

        ``began`` is called once signals no longer end this process itself.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED)
        for number in _WAITED:
            signal.signal(number, self._take)  # else one might be discarded instead of kept for sigwait
        began()
        while True:
            self._start_due()
            found = self._next_signal()
            if found in _STOPS and self._deadline is not None:
                self._signal(signal.SIGKILL, [*self._workers, *self._probe])
                return 128 + int(found)
            if found in _STOPS:
                self._begin_to_stop()
            elif found == signal.SIGHUP:
                self._reload()
            self._reap()
            if self._deadline is None:
                continue
            if all(slot.pid is None for slot in self._workers):
                self._signal(signal.SIGKILL, self._probe)
                return 0
            if time.monotonic() >= self._deadline:
                self._signal(signal.SIGKILL, self._workers)

    def _take(self, number: int, _frame: object) -> None:
        """Keep a signal that a thread took which blocks none, so that the wait did not return it."""
        self._taken.append(number)

    def _begin_to_stop(self) -> None:
        self._deadline = time.monotonic() + self._within + _EXTRA
        self._board.set_all(State.STOPPING)
        self._notices.stopping()
        self._signal(signal.SIGTERM, self._workers)

    def _reload(self) -> None:
        """Let all processes read their files again: this one for those that it starts later."""
        self._notices.reloading()
        self._renew()
        self._signal(signal.SIGHUP, [*self._workers, *self._probe])

    def _start_due(self) -> None:
        now = time.monotonic()
        for slot in () if self._deadline is not None else (*self._workers, *self._probe):
            if slot.pid is None and slot.restart_at <= now:
                self._fork(slot)

    def _fork(self, slot: _Slot) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        slot.started = time.monotonic()
        try:
            pid = os.fork()
        except OSError as error:
            _LOG.error("a worker process cannot be started: %s", error.strerror)
            slot.failures += 1
            slot.restart_at = slot.started + _delay(slot.failures)
            return
        if pid == 0:
            self._be_child(slot)
        slot.pid = pid

    def _be_child(self, slot: _Slot) -> NoReturn:
        code = 1
        try:
            os.close(self._alive)
            for number in _WAITED:
                signal.signal(number, signal.SIG_DFL)
            for number in _OF_GROUP:
                signal.signal(number, signal.SIG_IGN)
            HANGUPS.listen()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _WAITED)
            threading.Thread(target=_end_with_master, args=(self._life, self._within), name="jackfield-parent", daemon=True).start()
            code = slot.run()
        finally:
            error = sys.exc_info()[1]
            if error is not None:
                _LOG.error("a worker process failed: %s", type(error).__name__, exc_info=error)
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)  # the master's own frames must not run here

    def _next_signal(self) -> int:
        """Wait for a signal, at most until a process is due to start or to be killed."""
        if self._taken:
            return self._taken.pop(0)
        times = [slot.restart_at for slot in (*self._workers, *self._probe) if slot.pid is None and self._deadline is None]
        times += [self._deadline] if self._deadline is not None else []
        if self._notices.wanted and self._deadline is None:
            times.append(time.monotonic() + _SOON)
            if State.STARTING not in self._board.states():
                self._notices.alive()
        left = max(0.01, min(times) - time.monotonic()) if times else _LOOK
        signal.setitimer(signal.ITIMER_REAL, left, _LOOK)  # again and again: a thread that blocks no signals may take one of them
        return int(signal.sigwait(_WAITED))

    def _reap(self) -> None:
        """Note the processes that have ended, and when to start them again: at once, or later if they fail at their start."""
        for slot in (*self._workers, *self._probe):
            if slot.pid is None:
                continue
            pid, status = os.waitpid(slot.pid, os.WNOHANG)
            if pid == 0:
                continue
            slot.pid, now = None, time.monotonic()
            if self._deadline is not None:
                continue
            if slot.number < self._board.size:
                self._board.set(slot.number, State.STARTING)
            slot.failures = 0 if now - slot.started >= _STEADY else slot.failures + 1
            slot.restart_at = now + (_delay(slot.failures) if slot.failures else 0.0)
            _LOG.error("process %d ended (%s) and is started again", pid, _ending(status))

    @staticmethod
    def _signal(number: int, slots: Sequence[_Slot]) -> None:
        for slot in slots:
            if slot.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(slot.pid, number)


def _prepared(run: Callable[[Callable[[], None]], int], board: Board, number: int) -> Callable[[], int]:
    return lambda: run(lambda: board.set(number, State.READY))


def _delay(failures: int) -> float:
    delay: float = _FIRST_DELAY * 2.0 ** min(failures - 1, 20)
    return min(_LONGEST_DELAY, delay)


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _end_with_master(life: int, within: float) -> None:
    """Wait for the master's end, which closes the pipe; then end this process, by force if it takes too long."""
    with contextlib.suppress(OSError):
        os.read(life, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(within + _EXTRA)
    os._exit(1)
