"""Form of an action: connection, inputs, idempotency key and timeout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jackfield.invocation import DEFAULT_TIMEOUT, MAX_TIMEOUT
from jackfield.manifest import ActionManifest, Manifest
from jackfield.surfaces.console.components import csrf_field, field
from jackfield.surfaces.console.form_schema import form_schema
from jackfield.surfaces.console.markup import Markup, h
from jackfield.surfaces.console.page_request import PageRequest

_MOST = 1000
_SHORT = 30


def fitting_connections(request: PageRequest, manifest: Manifest, action: ActionManifest) -> list[dict[str, Any]]:
    """List the connections whose type can serve the action."""
    if not manifest.connection_types:
        return []
    found = []
    for row in request.connections.list(limit=_MOST).items:
        kind = manifest.connection_type(row["type"])
        if kind is not None and kind.can_serve(action.key):
            found.append(row)
    return found


def action_form(
    request: PageRequest,
    action: ActionManifest,
    begin: Mapping[str, Any],
    choices: list[dict[str, Any]],
    address: str,
    *,
    has_example: bool,
) -> Markup:
    """Build the form; ``begin`` holds its initial values, ``choices`` the connections that can serve the action."""
    schema = form_schema(action.inputs)
    runs = request.may("invoke")
    buttons = [
        h.button(
            "Run", name="mode", value="run", class_="primary", disabled=not runs, title="Ctrl+Enter", aria_keyshortcuts="Control+Enter"
        ),
        h.button("Dry run", name="mode", value="dry", disabled=not runs, title="Validates and connects, but does not run the action"),
        h.span("Running…", class_="busy-note", role="status"),
        None if runs else h.span("Your token is not allowed to run actions.", class_="muted"),
    ]
    return h.form(
        csrf_field(request.csrf),
        h.input(type="hidden", name="invocation", id="invocation", value="{}"),
        _connection_field(request, choices, str(begin.get("connection") or "")),
        h.div(
            h.h2("Inputs", id="inputs-title"),
            h.a("Fill in an example", href=f"{address}?example=1", class_="small") if has_example and not begin else None,
            class_="row",
        ),
        h.div(
            id="inputs", class_="editor", role="group", aria_labelledby="inputs-title", data_form="inputs", data_schema=json.dumps(schema),
            data_value=json.dumps(begin.get("inputs", {})), data_options=f"/connectors/{request.path('key')}/options/",
        ),
        _settings(),
        h.div(buttons, class_="actions"),
        id="run", class_="card", hx_post=f"{address}/run", hx_target="#result", hx_swap="innerHTML", novalidate=True,
    )  # fmt: skip


def _connection_field(request: PageRequest, choices: list[dict[str, Any]], chosen: str) -> Markup | None:
    manifest = request.catalog.find(request.path("key"))
    if not manifest.connection_types:
        return None
    if not any(row["name"] == chosen for row in choices):
        chosen = choices[0]["name"] if len(choices) == 1 else ""  # never preselect one of several accounts
    named = [] if chosen or not choices else [h.option("Choose a connection", value="", selected=True)]
    named += [
        h.option(_label(row), value=row["name"], selected=row["name"] == chosen, data_values=json.dumps(row["values"])) for row in choices
    ]
    picker = h.select(
        named or h.option("No connections yet", value=""), id="connection", name="connection", aria_describedby="connection-hint"
    )
    create = h.button(
        "New connection", type="button", data_dialog="new-connection", hx_get=f"/new-connection?connector={manifest.key}&inside=1",
        hx_target="#new-connection-body", disabled=not request.may("manage"),
    )  # fmt: skip
    hint = h.p("The account that the action uses.", class_="hint", id="connection-hint")
    return h.div(h.label("Connection", for_="connection"), hint, h.div(picker, create, class_="joined"), class_="field")


def _label(row: Mapping[str, Any]) -> str:
    account = row.get("account") or {}
    known = [str(account[name]) for name in ("label", "id") if account.get(name)]
    account_text = next((text for text in known if len(text) <= _SHORT), row["type"])  # an ARN would not fit
    return f"{row['name']}, {account_text}" + (" (failing)" if row.get("status") == "failing" else "")


def _settings() -> Markup:
    key = h.input(
        type="text",
        id="idempotencyKey",
        data_member="idempotencyKey",
        maxlength=255,
        autocomplete="off",
        aria_describedby="idempotencyKey-hint",
    )
    timeout = h.input(
        type="text", inputmode="decimal", id="timeoutSeconds", data_member="timeoutSeconds", placeholder=f"{DEFAULT_TIMEOUT:.0f} by default",
        aria_describedby="timeoutSeconds-hint", autocomplete="off",
    )  # fmt: skip
    return h.details(
        h.summary("Options"),
        field(
            "idempotencyKey", "Idempotency key", key, "A repeated request with the same key returns the recorded Result and sends nothing."
        ),
        field("timeoutSeconds", "Timeout in seconds", timeout, f"For the whole call, at most {MAX_TIMEOUT:.0f}."),
        class_="further",
    )
