"""Memory quota for the bodies of all running requests, so that many large uploads cannot exhaust the memory."""

from __future__ import annotations

import threading

from jackfield.fork import at_fork

__all__ = ["BodyQuota", "BodyShare"]


class BodyQuota:
    """Byte quota of one process."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._used = 0
        self._lock = threading.Lock()
        at_fork(self)

    def takes(self, size: int) -> bool:
        """Reserve ``size`` bytes; return False if they do not fit. A negative size releases them."""
        with self._lock:
            taken = size <= 0 or self._used + size <= self.size
            self._used += size if taken else 0
        return taken


class BodyShare:
    """One request's share of the quota: its body stays in memory until the response is sent."""

    __slots__ = ("_held", "_room")

    def __init__(self, room: BodyQuota) -> None:
        self._room = room
        self._held = 0

    @property
    def of(self) -> int:
        """Size of the whole quota."""
        return self._room.size

    def takes(self, size: int) -> bool:
        """Reserve ``size`` bytes; return False if they do not fit."""
        taken = self._room.takes(size)
        self._held += size if taken else 0
        return taken

    def release(self) -> None:
        """Release all reserved bytes."""
        self._room.takes(-self._held)
        self._held = 0
