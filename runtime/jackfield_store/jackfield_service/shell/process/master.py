"""Master of several processes of one command: it starts them, restarts dead ones, passes signals
on, and ends them in order.

A process has a socket to its master as standard input. A byte from the process reports it as ready;
the end of the stream tells it that the master has ended.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from selectors import EVENT_READ, DefaultSelector

from jackfield.kernel.clock import monotonic
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.notices import Notices
from jackfield.kernel.signals import ENDS, HANGUPS

_LOG = logging.getLogger("jackfield.queue")
_STEADY = 10.0
"""Seconds after which the end of a process no longer counts as a failed start."""
_SOON = 1.0
"""Seconds between two notices to systemd that this process is alive."""
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 30.0
_EXTRA = 5.0
"""Seconds after the drain at which a process is killed."""
_ORPHAN_EXTRA = 10.0
"""Seconds after the drain at which a hanging process without its parent ends."""
_STOPS = (signal.SIGINT, *ENDS)


@dataclass(slots=True)
class _Slot:
    """Slot for one process and its replacements."""

    process: subprocess.Popen[bytes] | None = None
    line: socket.socket | None = None
    ready: bool = False
    reload: bool = False
    started: float = 0.0
    failures: int = 0
    restart_at: float = 0.0

    def signal(self, number: int) -> None:
        """Send a signal to the slot's process, if it runs."""
        if self.process is not None:
            self.process.send_signal(number)


class Master:
    """Master of ``size`` processes, which have ``within`` seconds to end after SIGTERM.

    ``command`` runs a process, which calls ``bind_to_master``. ``renew`` is called at SIGHUP.
    """

    def __init__(
        self, command: Sequence[str], size: int, within: float, renew: Callable[[], object] = bool
    ) -> None:
        self._command = command
        self._within = within
        self._renew = renew
        self._notices = Notices()
        self._slots = [_Slot() for _ in range(size)]
        self._deadline: float | None = None
        self._selector = DefaultSelector()

    @property
    def stopping(self) -> bool:
        """True once this process has received a stop signal."""
        return self._deadline is not None

    @property
    def ready(self) -> tuple[int, int]:
        """Numbers of ready processes and of all processes."""
        return sum(slot.ready for slot in self._slots), len(self._slots)

    def run(self, began: Callable[[], None]) -> int:
        """Run until SIGTERM or Ctrl-C and return the exit code. A second signal ends all processes
        at once. Call this in the main thread only.

        ``began`` is called once the signal handlers are installed.
        """
        waking, woken = socket.socketpair()
        with waking, woken, self._selector:
            for one in (waking, woken):
                one.setblocking(False)
            self._selector.register(woken, EVENT_READ)
            signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
            HANGUPS.listen()
            for number in (*_STOPS, signal.SIGCHLD):
                signal.signal(number, _wake)
            try:
                began()
                return self._lead(woken)
            finally:
                signal.set_wakeup_fd(-1)

    def _lead(self, woken: socket.socket) -> int:
        while True:
            self._start_due()
            for number in self._next_signals(woken):
                if number in _STOPS and self.stopping:
                    self._signal(signal.SIGKILL)
                    return 128 + number
                if number in _STOPS:
                    self._begin_to_stop()
            if HANGUPS.take():
                self._reload()
            self._reap()
            if self._deadline is None:
                continue
            if all(slot.process is None for slot in self._slots):
                return 0
            if monotonic() >= self._deadline:
                self._signal(signal.SIGKILL)

    def _begin_to_stop(self) -> None:
        self._deadline = monotonic() + self._within + _EXTRA
        self._notices.stopping()
        self._signal(signal.SIGTERM)

    def _reload(self) -> None:
        """Tell all processes to read their files again. SIGHUP would end a starting process, which
        therefore gets the signal once it is ready.
        """
        self._notices.reloading()
        self._renew()
        for slot in self._slots:
            slot.reload = not slot.ready
            if slot.ready:
                slot.signal(signal.SIGHUP)

    def _start_due(self) -> None:
        now = monotonic()
        for slot in self._slots:
            if slot.process is None and slot.restart_at <= now and not self.stopping:
                self._start(slot, now)

    def _start(self, slot: _Slot, now: float) -> None:
        slot.started, slot.reload = now, False
        # this process speaks for all
        environment = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
        try:
            slot.line, theirs = socket.socketpair()
            with theirs:
                slot.process = subprocess.Popen(
                    self._command, env=environment, stdin=theirs.fileno()
                )
        except OSError as error:
            _LOG.error("a worker process cannot be started: %s", error.strerror)
            self._end(slot, now, failed=True)
            return
        self._selector.register(slot.line, EVENT_READ, slot)

    def _next_signals(self, woken: socket.socket) -> bytes:
        """Wait for signals and for processes that become ready, until the next start or kill is
        due; return the signals as bytes.
        """
        times = (
            [slot.restart_at for slot in self._slots if slot.process is None]
            if self._deadline is None
            else [self._deadline]
        )
        if self._notices.wanted and not self.stopping:
            times.append(monotonic() + _SOON)
            if all(slot.ready for slot in self._slots):
                self._notices.alive()
        found = b""
        for key, _ in self._selector.select(max(0.01, min(times) - monotonic()) if times else None):
            if key.data is None:
                found = woken.recv(4096)
            else:
                self._selector.unregister(key.fileobj)
                self._greet(key.data)
        return found

    def _greet(self, slot: _Slot) -> None:
        """Note that a process is ready, or that it has closed its socket."""
        with contextlib.suppress(OSError):
            slot.ready = slot.line is not None and slot.line.recv(1) != b""
        if slot.ready and slot.reload:
            slot.signal(signal.SIGHUP)

    def _reap(self) -> None:
        """Note the processes that have ended, and when to restart them: at once, or later if they
        fail at their start.
        """
        now = monotonic()
        for slot in self._slots:
            code = None if slot.process is None else slot.process.poll()
            if slot.process is None or code is None:
                continue
            if not self.stopping:
                ending = f"signal {-code}" if code < 0 else f"exit code {code}"
                _LOG.error("process %d ended (%s) and is started again", slot.process.pid, ending)
            self._end(slot, now, failed=now - slot.started < _STEADY)

    def _end(self, slot: _Slot, now: float, *, failed: bool) -> None:
        if slot.line is not None:
            with contextlib.suppress(KeyError):  # it was ready
                self._selector.unregister(slot.line)
            slot.line.close()
        slot.process, slot.line, slot.ready = None, None, False
        slot.failures = slot.failures + 1 if failed else 0
        slot.restart_at = now + (
            min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** min(slot.failures - 1, 20)) if failed else 0.0
        )

    def _signal(self, number: int) -> None:
        for slot in self._slots:
            slot.signal(number)


def _wake(_number: int, _frame: object) -> None:
    """Do nothing: the master reads the signal's number from its wake-up socket."""


def bind_to_master(within: float) -> Callable[[], None]:
    """End this process with the master at the other end of standard input; return a function that
    reports this process as ready.
    """
    line = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    end_after(partial(line.recv, 1), within)

    def ready() -> None:
        with contextlib.suppress(OSError):  # the master is gone
            line.send(b"1")

    return ready


def end_after(wait: Callable[[], object], within: float) -> None:
    """Send this process SIGTERM once ``wait`` returns, which waits for the end of the parent. Force
    its end ``within`` seconds later, plus a reserve.

    This works without Linux's PR_SET_PDEATHSIG, which also fires when only the thread that started
    the process ends.
    """

    def watch() -> None:
        with contextlib.suppress(OSError):
            wait()
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(within + _ORPHAN_EXTRA)
        os._exit(1)

    threading.Thread(target=watch, name="jackfield-parent", daemon=True).start()


def command(name: str, words: Sequence[str]) -> list[str]:
    """Return the command that runs ``jackfield NAME WORDS`` with this process's Python and module
    search path.
    """
    safe = () if sys.path[:1] == [os.getcwd()] else ("-P",)
    return [sys.executable, *safe, "-m", "jackfield", name, *words]
