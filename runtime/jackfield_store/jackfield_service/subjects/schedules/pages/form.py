"""Forms that add and change schedules: the times in words, and the form of the action to call."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from jackfield.invocation import decode
from jackfield.kernel.errors import Detail, InvalidInvocation, JackfieldError
from jackfield.kernel.markup import Markup, Node
from jackfield.kernel.placeholders import placeholders
from jackfield.manifest.manifest import ActionManifest
from jackfield_service.shell.pages.layout.action_choice import (
    STARTED,
    actions_offered,
    choice_dialog,
    chooser,
    choosing,
    chosen_action,
)
from jackfield_service.shell.pages.layout.assets import FORM_SCRIPTS
from jackfield_service.shell.pages.layout.components import (
    bar,
    check_field,
    choice_field,
    fault_of,
    form,
    h,
    json_text,
    lines_field,
    text_field,
)
from jackfield_service.shell.pages.layout.connection_choice import (
    connection_dialog,
    fitting_connections,
    refuse_unchosen,
    shown_at_choice,
    unchosen,
)
from jackfield_service.shell.pages.layout.drawn import decides
from jackfield_service.shell.pages.layout.masked_inputs import refuse_masks
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.shell import fragment, outcome, page, redirect
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.invocations.pages.action import call_fields
from jackfield_service.subjects.schedules.pages.schedules import (
    present_schedule,
    schedule_state,
    schedules_of,
)
from jackfield_service.subjects.schedules.pages.times import Times, placed
from jackfield_service.subjects.schedules.subject import MISSED, OVERLAP, add, change

_WHAT = "Choose what is to run at given times."
_SHOWN = frozenset({"connector", "action", "connection", "inputs"})
"""Members of an invocation for which the form has fields; an invocation with other members is
edited as JSON.
"""
_ROWS = 12
_SLOT = "$slot"


def shown(request: PageRequest) -> Response:
    """Serve ``GET /new-schedule``: the search for an action, or with ``?connector=&action=`` its
    form, with ``&connection=`` filled in; a dialog fetches only the part of the action.
    """
    request.require("manage")
    if not request.query.get("action"):
        offered = partial(actions_offered, request, _address)
        return choosing(
            request, "schedules", "New schedule", _WHAT, "Search actions", offered, "/new-schedule"
        )
    begun = {
        name: request.query[name]
        for name in ("connector", "action", "connection")
        if request.query.get(name)
    }
    return fragment(_call(request, begun)) if request.partial else _new(request, begun)


def begun(request: PageRequest) -> Response:
    """Serve ``POST /new-schedule``: the form of a schedule, filled with a call's values."""
    request.require("manage")
    call = {
        **_decoded(request.form.get("invocation", "")),
        **{name: request.form.get(name, "") for name in ("connector", "action")},
    }
    # each slot has a key of its own
    return _new(request, {name: value for name, value in call.items() if name != "idempotencyKey"})


def edited(request: PageRequest) -> Response:
    """Serve ``GET /schedules/{name}/edit``."""
    request.require("manage")
    name = request.path("name")
    found = schedules_of(request).show(name)
    if "invocation" not in found:
        raise Problem(
            409, f"it cannot be changed: {found['problem']}", hint="Remove it, and add it again."
        )
    chosen = {
        member: request.form[member] for member in ("connector", "action") if member in request.form
    }
    # before the page was to be shown anew
    if any(found["invocation"].get(member) != value for member, value in chosen.items()):
        found = {**found, "invocation": chosen}
    masked = h.p(
        "Secrets of the inputs are shown as ***. They stay as they are unless you change the "
        "invocation; then enter them again.",
        class_="muted",
    )
    content = _form(request, f"/schedules/{name}/edit", found, masked, "Save schedule")
    return _page(request, f"Change {name}", "From now on it runs with your rights.", content)


def created(request: PageRequest) -> Response:
    """Serve ``POST /schedules``."""
    request.require("manage")
    times = Times.read(request.form)
    try:
        document = {
            "name": request.form.get("name", "").strip(),
            **times.members(),
            **_policies(request),
            "invocation": _invocation(request),
        }
        made = add(schedules_of(request), document)
    except JackfieldError as error:
        return _error_response(request, "New schedule", error, times)
    return redirect(request, f"/schedules/{made['name']}?done=added")


@decides(present_schedule)
def saved(request: PageRequest) -> Response:
    """Serve ``POST /schedules/{name}/edit``. The secrets of an unchanged invocation, and the anchor
    of an unchanged interval, are not replaced.
    """
    request.require("manage")
    name, schedules, times = request.path("name"), schedules_of(request), Times.read(request.form)
    was = schedules.show(name)
    try:
        given = _invocation(request)
        document: dict[str, Any] = (
            {} if times.members() == Times.of(was).members() else dict(times.members())
        )
        document |= _policies(request)
        if _essence(request, given) != _essence(request, was.get("invocation", {})):
            refuse_masks(given.get("inputs"))
            document["invocation"] = given
        change(schedules, name, document)
    except JackfieldError as error:
        return _error_response(request, f"Change {name}", error, times)
    return redirect(request, f"/schedules/{name}?done=saved")


def _page(request: PageRequest, title: str, lead: str, content: Node) -> Response:
    return page(
        request,
        "schedules",
        title,
        content,
        choice_dialog(),
        connection_dialog(),
        lead=lead,
        scripts=FORM_SCRIPTS,
    )


def _new(request: PageRequest, call: Mapping[str, Any]) -> Response:
    name = placed(
        "name",
        text_field(
            "schedule-name",
            "Schedule name",
            name="name",
            hint="Letters, digits, dots, underscores and dashes.",
            required=True,
            maxlength=100,
        ),
    )
    content = _form(request, "/schedules", {"invocation": call}, name, "Add schedule")
    return _page(
        request,
        "New schedule",
        "An invocation that runs at given times, with your rights.",
        content,
    )


def _form(
    request: PageRequest, address: str, found: Mapping[str, Any], before: Node, button: str
) -> Markup:
    times = Times.of(found) if "status" in found else Times()
    return form(
        request,
        address,
        before,
        times.fields(request),
        h.div(
            placed(
                "missed",
                choice_field(
                    "missed", "Missed runs", MISSED.items(), found.get("missed", "latest")
                ),
            ),
            placed(
                "overlap",
                choice_field(
                    "overlap", "If still running", OVERLAP.items(), found.get("overlap", "skip")
                ),
            ),
            class_="pair",
        ),
        h.div(_call(request, found["invocation"]), id=STARTED, class_="stack"),
        h.div(id="answered", aria_live="polite"),
        bar(h.button(button, class_="primary"), counts="status" in found),
        into="#answered",
        class_="card stack",
        novalidate=True,
        state=schedule_state(found) if "status" in found else None,
    )


def _call(request: PageRequest, call: Mapping[str, Any]) -> Markup:
    connector, key = str(call.get("connector", "")), str(call.get("action", ""))
    try:
        manifest, action = chosen_action(request, connector, key)
    except Problem:
        if not call.get("inputs"):
            raise
        # its connector is no longer installed
        fields: list[Node] = [h.input(type="hidden", name="invocation", value="{}")]
        known = False
    else:
        choices = fitting_connections(request, manifest, action, str(call.get("connection") or ""))
        fields = [call_fields(request, (manifest, action), call, choices)]
        known = not _needs_json(call)
    about = h.p(
        "Runs ",
        h.a(
            h.code(f"{connector}/{key}"),
            href=f"/connectors/{connector}/actions/{key}",
            target="_blank",
        ),
        ". ",
        chooser("/new-schedule", "Choose another action"),
    )
    named = [
        h.input(type="hidden", name=name, value=value)
        for name, value in (("connector", connector), ("action", key))
    ]
    document = lines_field(
        "document",
        "Invocation",
        json_text(dict(call)).splitlines(),
        "JSON, as beside the form of an action.",
        rows=_ROWS,
    )
    return h.join(
        [
            h.h2("What it runs"),
            about,
            *named,
            h.div(fields, class_="by-fields stack"),
            check_field("as-json", "Write it as JSON", not known),
            h.div(document, class_="by-json"),
        ]
    )


def _needs_json(call: Mapping[str, Any]) -> bool:
    return (
        not _SHOWN.issuperset(call)
        or next(placeholders(call.get("inputs"), "", _SLOT), None) is not None
    )


def _address(connector: str, action: str) -> str:
    return f"/new-schedule?{urlencode({'connector': connector, 'action': action})}"


def _policies(request: PageRequest) -> dict[str, str]:
    return {name: request.form.get(name, "") for name in ("missed", "overlap")}


def _invocation(request: PageRequest) -> dict[str, Any]:
    """Read the invocation: from the JSON if that mode is on, else from the fields of the action.

    :raises InvalidInput: if its connection is gone and no other is chosen.
    :raises InvalidInvocation: if it is not the JSON of an object.
    """
    if request.form.get("as-json") == "on":
        return _decoded(request.form.get("document", ""))
    given = _decoded(request.form.get("invocation", ""))
    refuse_unchosen(request.form, given)
    return {
        "connector": request.form.get("connector", ""),
        "action": request.form.get("action", ""),
        **given,
    }


def _decoded(text: str) -> dict[str, Any]:
    try:
        given = decode(text or "{}")
    except InvalidInvocation as error:
        wrong = "1 member of the schedule is not valid"
        raise InvalidInvocation(
            wrong, details=[Detail("/document", error.message)], hint=error.hint
        ) from None
    if not isinstance(given, dict):
        raise InvalidInvocation(
            "the invocation must be an object", details=[Detail("/document", "must be an object")]
        )
    return given


def _essence(request: PageRequest, call: Mapping[str, Any]) -> dict[str, Any]:
    """Return an invocation without inputs that equal the action's defaults, which the form leaves
    out.
    """
    manifest = request.catalog.look(str(call.get("connector")))[1]
    action: ActionManifest | None = (
        None if manifest is None else manifest.actions.get(str(call.get("action")))
    )
    given, members = (
        call.get("inputs") or {},
        {} if action is None else action.inputs.get("properties", {}),
    )
    if not isinstance(given, Mapping):
        return dict(call)
    return {
        **call,
        "inputs": {
            name: value
            for name, value in given.items()
            if name not in members or members[name].get("default") != value
        },
    }


def _error_response(
    request: PageRequest, title: str, error: JackfieldError, times: Times
) -> Response:
    by_fields = request.form.get("as-json") != "on"
    error = (unchosen(request.form, error) if by_fields else None) or error
    of_inputs = error.code == "invalid_input" and by_fields

    def place(path: str) -> str:
        return path if of_inputs else (by_fields and shown_at_choice(path)) or times.place(path)

    details = [{**item.to_json(), "path": place(item.path)} for item in error.details]
    return outcome(
        request,
        "schedules",
        title,
        fault_of(error.message, error.hint, details),
        status=error.http_status,
    )
