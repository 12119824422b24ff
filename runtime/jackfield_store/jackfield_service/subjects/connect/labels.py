"""A platform's own words for connection types and their fields: plain texts, or one text for each
language.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.connections.locales import LOCALES

LABELS = (
    'must be {type: {"title", "description", "setup", "fields": {name: {"title", '
    '"description"}}}}, 50 types at most, with short texts, or '
    f"{{language: text}} with {' and '.join(LOCALES)} for each"
)
"""Fault of malformed labels."""
_MOST = 50
_TEXTS = {"title": 500, "description": 500}
"""Texts of a type and of a field, with their maximum lengths."""
_OF_TYPES = {**_TEXTS, "setup": 4_000}
"""Texts of a type, with their maximum lengths. ``setup`` is Markdown that explains where a person
finds the values.
"""


def are_labels(value: Any) -> bool:
    """Return whether a value has the form of words for types: ``{type: {"title", "description",
    "setup", "fields": {field: {"title", …}}}}``.
    """
    return (
        isinstance(value, dict)
        and len(value) <= _MOST
        and all(_is_label(item) for item in value.values())
    )


def in_language(label: Mapping[str, Any], locale: str) -> dict[str, Any]:
    """Return the words for one type in one language; a missing translation is replaced by the
    text's first language.
    """
    fields = {name: in_language(field, locale) for name, field in label.get("fields", {}).items()}
    texts = {name: _text(label[name], locale) for name in _OF_TYPES if name in label}
    return texts | ({"fields": fields} if fields else {})


def _text(value: str | Mapping[str, str], locale: str) -> str:
    if isinstance(value, str):
        return value
    return next(value[one] for one in (locale, *LOCALES) if one in value)


def _is_label(value: Any, *, inner: bool = False) -> bool:
    texts = _TEXTS if inner else _OF_TYPES
    if not isinstance(value, dict) or value.keys() - {*texts, *(() if inner else ("fields",))}:
        return False
    fields = value.get("fields", {})
    fits = all(_is_text(value.get(name, ""), longest) for name, longest in texts.items())
    return (
        fits
        and isinstance(fields, dict)
        and len(fields) <= _MOST
        and all(_is_label(item, inner=True) for item in fields.values())
    )


def _is_text(value: Any, longest: int) -> bool:
    """Return whether a value is a string of at most ``longest`` characters, or has such a string
    for some of the languages.
    """
    if isinstance(value, dict):
        texts = value.values()
        return (
            bool(value)
            and not value.keys() - {*LOCALES}
            and all(isinstance(text, str) and _is_text(text, longest) for text in texts)
        )
    return isinstance(value, str) and len(value) <= longest
