"""Frames of a child that wait for their questions' readers. A frame without a question is refused
before it is read.
"""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import Any

from jackfield_isolation.wire import ANSWER, LARGEST_ANSWER, LINE, Garbage, Head, decoded

LARGEST_QUESTION = 256 * 1024
"""Maximum size in bytes of a frame that is no answer."""
_LARGEST_LINE = 16 * 1024
_MOST_WAITING = 1000
LARGEST_QUESTIONS = 1024 * 1024
"""Maximum size in bytes of the unread frames of one call, apart from its answer. A child that sends
more is stopped.
"""
LARGEST_WAITING = 128 * 1024 * 1024
"""Maximum size in bytes of the unread frames of all calls."""
_MOST_STRAYS, _WINDOW = 5000, 10.0
"""Maximum number of frames that belong to no call or only to the log, and the period in seconds."""
_MOST_ABANDONED = 10_000


class _Box(SimpleQueue[bytes | None]):
    """Unread frames about one question. ``waiting`` is the size in bytes of those frames that are
    no answer.
    """

    waiting = 0


class Inbox:
    """Boxes of the open questions, by their numbers. One thread delivers; any thread may open,
    close and read boxes.
    """

    def __init__(self, largest_description: int = LARGEST_ANSWER) -> None:
        self._boxes: dict[int, _Box] = {0: _Box()}
        self._largest_description = largest_description
        self._finished: set[int] = set()
        self._abandoned: dict[int, None] = {}
        """Latest abandoned questions, whose answers may still arrive."""
        self._last = 0
        self._waiting = 0
        self._since, self._strays = 0.0, 0
        self._lock = threading.Lock()

    def open(self) -> int:
        """Open a box for a new question, and return the question's number."""
        with self._lock:
            self._last += 1
            self._boxes[self._last] = _Box()
            return self._last

    def close(self, number: int) -> None:
        """Close a question's box; later frames about the question are dropped."""
        with self._lock:
            box = self._boxes.pop(number, None)
            if box is None:
                return
            if number in self._finished:
                self._finished.discard(number)
            else:
                self._abandoned[number] = None
                if len(self._abandoned) > _MOST_ABANDONED:
                    del self._abandoned[next(iter(self._abandoned))]
            while (body := _taken(box)) is not None:
                self._waiting -= len(body)

    def numbers(self) -> set[int]:
        """Return the numbers of the open questions."""
        with self._lock:
            return {*self._boxes}

    def admits(self, head: Head) -> bool:
        """Return whether a frame has a reader, or is a line of the log; a frame about an ended
        question is dropped.

        :raises Garbage: for a frame that no honest child sends.
        """
        if head.kind == LINE:
            self._count_stray(head, _LARGEST_LINE)
            return True
        if head.number > self._last:
            raise Garbage("a frame about a question that was not asked")
        if head.number in self._finished or head.number not in self._boxes:
            late = head.kind == ANSWER and head.number in self._abandoned
            if late:
                self._abandoned.pop(head.number, None)
            self._count_stray(head, head.size if late else LARGEST_QUESTION)
            return False
        if head.number == 0 and head.size > self._largest_description:
            raise Garbage(
                f"a description of {head.size:,} bytes, where {self._largest_description:,} are "
                "allowed"
            )
        if head.kind == ANSWER:
            self._finished.add(head.number)
        elif head.size > LARGEST_QUESTION:
            raise Garbage(
                f"a question of {head.size:,} bytes, where {LARGEST_QUESTION:,} are allowed"
            )
        if self._waiting + head.size > LARGEST_WAITING:
            raise Garbage(f"frames of more than {LARGEST_WAITING:,} bytes at once")
        return True

    def _count_stray(self, head: Head, largest: int) -> None:
        """Count a frame without a reader: a late frame, or a line for the log.

        :raises Garbage: if the frame is too large, or one too many.
        """
        if head.size > largest:
            raise Garbage(
                f"a frame of {head.size:,} bytes without a question, where {largest:,} are allowed"
            )
        now = time.monotonic()
        if now - self._since > _WINDOW:
            self._since, self._strays = now, 0
        self._strays += 1
        if self._strays > _MOST_STRAYS:
            raise Garbage(f"more than {_MOST_STRAYS:,} frames without a question")

    def put(self, head: Head, body: bytes) -> None:
        """Deliver a frame.

        :raises Garbage: if too many frames are unread.
        """
        with self._lock:
            box = self._boxes.get(head.number)
            if box is None:  # closed since its head was admitted
                return
            if head.kind != ANSWER:
                box.waiting += len(body)
            if box.qsize() > _MOST_WAITING or box.waiting > LARGEST_QUESTIONS:
                raise Garbage(
                    f"more than {_MOST_WAITING:,} frames or {LARGEST_QUESTIONS:,} bytes at once"
                )
            self._waiting += len(body)
            box.put(body)

    def take(self, number: int, seconds: float) -> tuple[dict[str, Any], int] | None:
        """Return the next frame about a question and its size in bytes; None if no more frames will
        come.

        :raises Garbage: if the frame is not JSON.
        :raises TimeoutError: if no frame arrives within ``seconds``.
        """
        box = self._boxes[number]
        try:
            body = box.get(timeout=seconds)
        except Empty:
            raise TimeoutError from None
        if body is None:
            return None
        with self._lock:
            self._waiting -= len(body)
            box.waiting = max(0, box.waiting - len(body))
        return decoded(body), len(body)

    def end(self) -> None:
        """Notify all readers that no more frames will come."""
        for box in list(self._boxes.values()):
            box.put(None)


def _taken(box: _Box) -> bytes | None:
    try:
        return box.get_nowait()
    except Empty:
        return None
