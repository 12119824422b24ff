"""Marks of a schema on its values: secret, confidential, or shown in part (docs/reference/manifest.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jackfield.schema_walk import Nodes, Schema, extension, members, nodes
from jackfield.schema_walk import is_secret as marks_secret

__all__ = ["confidential_values", "is_reference", "is_secret", "keeps_last4", "leaves", "secret_values"]


def is_reference(value: object) -> bool:
    """Return True if the value names a secret instead of holding it: ``{"$env": "NAME"}``, ``{"$file": "path"}``."""
    return isinstance(value, Mapping) and len(value) == 1 and all(str(name).startswith("$") for name in value)


def secret_values(schema: Schema, values: Mapping[str, Any]) -> frozenset[str]:
    """Return the texts below nodes marked ``"writeOnly": true`` or ``"format": "password"``; numbers as their JSON text.

    Secret references hold no secret and are left out, as are booleans, null and empty texts. Every branch of ``anyOf`` and similar keywords
    counts, even if the value does not fit it.
    """
    return frozenset(_marked(schema, nodes(schema, schema), values, is_secret))


def confidential_values(schema: Schema, values: Mapping[str, Any]) -> frozenset[str]:
    """Return the texts below nodes marked ``"x-jackfield": {"sensitive": true}``: message texts, recipients, external ids."""
    return frozenset(_marked(schema, nodes(schema, schema), values, _is_sensitive))


def is_secret(applying: Nodes) -> bool:
    """Return whether one of the schemas marks a secret."""
    return any(map(marks_secret, applying))


def keeps_last4(applying: Nodes) -> bool:
    """Return whether one of the schemas limits display to the last 4 characters."""
    return any(extension(node).get("mask") == "last4" for node in applying)


def _is_sensitive(applying: Nodes) -> bool:
    return any(extension(node).get("sensitive") is True for node in applying)


def _marked(root: Schema, applying: Nodes, value: object, has_mark: Callable[[Nodes], bool]) -> Iterator[str]:
    if has_mark(applying):
        yield from leaves(value)
        return
    for _, known, member in members(root, applying, value):
        yield from _marked(root, known or (), member, has_mark)


def leaves(value: object) -> Iterator[str]:
    """Yield the texts and numbers in a JSON value, except those of references."""
    if isinstance(value, str):
        yield from (value,) if value else ()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield repr(value)
    elif isinstance(value, Mapping) and not is_reference(value):
        for member in value.values():
            yield from leaves(member)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)
