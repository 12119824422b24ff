"""Idle connections, kept for the next request to the same server."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque

from jackfield.kernel.clock import monotonic
from jackfield.kernel.fork import ProcessLocal
from jackfield.wire.connection import Connection
from jackfield.wire.head import Target


class Pool(ProcessLocal):
    """At most ``kept`` idle connections, each for ``idle`` seconds. Thread-safe; closed with its last reference."""

    def __init__(self, kept: int, idle: float) -> None:
        self._kept = kept
        self._idle = idle
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Begin without connections, also in a forked child: those that there are belong to its parent."""
        self._waiting: dict[tuple[str, str, int], deque[Connection]] = {}
        self._count = 0
        self._lock = threading.Lock()
        weakref.finalize(self, _close_all, self._waiting, os.getpid()).atexit = False

    def __del__(self) -> None:
        """Close what is left at the end of Python, too, when it calls no finalizer any more."""
        for connections in getattr(self, "_waiting", {}).values():
            for connection in connections:
                connection.close()

    def take(self, target: Target) -> Connection | None:
        """Return an idle connection to ``target`` that still stands; None if there is none."""
        place = (target.scheme, target.host, target.port)
        while True:
            with self._lock:
                waiting = self._waiting.get(place)
                if not waiting:
                    return None
                found = waiting.pop()
                self._count -= 1
            # where a process is frozen (AWS Lambda, a snapshot) one clock stands still, and what is on the way forgets the connection
            if max(monotonic() - found.idle_since, time.time() - found.idle_at) < self._idle and found.is_idle():
                return found
            found.close()

    def put(self, target: Target, connection: Connection) -> None:
        """Keep a connection on which a whole response has been read."""
        connection.used = True
        connection.idle_since, connection.idle_at = monotonic(), time.time()
        with self._lock:
            self._waiting.setdefault((target.scheme, target.host, target.port), deque()).append(connection)
            self._count += 1
            dropped = self._outdated(connection.idle_since) if self._count > self._kept else []
        for one in dropped:
            one.close()

    def _outdated(self, now: float) -> list[Connection]:
        """Take out the connections that have waited for too long; the one that has waited longest at least."""
        oldest = min((waiting[0].idle_since for waiting in self._waiting.values() if waiting), default=now)
        last = max(oldest, now - self._idle)
        dropped = []
        for place, waiting in list(self._waiting.items()):
            while waiting and waiting[0].idle_since <= last:
                dropped.append(waiting.popleft())
            if not waiting:
                del self._waiting[place]
        self._count -= len(dropped)
        return dropped


def _close_all(waiting: dict[tuple[str, str, int], deque[Connection]], born_in: int) -> None:
    """Close what is left, in the process that opened it."""
    if os.getpid() == born_in:
        for connections in waiting.values():
            for connection in connections:
                connection.close()
