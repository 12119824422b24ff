"""One connection's socket, and the ways to leave it in a bad state."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time

from jackfield_aws_ses_simulator.aws.exchange import Answer
from jackfield_aws_ses_simulator.aws.wire import head, sent_whole

_SHORT = 0.25


class Line:
    """A connected socket. `stopping` is set when the whole fake ends and cuts every wait short."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        self.sock = sock
        self._stopping = stopping
        self._released = False
        self.holding = False
        self.due = 0.0

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        if seconds <= 0:
            return
        if seconds <= _SHORT:
            # A plain sleep costs a fraction of an Event's wait, and benchmarks do thousands of
            # these.
            time.sleep(seconds)
        else:
            self._stopping.wait(seconds)

    def wait_due(self, more: float = 0.0) -> None:
        """Wait until the answer is due."""
        self.wait(self.due - time.perf_counter() + more)

    def send(self, answer: Answer) -> None:
        """Send a whole answer."""
        self.sock.sendall(sent_whole(answer))

    def cut(self, answer: Answer, count: int) -> None:
        """Announce the whole body, send `count` bytes of it."""
        self.sock.sendall(head(answer) + answer.body[:count])

    def drip(self, answer: Answer, seconds: float, with_head: bool) -> None:
        """Send the body, or all, a byte at a time, `seconds` before each."""
        slow = answer.body
        if with_head:
            slow = head(answer) + slow
        else:
            self.sock.sendall(head(answer))
        for position in range(len(slow)):
            self.wait(seconds)
            if self._stopping.is_set():
                return
            self.sock.sendall(slow[position : position + 1])

    def hold(self, seconds: float | None) -> bool:
        """Say nothing until the time is over or release() is called (True), or the caller leaves or
        the fake ends (False).
        """
        until = None if seconds is None else time.monotonic() + seconds
        self.holding = True
        try:
            while not self._released:
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    return True
                self.sock.settimeout(left)
                if not self.sock.recv(4096):
                    break
        except TimeoutError:
            return True
        finally:
            with contextlib.suppress(OSError):
                self.sock.settimeout(None)
        return self._released and not self._stopping.is_set()

    def release(self) -> None:
        """End a hold() of another thread."""
        self._released = True
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RD)

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
