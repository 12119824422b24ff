"""Values in records of Amazon SES, of the types that they should have: what is of another type counts as missing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def objects(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def texts(value: Any) -> tuple[str, ...]:
    """Return the texts of a list."""
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def text(about: Mapping[str, Any], name: str) -> str | None:
    """Return a text of an object that is not empty."""
    found = about.get(name)
    return found if isinstance(found, str) and found else None


def moment(text: Any) -> float | None:
    """Return a time, in seconds since 1970."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return None if found is None else found.replace(tzinfo=found.tzinfo or UTC).timestamp()
