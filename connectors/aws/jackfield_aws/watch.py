"""One thread that ends what outlives its deadline, so that no single call has to ask the time at each step.

botocore's ``read_timeout`` limits each wait for bytes, so an answer that drips never runs into it; and urllib3 sends the request under the
*connect* timeout, which a large message on a slow line cannot keep. Here the socket is shut down when the deadline comes, whatever it is
waiting for: reading ends with what had come, writing fails.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import socket
import threading
import time
import weakref
from typing import Any

from jackfield.connector import Deadline

__all__ = ["Watch"]

_SWEEP = 4096
"""Entries that may be over before the heap is made anew."""


class Watch:
    """Sockets and the moments at which they must be shut down. Its thread starts with the first socket."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, as a forked child must: it has neither the thread nor, for sure, a free lock, and the sockets are its parent's."""
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int]] = []
        self._active: dict[int, tuple[weakref.ref[Any], Deadline]] = {}
        self._next = 0
        self._process = 0

    def __len__(self) -> int:
        """The sockets that are watched now."""
        return len(self._active)

    def add(self, sock: Any, deadline: Deadline) -> int:  # noqa: ANN401 (a plain or a TLS socket)
        """Shut ``sock`` down at ``deadline`` unless ``remove`` comes first; the number to remove it by.

        The socket is not kept alive for that: one that nobody holds any more is closed, and needs no end.
        """
        at = time.monotonic() + deadline.remaining()
        with self._changed:
            self._next += 1
            number = self._next
            self._active[number] = (weakref.ref(sock), deadline)
            earliest = not self._heap or at < self._heap[0][0]
            heapq.heappush(self._heap, (at, number))
            if len(self._heap) > _SWEEP + 2 * len(self._active):
                self._heap = [entry for entry in self._heap if entry[1] in self._active]
                heapq.heapify(self._heap)
            if self._process != os.getpid():  # the first call, or the first one after a fork: threads do not survive it
                self._process = os.getpid()
                threading.Thread(target=self._run, name="aws-deadlines", daemon=True).start()
            elif earliest:
                self._changed.notify()
            return number

    def remove(self, number: int) -> bool:
        """The socket has done its work, and may serve another call; False where it was shut down before."""
        with self._changed:
            return self._active.pop(number, None) is not None

    def _run(self) -> None:
        with self._changed:
            while True:
                self._changed.wait(self._shut_due())

    def _shut_due(self) -> float | None:
        """Shut down what is due; seconds until the next one."""
        while self._heap:
            at, number = self._heap[0]
            if number not in self._active:
                heapq.heappop(self._heap)
                continue
            now = time.monotonic()
            if at > now:
                return at - now
            remaining = self._active[number][1].remaining()
            if remaining > 0:  # its clock is another one, or was set
                heapq.heapreplace(self._heap, (now + remaining, number))
                continue
            heapq.heappop(self._heap)
            _shut(self._active.pop(number)[0]())
        return None


def _shut(sock: Any) -> None:  # noqa: ANN401 (a plain or a TLS socket, or None)
    """Through a second descriptor: a TLS socket's own method would drop the TLS state that another thread is reading from."""
    if sock is not None:
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(sock.fileno())) as twin:  # it may be closed already
            twin.shutdown(socket.SHUT_RDWR)
