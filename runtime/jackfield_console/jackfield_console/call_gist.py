"""A line that tells calls of one action apart in a list: whom a message goes to and what it is about, or the first inputs that say something."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jackfield.invocation.entry import Entry
from jackfield.kernel.markup import Node
from jackfield.kernel.pointers import cut
from jackfield.kernel.walk import Nodes, extension, is_secret, nodes
from jackfield_console.layout.components import h
from jackfield_console.layout.page_request import PageRequest

_PARTS = 3
_LONGEST = 60
_FEW = 3
"""Items of a list that are shown."""
_MEMBERS = 40
"""Inputs of one call that are looked at."""


def gists(request: PageRequest, entries: Sequence[Entry]) -> dict[str, Node]:
    """Return the line of each entry that has one, by its ID: of its recorded inputs, else of its labels."""
    recorded = request.journal.recorded_inputs(entries)
    found = {entry.id: _gist(request, entry, recorded.get(entry.id)) for entry in entries}
    return {identifier: h.span(text, class_="gist") for identifier, text in found.items() if text}


def _gist(request: PageRequest, entry: Entry, inputs: Any) -> str:
    parts = list(_parts(_schema(request, entry), inputs)) if isinstance(inputs, Mapping) else []
    if not parts:
        parts = [f"{name}={value}" for name, value in (entry.context.get("labels") or {}).items()]
    return " · ".join(cut(part, _LONGEST) for part in parts[:_PARTS])


def _schema(request: PageRequest, entry: Entry) -> Mapping[str, Any]:
    manifest = request.catalog.look(entry.connector)[1]
    action = None if manifest is None else manifest.actions.get(entry.action)
    return {} if action is None else action.inputs


def _parts(schema: Mapping[str, Any], inputs: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts of inputs: recipients first, then those that are required, in the author's order, and last what the connection could
    bring, such as a region. Secrets and defaults tell no call apart."""
    declared, required = schema.get("properties", {}), schema.get("required", ())
    places = {name: place for place, name in enumerate(declared)}
    known = [(name, nodes(schema, declared.get(name, {}))) for name in list(inputs)[:_MEMBERS]]
    for name, found in sorted(known, key=lambda pair: _rank(pair, required, places)):
        value = inputs[name]
        if any(is_secret(node) or node.get("default") == value for node in found):
            continue
        text = _text(value)
        if text:
            yield text


def _rank(pair: tuple[str, Nodes], required: Sequence[str], places: Mapping[str, int]) -> tuple[bool, bool, bool, float]:
    name, found = pair
    marks = [extension(node) for node in found]
    is_recipient, is_brought = any(mark.get("recipient") for mark in marks), any("fromConnection" in mark for mark in marks)
    return not is_recipient, is_brought, name not in required, places.get(name, math.inf)


def _text(value: Any) -> str:
    """Return a text or a number as it is, and the first ones of a list; nothing of others."""
    if isinstance(value, list):
        texts = [text for text in map(_text, value[:_FEW]) if text]
        return ", ".join(texts) + (f" and {len(value) - _FEW} more" if texts and len(value) > _FEW else "")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return " ".join(str(value)[: _LONGEST * 2].split())
