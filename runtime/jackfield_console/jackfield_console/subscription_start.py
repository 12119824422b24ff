"""Invocations that the events of a subscription start: the action is searched, then its connection and inputs are entered in the form.

The inputs are JSON with places of the event, which the form offers, so that it works without scripts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jackfield.invocation import decode
from jackfield.kernel.errors import Detail, InvalidInvocation
from jackfield.kernel.markup import Markup, Node, terms
from jackfield.kernel.pointers import cut
from jackfield.manifest.manifest import ActionManifest
from jackfield.manifest.triggers import TriggerManifest
from jackfield_console.action import EMPTY, fitting_connections
from jackfield_console.action_choice import chooser, chosen_action
from jackfield_console.layout.components import card, code_block, field, h, json_text, lines_field
from jackfield_console.layout.page_request import PageRequest
from jackfield_platform.triggers.event_places import known_places

_PLACES = 60
_EVENT = "$event"


def start_fields(
    request: PageRequest, trigger: TriggerManifest, address: str, name: str | None, begun: Mapping[str, Any] = EMPTY
) -> Iterator[tuple[str, Node]]:
    """Yield the fields of what each event starts, by the members that their faults name; without an action, the link that chooses one.
    ``begun`` is what it has started so far."""
    choose = chooser(f"{address}&then=", "Start an invocation with each event" if name is None else "Choose another")
    if name is None:
        yield "then", h.p(choose)
        return
    connector, _, key = name.partition("/")
    manifest, action = chosen_action(request, connector, key)
    shown = h.a(h.code(name), href=f"/connectors/{connector}/actions/{key}", target="_blank")
    yield "then/action", [h.input(type="hidden", name="then", value=name), h.p("Each event starts ", shown, ". ", choose)]
    if manifest.connection_types and action.needs_connection:
        rows = [(row["name"], row["name"]) for row in fitting_connections(request, manifest, action)]
        yield (
            "then/connection",
            connection_field(connector, "thenConnection", f"Connection to {manifest.title}", rows, begun.get("connection")),
        )
    place = json.dumps({_EVENT: next(iter(known_places(trigger)))})
    hint = ["JSON. ", h.code(place), " is a value of the event, to be chosen below; ", h.code('{"$text": […]}'), " joins several."]
    yield (
        "then/inputs",
        lines_field("thenInputs", "Its inputs", json_text(begun["inputs"]).splitlines() if begun else _begun(action), hint, rows=8),
    )
    yield "then/places", _places(trigger)


def connection_field(connector: str, name: str, label: str, rows: list[tuple[str, str]], chosen: str | None = None) -> Markup:
    """Render a choice of connections, none of several chosen unless one is ``chosen``, with the dialog that adds one."""
    choices = rows if len(rows) == 1 else [("", "Choose a connection" if rows else "No connections yet"), *rows]
    selected = chosen if chosen in dict(choices) else choices[0][0]
    picker = h.select([h.option(text, value=value, selected=value == selected) for value, text in choices], id=name, name=name)
    create = h.button(
        "New connection", type="button", data_dialog="new-connection", data_picker=name, hx_get=f"/new-connection?connector={connector}&inside=1",
        hx_target="#new-connection-body",
    )  # fmt: skip
    return field(name, label, h.div(picker, create, class_="joined"))


def read_start(form: Mapping[str, str]) -> dict[str, Any] | None:
    """Read ``then`` of a subscription from the fields of the form; None if its events start nothing.

    :raises InvalidInvocation: if no connection was chosen, or the inputs are not JSON.
    """
    name = form.get("then", "").strip()
    if not name:
        return None
    connector, _, action = name.partition("/")
    connection = form.get("thenConnection", "").strip()
    if "thenConnection" in form and not connection:
        raise _invalid("connection", "is missing: choose the connection that the action uses")
    try:
        inputs = decode(form.get("thenInputs", "").strip() or "{}")
    except InvalidInvocation as error:
        raise _invalid("inputs", error.message) from None
    found = {"connector": connector, "action": action, "inputs": inputs}
    return {**found, "connection": connection} if connection else found


def _invalid(name: str, message: str) -> InvalidInvocation:
    return InvalidInvocation("1 member of what each event starts is not valid", details=[Detail(f"/then/{name}", message)])


def start_card(name: str, then: Mapping[str, Any]) -> Markup:
    """Render what each event of a subscription starts, and where those invocations are."""
    connection, called = then.get("connection"), f"{then['connector']}/{then['action']}"
    about: list[tuple[str, Node]] = [
        ("Action", h.a(h.code(called), href=f"/connectors/{then['connector']}/actions/{then['action']}")),
        ("Connection", h.a(connection, href=f"/connections/{connection}") if connection else "none"),
        ("Invocations", h.a("Those that it has started", href=f"/invocations?label=subscription={name}")),
    ]
    return card("Starts", terms(about), code_block(json_text(then["inputs"]), "Inputs of what each event starts"))


def _begun(action: ActionManifest) -> list[str]:
    """Return the inputs to begin with: those that a call needs, empty."""
    known = action.inputs.get("properties", {})
    needed = [name for name in action.inputs.get("required", ()) if "default" not in known.get(name, {})]
    return json_text(dict.fromkeys(needed, "")).splitlines()


def _places(trigger: TriggerManifest) -> Markup:
    """Render the places of an event, with values of the trigger's samples; a script inserts the one that is clicked."""
    rows = [
        h.li(
            h.button(path, type="button", class_="quiet", data_insert=json.dumps({_EVENT: path}), data_into="thenInputs"),
            None if value is None else [" ", h.span(cut(str(value)), class_="muted small")],
        )
        for path, value in list(known_places(trigger).items())[:_PLACES]
    ]
    return h.details(h.summary("Values of the event"), h.p("Click one to insert it."), h.ul(rows), class_="further", open=True)
