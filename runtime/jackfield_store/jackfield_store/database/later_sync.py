"""Syncs of commits that did not wait for the disk, by a thread that starts with the first one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

_AFTER = 0.5
"""Seconds from a commit to its sync."""


class LaterSync:
    """Caller of ``sync`` half a second after a commit, for all commits meanwhile."""

    def __init__(self, sync: Callable[[], object]) -> None:
        self._sync = sync
        self._due = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def note(self) -> None:
        """Note a commit that is to be synced."""
        if self._due.is_set() and self._thread is not None:
            return
        self._due.set()
        with self._lock, suppress(RuntimeError):  # no thread left: the next commit tries again
            if self._thread is None and not self._closed.is_set():
                thread = threading.Thread(target=self._work, name="jackfield-sync", daemon=True)
                thread.start()
                self._thread = thread

    def close(self) -> None:
        """Sync due data, and end the thread."""
        self._closed.set()
        is_due = self._due.is_set()
        self._due.set()
        if is_due:
            self._sync()

    def _work(self) -> None:
        while True:
            self._due.wait()
            if self._closed.wait(_AFTER):
                return
            self._due.clear()
            self._sync()
