"""Standard error for a log: a reader that stops reading never stops the process that writes."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import sys

if sys.platform == "linux":
    import fcntl

TYPE_CHECKING = False  # importing typing would double the start-up time of a cold --help
if TYPE_CHECKING:
    from collections.abc import Callable

_PIPE = 1024 * 1024
"""Capacity of a pipe in bytes, set where the system allows it (Linux: ``fs.pipe-max-size``, by
default this number).
"""


class Outlet:
    """Stream of lines to a descriptor; writing never blocks on a pipe, a socket or a terminal.

    A line that does not fit into the pipe is dropped. Once there is space again, ``note`` makes a
    line with the number of dropped lines.
    """

    def __init__(self, descriptor: int, note: Callable[[int], str]) -> None:
        self._close: Callable[[], object] = bool
        self._send = self._sender(descriptor)
        self._note = note
        self._rest = b""
        self._lost = 0

    def _sender(self, descriptor: int) -> Callable[[bytes], int]:
        mode = os.fstat(descriptor).st_mode
        with contextlib.suppress(OSError):  # a system without /proc: what writes may wait there
            if stat.S_ISSOCK(mode):
                twin = socket.socket(fileno=os.dup(descriptor))
                self._close = twin.close
                return lambda data: twin.send(data, socket.MSG_DONTWAIT)
            if stat.S_ISFIFO(mode) or os.isatty(descriptor):
                # opened anew: O_NONBLOCK on the one that exists would be that of every process
                # which shares it
                own = os.open(
                    f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY
                )
                self._close = lambda: os.close(own)
                _widen(own)
                return lambda data: os.write(own, data)
        return lambda data: os.write(descriptor, data)

    def write(self, text: str) -> int:
        """Write a line, or drop it if it does not fit; return its length."""
        if self._drained():
            note = self._note(self._lost) if self._lost else ""
            self._rest, self._lost = f"{note}{text}".encode("utf-8", "backslashreplace"), 0
            self._drained()
        else:
            self._lost += 1
        return len(text)

    def _drained(self) -> bool:
        try:
            while self._rest:
                self._rest = self._rest[self._send(self._rest) :]
        except BlockingIOError:
            return False
        except OSError:  # the reader is gone
            self._rest = b""
        return True

    def flush(self) -> None:
        """Do nothing: each line is written at once."""

    def close(self) -> None:
        """Close the stream; later writes do nothing."""
        close, self._close = self._close, bool
        close()


def _widen(descriptor: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE)
