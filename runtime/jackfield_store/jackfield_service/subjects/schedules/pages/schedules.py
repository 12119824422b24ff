"""Pages of schedules: the times of each, the outcomes of its slots, and buttons to pause, resume,
run and remove it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from starlette.responses import Response

from jackfield.invocation import Result
from jackfield.kernel.errors import UnknownName
from jackfield.kernel.markup import Markup, Node, table
from jackfield_service.shell.pages.layout.components import (
    ago,
    at,
    badge,
    card,
    code_block,
    done_notice,
    fault,
    h,
    heading,
    json_text,
    local_time,
    more,
    offering,
    problem_notice,
    removal,
    steps,
)
from jackfield_service.shell.pages.layout.drawn import decides
from jackfield_service.shell.pages.layout.gist import action_of
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.resources import Cells, edit_link, facts, listing, things
from jackfield_service.shell.pages.layout.results import inputs_shown
from jackfield_service.shell.pages.layout.shell import page, redirect
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.schedules.pages.times import NEXT, Times, slot_text
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules
from jackfield_service.subjects.schedules.subject import SCHEDULES

_SLOTS = 50
_DONE = {
    "paused": "Paused: no slots run until it is resumed.",
    "resumed": "Resumed: the slots that follow run.",
    "run": "Queued now.",
    "removed": "Schedule removed.",
    "added": "Schedule added: it is active.",
    "saved": "Schedule saved.",
}
_STEPS: Mapping[str, tuple[str, Callable[[WorkspaceSchedules, str], Any]]] = {
    "pause": ("paused", WorkspaceSchedules.pause),
    "resume": ("resumed", WorkspaceSchedules.resume),
    "run": ("run", WorkspaceSchedules.run),
    "removal": ("removed", WorkspaceSchedules.remove),
}


def listed(request: PageRequest) -> Response:
    """Serve ``GET /schedules``: all schedules by name."""
    schedules = schedules_of(request)
    own: Cells = {
        "nextAt": lambda item: _next(request, item),
        "slots": lambda item: _last(request, schedules.slots(item["name"], None, 1)[0]),
    }
    found = listing(
        request,
        SCHEDULES,
        schedules,
        "/schedules",
        "Schedules",
        {**_cells(request), **own},
        empty="No schedules yet. Search above for the action that is to run at given times.",
        actions=partial(edit_link, request, "/schedules"),
    )
    new = (
        offering("/new-schedule", "Schedule an action…", "New schedule")
        if request.may("manage")
        else None
    )
    return page(
        request,
        "schedules",
        "Schedules",
        done_notice(request, _DONE),
        new,
        found,
        lead="Invocations that run at given times.",
    )


def shown(request: PageRequest) -> Response:
    """Serve ``GET /schedules/{name}``: its times, its invocation and its slots, newest first."""
    request.require("read")
    return _schedule_page(request)


def _schedule_page(request: PageRequest, refused: UnknownName | None = None) -> Response:
    """Render the page of a schedule; ``refused`` is the missing reference that prevented its
    resumption.
    """
    name, schedules = request.path("name"), schedules_of(request)
    found = schedules.show(name)
    slots, cursor = schedules.slots(name, request.query.get("cursor") or None, _SLOTS)
    times = (
        [slot_text(datetime.fromisoformat(item["local"])) for item in schedules.next(name, NEXT)]
        if found["status"] == "active"
        else []
    )
    own: Cells = {
        "status": lambda _: _why_not(found) or None,
        "nextAt": lambda _: [h.div(text) for text in times] or "none",
        "slots": lambda _: _last(request, slots),
    }
    rows = [_slot(request, item) for item in slots]
    return page(
        request,
        "schedules",
        name,
        problem_notice(found),
        fault(refused) if refused else done_notice(request, _DONE),
        h.section(
            facts(request, SCHEDULES, found, {**_cells(request), **own}),
            class_="card",
            aria_label="Schedule",
        ),
        _call(request, found),
        card(
            "Past runs",
            table(
                "Past runs",
                ("Planned for", "Outcome", "Invocation"),
                rows,
                empty="It has not run yet.",
            ),
        ),
        more(f"/schedules/{name}", cursor=cursor),
        head=heading(
            name,
            badge("broken" if _is_broken(found) else found["status"]),
            _buttons(request, found),
        ),
        status=refused.http_status if refused else 200,
    )


def schedule_state(found: Mapping[str, Any]) -> Any:
    """Return the displayed state of a schedule, except the parts that change with time."""
    return [
        found.get(member) for member in ("id", "status", "changedAt", "connection", "invocation")
    ]


def present_schedule(request: PageRequest) -> Any:
    """Return the state of the schedule in the path."""
    step = request.http.path_params.get("step", "edit")
    if step not in (*_STEPS, "edit"):
        raise Problem(404, "no such page")
    request.require("invoke" if step == "run" else "manage")
    return schedule_state(schedules_of(request).show(request.path("name")))


@decides(present_schedule)
def changed(request: PageRequest) -> Response:
    """Serve ``POST /schedules/{name}/{step}``: pause, resume, run or remove it."""
    name, step = request.path("name"), request.path("step")
    done, act = _STEPS[step]
    try:
        outcome = act(schedules_of(request), name)
    except UnknownName as refused:
        if step != "resume":
            raise
        return _schedule_page(request, refused)
    if isinstance(outcome, str | Result):
        request.server.wake()
    return redirect(
        request,
        f"/schedules?done={done}" if step == "removal" else f"/schedules/{name}?done={done}",
    )


def schedules_of(request: PageRequest) -> WorkspaceSchedules:
    """Return the workspace's schedules, limited to those that the caller may see."""
    return things(request, SCHEDULES, "read")


def _status(found: Mapping[str, Any]) -> Node:
    """Render the schedule's status, which is broken if its action or its connection no longer
    exists.
    """
    return [badge("broken"), f" {_gone(found)}"] if _is_broken(found) else badge(found["status"])


def _gone(found: Mapping[str, Any]) -> str:
    """Return the message that names the missing object."""
    gone: Mapping[str, Any] = found["fault"]
    name = found.get("connection") if gone["code"] == "unknown_connection" else None
    return f"no connection is named “{name}”." if name else f"{gone['message']}."


def _why_not(found: Mapping[str, Any]) -> str:
    """Return the reason why the schedule does not run, for display below its title and status; an
    empty string if it runs.
    """
    return " ".join(
        text for text in (_gone(found) if _is_broken(found) else "", _reason(found)) if text
    )


def _is_broken(found: Mapping[str, Any]) -> bool:
    return found.get("fault") is not None and found["status"] == "stopped"


def _reason(found: Mapping[str, Any]) -> str:
    """Return the reason why the schedule does not run, for display next to its status, and the
    remedy.
    """
    gone, reason = found.get("fault", {}), str(found.get("reason", ""))
    own = "" if gone and reason.startswith(gone["message"]) else reason
    return " ".join(
        text for text in (f"{own}." if own and gone else own, gone.get("hint", "")) if text
    )


def _buttons(request: PageRequest, found: Mapping[str, Any]) -> Node:
    address, offered, last = f"/schedules/{found['name']}", list[tuple[str, str]](), list[Node]()
    if request.may("invoke"):
        offered.append(("run", "Run now"))
    if request.may("manage"):
        if found["status"] == "active":
            offered.append(("pause", "Pause"))
        elif found["status"] in ("paused", "stopped"):
            offered.append(("resume", "Resume"))
        told = "It starts nothing more, and its list of past runs is deleted. Invocations stay."
        last = [
            h.a("Edit", href=f"{address}/edit", class_="button quiet"),
            *removal(request, f"{address}/removal", "schedule", told, state=schedule_state(found)),
        ]
    return steps(request, address, offered, last, state=schedule_state(found)) if offered else None


def _call(request: PageRequest, found: Mapping[str, Any]) -> Markup:
    """Render the invocation: its inputs with the names of their form, and the whole as JSON."""
    call: Mapping[str, Any] = found.get("invocation", {})
    action = action_of(request, found["connector"], found["action"])
    whole = h.details(
        h.summary("As JSON"), code_block(json_text(call), "The invocation"), class_="further"
    )
    return card(
        "What it runs",
        inputs_shown(call.get("inputs") or {}, action.inputs if action else {}),
        whole,
    )


def _when(item: Mapping[str, Any]) -> Node:
    """Render the times of a schedule in the words of its form, with the cron expression next to
    them.
    """
    times = Times.of(item)
    return [
        times.words(),
        None if "every" in item else f", {times.timezone}",
        [" ", h.code(item["cron"], class_="small")] if "cron" in item else None,
    ]


def _next(request: PageRequest, item: Mapping[str, Any]) -> Node:
    """Render the time of a schedule's next run, or the reason why it does not run."""
    if not item["nextAt"]:
        return _reason(item) or "never"
    moment = datetime.fromisoformat(item["nextAt"]).timestamp()
    return [local_time(moment), h.span(ago(moment, request.now), class_="gist")]


def _last(request: PageRequest, slots: Sequence[Mapping[str, Any]]) -> Node:
    return [at(slots[0]["slot"], request.now), " ", _outcome(slots[0])] if slots else "never"


def _outcome(item: Mapping[str, Any]) -> Markup:
    return badge(item.get("status", item["outcome"]))


def _slot(request: PageRequest, item: Mapping[str, Any]) -> tuple[Node, ...]:
    several = f" and {item['slots'] - 1:,} more" if "slots" in item else ""
    reason = [h.br(), h.span(item["reason"], class_="small")] if "reason" in item else None
    identifier = item.get("invocationId")
    link = (
        h.a(h.code(identifier, class_="small"), href=f"/invocations/{identifier}")
        if identifier
        else "none"
    )
    return [at(item["slot"], request.now), several], [_outcome(item), reason], link


def _cells(request: PageRequest) -> Cells:
    def action(item: Mapping[str, Any]) -> Node:
        known, over = action_of(request, item["connector"], item["action"]), item.get("connection")
        name = (
            h.a(known.title, href=f"/connectors/{item['connector']}/actions/{item['action']}")
            if known
            else item["action"]
        )
        return [
            name,
            " ",
            h.span(item["connector"], class_="muted small"),
            h.span("over ", over, class_="gist") if over else None,
        ]

    return {
        "status": _status,
        "cron": _when,
        "action": action,
        "runsAs": lambda item: item["runsAs"]["caller"] or "the operator",
    }
