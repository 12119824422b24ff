"""Log of a child's messages: lines of its output, and warnings of its loggers, under one limit."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import IO

from jackfield.schema.wording import escaped

_LOG = logging.getLogger("jackfield.isolation")
_LINE = 2000
_MASKED = 8000
"""Number of bytes of a line in which secrets are masked, before the line is cut to ``_LINE``. A
longer line is logged before its end.
"""
_LINES, _WINDOW = 100, 10.0
"""Maximum number of lines that are logged, and the period in seconds."""
_PAUSE = 0.005
"""Seconds between two reads of the output: a child that prints faster must wait, and costs this
process little.
"""
_CHUNK = 65536


class Lines:
    """Log of one connector's lines, from all its processes. ``clean`` masks secrets; control
    characters are escaped.
    """

    def __init__(self, name: str, clean: Callable[[str], str]) -> None:
        self._name = name
        self._clean = clean
        self._since, self._logged = 0.0, 0
        self._lock = threading.Lock()

    @property
    def has_room(self) -> bool:
        """Return whether the next line would be logged."""
        return self._logged < _LINES or time.monotonic() - self._since > _WINDOW

    def log(self, level: int, line: str) -> None:
        """Log a line, unless too many were logged."""
        if not line.strip() or not _LOG.isEnabledFor(level):
            return
        with self._lock:
            now = time.monotonic()
            if now - self._since > _WINDOW:
                self._since, self._logged = now, 0
            if self._logged >= _LINES:
                return
            self._logged += 1
        _LOG.log(
            level,
            "the process of %s says: %s",
            self._name,
            escaped(self._clean(line[:_MASKED])[:_LINE]),
        )

    def read(self, pipe: IO[bytes], is_over: threading.Event) -> None:
        """Log the data from ``pipe`` until it is closed.

        Secrets are masked before the data is split into lines, since some secrets span several
        lines.
        """
        rest, is_long = b"", False
        while chunk := pipe.read(_CHUNK):
            if is_long:  # the rest of a line whose beginning was logged
                _, found, chunk = chunk.partition(b"\n")
                is_long = not found
            whole, end, rest = (rest + chunk).rpartition(b"\n")
            self._log_block(whole + end)
            if len(rest) > _MASKED:
                self._log_block(rest)
                rest, is_long = b"", True
            is_over.wait(_PAUSE)
        self._log_block(rest)

    def _log_block(self, block: bytes) -> None:
        """Log whole lines; lines beyond the limit are dropped."""
        if not block or not self.has_room:
            return
        lines = b"\n".join(line[:_MASKED] for line in block.split(b"\n", _LINES)[:_LINES])
        for line in self._clean(lines.decode("utf-8", "replace")).split("\n"):
            self.log(logging.INFO, line)
