"""Room for bodies: what those of all requests under way may have together, so that many callers who send much do not use the memory up."""

from __future__ import annotations

import threading

from jackfield.fork import at_fork

__all__ = ["BodyQuota", "BodyShare"]


class BodyQuota:
    """So many bytes for one process."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._used = 0
        self._lock = threading.Lock()
        at_fork(self)

    def takes(self, size: int) -> bool:
        """Whether there was room for so many bytes more, which are taken; fewer than none are given back."""
        with self._lock:
            taken = size <= 0 or self._used + size <= self.size
            self._used += size if taken else 0
        return taken


class BodyShare:
    """What one request has of the room: its body stays in memory until it was answered."""

    __slots__ = ("_held", "_room")

    def __init__(self, room: BodyQuota) -> None:
        self._room = room
        self._held = 0

    @property
    def of(self) -> int:
        """The size of the whole room."""
        return self._room.size

    def takes(self, size: int) -> bool:
        """Whether there was room for so many bytes more, which are taken."""
        taken = self._room.takes(size)
        self._held += size if taken else 0
        return taken

    def release(self) -> None:
        """Give everything back."""
        self._room.takes(-self._held)
        self._held = 0
