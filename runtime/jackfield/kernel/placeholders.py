"""Placeholders in stored inputs: objects with one member whose name begins with ``$``, replaced
when an invocation is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jackfield.kernel.pointers import child

ABSENT: Any = object()
"""Value by which ``fill`` leaves a placeholder's member or item out."""


def is_placeholder(value: object, *members: str) -> bool:
    """Return whether a value is an object with exactly one member, whose name is among
    ``members``.
    """
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in members


def placeholders(value: Any, path: str, *members: str) -> Iterator[tuple[str, str, object]]:
    """Yield the placeholders of these names, each with the pointer to its member, the name and its
    content.
    """
    if is_placeholder(value, *members):
        for name, content in value.items():
            yield child(path, name), name, content
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield from placeholders(member, child(path, name), *members)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from placeholders(item, child(path, number), *members)


def filled(value: Any, fill: Callable[[str, Any], Any], *members: str) -> Any:
    """Return a copy in which ``fill``, called with name and content, replaces each placeholder of
    these names. An object or a list that had only absent values is absent itself, so that no empty
    object or list is sent.
    """
    if is_placeholder(value, *members):
        ((name, content),) = value.items()
        return fill(name, content)
    if isinstance(value, Mapping):
        known = {name: filled(member, fill, *members) for name, member in value.items()}
        left = {name: member for name, member in known.items() if member is not ABSENT}
        return left if left or not known else ABSENT
    if isinstance(value, list):
        items = [
            item for item in (filled(item, fill, *members) for item in value) if item is not ABSENT
        ]
        return items if items or not value else ABSENT
    return value
