"""Invocations that the events of a subscription start: a search selects the action, then its
connection and inputs are entered in the form.

Fields of the action accept the inputs, and places of the event in them: ``{{/data/payload/id}}``.
Values without a field are JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jackfield.invocation import decode
from jackfield.kernel.errors import Detail, InvalidInvocation
from jackfield.kernel.markup import Markup, Node, terms
from jackfield.kernel.pointers import cut
from jackfield.manifest.manifest import ActionManifest, Manifest
from jackfield_service.shell.pages.layout.action_choice import action_field, chooser, chosen_action
from jackfield_service.shell.pages.layout.components import (
    card,
    check_field,
    code_block,
    h,
    json_text,
    lines_field,
    schema_editor,
)
from jackfield_service.shell.pages.layout.connection_choice import (
    connection_field,
    fitting_connections,
)
from jackfield_service.shell.pages.layout.form_schema import call_schema
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.subjects.invocations.pages.action import EMPTY

_PLACES = 60
_EVENT = "$event"
_CONNECTION = "thenConnection"
FIELDS = "inputs.subscription:then.inputs"
"""Path of the fields in the form, at which faults of the started call appear."""


def start_fields(
    request: PageRequest,
    places: Mapping[str, Any],
    address: str,
    name: str | None,
    begun: Mapping[str, Any] = EMPTY,
) -> Iterator[tuple[str, Node]]:
    """Yield the fields of the call that each event starts, by the members in their faults; without
    an action, a search for one. ``places`` are the event's places with their known values,
    ``begun`` is the stored call.
    """
    if name is None:
        yield "then", action_field("Start an invocation with each event")
        return
    choose = chooser(f"{address}&then=", "Choose another")
    connector, _, key = name.partition("/")
    manifest, action = chosen_action(request, connector, key)
    shown = h.a(h.code(name), href=f"/connectors/{connector}/actions/{key}", target="_blank")
    yield (
        "then/action",
        [
            h.input(type="hidden", name="then", value=name),
            h.p("Each event starts ", shown, ". ", choose),
        ],
    )
    if manifest.connection_types and action.needs_connection:
        stored, label = str(begun.get("connection") or ""), f"Connection to {manifest.title}"
        rows = fitting_connections(request, manifest, action, stored)
        yield (
            "then/connection",
            connection_field(request, connector, rows, stored, _CONNECTION, label),
        )
    yield "then/inputs", _inputs(manifest, action, places, begun)


def _inputs(
    manifest: Manifest, action: ActionManifest, places: Mapping[str, Any], begun: Mapping[str, Any]
) -> Markup:
    """Render the inputs: the fields of the action, each with the places of the event, or JSON for
    values without a field.
    """
    given = begun.get("inputs") or {}
    shown = list(places.items())[:_PLACES]
    offered = json.dumps(
        [[path, None if value is None else cut(str(value))] for path, value in shown]
    )
    depends = {
        row["key"]: row["dependsOn"]
        for row in manifest.raw.get("optionSources", ())
        if "dependsOn" in row
    }
    depends["*"] = [name for name, _ in action.content.defaults]
    editor = schema_editor(
        FIELDS,
        _drawn(action),
        given,
        manifest.key,
        aria_labelledby="then-heading",
        data_places=offered,
        data_depends=json.dumps(depends),
        data_connection=_CONNECTION,
    )
    place = next(iter(places))
    about = [
        "Text may have values of the event, such as ",
        h.code(f"{{{{{place}}}}}"),
        ". A value that an event does not have is left out.",
    ]
    hint = [
        "JSON. ",
        h.code(json.dumps({_EVENT: place})),
        " is a value of the event; ",
        h.code('{"$text": […]}'),
        " joins several.",
    ]
    return h.div(
        h.h2("Its inputs", id="then-heading"),
        h.input(type="hidden", name="thenFields", value=json.dumps(given), data_collected=FIELDS),
        h.div(h.p(about, class_="muted"), editor, class_="by-fields stack"),
        check_field("as-json", "Write them as JSON", False),
        h.div(
            lines_field(
                "thenInputs",
                "Inputs as JSON",
                json_text(given).splitlines() if begun else _begun(action),
                hint,
                rows=8,
            ),
            _places(shown),
            class_="by-json stack",
        ),
        class_="stack",
    )


def _drawn(action: ActionManifest) -> dict[str, Any]:
    """Return the fields of the action. A checkbox, which cannot contain a place of the event,
    becomes a choice.
    """
    drawn = call_schema(action)
    waiting = [drawn]
    while waiting:
        node = waiting.pop()
        options = node.get("options", {})
        if options.get("kind") == "boolean":
            options["kind"] = "yes-no"
        waiting += [
            *node.get("properties", {}).values(),
            *options.get("forms", ()),
            *([options["part"]] if "part" in options else []),
        ]
    return drawn


def read_start(form: Mapping[str, str]) -> dict[str, Any] | None:
    """Read ``then`` of a subscription from the fields of the form; None if its events start no
    invocation.

    :raises InvalidInvocation: if no connection was chosen, or the inputs are not JSON.
    """
    name = form.get("then", "").strip()
    if not name:
        return None
    connector, _, action = name.partition("/")
    connection = form.get(_CONNECTION, "").strip()
    if _CONNECTION in form and not connection:
        raise _invalid("connection", "is missing: choose the connection that the action uses")
    text = (
        form.get("thenInputs", "")
        if form.get("as-json") == "on"
        else form.get("thenFields", form.get("thenInputs", ""))
    )
    try:
        inputs = decode(text.strip() or "{}")
    except InvalidInvocation as error:
        raise _invalid("inputs", error.message) from None
    found = {"connector": connector, "action": action, "inputs": inputs}
    return {**found, "connection": connection} if connection else found


def _invalid(name: str, message: str) -> InvalidInvocation:
    return InvalidInvocation(
        "1 member of what each event starts is not valid",
        details=[Detail(f"/then/{name}", message)],
    )


def start_card(name: str, then: Mapping[str, Any]) -> Markup:
    """Render the call that each event of a subscription starts, and the link to these calls."""
    connection, called = then.get("connection"), f"{then['connector']}/{then['action']}"
    about: list[tuple[str, Node]] = [
        (
            "Action",
            h.a(h.code(called), href=f"/connectors/{then['connector']}/actions/{then['action']}"),
        ),
        (
            "Connection",
            h.a(connection, href=f"/connections/{connection}") if connection else "none",
        ),
        (
            "Invocations",
            h.a("Those that it has started", href=f"/invocations?label=subscription={name}"),
        ),
    ]
    return card(
        "Starts",
        terms(about),
        code_block(json_text(then["inputs"]), "Inputs of what each event starts"),
    )


def _begun(action: ActionManifest) -> list[str]:
    known = action.inputs.get("properties", {})
    needed = [
        name for name in action.inputs.get("required", ()) if "default" not in known.get(name, {})
    ]
    return json_text(dict.fromkeys(needed, "")).splitlines()


def _places(places: Iterable[tuple[str, Any]]) -> Markup:
    """Render the places of an event, with sample values; a script inserts the clicked one."""
    rows = [
        h.li(
            h.button(
                path,
                type="button",
                class_="quiet",
                data_insert=json.dumps({_EVENT: path}),
                data_into="thenInputs",
            ),
            None if value is None else [" ", h.span(cut(str(value)), class_="muted small")],
        )
        for path, value in places
    ]
    return h.details(
        h.summary("Values of the event"),
        h.p("Click one to insert it."),
        h.ul(rows),
        class_="further",
        open=True,
    )
