"""Turns at long computations: one at a time in a process that serves requests."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from jackfield.kernel.fork import ProcessLocal


class Turns(ProcessLocal):
    """Queue of the CPU-bound threads of one process. Workspaces take turns, so that one with many
    large calls delays no other.

    An event loop needs Python's lock, which each computing thread holds for 5 ms and native code
    for longer. With turns, the loop competes with one thread, however many callers send large
    bodies.
    """

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Reset in a forked process, which has none of the parent's threads."""
        self._lock = threading.Lock()
        self._is_taken = False
        self._lines: dict[str, deque[threading.Lock]] = {}

    @contextmanager
    def turn(self, workspace: str, seconds: float = math.inf) -> Iterator[bool]:
        """Wait for a turn of ``workspace``, and hold it within the block. Yield False if no turn
        has come within ``seconds``.
        """
        has_turn = self._wait(workspace, seconds)
        try:
            yield has_turn
        finally:
            if has_turn:
                self._pass_on()

    def _wait(self, workspace: str, seconds: float) -> bool:
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return True
            gate = threading.Lock()
            gate.acquire()  # opened by whoever passes the turn on
            self._lines.setdefault(workspace, deque()).append(gate)
        has_ended = False
        try:
            has_come = gate.acquire(timeout=min(seconds, threading.TIMEOUT_MAX)) or not self._leave(
                workspace, gate
            )
            has_ended = True
        finally:
            if not has_ended and not self._leave(workspace, gate):  # interrupted
                self._pass_on()
        return has_come

    def _leave(self, workspace: str, gate: threading.Lock) -> bool:
        """Leave the queue. Return False if the turn has come meanwhile."""
        with self._lock:
            line = self._lines.get(workspace, deque())
            if gate not in line:
                return False
            line.remove(gate)
            if not line:
                del self._lines[workspace]
            return True

    def _pass_on(self) -> None:
        with self._lock:
            workspace = next(iter(self._lines), None)
            if workspace is None:
                self._is_taken = False
                return
            line = self._lines.pop(workspace)
            gate = line.popleft()
            if line:
                self._lines[workspace] = line  # behind the other workspaces
        gate.release()
