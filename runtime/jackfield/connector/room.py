"""Memory for the responses of providers: one budget of bytes in each process, shared by its
workspaces.

A call reserves its part before it sends a request, and never waits between request and response: a
call that does not fit is refused before anything is sent. A larger response makes its call's part
grow while it is read.

A workspace may hold as much as is still free for the others: one workspace alone gets at most half
of the budget, two get a third each. So there is always memory left for the next workspace.
"""

from __future__ import annotations

import threading

from jackfield.kernel.errors import Sent, Unavailable
from jackfield.kernel.fork import ProcessLocal

ANSWERS_ROOM = 512 * 1024 * 1024
"""Bytes of memory for the responses of all calls in one process, unless its memory is limited."""
RESERVED = 64 * 1024
"""Bytes that each call reserves before its first request. Smaller responses, which are most, need
no further reservation.
"""
VALUE = 64
"""Minimum bytes of memory of a parsed value."""
OBJECT = 192
"""Bytes of memory of an object without its values."""
_STEP = 256 * 1024
_HINT = (
    "Try again later: other calls hold the memory for responses. Request smaller pages of "
    "lists, and files as streams."
)


class Room(ProcessLocal):
    """Budget of bytes of one process. Thread-safe."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, int] = {}
        self.used = 0

    def takes(self, workspace: str, size: int) -> bool:
        """Reserve ``size`` bytes; return False if they do not fit, or would exceed the workspace's
        share.
        """
        with self._lock:
            held = self._held.get(workspace, 0) + size
            if held > self.size - self.used:
                return False
            self._held[workspace] = held
            self.used += size
            return True

    def release(self, workspace: str, size: int) -> None:
        """Release reserved bytes."""
        with self._lock:
            held = self._held.pop(workspace, 0)
            # in a forked process, what its parent's calls had reserved is not held
            self.used -= min(size, held)
            if held > size:
                self._held[workspace] = held - size


ANSWERS = Room(ANSWERS_ROOM)
# One per process, as its memory is: the calls of all its runtimes share it. It holds numbers and no
# tenant's data.


class Share:
    """Part of the budget of one call: reserved before a request, and held until the call has
    ended.
    """

    __slots__ = ("_held", "_room", "_used", "_workspace")

    def __init__(self, workspace: str, room: Room = ANSWERS) -> None:
        self._workspace = workspace
        self._room = room
        self._held = self._used = 0

    def admit(self) -> None:
        """Reserve the minimum part before a request is sent. Memory of an earlier response of the
        call is released.

        :raises Unavailable: if the memory does not suffice; nothing was sent.
        """
        if self._held > RESERVED:
            self._room.release(self._workspace, self._held - RESERVED)
            self._held = RESERVED
        self._used = 0
        if not self._held:
            if not self._room.takes(self._workspace, RESERVED):
                raise Unavailable(
                    "this process has no room for another response of a provider",
                    hint=_HINT,
                    sent=Sent.NOTHING,
                )
            self._held = RESERVED

    def add(self, size: int) -> None:
        """Reserve memory for ``size`` further bytes of a response.

        :raises Unavailable: if the memory does not suffice. The provider did respond, so a
            ``write`` is in doubt.
        """
        self._used += size
        if self._used > self._held:
            more = max(self._used - self._held, _STEP)
            if not self._room.takes(self._workspace, more):
                text = (
                    "the provider's response does not fit into what this process has left "
                    f"of {self._room.size:,} bytes for responses"
                )
                raise Unavailable(text, hint=_HINT, sent=Sent.UNKNOWN)
            self._held += more

    def release(self) -> None:
        """Release all memory of the call."""
        if self._held:
            self._room.release(self._workspace, self._held)
            self._held = self._used = 0

    def __del__(self) -> None:
        if self._held:  # not by ``release``: each call ends here
            self._room.release(self._workspace, self._held)
