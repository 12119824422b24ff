"""Reading of files and stdin, limited by the maximum size of an invocation; inputs from a JSON or
YAML file.
"""

from __future__ import annotations

import math
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from typing import IO, Any

from jackfield.cli.parsing import Namespace, UsageError
from jackfield.connections.documents import DocumentError, documents, is_json
from jackfield.invocation import MAX_BYTES, decode
from jackfield.kernel.errors import Detail, InvalidInvocation

STDIN = "-"
"""Path that means stdin."""
_CHUNK = 1024 * 1024


def is_lines(path: str) -> bool:
    """Return whether the file's name marks it as JSON Lines."""
    return path.lower().endswith((".jsonl", ".ndjson"))


class LocalPath:
    """Path of a file that becomes an input. A cold command avoids importing ``pathlib``, which
    costs more than all of its work.
    """

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __fspath__(self) -> str:
        return self._path


class LocalFiles:
    """Files of one command: at most ``MAX_BYTES`` in total, and stdin at most once."""

    def __init__(self) -> None:
        self._left = MAX_BYTES
        self._stdin_taken = False

    def read(self, path: str, at: str = "") -> bytes:
        """Read a file. ``at`` is the JSON Pointer of its input.

        :raises InvalidInvocation: if the file cannot be read, or all files together are too large.
        """
        with self._open(path, at) as file:
            content = _guarded(file, self._left + 1, path, at)
        if len(content) > self._left:
            raise _refusal(
                f"{_file_label(path)} makes the invocation larger than {MAX_BYTES:,} bytes", at
            )
        self._left -= len(content)
        return content

    def whole(self, path: str, at: str = "") -> IO[bytes] | LocalPath:
        """Return a file of any size for an input that accepts a file; the content is read when it
        is sent.

        :raises InvalidInvocation: if the file cannot be opened.
        """
        file = self._open(path, at)
        if path == STDIN:
            return file
        file.close()
        return LocalPath(path)

    def read_text(self, path: str, at: str = "") -> str:
        """Read a UTF-8 text file.

        :raises InvalidInvocation: like ``read``, and if it is not UTF-8.
        """
        try:
            return self.read(path, at).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            hint = "Inputs that take files take any content; this one takes text."
            raise _refusal(
                f"{_file_label(path)} is not UTF-8 text (byte {error.start})", at, hint
            ) from None

    def read_invocation(self, path: str) -> bytes:
        """Read an invocation; if it is too large, return one byte more than allowed, so that the
        pipeline refuses it.

        :raises InvalidInvocation: if the file cannot be read.
        """
        with self._open(path, "") as file:
            return _guarded(file, MAX_BYTES + 1, path, "")

    def lines(self, path: str) -> Iterator[bytes | InvalidInvocation]:
        """Return an iterator over the non-blank lines of a file, read on demand.

        A line that is too large is truncated to one byte more than allowed. A read error is the
        last item.

        :raises InvalidInvocation: if the file cannot be opened; raised by this call, before the
            iteration.
        """
        return (line for _, line in self.numbered(path))

    def numbered(self, path: str) -> Iterator[tuple[int, bytes | InvalidInvocation]]:
        """Return an iterator like ``lines`` with line numbers, from 1; blank lines count.

        :raises InvalidInvocation: like ``lines``.
        """
        return _lines(self._open(path, ""), path)

    def _open(self, path: str, at: str) -> IO[bytes]:
        if path == STDIN:
            if self._stdin_taken:
                raise _refusal("stdin can be read only once, and two arguments read it", at)
            self._stdin_taken = True
            return _stdin()
        try:
            return open(path, "rb")
        except (OSError, ValueError) as error:  # ValueError: a null character
            raise _unreadable(path, error, at) from None


def count_lines(path: str) -> int | None:
    """Return the number of non-blank lines of a regular file; None for anything else, which can be
    read only once.
    """
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
        # a separate reader: a thread blocked in sys.stdin's would abort the process at exit
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except (AttributeError, ValueError, OSError):
        # closed (None), or replaced by something that is not a file
        found: IO[bytes] | None = getattr(sys.stdin, "buffer", None)
        if found is None:
            raise _refusal("stdin is closed", "") from None
        return found


def _file_label(path: str) -> str:
    return "stdin" if path == STDIN else f"the file '{path[:200]}'"


def _unreadable(path: str, error: Exception, at: str) -> InvalidInvocation:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return _refusal(
        f"{_file_label(path)} cannot be read: {reason}", at, "Check the path and its permissions."
    )


def _refusal(message: str, at: str, hint: str | None = None) -> InvalidInvocation:
    return InvalidInvocation(message, details=[Detail(at, message)] if at else (), hint=hint)


def read_inputs_file(path: str, files: LocalFiles) -> dict[str, Any]:
    """Read inputs from the file ``path`` (``-`` = stdin).

    :raises InvalidInvocation: if it cannot be read, is neither JSON nor YAML, or is not a single
        object of JSON values.
    """
    text = files.read_text(path, "/inputs")
    name = _file_label(path)
    if is_json(text, path):
        try:
            found = decode(text)
        except InvalidInvocation as error:
            raise _refusal(
                error.message.replace("the invocation", name), "/inputs", error.hint
            ) from None
    else:
        found = from_yaml(text, name)
    if not isinstance(found, dict):
        raise _refusal(
            f"{name} must contain one object with a member for each input",
            "/inputs",
            'Write {"subject": "Hello"} or "subject: Hello".',
        )
    return found


def from_yaml(text: str, name: str) -> Any:
    """Parse one document of YAML.

    :raises InvalidInvocation: if there is no document, or several.
    """
    try:
        found = list(documents(text, "inputs.yaml"))
    except DocumentError as error:
        raise _refusal(f"{name}: {error}", "/inputs") from None
    if len(found) != 1:
        raise _refusal(f"{name} must contain one YAML document, not {len(found)}", "/inputs")
    _check_json(found[0], name)
    return found[0]


def _check_json(document: object, name: str) -> None:
    """Refuse NaN and infinity, which YAML has and JSON does not. Documents are bounded, so visiting
    each value is cheap.
    """
    waiting = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, float) and not math.isfinite(item):
            raise _refusal(
                f"{name} contains {item}, which is not a JSON number",
                "/inputs",
                "Put it in quotes if it is meant as text.",
            )


def changed(
    content: bytes, changes: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> bytes | dict[str, Any]:
    """Return an invocation with members replaced by options, and missing members filled from
    ``defaults``.

    :raises InvalidInvocation: if it is not JSON.
    """
    if not changes and not defaults:
        return content
    given = decode(content)
    return {**(defaults or {}), **given, **changes} if isinstance(given, Mapping) else content


def read_document(arguments: Namespace, option: str) -> Any:
    """Return the JSON in the file that an option names, or from stdin.

    :raises UsageError: if the file cannot be read.
    :raises InvalidInvocation: if it is not JSON.
    """
    path = str(getattr(arguments, option))
    if path == STDIN:
        return decode(sys.stdin.buffer.read())
    try:
        with open(path, "rb") as file:
            return decode(file.read())
    except OSError as error:
        raise UsageError(
            f"--{option} '{path[:200]}' cannot be read: {error.strerror}",
            usage=arguments.usage,
            hint="Give a file with JSON.",
        ) from None
