"""Answers on stdout: one line of JSON for programs; indented JSON or a table on a terminal.

JSON escapes invisible characters, characters that reorder others or control a terminal, and letters
of another alphabet than the rest of their word. The parsed value is equal.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from jackfield.kernel.exact import exact_json
from jackfield.kernel.hidden import visible_json
from jackfield.kernel.local import Claim, silence_stdout

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, TextIO

_PLAIN, _INDENTED = (
    json.JSONEncoder(ensure_ascii=False),
    json.JSONEncoder(ensure_ascii=False, indent=2),
)


class Output:
    """Writer of one command's answers.

    ``closed`` means that writing to stdout has failed. ``lost`` means that it failed for another
    reason than a closed pipe, such as a full disk; only this is an error.
    """

    def __init__(self, *, one_line: bool = False, for_good: bool = False) -> None:
        self.one_line = one_line
        self.closed = False
        self.lost = False
        self._for_good = for_good
        self._claim: Claim | None = None

    @property
    def stream(self) -> TextIO:
        """Stream for the answers."""
        return sys.stdout if self._claim is None else self._claim.stream

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Reserve stdout for answers, whatever connectors print; release it afterwards unless the
        process ends with the command.
        """
        self._claim = claim = Claim()
        try:
            yield
        finally:
            if not self._for_good:
                claim.release()

    @property
    def for_people(self) -> bool:
        """True if stdout is a terminal and ``--json`` is not given."""
        return not self.one_line and self.stream.isatty()

    def line(self, value: object) -> None:
        """Write ``value`` as JSON on one line."""
        self._write(visible_json(exact_json(value, _PLAIN)) + "\n")

    def text(self, text: str) -> None:
        """Write text verbatim: the only kind of answer that is not JSON, unless ``--json`` is
        given.
        """
        if self.one_line:
            self.line(text)
        else:
            self._write(text)

    def value(self, value: object) -> None:
        """Write ``value`` as JSON: indented on a terminal, in colours unless NO_COLOR is set; else
        on one line.
        """
        if not self.for_people:
            self.line(value)
            return
        text = visible_json(exact_json(value, _INDENTED))
        if not os.environ.get("NO_COLOR"):
            text = _drawing().coloured(text, self.stream)
        self._write(text + "\n")

    def rows(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
        """Write a list: as a table of ``columns`` on a terminal, else as a JSON array on one
        line.
        """
        if not self.for_people:
            self.line(list(rows))
            return
        self._write(_drawing().table(rows, columns, self.stream))

    def _write(self, text: str) -> None:
        if self.closed:
            return
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError as error:
            self.closed = True
            self.lost = is_lost(error, self.stream)


def _drawing() -> ModuleType:
    """Return the module that formats output for people: with rich if the extra ``tables`` is
    installed, else in plain text.
    """
    try:
        from jackfield.cli import drawn
    except ModuleNotFoundError:
        from jackfield.cli import tables

        return tables
    return drawn


def is_lost(error: OSError, stream: TextIO | None = None) -> bool:
    """Return whether a failed write lost the answer. A full disk does, and is reported on stderr; a
    closed pipe does not.

    Silence stdout from then on.
    """
    silence_stdout(stream)
    if isinstance(error, BrokenPipeError):
        return False
    sys.stderr.write(f"jackfield: the output cannot be written to stdout: {error.strerror}\n")
    return True
