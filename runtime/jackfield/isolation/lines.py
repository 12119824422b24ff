"""Log of what a child says: lines of its output, and warnings of its loggers, under one limit."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import IO

from jackfield.schema.wording import escaped

_LOG = logging.getLogger("jackfield.isolation")
_LINE = 2000
_LINES, _WINDOW = 100, 10.0
"""Lines that are logged, in so many seconds."""
_PAUSE = 0.005
"""Seconds between two readings of the output: a child that prints more than that waits, and costs this process little."""
_CHUNK = 65536


class Lines:
    """Lines of one connector, whichever of its processes says them. ``clean`` masks secrets; control characters are escaped."""

    def __init__(self, name: str, clean: Callable[[str], str]) -> None:
        self._name = name
        self._clean = clean
        self._since, self._logged = 0.0, 0
        self._lock = threading.Lock()

    @property
    def has_room(self) -> bool:
        """True if the next line would be logged."""
        return self._logged < _LINES or time.monotonic() - self._since > _WINDOW

    def log(self, level: int, line: str) -> None:
        """Log a line, unless there were too many."""
        if not line.strip() or not _LOG.isEnabledFor(level):
            return
        with self._lock:
            now = time.monotonic()
            if now - self._since > _WINDOW:
                self._since, self._logged = now, 0
            if self._logged >= _LINES:
                return
            self._logged += 1
        _LOG.log(level, "the process of %s says: %s", self._name, escaped(self._clean(line[:_LINE])))

    def read(self, pipe: IO[bytes], is_over: threading.Event) -> None:
        """Log what arrives through ``pipe`` until it is closed."""
        rest = b""
        while chunk := pipe.read(_CHUNK):
            rest = self._logged_but_rest(rest + chunk) if self.has_room else b""
            is_over.wait(_PAUSE)
        self.log(logging.INFO, _text(rest))

    def _logged_but_rest(self, data: bytes) -> bytes:
        """Log the whole lines and return the rest; what follows too many lines is dropped."""
        *whole, rest = data.split(b"\n", _LINES)
        for line in whole:
            self.log(logging.INFO, _text(line))
        if b"\n" in rest:
            return b""
        if len(rest) <= _LINE:
            return rest
        self.log(logging.INFO, _text(rest))
        return b""


def _text(line: bytes) -> str:
    return line[:_LINE].decode("utf-8", "replace")
