"""Logging of the CLI to stderr, with secrets redacted: records of jackfield's own loggers, and all
that Python itself prints to stderr.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
from itertools import accumulate

from jackfield.cli.outlet import Outlet
from jackfield.kernel.clock import iso
from jackfield.kernel.libraries import silence_libraries
from jackfield.redaction.logs import LogRedaction

TYPE_CHECKING = False  # importing typing would double the start-up time of a cold --help
if TYPE_CHECKING:
    from typing import TextIO

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_FORMATS = ("json", "console")
_STDERR = 2
_BEGINS = "jackfield.database.begins"
_WARNINGS = "py.warnings"
"""Logger of ``logging.captureWarnings``."""
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters, line separators, marks that change the direction of text, and surrogates."""
LONGEST, _MOST_LINES, _LARGEST_TRACE = 4_000, 200, 32_000
"""Maximum characters of a message, of a line of a traceback and of an extra member; maximum lines
of a record, and maximum characters of these lines in total.
"""
_LARGEST = 2**63
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "has_lines"}


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def cut(text: str) -> str:
    """Return the beginning of ``text``, and the length of the rest, since foreign texts must not
    fill the disk. A text with escapes is cut earlier, since escapes are longer than their
    characters.
    """
    most = LONGEST if text[:LONGEST].isprintable() else LONGEST // 4
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more characters)"


def _lines(text: str) -> list[str]:
    """Return the lines of a text, each truncated; of many or long lines, the first and the last."""
    lines = [cut(line) for line in text.split("\n")]
    first, last = _fitting(lines), _fitting(lines[::-1])
    if first + last >= len(lines):
        return lines
    return [*lines[:first], f"… ({len(lines) - first - last:,} more lines)", *lines[-last:]]


def _fitting(lines: list[str]) -> int:
    sizes = accumulate(map(len, lines[: _MOST_LINES // 2]))
    return max(1, sum(size <= _LARGEST_TRACE // 2 for size in sizes))


def one_line(text: str) -> str:
    """Return ``text`` with line breaks, control characters and marks of direction escaped as in a
    Python string.

    Messages contain texts of callers and providers, which must not write their own line into the
    log, or a sequence that controls a terminal.
    """
    return text if text.isprintable() else _UNSEEN.sub(_escaped, text)


def _member(value: object) -> object:
    """Return an extra member of a record; a long member becomes a truncated string."""
    if (
        value is None
        or isinstance(value, bool | float)
        or (isinstance(value, int) and abs(value) < _LARGEST)
    ):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return cut(text) if len(text) > LONGEST else value


class LineFormatter(logging.Formatter):
    """Formatter that writes one text line for each record: time (RFC 3339, UTC), level, logger and
    message.

    The lines of a traceback follow, indented, and further lines of a message if its record allows
    several lines. Long texts are truncated.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as text."""
        message = record.getMessage()
        lines = _lines(message) if getattr(record, "has_lines", False) else [cut(message)]
        text = f"{iso(record.created)} {record.levelname} {record.name}: " + "\n  ".join(
            map(one_line, lines)
        )
        trace = record.exc_text or (
            self.formatException(record.exc_info) if record.exc_info else ""
        )
        return "\n  ".join((text, *map(one_line, _lines(trace)))) if trace else text


class JsonLines(logging.Formatter):
    """Formatter that writes one JSON object per line: ``ts`` (RFC 3339, UTC), ``level``,
    ``logger``, ``message``, and extra members.

    No character within the object ends a line for any reader, or controls a terminal. Long texts
    are truncated.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line of JSON."""
        row: dict[str, object] = {
            "ts": iso(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": "\n".join(_lines(record.getMessage())),
        }
        row |= {
            name: _member(value)
            for name, value in vars(record).items()
            if name not in _STANDARD and name not in row
        }
        trace = record.exc_text or (
            self.formatException(record.exc_info) if record.exc_info else None
        )
        if trace:
            row["exception"] = "\n".join(_lines(trace))
        return _UNSEEN.sub(
            lambda found: f"\\u{ord(found[0]):04x}",
            json.dumps(row, ensure_ascii=False, default=str),
        )


def configure(*, serves: bool = False) -> None:
    """Log ``jackfield.…`` to stderr, in the format JACKFIELD_LOG (``json``, or ``console`` by
    default), from JACKFIELD_LOG_LEVEL upwards.

    A process that ``serves``, or runs at a terminal, also logs at every level that it creates a new
    database.

    Loggers of the libraries that call providers are silenced (``silence_libraries``). Other loggers
    are not changed: botocore's debug log would print tokens and whole messages. Output that Python
    itself prints to stderr is redacted and formatted alike: records from WARNING upwards of loggers
    without a handler, warnings, and exceptions that end a thread.
    """
    silence_libraries()
    logger = logging.getLogger("jackfield")
    logger.propagate = False
    form, level = (
        os.environ.get("JACKFIELD_LOG", "console").lower(),
        os.environ.get("JACKFIELD_LOG_LEVEL", "WARNING").upper(),
    )
    formatter = JsonLines() if form == "json" else LineFormatter()
    handler = _Stderr(formatter)
    for served in (logger, logging.getLogger(_WARNINGS)):
        for old in [known for known in served.handlers if isinstance(known, _Stderr)]:
            served.removeHandler(old)
            old.close()
        served.addHandler(handler)
    _take_over_stderr(formatter)
    logger.setLevel(level if level in _LEVELS else "WARNING")
    logging.getLogger(_BEGINS).setLevel(
        logging.WARNING if serves or sys.stderr.isatty() else logging.NOTSET
    )
    if form not in _FORMATS:
        logger.warning("JACKFIELD_LOG is '%s'; it takes json or console", form[:40])
    if level not in _LEVELS:
        logger.warning(
            "JACKFIELD_LOG_LEVEL is '%s'; it takes one of %s", level[:40], ", ".join(_LEVELS)
        )


def forget() -> None:
    """Reset the log level that a command set, in a process that continues."""
    logging.getLogger(_BEGINS).setLevel(logging.NOTSET)


def _take_over_stderr(formatter: logging.Formatter) -> None:
    """Format and redact everything that Python would print to stderr."""
    last = _Stderr(formatter)
    last.setLevel(logging.WARNING)
    logging.lastResort = last
    logging.captureWarnings(capture=True)
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _log_thread


def _log_thread(ended: threading.ExceptHookArgs) -> None:
    name = ended.thread.name if ended.thread is not None else "?"
    if ended.exc_type is not SystemExit and ended.exc_value is not None:
        logging.getLogger("jackfield.threads").error(
            "the thread '%s' ended with an exception", name, exc_info=ended.exc_value
        )


def writes_json() -> bool:
    """Return whether the log is JSON, so that programs can read stderr."""
    return os.environ.get("JACKFIELD_LOG", "").lower() == "json"


def announce(message: str, **members: object) -> None:
    """Write a message to stderr at any log level: as text, or as a JSON object that also has
    ``members``.
    """
    if writes_json():
        record = logging.makeLogRecord(
            {"name": "jackfield.cli", "levelname": "INFO", "msg": message, **members}
        )
        message = JsonLines().format(record)
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


class _Stderr(logging.StreamHandler):  # type: ignore[type-arg]
    """Handler of jackfield, marked by its type so that a second command in one process replaces
    it.
    """

    def __init__(self, formatter: logging.Formatter) -> None:
        self._outlet = Outlet(_STDERR, self._note) if _is_descriptor(sys.stderr) else None
        super().__init__(self._outlet or sys.stderr)
        self.addFilter(LogRedaction())
        self.setFormatter(formatter)

    def _note(self, lost: int) -> str:
        values = {
            "name": "jackfield.log",
            "levelname": "WARNING",
            "msg": f"{lost} lines were dropped: nobody read them",
        }
        return f"{self.format(logging.makeLogRecord(values))}{self.terminator}"

    def close(self) -> None:
        """Close the handler and its outlet."""
        super().close()
        if self._outlet is not None:
            self._outlet.close()


def _is_descriptor(stream: TextIO | None) -> bool:
    is_own = stream is sys.__stderr__
    try:
        return stream is not None and is_own and stream.fileno() == _STDERR
    except (OSError, ValueError):  # not a file
        return False
