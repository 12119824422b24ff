"""Names of calls: the title of their action, and a line that distinguishes calls of one action. The
line names the recipient and subject of a message, or the first meaningful inputs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from jackfield.kernel.markup import Node
from jackfield.kernel.pointers import cut
from jackfield.kernel.walk import Nodes, extension, is_secret, nodes
from jackfield.manifest.manifest import ActionManifest
from jackfield.redaction.marks import MASK
from jackfield_service.shell.pages.layout.components import h
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_store.journal.contents import Called
from jackfield_store.management.readable_inputs import ReadableInputs

RERUN_OF = "rerunOf"
"""Label of a repeated invocation with changed inputs: the ID of the earlier invocation."""
_PARTS = 3
_LONGEST = 60
_FEW = 3
_SHORT = 13
"""Number of characters of an ID that distinguish calls of different milliseconds."""
_MEMBERS = 40
"""Maximum number of inputs of one call that are considered."""


class Labelled(Called, Protocol):
    """Call with the labels of its context."""

    @property
    def context(self) -> Mapping[str, Any]:
        """Context of the invocation."""


def readable_inputs(request: PageRequest, calls: Sequence[Called]) -> dict[str, Any]:
    """Return the inputs of visible calls by ID, as far as the visitor may read them: recorded
    inputs, and inputs of waiting calls.
    """
    runtime = request.runtime
    if runtime.journal is None:
        return {}
    keeps, decides = runtime.access.settings.keep_inputs, request.may("approve")
    return ReadableInputs(
        runtime.journal,
        runtime.pipeline.known,
        runtime.catalog,
        keeps=keeps,
        decides=decides,
        is_bound=request.identity.caller.owner is not None,
    ).of(calls)


def named(request: PageRequest, calls: Sequence[Labelled]) -> dict[str, Node]:
    """Return the name of each call by its ID, as a link to its page, with its connector. A line
    distinguishes similar calls: by readable inputs, else by labels.
    """
    found = readable_inputs(request, calls)
    return {call.id: _link_with_gist(request, call, found.get(call.id)) for call in calls}


def name_of(request: PageRequest, call: Labelled) -> str:
    """Return the name of a call: the title of its action, or of the program's own function; for an
    action that is not installed, the action's key.
    """
    title, action = call.context.get("title"), action_of(request, call.connector, call.action)
    return title if isinstance(title, str) else call.action if action is None else action.title


def action_of(request: PageRequest, connector: str, action: str) -> ActionManifest | None:
    """Return an installed action; None if the visitor may see none of this name."""
    manifest = request.catalog.look(connector)[1]
    return None if manifest is None else manifest.actions.get(action)


def telling_inputs(request: PageRequest, call: Labelled) -> tuple[dict[str, Any], str]:
    """Return the inputs that distinguish a call, by name, and its recipients, as far as the visitor
    may read them.
    """
    action, inputs = (
        action_of(request, call.connector, call.action),
        readable_inputs(request, [call]).get(call.id),
    )
    schema = action.inputs if action else {}
    told = list(_telling(schema, inputs)) if isinstance(inputs, Mapping) else []
    return dict(told[:_PARTS]), ", ".join(
        _text(value) for name, value in told if _is_recipient(_nodes(schema, name))
    )


def _link_with_gist(request: PageRequest, call: Labelled, inputs: Any) -> Node:
    action = action_of(request, call.connector, call.action)
    schema = action.inputs if action else {}
    parts = (
        [_text(value) for _, value in _telling(schema, inputs)]
        if isinstance(inputs, Mapping)
        else []
    )
    parts = parts or _labelled(call.context.get("labels") or {})
    gist = " · ".join(cut(part, _LONGEST) for part in parts[:_PARTS])
    name = h.a(h.strong(name_of(request, call)), href=f"/invocations/{call.id}")
    return [
        name,
        " ",
        h.span(call.connector, class_="muted small"),
        h.span(gist, class_="gist") if gist else None,
    ]


def _labelled(labels: Mapping[str, Any]) -> list[str]:
    """Return the labels of a call, or a sentence for a repeated call with changed inputs."""
    if RERUN_OF in labels:
        return [f"Run again of {str(labels[RERUN_OF])[:_SHORT]}…"]
    return [f"{name}={value}" for name, value in labels.items()]


def _telling(schema: Mapping[str, Any], inputs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the distinguishing inputs: recipients first, then required inputs in the author's
    order, and last inputs that the connection could provide, such as a region. Secrets and defaults
    distinguish no call.
    """
    required = schema.get("required", ())
    places = {name: place for place, name in enumerate(schema.get("properties", {}))}
    known = [(name, _nodes(schema, name)) for name in list(inputs)[:_MEMBERS]]
    for name, found in sorted(known, key=lambda pair: _rank(pair, required, places)):
        value = inputs[name]
        if any(is_secret(node) or node.get("default") == value for node in found):
            continue
        if _text(value).replace(MASK, "").strip(", "):  # not masked as a whole
            yield name, value


def _nodes(schema: Mapping[str, Any], name: str) -> Nodes:
    return nodes(schema, schema.get("properties", {}).get(name, {}))


def _is_recipient(found: Nodes) -> bool:
    return any(extension(node).get("recipient") for node in found)


def _rank(
    pair: tuple[str, Nodes], required: Sequence[str], places: Mapping[str, int]
) -> tuple[bool, bool, bool, float]:
    name, found = pair
    is_brought = any("fromConnection" in extension(node) for node in found)
    return not _is_recipient(found), is_brought, name not in required, places.get(name, math.inf)


def _text(value: Any) -> str:
    """Return a string or a number as displayed, and the first items of a list; an empty string for
    other values.
    """
    if isinstance(value, list):
        texts = [text for text in map(_text, value[:_FEW]) if text]
        return ", ".join(texts) + (
            f" and {len(value) - _FEW} more" if texts and len(value) > _FEW else ""
        )
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return " ".join(str(value)[: _LONGEST * 2].split())
