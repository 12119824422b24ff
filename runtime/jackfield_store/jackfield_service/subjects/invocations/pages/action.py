"""Page of an action: a form generated from its schema, its documentation, and the call as code."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from starlette.responses import Response

from jackfield.invocation import DEFAULT_TIMEOUT, MAX_TIMEOUT, Result, decode
from jackfield.invocation.file_references import without_given
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Attribute, Markup, Node, terms
from jackfield.manifest.manifest import ActionManifest, Manifest
from jackfield_service.shell.operations.file_weight import weight_of
from jackfield_service.shell.pages.layout.assets import FORM_SCRIPTS
from jackfield_service.shell.pages.layout.code_tabs import call_as_code
from jackfield_service.shell.pages.layout.components import (
    badge,
    bar,
    card,
    code_block,
    csrf_field,
    fault,
    form,
    guide,
    h,
    heading,
    json_text,
    notice,
    outside,
    schema_editor,
    summary,
    text_field,
)
from jackfield_service.shell.pages.layout.connection_choice import (
    call_connection,
    connection_dialog,
    fitting_connections,
    refuse_unchosen,
    unchosen,
)
from jackfield_service.shell.pages.layout.entry_connection import connection_to_begin
from jackfield_service.shell.pages.layout.form_schema import call_schema
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.results import result_shown
from jackfield_service.shell.pages.layout.shell import fragment, outcome, page
from jackfield_service.shell.requests.body import crowded, take_room
from jackfield_service.shell.requests.disconnect import cancelling
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.connectors.pages.connectors import icon_of

_SCHEDULING, _BATCHING = "scheduling", "batching"
EMPTY: Mapping[str, Any] = MappingProxyType({})


def action_form(
    request: PageRequest,
    action: ActionManifest,
    begin: Mapping[str, Any],
    choices: list[dict[str, Any]],
    address: str,
    example: Mapping[str, Any],
) -> Markup:
    """Build the form; ``begin`` holds its initial values, ``choices`` the connections that can
    serve the action.
    """
    runs = request.may("invoke")
    buttons = [
        h.button(
            "Run",
            name="mode",
            value="run",
            class_="primary",
            disabled=not runs,
            title="Ctrl+Enter",
            aria_keyshortcuts="Control+Enter",
        ),
        h.button(
            "Dry run",
            name="mode",
            value="dry",
            disabled=not runs,
            title="Validates and connects, but does not run the action",
        ),
        h.button("Schedule", form=_SCHEDULING, class_="quiet", title="Runs it at given times")
        if request.may("manage")
        else None,
        h.button(
            "For each row of a file",
            form=_BATCHING,
            class_="quiet",
            title="One call for each row of a CSV file",
        )
        if runs
        else None,
        h.span("Running…", class_="busy-note", role="status"),
        None if runs else h.span("Your token is not allowed to run actions.", class_="muted"),
    ]
    return h.form(
        csrf_field(request.csrf),
        call_fields(
            request, (request.manifest(), action), begin, choices, example if not begin else EMPTY
        ),
        _settings(request),
        bar(buttons, counts=False),
        id="run",
        class_="card",
        hx_post=f"{address}/run",
        hx_target="#result",
        hx_swap="innerHTML",
        novalidate=True,
    )


def call_fields(
    request: PageRequest,
    called: tuple[Manifest, ActionManifest],
    begin: Mapping[str, Any],
    choices: list[dict[str, Any]],
    example: Mapping[str, Any] = EMPTY,
) -> list[Node]:
    """Render the fields of a call: its connection, and its inputs, filled from ``begin``. The
    page's script collects them in the field ``invocation``; ``example`` has inputs that a button
    fills into empty fields.
    """
    manifest, action = called
    inputs = begin.get("inputs", {})
    schema = call_schema(action, inputs if isinstance(inputs, Mapping) else ())
    depends = {
        row["key"]: row["dependsOn"]
        for row in manifest.raw.get("optionSources", ())
        if "dependsOn" in row
    }
    # what may replace a value of the connection
    depends["*"] = [name for name, _ in action.content.defaults]
    offered = (
        h.button(
            "Fill in example values",
            type="button",
            class_="quiet",
            data_example=json.dumps(example["inputs"]),
        )
        if example.get("inputs")
        else None
    )
    about = {
        "id": "inputs",
        "aria_labelledby": "heading-of-inputs",
        "data_depends": json.dumps(depends),
    }
    return [
        h.input(type="hidden", name="invocation", id="invocation", value="{}"),
        call_connection(request, manifest, choices, str(begin.get("connection") or "")),
        h.div(h.h2("Inputs", id="heading-of-inputs"), offered, class_="row"),
        schema_editor("inputs", schema, inputs, manifest.key, **about),
    ]


def _settings(request: PageRequest) -> Markup:
    traced = h.label(
        h.input(type="checkbox", id="trace", data_member="trace"),
        " Keep what is sent and answered, to look at it afterwards",
        for_="trace",
    )
    told = h.label(
        h.input(type="checkbox", id="notify", data_notify=True),
        " Tell callbacks how it ends",
        for_="notify",
    )
    repeats = "A repeated request with the same key returns the recorded Result and sends nothing."
    limit, usual = (
        f"For the whole call, at most {MAX_TIMEOUT:.0f}.",
        f"{DEFAULT_TIMEOUT:.0f} by default",
    )
    return h.details(
        h.summary("Options"),
        _member("idempotencyKey", "Idempotency key", repeats, maxlength=255),
        _member(
            "timeoutSeconds", "Timeout in seconds", limit, inputmode="decimal", placeholder=usual
        ),
        h.div(told, class_="field check"),
        h.div(traced, class_="field check") if request.may("manage") else None,
        class_="further",
    )


def _member(name: str, label: str, hint: str, **attributes: Attribute) -> Markup:
    """Render a field for a member of the invocation. It has no name in the form, since the page's
    script collects it.
    """
    return text_field(name, label, hint=hint, data_member=name, **{**attributes, "name": None})


def still_in_doubt(request: PageRequest, identifier: str) -> bool:
    """Return whether an earlier invocation is still in doubt."""
    try:
        return request.journal.find(identifier).status == "in_doubt"
    except JackfieldError:
        return False


def kept_inputs(request: PageRequest, identifier: str) -> Mapping[str, Any]:
    """Return the recorded ``inputs`` of an earlier invocation without files, and the ``connection``
    to preselect; empty for an unknown ID.
    """
    try:
        entry = request.journal.find(identifier)
    except JackfieldError:
        return {}
    connection = connection_to_begin(request, entry)
    found: dict[str, Any] = {} if connection is None else {"connection": connection}
    return found if entry.inputs is None else {**found, "inputs": without_given(entry.inputs)}


_CHOICES = 1000
_FRESH = 60
"""Seconds for which a browser caches the choices of a field; otherwise each form would query the
provider again.
"""
_EFFECTS = {
    "read": "Only reads. Retried automatically.",
    "idempotent": "Repeating it has no further effect. Retried automatically.",
    "key": (
        "Safe to repeat under the same idempotency key, as automatic retries are. Running it "
        "again without that key does it again."
    ),
    "write": "Changes something. Retried automatically only if it is certain that it did not take "
    "effect; if it may have taken effect, "
    "the invocation is in doubt.",
}
_HANDS_OUT = (
    "Hands out credentials, which rules treat as a write. Its output is shown once, in the "
    "Result of the call; records mask it."
)


def found_action(request: PageRequest) -> tuple[Manifest, ActionManifest]:
    """Find the connector and the action in the path.

    :raises Problem: 404 if either does not exist.
    """
    manifest = request.manifest()
    found = manifest.actions.get(request.path("action"))
    if found is None:
        raise Problem(404, f"'{manifest.key}' has no action '{request.path('action')[:80]}'")
    return manifest, found


def shown(request: PageRequest) -> Response:
    """Serve ``GET /connectors/{key}/actions/{action}``; ``?again=`` prefills the inputs of an
    invocation, ``?example=`` the inputs of an example.
    """
    request.require("read")
    manifest, action = found_action(request)
    again = _again(request)
    begin: Mapping[str, Any] = again or {}
    example = _example(manifest, action)
    if not begin and "example" in request.query:
        begin = example
    address = f"/connectors/{manifest.key}/actions/{action.key}"
    title = heading(
        [icon_of(manifest), action.title],
        badge(action.rule_effect),
        lead=[
            h.a(manifest.title, href=f"/connectors/{manifest.key}"),
            " · ",
            summary(action.description),
        ],
    )
    choices = fitting_connections(request, manifest, action, str(begin.get("connection") or ""))
    filled = action_form(request, action, begin, choices, address, example)
    result = card(
        "Result",
        h.div(h.p("Run the action to see its Result here.", class_="empty"), id="result"),
        id="answer",
    )
    aside = h.div(
        card("Code for this call", _code_holder(request, manifest, action, begin, address)),
        _about(manifest, action, address),
        class_="beside-form",
    )
    content = [
        _again_notice(request, again),
        h.div(filled, result, aside, class_="workbench"),
        _carrying(request, _SCHEDULING, "/new-schedule", manifest, action),
        _carrying(request, _BATCHING, "/new-batch", manifest, action),
        connection_dialog(),
    ]
    return page(
        request,
        "connectors",
        f"{action.title} · {manifest.title}",
        *content,
        head=title,
        scripts=FORM_SCRIPTS,
    )


def code(request: PageRequest) -> Response:
    """Serve ``POST …/code``: render the form's invocation as JSON, curl, Python and CLI."""
    request.require("read")
    manifest, action = found_action(request)
    return fragment(call_as_code(request, read_invocation(request, manifest, action)))


def output(request: PageRequest) -> Response:
    """Serve ``GET …/output``: the schema of the output, which would fill most of some actions'
    pages.
    """
    request.require("read")
    _, action = found_action(request)
    return fragment(code_block(json_text(action.output), "Output schema"))


def options(request: PageRequest) -> Response:
    """Serve ``GET /connectors/{key}/options/{source}?connection=&inputs=``: choices for a field, as
    JSON. Only the scope ``invoke`` queries providers. ``inputs`` is the JSON of the form's current
    values.
    """
    request.require("read")
    connection = request.query.get("connection") if request.may("invoke") else None
    try:
        inputs = decode(request.query.get("inputs", "{}"))
        given = inputs if isinstance(inputs, dict) else {}
        asked = request.path("key"), request.path("source")
        found = request.runtime.options(
            *asked, connection=connection or None, inputs=given, caller=request.identity.caller
        )
    except JackfieldError as error:
        return answer(
            {"items": [], "message": error.message}, 404 if error.http_status == 404 else 200
        )
    return answer(
        {"items": found[:_CHOICES]}, headers={"Cache-Control": f"private, max-age={_FRESH}"}
    )


def read_invocation(
    request: PageRequest, manifest: Manifest, action: ActionManifest
) -> dict[str, Any]:
    """Decode the form's invocation. Connector and action always come from the path, never from the
    form.

    :raises Problem: 400 if it is not a JSON object.
    """
    try:
        given = decode(request.form.get("invocation", "{}"))
    except JackfieldError as error:
        raise Problem(400, error.message) from None
    if not isinstance(given, dict):
        raise Problem(400, "the invocation must be an object")
    return {
        "connector": manifest.key,
        "action": action.key,
        **{key: item for key, item in given.items() if key not in ("connector", "action")},
    }


def _again(request: PageRequest) -> Mapping[str, Any] | None:
    """Return the recorded request of the invocation in ``?again=``; None without that parameter."""
    identifier = request.query.get("again")
    return kept_inputs(request, identifier) if identifier and not request.is_silent else None


def _again_notice(request: PageRequest, again: Mapping[str, Any] | None) -> Markup | None:
    if again is None:
        return None
    entry = h.a("the earlier invocation", href=f"/invocations/{request.query['again']}")
    if still_in_doubt(request, request.query["again"]):
        return notice(
            "It is not known whether ",
            entry,
            " took effect. If it did, running it again repeats it.",
            tone="warn",
        )
    if "inputs" in again:
        lacks_files = request.journal.find(request.query["again"]).inputs != again["inputs"]
        files = (
            " Files that its caller passed by path are not kept; choose them again."
            if lacks_files
            else ""
        )
        return notice(
            "The form is filled with the inputs of ",
            entry,
            f". Secrets are masked; enter them again.{files}",
        )
    setting = h.a("the workspace's settings", href="/workspace")
    return notice(
        "The inputs of ",
        entry,
        " were not recorded, so the form is empty. To record inputs, change ",
        setting,
        ".",
    )


def _example(manifest: Manifest, action: ActionManifest) -> Mapping[str, Any]:
    raw: Mapping[str, Any] = next(
        (item for item in manifest.raw.get("actions", ()) if item.get("key") == action.key), {}
    )
    examples = raw.get("examples") or [{}]
    found = examples[0].get("invocation", {})
    return {"inputs": found.get("inputs", {})} if isinstance(found, Mapping) else {}


def _code_holder(
    request: PageRequest,
    manifest: Manifest,
    action: ActionManifest,
    begin: Mapping[str, Any],
    address: str,
) -> Markup:
    first = {"connector": manifest.key, "action": action.key, **begin}
    return h.div(
        call_as_code(request, first),
        id="code",
        hx_post=f"{address}/code",
        hx_trigger="refresh",
        hx_include="#run",
        hx_target="this",
        hx_sync="this:replace",
    )


def _about(manifest: Manifest, action: ActionManifest, address: str) -> Markup:
    permissions = [h.li(h.code(name)) for names in action.permissions.values() for name in names]
    documentation = manifest.raw.get("documentationUrl")
    return card(
        "About",
        guide(action.description),
        terms(
            [
                ("Effect", [badge(action.rule_effect), " ", _effect_sentence(action)]),
                ("Permissions", h.ul(permissions, class_="plain") if permissions else None),
                ("Connector", f"{manifest.title} {manifest.version}"),
                ("Documentation", outside(documentation, str(documentation).partition("://")[2])),
            ]
        ),
        h.details(
            h.summary("Output schema"),
            # shown once it is opened, also by a click that comes before the page's scripts
            h.p(
                "Loading…",
                class_="muted",
                hx_get=f"{address}/output",
                hx_trigger="intersect once",
                hx_swap="outerHTML",
            ),
        ),
    )


def _effect_sentence(action: ActionManifest) -> str:
    """Return a sentence about the effect for a person who runs the action again."""
    if action.hands_out:
        return _HANDS_OUT
    is_by_key = action.effect == "idempotent" and action.content.row.get("idempotentBy") == "key"
    return _EFFECTS["key" if is_by_key else action.effect]


def _carrying(
    request: PageRequest, name: str, address: str, manifest: Manifest, action: ActionManifest
) -> Markup:
    """Render the form of a button that copies the values to another form: of a schedule, or of a
    file's rows.
    """
    named = [
        h.input(type="hidden", name=name, value=value)
        for name, value in (("connector", manifest.key), ("action", action.key))
    ]
    carried = h.input(type="hidden", name="invocation", value="{}", data_carried=True)
    return form(request, address, named, carried, id=name)


async def run(request: PageRequest) -> Response:
    """Serve ``POST /connectors/{key}/actions/{action}/run``; ``mode`` is ``run`` or ``dry``."""
    request.require("invoke")
    manifest, action = found_action(request)
    invocation = read_invocation(request, manifest, action)
    try:
        refuse_unchosen(request.form, invocation)
    except JackfieldError as error:
        return outcome(request, "connectors", action.title, fault(error), status=error.http_status)
    if request.form.get("mode") == "dry":
        invocation["dryRun"] = True
    server = request.server
    weight = await weight_of(invocation, server, request.identity, large=crowded(invocation))
    take_room(request.http, weight, weight)
    result = await _run(request, invocation)
    request.server.metrics.note(result)
    if refused := unchosen(request.form, result.error):
        return outcome(
            request, "connectors", action.title, fault(refused), status=refused.http_status
        )
    return fragment(result_shown(result.to_json("console"), action))


async def _run(request: PageRequest, invocation: Mapping[str, Any]) -> Result:
    """Run the invocation. If the client disconnects before anything was sent, cancel it; after that
    it runs to its end.
    """
    cancelled = threading.Event()
    with cancelling(request.http, cancelled):
        return await asyncio.shield(
            asyncio.ensure_future(
                request.runtime.ainvoke(
                    invocation, cancelled=cancelled, caller=request.identity.caller
                )
            )
        )
