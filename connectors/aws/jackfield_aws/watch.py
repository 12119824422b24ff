"""One thread that ends what outlives its deadline, so that no single call has to ask the time at each step.

botocore's ``read_timeout`` limits each wait for bytes, so an answer that drips never runs into it; and urllib3 sends the request under the
*connect* timeout, which a large message on a slow line cannot keep. Here the socket is shut down when the deadline comes, whatever it is
waiting for: reading ends with what had come, writing fails.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
import time
import weakref
from typing import Any

from jackfield.connector import Deadline, Sent, exhausted
from jackfield.fork import at_fork

__all__ = ["Watch"]


class Watch:
    """Sockets and the moments at which they must be shut down. Its thread starts with the first socket."""

    def __init__(self) -> None:
        self._begin_anew()
        at_fork(self, child=Watch._begin_anew)

    def _begin_anew(self) -> None:
        """Watch nothing yet, as a forked child: it has neither the thread nor, for sure, a free lock, and the sockets are its parent's."""
        self._changed = threading.Condition()
        self._active: dict[int, tuple[float, weakref.ref[Any], Deadline]] = {}
        self._looks_at = math.inf
        """When the thread looks next of its own accord."""
        self._next = 0
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        """The sockets that are watched now."""
        return len(self._active)

    def add(self, sock: Any, deadline: Deadline) -> int:
        """Shut ``sock`` down at ``deadline`` unless ``remove`` comes first; the number to remove it by.

        The socket is not kept alive for that: one that nobody holds any more is closed, and needs no end.

        :raises Unavailable: where the thread cannot be started; nothing was sent over any socket then.
        """
        at = time.monotonic() + deadline.remaining()
        with self._changed:
            started = self._started()
            self._next += 1
            number = self._next
            self._active[number] = (at, weakref.ref(sock), deadline)
            if started or at < self._looks_at:
                self._changed.notify()
            return number

    def _started(self) -> bool:
        """Start the thread where there is none; True where that was needed."""
        if self._thread is not None:
            return False
        thread = threading.Thread(target=self._run, name="aws-deadlines", daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:
            short = exhausted(error, Sent.NOTHING)
            if short is None:
                raise
            raise short from error
        self._thread = thread
        return True

    def remove(self, number: int) -> bool:
        """The socket has done its work, and may serve another call; False where it was shut down before."""
        with self._changed:
            return self._active.pop(number, None) is not None

    def _run(self) -> None:
        with self._changed:
            while True:
                self._shut_due()
                left = self._looks_at - time.monotonic()
                self._changed.wait(None if left == math.inf else left)

    def _shut_due(self) -> None:
        """Shut down what is due, and note when the next one is. Looks at all of them, which is seldom: calls end before their deadline."""
        now = time.monotonic()
        for number, (at, sock, deadline) in list(self._active.items()):
            if at > now:
                continue
            remaining = deadline.remaining()
            if remaining > 0:  # its clock is another one, or was set
                self._active[number] = (now + remaining, sock, deadline)
            else:
                del self._active[number]
                _shut(sock())
        self._looks_at = min((at for at, _, _ in self._active.values()), default=math.inf)


def _shut(sock: Any) -> None:
    """Through a second descriptor: a TLS socket's own method would drop the TLS state that another thread is reading from."""
    if sock is not None:
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(sock.fileno())) as twin:  # it may be closed already
            twin.shutdown(socket.SHUT_RDWR)
