"""A line that tells calls of one action apart in a list: whom a message goes to and what it is about, or the first inputs that say something."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from jackfield.kernel.markup import Node
from jackfield.kernel.pointers import cut
from jackfield.kernel.walk import Nodes, extension, is_secret, nodes
from jackfield.redaction.marks import MASK
from jackfield_service.shell.pages.layout.components import h
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_store.journal.contents import Called
from jackfield_store.management.readable_inputs import ReadableInputs

_PARTS = 3
_LONGEST = 60
_FEW = 3
"""Items of a list that are shown."""
_MEMBERS = 40
"""Inputs of one call that are looked at."""


class Labelled(Called, Protocol):
    """Call with the labels of its context."""

    @property
    def context(self) -> Mapping[str, Any]:
        """Context of the invocation."""


def readable_inputs(request: PageRequest, calls: Sequence[Called]) -> dict[str, Any]:
    """Return the inputs of calls that the visitor sees, by ID, as far as he may read them: recorded ones, and of calls that wait."""
    runtime = request.runtime
    if runtime.journal is None:
        return {}
    keeps, decides = runtime.access.settings.keep_inputs, request.may("approve")
    return ReadableInputs(runtime.journal, runtime.pipeline.known, runtime.catalog, keeps=keeps, decides=decides).of(calls)


def gists(request: PageRequest, calls: Sequence[Labelled]) -> dict[str, Node]:
    """Return the line of each call that has one, by its ID: of its inputs, as far as the visitor may read them, else of its labels. A
    call of a program's own function has its title first."""
    found = readable_inputs(request, calls)
    texts = {call.id: _gist(request, call, found.get(call.id)) for call in calls}
    return {identifier: h.span(text, class_="gist") for identifier, text in texts.items() if text}


def _gist(request: PageRequest, call: Labelled, inputs: Any) -> str:
    titles = [title] if isinstance(title := call.context.get("title"), str) else []  # of a function of the program
    parts = [*titles, *(_parts(_schema(request, call), inputs) if isinstance(inputs, Mapping) else ())]
    if len(parts) == len(titles):
        parts += [f"{name}={value}" for name, value in (call.context.get("labels") or {}).items()]
    return " · ".join(cut(part, _LONGEST) for part in parts[:_PARTS])


def _schema(request: PageRequest, call: Called) -> Mapping[str, Any]:
    manifest = request.catalog.look(call.connector)[1]
    action = None if manifest is None else manifest.actions.get(call.action)
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
        if text.replace(MASK, "").strip(", "):  # not masked as a whole
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
