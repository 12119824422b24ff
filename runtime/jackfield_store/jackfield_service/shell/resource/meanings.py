"""Comparison of values by meaning, for members of which several spellings mean the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from json import dumps
from typing import Any

Meaning = Callable[[Any], Any]


def meant(meanings: Mapping[str, Meaning], name: str, value: Any) -> Any:
    """Return what a member's value means; a member without a meaning of its own means its value."""
    return meanings[name](value) if name in meanings else value


def as_set(value: Any) -> Any:
    """Return what a list means whose order has no meaning."""
    return frozenset(map(dumps, value)) if isinstance(value, list) else value


def as_sets(value: Any) -> Any:
    """Return what an object means in which the order of each list has no meaning."""
    return (
        {name: as_set(one) for name, one in value.items()} if isinstance(value, Mapping) else value
    )
