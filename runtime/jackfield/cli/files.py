"""Files and stdin, never read further than an invocation may be large."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from typing import IO

from jackfield.errors import Detail, InvalidInvocation
from jackfield.invocation import MAX_BYTES

__all__ = ["STDIN", "Files", "count_lines", "is_lines"]

STDIN = "-"
"""The path that means stdin."""
_CHUNK = 1024 * 1024


def is_lines(path: str) -> bool:
    """Whether a file's name says that each of its lines is an invocation."""
    return path.lower().endswith((".jsonl", ".ndjson"))


class Files:
    """The files that one command names: together at most ``MAX_BYTES``, and stdin at most once."""

    def __init__(self) -> None:
        self._left = MAX_BYTES
        self._stdin_taken = False

    def read(self, path: str, at: str = "") -> bytes:
        """All octets of a file. ``at`` is the JSON Pointer of what they are for.

        :raises InvalidInvocation: where it cannot be read, or all files together are too large.
        """
        with self._open(path, at) as file:
            content = _guarded(file, self._left + 1, path, at)
        if len(content) > self._left:
            raise _refusal(f"{_named(path)} makes the invocation larger than {MAX_BYTES:,} bytes", at)
        self._left -= len(content)
        return content

    def read_text(self, path: str, at: str = "") -> str:
        """The text of a file in UTF-8.

        :raises InvalidInvocation: as ``read``, and for what is not UTF-8.
        """
        try:
            return self.read(path, at).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            hint = "A file that is not text can be an attachment; other inputs take text."
            raise _refusal(f"{_named(path)} is not UTF-8 text (byte {error.start})", at, hint) from None

    def read_invocation(self, path: str) -> bytes:
        """The octets of a whole invocation, one too many where it is too large: the pipe refuses it then.

        :raises InvalidInvocation: where the file cannot be read.
        """
        with self._open(path, "") as file:
            return _guarded(file, MAX_BYTES + 1, path, "")

    def lines(self, path: str) -> Iterator[bytes | InvalidInvocation]:
        """The lines of a file that are not blank, read as they are asked for.

        A line that is too large comes one byte too long, and its rest is skipped. A fault while reading comes as the last item.

        :raises InvalidInvocation: where the file cannot be opened; before the first line is asked for.
        """
        return (line for _, line in self.numbered(path))

    def numbered(self, path: str) -> Iterator[tuple[int, bytes | InvalidInvocation]]:
        """Number the same lines: from 1 on, blank ones counted.

        :raises InvalidInvocation: as ``lines``.
        """
        return _lines(self._open(path, ""), path)

    def _open(self, path: str, at: str) -> IO[bytes]:
        if path == STDIN:
            if self._stdin_taken:
                raise _refusal("stdin can be read only once, and two arguments ask for it", at)
            self._stdin_taken = True
            return _stdin()
        try:
            return open(path, "rb")
        except (OSError, ValueError) as error:  # ValueError: a null character
            raise _unreadable(path, error, at) from None


def count_lines(path: str) -> int | None:
    """Count the lines of a regular file that are not blank; None for anything else, which can be read only once."""
    try:
        if path == STDIN or not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with open(path, "rb") as file:
            return sum(not line.isspace() for line in file)
    except (OSError, ValueError):
        return None


def _lines(file: IO[bytes], path: str) -> Iterator[tuple[int, bytes | InvalidInvocation]]:
    number = 0
    with file:
        while True:
            number += 1
            try:
                line = file.readline(MAX_BYTES + 1)
                if not line:
                    return
                rest = line
                while not rest.endswith(b"\n") and len(line) > MAX_BYTES:
                    rest = file.readline(_CHUNK) or b"\n"
            except OSError as error:
                yield number, _unreadable(path, error, "")
                return
            if not line.isspace():
                yield number, line


def _guarded(file: IO[bytes], size: int, path: str, at: str) -> bytes:
    try:
        return file.read(size)
    except OSError as error:
        raise _unreadable(path, error, at) from None


def _stdin() -> IO[bytes]:
    try:
        # a reader of its own: a thread that still waits in sys.stdin's would abort the process at exit
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except (AttributeError, ValueError, OSError):  # closed (None), or replaced by something that is not a file
        found: IO[bytes] | None = getattr(sys.stdin, "buffer", None)
        if found is None:
            raise _refusal("stdin is closed", "") from None
        return found


def _named(path: str) -> str:
    return "stdin" if path == STDIN else f"the file '{path[:200]}'"


def _unreadable(path: str, error: Exception, at: str) -> InvalidInvocation:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return _refusal(f"{_named(path)} cannot be read: {reason}", at, "Check the path and its permissions.")


def _refusal(message: str, at: str, hint: str | None = None) -> InvalidInvocation:
    return InvalidInvocation(message, details=[Detail(at, message)] if at else (), hint=hint)
