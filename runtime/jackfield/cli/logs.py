"""Logging of the CLI: to stderr, with secrets redacted, from jackfield's own loggers; from others, what Python itself would print there."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading

from jackfield.clock import iso
from jackfield.redaction.logs import LogRedaction

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_FORMATS = ("json", "console")
_WARNINGS = "py.warnings"
"""Logger of ``logging.captureWarnings``."""
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class JsonLines(logging.Formatter):
    """Formatter that writes one JSON object per line: ``ts`` (RFC 3339, UTC), ``level``, ``logger``, ``message``, and extra members."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one line of JSON."""
        row: dict[str, object] = {
            "ts": iso(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        row |= {name: value for name, value in vars(record).items() if name not in _STANDARD and name not in row}
        trace = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else None)
        if trace:
            row["exception"] = trace
        return json.dumps(row, ensure_ascii=False, default=str)


def configure() -> None:
    """Log ``jackfield.…`` to stderr, in the format JACKFIELD_LOG (``json``, or ``console`` by default), from JACKFIELD_LOG_LEVEL upwards.

    Loggers of other libraries are not touched: botocore's debug log would print tokens and whole messages. What Python prints to stderr
    of its own accord is redacted and formatted alike: records from WARNING upwards of loggers without a handler, warnings, and exceptions
    that end a thread.
    """
    logger = logging.getLogger("jackfield")
    logger.propagate = False
    form, level = os.environ.get("JACKFIELD_LOG", "console").lower(), os.environ.get("JACKFIELD_LOG_LEVEL", "WARNING").upper()
    handler = _Stderr(sys.stderr)
    handler.addFilter(LogRedaction())
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    for served in (logger, logging.getLogger(_WARNINGS)):
        for old in [known for known in served.handlers if isinstance(known, _Stderr)]:
            served.removeHandler(old)
        served.addHandler(handler)
    _take_over_stderr(handler)
    logger.setLevel(level if level in _LEVELS else "WARNING")
    if form not in _FORMATS:
        logger.warning("JACKFIELD_LOG is '%s'; it takes json or console", form[:40])
    if level not in _LEVELS:
        logger.warning("JACKFIELD_LOG_LEVEL is '%s'; it takes one of %s", level[:40], ", ".join(_LEVELS))


def _take_over_stderr(handler: logging.Handler) -> None:
    """Let ``handler`` write what Python would print to stderr, secrets included."""
    last = _Stderr(sys.stderr)
    last.setLevel(logging.WARNING)
    last.addFilter(LogRedaction())
    last.setFormatter(handler.formatter)
    logging.lastResort = last
    logging.captureWarnings(capture=True)
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _log_thread


def _log_thread(ended: threading.ExceptHookArgs) -> None:
    name = ended.thread.name if ended.thread is not None else "?"
    if ended.exc_type is not SystemExit and ended.exc_value is not None:
        logging.getLogger("jackfield.threads").error("the thread '%s' ended with an exception", name, exc_info=ended.exc_value)


def writes_json() -> bool:
    """Return whether the log is JSON, so that stderr is read by programs."""
    return os.environ.get("JACKFIELD_LOG", "").lower() == "json"


def announce(message: str, **members: object) -> None:
    """Write a message to stderr at any log level: as text, or as a JSON object that also has ``members``."""
    if writes_json():
        record = logging.makeLogRecord({"name": "jackfield.cli", "levelname": "INFO", "msg": message, **members})
        message = JsonLines().format(record)
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


class _Stderr(logging.StreamHandler):  # type: ignore[type-arg]
    """jackfield's own handler, marked by its type so that a second command in one process replaces it."""
