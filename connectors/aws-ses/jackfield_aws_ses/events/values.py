"""Readers of typed values in records of Amazon SES. A value of another type counts as missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

_ATOM = r'(?>(?:[^\s<>()",;:@\\]|\\"?)+)'
_QUOTED = r'"(?>(?:[^"\\]|\\.)*)"'
_TOKENS = re.compile(
    rf"(?P<address>(?:{_QUOTED}|{_ATOM})@{_ATOM})|{_QUOTED}|\([^()]*+\)|{_ATOM}|.", re.DOTALL
)
"""Pattern of a token in a list of mailboxes: address, quoted string, comment, atom, any other
character.

An escaped quote is part of an atom: after an unterminated string, each would otherwise be tried as
the beginning of another.
"""
_BRACKET = re.compile(r"\s*<")


def objects(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects in a list; empty if ``value`` is no list."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def texts(value: Any) -> tuple[str, ...]:
    """Return the strings in a list."""
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def text(about: Mapping[str, Any], name: str) -> str | None:
    """Return a member's string; None if it is empty or no string."""
    found = about.get(name)
    return found if isinstance(found, str) and found else None


def moment(text: Any) -> float | None:
    """Return a time in seconds since 1970; None if the text is no time."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return None if found is None else found.replace(tzinfo=found.tzinfo or UTC).timestamp()


def addresses(value: Any) -> tuple[str, ...]:
    """Return the bare addresses in a list of texts, without duplicates. A text may hold display
    names or several mailboxes.
    """
    return tuple(dict.fromkeys(address for one in texts(value) for address in _bare(one)))


def recipients(value: Any, otherwise: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Return the recipient objects in a list, with one bare address each; without any, one for each
    address of ``otherwise``.
    """
    found = [
        {**one, "emailAddress": address}
        for one in objects(value)
        for address in addresses([one.get("emailAddress")]) or (None,)
    ]
    return found or [{"emailAddress": address} for address in otherwise]


def _bare(given: str) -> Iterator[str]:
    """Yield the addresses in a text with mailboxes. An address before another one in angle brackets
    is a display name.
    """
    for found in _TOKENS.finditer(given):
        if found["address"] and not _BRACKET.match(given, found.end()):
            yield found["address"]
