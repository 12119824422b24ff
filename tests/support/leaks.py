"""Where a secret could show: every text that a test gets out of the runtime, and every spelling
that a secret could have in it.
"""

from __future__ import annotations

import base64
import json
import logging
import pickle
import traceback
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus


class Recording(logging.Handler):
    """Keeps all that a record would tell any formatter."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record."""
        self.records.append(record)

    def texts(self, logger: str = "") -> list[str]:
        """What the records of a logger and those below it tell, or those of all: message,
        arguments, traceback, extra.
        """
        formatter = logging.Formatter("%(name)s %(levelname)s %(message)s")
        chosen = [
            record
            for record in self.records
            if not logger or f"{record.name}.".startswith(f"{logger}.")
        ]
        return [f"{formatter.format(record)} {vars(record)}" for record in chosen]


def spellings(secret: str) -> set[str]:
    """The secret, and how the common encoders write it."""
    octets = secret.encode()
    escaped = {
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        repr(octets)[2:-1],
    }
    return {
        secret,
        *escaped,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        base64.b64encode(octets).decode(),
        octets.hex(),
    }


def leaks(secrets: Iterable[str], texts: Iterable[str]) -> list[tuple[str, str]]:
    """Each secret that stands in one of the texts, and the text around it."""
    found = []
    needles = [needle for secret in secrets for needle in spellings(secret)]
    for text in texts:
        found += [
            (needle, text[max(0, text.find(needle) - 80) :][: len(needle) + 160])
            for needle in needles
            if needle in text
        ]
    return found


def shown(item: object) -> Iterator[str]:
    """What an object shows of itself: ``str``, ``repr``, ``format``, and its pickle where it allows
    one.
    """
    yield from (str(item), repr(item), f"{item}")
    yield from _pickled(item)
    if isinstance(item, BaseException):
        yield "".join(traceback.format_exception(item))
        yield from _with_locals(item)


def _with_locals(error: BaseException) -> Iterator[str]:
    """As tools format an exception that show the variables of each frame."""
    yield "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def _pickled(item: object) -> Iterator[str]:
    for protocol in (2, pickle.HIGHEST_PROTOCOL):
        try:
            yield pickle.dumps(item, protocol).decode("utf-8", "replace")
        except (TypeError, pickle.PicklingError, AttributeError):
            yield ""
