"""Room for bodies: what those of all requests under way may have together, so that many callers who send much do not use the memory up."""

from __future__ import annotations

__all__ = ["Room", "Share"]


class Room:
    """So many bytes for one process. Everything here belongs to its event loop."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.used = 0


class Share:
    """What one request has of the room: its body stays in memory until it was answered."""

    __slots__ = ("_held", "_room")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._held = 0

    @property
    def of(self) -> int:
        """The size of the whole room."""
        return self._room.size

    def takes(self, size: int) -> bool:
        """Whether there was room for so many bytes more, which are taken."""
        if self._room.used + size > self._room.size:
            return False
        self._room.used += size
        self._held += size
        return True

    def release(self) -> None:
        """Give everything back."""
        self._room.used -= self._held
        self._held = 0
