"""The stream on which a server of an older revision asks questions outside of a call's answer: it is read while the call goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from jackfield_http.answers import StreamedAnswer

_OPENS_WITHIN = 2.0
"""Seconds to wait at most until the server has opened the stream: many have none."""
_ENDS_WITHIN = 1.0


class Listener:
    """Thread that reads the stream: ``open_stream`` opens it, passes it to its argument, and reads it to its end."""

    def __init__(self, open_stream: Callable[[Callable[[StreamedAnswer], None]], None]) -> None:
        self._open_stream = open_stream
        self._ready = threading.Event()
        self._lock = threading.Lock()
        self._answer: StreamedAnswer | None = None
        self._is_over = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen within the block."""
        thread = threading.Thread(target=self._run, name="jackfield mcp listener", daemon=True)
        thread.start()
        try:
            self._ready.wait(_OPENS_WITHIN)
            yield
        finally:
            with self._lock:
                self._is_over, answer = True, self._answer
            if answer is not None:
                answer.abort()
            thread.join(_ENDS_WITHIN)

    def _run(self) -> None:
        try:
            self._open_stream(self._opened)
        finally:
            self._ready.set()

    def _opened(self, answer: StreamedAnswer) -> None:
        with self._lock:
            self._answer = answer
            is_over = self._is_over
        self._ready.set()
        if is_over:
            answer.abort()
