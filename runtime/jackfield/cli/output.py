"""What goes to stdout: JSON, pretty or as a table for people, one line for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from jackfield.stdout import Claim, silence_stdout

__all__ = ["Output", "is_lost"]

_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}
"""The control characters that JSON lets through; a terminal might obey them."""


class Output:
    """The answers of one command.

    ``closed`` says that nobody reads stdout any more, which is no fault; ``lost`` that an answer could not be written for another
    reason (a full disk), which is one.
    """

    def __init__(self, *, one_line: bool = False, for_good: bool = False) -> None:
        self.one_line = one_line
        self.closed = False
        self.lost = False
        self._for_good = for_good
        self._claim: Claim | None = None

    @property
    def stream(self) -> TextIO:
        """Where answers go."""
        return sys.stdout if self._claim is None else self._claim.stream

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep stdout for answers, whatever connectors print; ``for_good`` where the process ends with the command."""
        self._claim = claim = Claim()
        try:
            yield
        finally:
            if not self._for_good:
                claim.release()

    @property
    def for_people(self) -> bool:
        """Whether a person reads: stdout is a terminal and one line was not asked for."""
        return not self.one_line and self.stream.isatty()

    def line(self, value: object) -> None:
        """Write ``value`` as JSON on one line."""
        self._write(json.dumps(value, ensure_ascii=False) + "\n")

    def text(self, text: str) -> None:
        """Write a script as it is: the one kind of answer that is no JSON, but for --json."""
        if self.one_line:
            self.line(text)
        else:
            self._write(text)

    def value(self, value: object) -> None:
        """Write ``value`` as JSON: indented on a terminal, in colours unless NO_COLOR is set; else on one line."""
        if not self.for_people:
            self.line(value)
            return
        text = json.dumps(value, ensure_ascii=False, indent=2).translate(_CONTROLS)
        if not os.environ.get("NO_COLOR"):
            from jackfield.cli.tables import coloured

            text = coloured(text, self.stream)
        self._write(text + "\n")

    def rows(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
        """Write a list: as a table of ``columns`` on a terminal, else as a JSON array on one line."""
        if not self.for_people:
            self.line(list(rows))
            return
        from jackfield.cli.tables import table

        self._write(table(rows, columns, self.stream))

    def _write(self, text: str) -> None:
        if self.closed:
            return
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError as error:
            self.closed = True
            self.lost = is_lost(error, self.stream)


def is_lost(error: OSError, stream: TextIO | None = None) -> bool:
    """Whether an answer that could not be written is missed: a reader who has left wants none, a full disk is told on stderr.

    Nothing more is written to stdout afterwards.
    """
    silence_stdout(stream)
    if isinstance(error, BrokenPipeError):
        return False
    sys.stderr.write(f"jackfield: the answer cannot be written to stdout: {error.strerror}\n")
    return True
