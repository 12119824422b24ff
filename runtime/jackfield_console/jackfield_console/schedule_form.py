"""Forms that add schedules and change them: when one runs, and the invocation as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from jackfield.invocation import decode
from jackfield.kernel.errors import Detail, InvalidInvocation, JackfieldError
from jackfield.kernel.markup import Markup, Node
from jackfield_console.layout.components import choice_field, fault_of, form, h, json_text, lines_field, text_field
from jackfield_console.layout.page_request import PageRequest
from jackfield_console.layout.shell import outcome, page, redirect
from jackfield_console.schedules import schedules_of

_KINDS = (("cron", "at times of a cron expression"), ("every", "at an interval"), ("at", "once"))
_MISSED = (("latest", "run the latest"), ("skip", "skip all"), ("all", "run all"))
_OVERLAP = (("skip", "skip the new one"), ("queue", "wait for the one before"), ("allow", "run at the same time"))
_WHEN = "A cron expression such as 0 7 * * 1-5, an interval such as 10m, or a time such as 2031-01-31T08:30:00."
_EXAMPLE = {"connector": "", "action": "", "connection": "", "inputs": {}}
_ROWS = 12


def shown(request: PageRequest) -> Response:
    """``GET /new-schedule``: ``?connector=&action=&connection=`` fill the invocation."""
    request.require("manage")
    begun = {**_EXAMPLE, **{name: request.query[name] for name in ("connector", "action", "connection") if request.query.get(name)}}
    name = text_field("name", "Name", hint="Letters, digits, dots, underscores and dashes.", required=True, maxlength=100)
    content = _form(request, "/schedules", {"invocation": begun}, name, "Add schedule")
    return page(request, "schedules", "New schedule", content, lead="An invocation that runs at given times, with your rights.")


def edited(request: PageRequest) -> Response:
    """``GET /schedules/{name}/edit``."""
    request.require("manage")
    name = request.path("name")
    found = schedules_of(request).show(name)
    masked = h.p("Secrets of the inputs are shown as ***. They stay as they are unless you change the invocation.", class_="muted")
    content = _form(request, f"/schedules/{name}/edit", found, masked, "Save schedule")
    return page(request, "schedules", f"Change {name}", content, lead="From now on it runs with your rights.")


def created(request: PageRequest) -> Response:
    """``POST /schedules``."""
    request.require("manage")
    try:
        invocation = _invocation(request)
        made = schedules_of(request).add({"name": request.form.get("name", "").strip(), **_timing(request), "invocation": invocation})
    except JackfieldError as error:
        return _refused(request, "New schedule", error)
    return redirect(request, f"/schedules/{made['name']}?done=added")


def saved(request: PageRequest) -> Response:
    """``POST /schedules/{name}/edit``. An invocation that is as it was shown stays, with its secrets."""
    request.require("manage")
    name, schedules = request.path("name"), schedules_of(request)
    was = schedules.show(name)
    try:
        given = _invocation(request)
        document = _timing(request) if _changes_timing(request, was) else {}
        document |= {"missed": request.form.get("missed", ""), "overlap": request.form.get("overlap", "")}
        schedules.change(name, document if given == was["invocation"] else {**document, "invocation": given})
    except JackfieldError as error:
        return _refused(request, f"Change {name}", error)
    return redirect(request, f"/schedules/{name}?done=saved")


def _form(request: PageRequest, address: str, found: Mapping[str, Any], before: Node, button: str) -> Markup:
    kind, when = _when(found)
    return form(
        request,
        address,
        before,
        choice_field("kind", "Runs", _KINDS, kind),
        text_field("when", "When", when, hint=_WHEN, required=True, maxlength=200),
        text_field("timezone", "Time zone", found.get("timezone", "UTC"), hint="Such as Europe/Berlin.", maxlength=64),
        choice_field("missed", "Missed runs", _MISSED, found.get("missed", "latest")),
        choice_field("overlap", "If the one before still runs", _OVERLAP, found.get("overlap", "skip")),
        lines_field(
            "invocation", "Invocation", json_text(found["invocation"]).splitlines(), "JSON, as beside the form of an action.", rows=_ROWS
        ),
        h.div(id="outcome", aria_live="polite"),
        h.div(h.button(button, class_="primary"), class_="actions"),
        into="#outcome", class_="card stack", novalidate=True,
    )  # fmt: skip


def _when(found: Mapping[str, Any]) -> tuple[str, str]:
    kind = next((name for name, _ in _KINDS if name in found), "cron")
    return kind, str(found.get(kind, ""))


def _timing(request: PageRequest) -> dict[str, Any]:
    """Read when the schedule runs; the service judges it."""
    given = {name: request.form.get(name, "").strip() for name in ("kind", "when", "timezone", "missed", "overlap")}
    kind = given["kind"] if given["kind"] in dict(_KINDS) else "cron"
    found = {kind: given["when"], "missed": given["missed"], "overlap": given["overlap"]}
    return {**found, "timezone": given["timezone"]} if given["timezone"] else found


def _changes_timing(request: PageRequest, was: Mapping[str, Any]) -> bool:
    """Return whether another time was entered: an interval keeps its anchor otherwise."""
    given = (*(request.form.get(name, "").strip() for name in ("kind", "when")), request.form.get("timezone", "").strip() or "UTC")
    return given != (*_when(was), was.get("timezone", "UTC"))


def _invocation(request: PageRequest) -> Any:
    """Read the invocation; empty members that the form begins with are left out."""
    try:
        given = decode(request.form.get("invocation", ""))
    except InvalidInvocation as error:
        text = "1 member of the schedule is not valid"
        raise InvalidInvocation(text, details=[Detail("/invocation", error.message)], hint=error.hint) from None
    return {name: value for name, value in given.items() if value != ""} if isinstance(given, dict) else given


def _refused(request: PageRequest, title: str, error: JackfieldError) -> Response:
    shown = fault_of(error.message, error.hint, [item.to_json() for item in error.details])
    return outcome(request, "schedules", title, shown, status=error.http_status)
