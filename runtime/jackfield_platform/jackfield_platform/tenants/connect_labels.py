"""A platform's own words for connection types and their fields: plain texts, or one for each language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.connections.locales import LOCALES

LABELS = (
    'must be {type: {"title", "description", "fields": {name: {"title", "description"}}}}, 50 types at most, with short texts, or '
    f"{{language: text}} with {' and '.join(LOCALES)} for each"
)
"""What is wrong with labels that are of another shape."""
_MOST = 50
_LONGEST = 500
_TEXTS = ("title", "description")


def are_labels(value: Any) -> bool:
    """Return whether these are words for types, ``{type: {"title", "description", "fields": {field: {"title", "description"}}}}``."""
    return isinstance(value, dict) and len(value) <= _MOST and all(_is_label(item) for item in value.values())


def in_language(label: Mapping[str, Any], locale: str) -> dict[str, Any]:
    """Return the words for one type in one language; a text that is not there in it is shown in the first language that it has."""
    fields = {name: in_language(field, locale) for name, field in label.get("fields", {}).items()}
    texts = {name: _text(label[name], locale) for name in _TEXTS if name in label}
    return texts | ({"fields": fields} if fields else {})


def _text(value: str | Mapping[str, str], locale: str) -> str:
    if isinstance(value, str):
        return value
    return next(value[one] for one in (locale, *LOCALES) if one in value)


def _is_label(value: Any, *, inner: bool = False) -> bool:
    if not isinstance(value, dict) or value.keys() - {*_TEXTS, *(() if inner else ("fields",))}:
        return False
    fields = value.get("fields", {})
    fits = all(_is_text(value.get(name, "")) for name in _TEXTS)
    return fits and isinstance(fields, dict) and len(fields) <= _MOST and all(_is_label(item, inner=True) for item in fields.values())


def _is_text(value: Any) -> bool:
    """Return whether this is a short text, or one for some of the languages."""
    if isinstance(value, dict):
        return bool(value) and not value.keys() - {*LOCALES} and all(isinstance(text, str) and _is_text(text) for text in value.values())
    return isinstance(value, str) and len(value) <= _LONGEST
