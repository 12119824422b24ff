"""Choice of a connection, and so of its account, in forms that start calls.

A form of a stored call, such as a schedule's, never replaces a deleted connection by another: that
would move the call to another account.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jackfield.kernel.errors import Detail, InvalidInput, JackfieldError
from jackfield.kernel.hints import NextStep
from jackfield.kernel.markup import Markup, Node
from jackfield.manifest.manifest import ActionManifest, Manifest
from jackfield_service.shell.pages.layout.action_choice import dialog
from jackfield_service.shell.pages.layout.components import field, h
from jackfield_service.shell.pages.layout.page_request import PageRequest

_MOST = 1000
_SHORT = 30
_FIELD = "connection"
_MEMBER = "/connection"
_PLACE = "call:connection"
"""Name of the choice at which faults are displayed, next to the inputs' names."""


def fitting_connections(
    request: PageRequest, manifest: Manifest, action: ActionManifest, stored: str = ""
) -> list[dict[str, Any]]:
    """List the connections whose type can serve the action: the first by name, and the ``stored``
    connection.
    """
    if not manifest.connection_types:
        return []
    rows = request.stored_connections(_MOST)
    if stored and not request.is_silent and all(row["name"] != stored for row in rows):
        rows += _rows_of(request, stored)
    found = []
    for row in rows:
        kind = manifest.connection_type(row["type"])
        if kind is not None and kind.can_serve(action.key):
            found.append(row)
    return found


def connection_field(
    request: PageRequest,
    connector: str,
    rows: Sequence[Mapping[str, Any]],
    stored: str = "",
    name: str = _FIELD,
    label: str = "Connection",
    hint: str | None = None,
) -> Markup:
    """Render a choice among connections, with the button of the dialog that adds one.

    The ``stored`` connection is chosen; if it is gone, none is chosen, and a note names it. Without
    a stored one, the only connection is chosen.
    """
    gone = bool(stored) and not request.is_silent and all(row["name"] != stored for row in rows)
    chosen = (
        ""
        if gone
        else stored
        if any(row["name"] == stored for row in rows)
        else rows[0]["name"]
        if len(rows) == 1
        else ""
    )
    unchosen = (
        "Choose a connection"
        if rows
        else "Not known now"
        if request.is_silent
        else "No connections yet"
    )
    options = [] if chosen else [h.option(unchosen, value="", selected=True)]
    options += [
        h.option(
            _label(row),
            value=row["name"],
            selected=row["name"] == chosen,
            data_values=json.dumps(row["values"]),
        )
        for row in rows
    ]
    described = (
        " ".join(filter(None, (f"{name}-hint" if hint else "", f"{name}-gone" if gone else "")))
        or None
    )
    picker = h.select(
        options,
        id=name,
        name=name,
        required=gone,
        data_gone=stored if gone else None,
        aria_describedby=described,
    )
    create = h.button(
        "New connection",
        type="button",
        data_dialog="new-connection",
        data_picker=name,
        hx_get=f"/new-connection?connector={connector}&inside=1",
        hx_target="#new-connection-body",
        disabled=not request.may("manage"),
    )
    return field(
        name,
        label,
        h.join(
            [
                _gone(stored, f"{name}-gone") if gone else None,
                h.div(picker, create, class_="joined"),
            ]
        ),
        hint,
    )


def call_connection(
    request: PageRequest, manifest: Manifest, rows: Sequence[Mapping[str, Any]], stored: str
) -> Node:
    """Render the choice of a call's connection, where the fault of ``refuse_unchosen`` appears;
    None if its connector has no connections.
    """
    if not manifest.connection_types:
        return None
    choice = connection_field(
        request, manifest.key, rows, stored, hint="The account that the action uses."
    )
    return h.div(choice, data_schemapath=f"inputs.{_PLACE}")


def refuse_unchosen(form: Mapping[str, str], call: Mapping[str, Any]) -> None:
    """Refuse a call whose connection is gone, if no other was chosen: the page's script sends the
    name of the deleted connection.

    :raises InvalidInput: for a call over a deleted connection, with the fault at the choice.
    """
    gone = call.get("connection")
    if gone and form.get(_FIELD) == "":
        fault = Detail(f"/{_PLACE}", f"is missing: “{str(gone)[:100]}” cannot be used any more")
        raise InvalidInput(
            "no connection is chosen",
            details=[fault],
            hint="Choose the connection that the action is to use.",
        )


def unchosen(form: Mapping[str, str], error: JackfieldError | None) -> JackfieldError | None:
    """Return the refusal of a call without a connection as a fault at the form's choice; None for
    another error.
    """
    if (
        error is None
        or form.get(_FIELD) != ""
        or all(item.path != _MEMBER for item in error.details)
    ):
        return None
    has_none = isinstance(error.hint, NextStep)  # else connections to choose from
    fault = Detail(
        f"/{_PLACE}", "Create a connection first." if has_none else "Choose a connection."
    )
    return InvalidInput(
        "no connection is chosen", details=[fault], hint=error.hint if has_none else None
    )


def shown_at_choice(path: str) -> str | None:
    """Return the form's path of a fault of an invocation's connection; None for any other fault."""
    return f"/{_PLACE}" if path == _MEMBER else None


def connection_dialog() -> Markup:
    """Render the dialog that adds a connection, next to a form with a choice of connection."""
    return dialog("new-connection", "New connection")


def _gone(name: str, identifier: str) -> Markup:
    text = (
        f"“{name}” is not there any more, or cannot be used here. Choose the connection to "
        "use instead."
    )
    return h.p(text, class_="notice warn", id=identifier)


def _rows_of(request: PageRequest, name: str) -> list[dict[str, Any]]:
    try:
        return [request.connections.show(name)]
    except JackfieldError:
        return []


def _label(row: Mapping[str, Any]) -> str:
    account = row.get("account") or {}
    known = [str(account[name]) for name in ("label", "id") if account.get(name)]
    # an ARN would not fit
    account_text = next((text for text in known if len(text) <= _SHORT), row["type"])
    return f"{row['name']}, {account_text}" + (
        " (failing)" if row.get("status") == "failing" else ""
    )
