"""Hints with JSON in them, readable: the sentence as text, the document formatted and ready to copy."""

from __future__ import annotations

import json
from collections.abc import Iterator

from jackfield.surfaces.console.components import code_block, json_text
from jackfield.surfaces.console.markup import Markup, Node, h

__all__ = ["cure"]

_EXTERNAL_ID = "<the External ID of this connection>"
"""The placeholder in hints, which are journaled and logged; a connection's own page shows the value."""


def cure(hint: str, external_id: str | None = None) -> Markup:
    """Show a hint; ``external_id`` replaces the placeholder for it."""
    text = hint.replace(_EXTERNAL_ID, external_id) if external_id else hint
    return h.div([_shown(part) for part in _parts(text)], class_="hint-next stack")


def _shown(part: object) -> Node:
    return h.p(part) if isinstance(part, str) else code_block(json_text(part), "What is needed")


def _parts(text: str) -> Iterator[object]:
    """Yield the text around the first JSON object, and the object."""
    decoder, begin = json.JSONDecoder(), text.find("{")
    try:
        found, end = decoder.raw_decode(text, begin) if begin >= 0 else ({}, -1)
    except (ValueError, RecursionError):
        found = {}
    if not found:
        yield f"What to do: {text}"
        return
    yield f"What to do: {text[:begin].strip()}"
    yield found
    rest = text[end:].strip()
    if rest:
        yield rest
