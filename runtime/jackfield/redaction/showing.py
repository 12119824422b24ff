"""Masked copies of connections and inputs for display."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.redaction.marks import is_reference, is_secret, keeps_last4
from jackfield.redaction.redactor import MASK
from jackfield.schema_walk import Nodes, Schema, members, nodes
from jackfield.url_passwords import without_password

__all__ = ["masked"]

_MIN_FOR_LAST4 = 9
"""Minimum length for showing the last 4 characters: with fewer, half of the value would be visible."""


def masked(schema: Schema, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of ``values`` for display.

    Secrets become ``***``; the structure and null are preserved. ``"x-jackfield": {"mask": "last4"}`` keeps the last 4 characters of 9 or
    more (``****MPLE``); a node that is also marked secret is masked whole. Secret references are shown as they are. Unmarked values are
    too, except for the user name and password of a URL (``https://***@host``), and for members that a closed object does not define: they
    may be misspelt secrets, and are masked.
    """
    shown: dict[str, Any] = _shown(schema, nodes(schema, schema), values)
    return shown


def _shown(root: Schema, applying: Nodes | None, value: Any) -> Any:
    if is_reference(value):
        return _copied(value)
    if applying is None or is_secret(applying):
        return _mask_all(value)
    if keeps_last4(applying) and not isinstance(value, Mapping | list | tuple | None):
        return _last4(str(value).strip())
    if isinstance(value, Mapping):
        return {name: _shown(root, known, member) for name, known, member in members(root, applying, value)}
    if isinstance(value, list | tuple):
        return [_shown(root, known, item) for _, known, item in members(root, applying, value)]
    return without_password(value) if isinstance(value, str) else value


def _mask_all(value: Any) -> Any:
    if is_reference(value):
        return _copied(value)
    if isinstance(value, Mapping):
        return {name: _mask_all(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_mask_all(item) for item in value]
    return None if value is None else MASK


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copied(member) for name, member in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list | tuple) else value


def _last4(text: str) -> str:
    return f"****{text[-4:]}" if len(text) >= _MIN_FOR_LAST4 else MASK
