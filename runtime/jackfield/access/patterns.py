"""Patterns of rules: their syntax and how they match a request. ``docs/reference/access.md`` explains them to operators.

::

    pattern    = term *( "&" term )                          every term must match
    term       = connector "/" action                        aws-ses/sendEmail, aws-ses/*, */sendEmail
               | "connection:" name                          connection:acme-*, connection:@inline
               | "effect:" ( "read" | "idempotent" | "write" )
               | "*"                                         everything

``*`` matches any number of characters, including none; nothing else is special. Names are case-sensitive.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from jackfield.errors import did_you_mean

__all__ = ["INLINE", "PatternError", "Request", "Rule", "rule"]

INLINE = "@inline"
"""Name of every inline connection; no stored connection can have it."""
_EFFECTS = ("read", "idempotent", "write")
_KINDS = ("connection", "effect")
_LONGEST = 500
_CONNECTOR = re.compile(r"[a-z0-9*-]+\Z")
_ACTION = re.compile(r"[A-Za-z0-9*]+\Z")
_CONNECTION = re.compile(r"[A-Za-z0-9._*-]+\Z")

Fits = Callable[["Request"], bool]


class PatternError(ValueError):
    """A pattern that is not valid; the message says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """An action that a caller wants to run. ``connection`` is a stored connection's name, ``INLINE``, or None if none is needed."""

    connector: str
    action: str
    effect: str = "write"
    connection: str | None = None

    def __str__(self) -> str:
        if self.connection is None:
            return f"{self.connector}/{self.action}"
        return f"{self.connector}/{self.action} with " + ("an inline connection" if self.connection == INLINE else f"'{self.connection}'")


@dataclass(frozen=True, slots=True)
class Rule:
    """One parsed pattern; ``text`` is its original form."""

    text: str
    _terms: tuple[Fits, ...] = field(repr=False, compare=False)

    def fits(self, request: Request) -> bool:
        """Return whether every term matches."""
        return all(term(request) for term in self._terms)


@lru_cache(maxsize=10_000)
def rule(text: str) -> Rule:
    """Parse a pattern.

    :raises PatternError: if it is not valid.
    """
    if len(text) > _LONGEST:
        raise PatternError(f"it has more than {_LONGEST} characters")
    return Rule(text, tuple(_term(part.strip()) for part in text.split("&")))


def _term(text: str) -> Fits:
    if text == "*":
        return lambda _request: True
    kind, colon, value = text.partition(":")
    if colon:
        return _kind(kind, value)
    connector, slash, action = text.partition("/")
    if not slash:
        raise PatternError(f"'{text[:80]}' is not a valid term" if text else "it has an empty term")
    if not _CONNECTOR.match(connector) or not _ACTION.match(action):
        raise PatternError(f"'{text[:80]}' is not a connector's key and an action's key")
    fits_connector, fits_action = _glob(connector), _glob(action)
    return lambda request: fits_connector(request.connector) and fits_action(request.action)


def _kind(kind: str, value: str) -> Fits:
    if kind == "effect":
        if value not in _EFFECTS:
            raise PatternError(f"there is no effect '{value[:80]}'{did_you_mean(value, _EFFECTS)}")
        return lambda request: request.effect == value
    if kind == "connection":
        if value != INLINE and not _CONNECTION.match(value):
            raise PatternError(f"'{value[:80]}' is not a connection's name")
        fits = _glob(value)
        return lambda request: request.connection is not None and fits(request.connection)
    raise PatternError(f"'{kind[:80]}:' begins no term{did_you_mean(kind, _KINDS)}")


def _glob(text: str) -> Callable[[str], bool]:
    if "*" not in text:
        return lambda name: name == text
    first, *between, last = (re.escape(part) for part in re.split(r"\*+", text))
    # Match each part at its first occurrence only (atomic groups), so that many stars cannot cause backtracking.
    matching = re.compile(first + "".join(f"(?>.*?{part})" for part in between) + ".*" + last)
    return lambda name: matching.fullmatch(name) is not None
