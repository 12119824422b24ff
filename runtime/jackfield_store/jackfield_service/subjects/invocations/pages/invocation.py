"""Page of an invocation: request, attempts, Result, and an operator's steps: cancel, run again.
Doubts have a module of their own.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from jackfield.invocation.entry import Entry
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Markup, Node, terms
from jackfield.manifest.reading import HOST
from jackfield_service.shell.pages.layout.components import (
    at,
    badge,
    card,
    code_block,
    done_notice,
    form,
    h,
    heading,
    json_text,
    live,
    notice,
    paced,
    span_text,
)
from jackfield_service.shell.pages.layout.drawn import decides
from jackfield_service.shell.pages.layout.entry_connection import connection_links
from jackfield_service.shell.pages.layout.gist import name_of, readable_inputs
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.person import person
from jackfield_service.shell.pages.layout.results import error_shown, output_shown, progress_shown
from jackfield_service.shell.pages.layout.shell import fragment, page, redirect
from jackfield_service.subjects.approvals.pages.approval import DONE as DECIDED
from jackfield_service.subjects.approvals.pages.approval import WARNINGS as UNDECIDED
from jackfield_service.subjects.approvals.pages.approval import approval_shown, approval_told
from jackfield_service.subjects.doubts.page import DONE as RESOLVED
from jackfield_service.subjects.doubts.page import doubt_shown, looks_shown, resolution_shown
from jackfield_service.subjects.invocations.pages.exchanges import exchanges_shown
from jackfield_service.subjects.invocations.pages.invocations import status_of
from jackfield_service.subjects.invocations.pages.timeline import timeline, timeline_title
from jackfield_service.subjects.queue.page import dead_state, redrive_done

_EVERY, _SLOWEST = 1, 30
"""Bounds of the refresh interval in seconds while the invocation is open."""
_DONE = {
    "cancelled": "Cancelled. Nothing was sent.",
    "cancelling": "The provider is being told to cancel the job.",
    "late": "Too late to cancel.",
}
_WARNINGS = (*UNDECIDED, "late", "settled", "unlookable")


def shown(request: PageRequest) -> Response:
    """Serve ``GET /invocations/{id}``."""
    request.require("read")
    entry = request.entry()
    content = [
        approval_told(request, entry),
        *_content(request, entry),
        paced(_pace(request, entry)),
    ]
    if request.partial:
        return fragment(_title(request, entry, anew=True), content)
    done = done_notice(request, {**_DONE, **DECIDED, **RESOLVED}, *_WARNINGS) or redrive_done(
        request
    )
    body = (
        live(f"/invocations/{entry.id}?live=1", _EVERY, "live", content)
        if entry.is_open
        else content
    )
    # beside what is refreshed: somebody may be writing a reason
    asked = approval_shown(request, entry.id)
    return page(
        request,
        "invocations",
        name_of(request, entry),
        done,
        asked,
        body,
        head=_title(request, entry),
    )


def _title(request: PageRequest, entry: Entry, *, anew: bool = False) -> Markup:
    again = _again(entry) if _installed(request, entry) and entry.status != "in_doubt" else None
    lead: Node = [at(entry.created_at, request.now), " · ", h.code(entry.id)]
    state = h.span(badge(status_of(entry)), role="status")
    return heading(name_of(request, entry), state, again, lead=lead, anew=anew)


def _pace(request: PageRequest, entry: Entry) -> int | None:
    """Return the seconds until the next refresh of an open invocation's page: a tenth of its age,
    so that a job of hours is not polled each second. None once it has ended.
    """
    return (
        max(_EVERY, min(_SLOWEST, int(request.now - entry.created_at) // 10))
        if entry.is_open
        else None
    )


def _again(entry: Entry) -> Markup:
    return h.a(
        "Run again",
        href=f"/connectors/{entry.connector}/actions/{entry.action}?again={entry.id}",
        class_="button",
    )


def _state(entry: Entry) -> Any:
    """Return the displayed state of a call that can be cancelled; None for a call that has
    ended.
    """
    return [entry.id, entry.status] if entry.is_open else None


def _present_state(request: PageRequest) -> Any:
    request.require("invoke")
    return _state(request.entry())


@decides(_present_state)
def cancelled(request: PageRequest) -> Response:
    """Serve ``POST /invocations/{id}/cancel``."""
    request.require("invoke")
    entry = request.entry()
    done = request.runtime.cancel(entry.id)
    word = "cancelled" if entry.progress is None else "cancelling"
    return redirect(request, f"/invocations/{entry.id}?done={word if done else 'late'}")


def _installed(request: PageRequest, entry: Entry) -> bool:
    try:
        return entry.action in request.catalog.find(entry.connector).actions
    except JackfieldError:
        return False


def _content(request: PageRequest, entry: Entry) -> list[Node]:
    result: dict[str, Any] = dict(entry.result or {})
    # doubt_shown tells it
    error = (
        error_shown(result["error"]) if "error" in result and entry.status != "in_doubt" else None
    )
    output = None
    if "output" in result and (result["output"] or entry.doubt is None):
        output = output_shown(result["output"], f"{entry.connector}/{entry.action}")
    answer = card("Result", error, output) if error or output else None
    tries = card(timeline_title(entry), timeline(entry))
    whole = h.details(
        h.summary("Entry as JSON"),
        code_block(json_text(entry.to_json()), "The entry as JSON"),
        class_="card",
    )
    return [
        doubt_shown(
            request, entry, _marks(entry), _again(entry) if _installed(request, entry) else None
        ),
        _dead(request, entry),
        resolution_shown(request, entry),
        looks_shown(request, entry),
        _waiting(request, entry),
        _facts(request, entry),
        answer,
        tries,
        exchanges_shown(request, entry),
        whole,
    ]


def _facts(request: PageRequest, entry: Entry) -> Markup:
    """Render the request, without the parts that the form of an approval above has already."""
    is_asked = entry.status == "waiting" and request.may("approve")
    return card(
        "Request",
        terms(
            [
                ("Action", None if is_asked else _action(request, entry)),
                ("Connector", _connector(entry)),
                (
                    "Connection",
                    None
                    if is_asked
                    else connection_links(request, [entry]).get(entry.id, "none, or inline"),
                ),
                ("Effect", badge(entry.effect) if entry.effect else None),
                ("Dry run", "yes" if entry.dry_run else None),
                (
                    "Caller",
                    person(request, entry.caller)
                    if entry.caller
                    else "the library or the command line",
                ),
                *([] if entry.status == "in_doubt" else _marks(entry)),
                ("Created", at(entry.created_at, request.now, whole=True)),
                (
                    "Finished",
                    at(entry.settled_at, request.now, whole=True)
                    if entry.settled_at is not None
                    else "not yet",
                ),
                (
                    "Duration",
                    span_text(entry.settled_at - entry.created_at)
                    if entry.settled_at is not None
                    else "–",
                ),
                (
                    "Request ID",
                    h.code(entry.request_id)
                    if entry.request_id and entry.status != "in_doubt"
                    else None,
                ),
                (
                    "Trace",
                    h.code(entry.context["traceparent"])
                    if entry.context.get("traceparent")
                    else None,
                ),
                ("Deciding rule", entry.rule),
                ("Problem", entry.problem),
                ("Resolved by", person(request, entry.resolved_by) if entry.resolved_by else None),
                ("Inputs", None if is_asked else _inputs(request, entry)),
            ]
        ),
    )


def _action(request: PageRequest, entry: Entry) -> Node:
    identifier = h.code(f"{entry.connector}/{entry.action}", class_="small")
    if not _installed(request, entry):
        return identifier
    return [
        h.a(name_of(request, entry), href=f"/connectors/{entry.connector}/actions/{entry.action}"),
        " ",
        identifier,
    ]


def _connector(entry: Entry) -> Node:
    if entry.connector == HOST and entry.connector_version is None:
        return "none: a function of a program that embeds jackfield"
    return [
        h.a(entry.connector, href=f"/connectors/{entry.connector}"),
        f" {entry.connector_version or ''}",
    ]


def _marks(entry: Entry) -> list[tuple[str, Node]]:
    """List the caller's own IDs of the invocation: idempotency key, correlation ID, labels."""
    labels: Any = entry.context.get("labels") or {}
    correlation = entry.context.get("correlationId")
    return [
        ("Idempotency key", h.code(entry.idempotency_key) if entry.idempotency_key else None),
        ("Correlation ID", h.code(str(correlation)) if correlation else None),
        (
            "Labels",
            [[h.code(f"{name}={value}"), " "] for name, value in labels.items()]
            if labels
            else None,
        ),
    ]


def _inputs(request: PageRequest, entry: Entry) -> Node:
    inputs = (
        entry.inputs
        if entry.inputs is not None
        else readable_inputs(request, [entry]).get(entry.id)
    )
    if inputs is not None:
        return h.details(h.summary("Show"), code_block(json_text(inputs), "The inputs"))
    if entry.status == "waiting":
        return "kept until the call has ended, for whoever approves it"
    if request.runtime.access.settings.keep_inputs and entry.is_open:
        return "recorded once the call has ended"
    setting = (
        ["; to record inputs, change ", h.a("the workspace's settings", href="/workspace")]
        if request.may("manage")
        else None
    )
    return ["not recorded", setting]


def _dead(request: PageRequest, entry: Entry) -> Markup | None:
    """Render the form that queues a dead letter again, with its failed deliveries; None if the
    entry is no dead letter.
    """
    if entry.dead_at is None:
        return None
    scope = h.p("Redriving it requires the scope ", h.code("manage"), ".", class_="muted")
    redrive = form(
        request,
        f"/invocations/{entry.id}/redrive",
        h.button("Redrive"),
        class_="actions",
        state=dead_state(entry),
    )
    return card(
        "Dead letter",
        h.p(
            f"Given up after {len(entry.deliveries)} deliveries: each time, its worker was lost. "
            "Find the cause before you redrive it."
        ),
        h.p(
            "“Redrive” queues it again with the same inputs and idempotency key, and a fresh "
            "count of deliveries.",
            class_="muted",
        ),
        redrive if request.may("manage") else scope,
        class_="card doubt",
    )


_OPEN = {
    "queued": "Waiting for a worker.",
    "waiting": "Waiting until a person approves it. Nothing was sent.",
}


def _waiting(request: PageRequest, entry: Entry) -> Markup | None:
    if not entry.is_open:
        return None
    word = _OPEN.get(entry.status, "Running.")
    button = h.button("Cancel", disabled=not request.may("invoke"))
    bar = None if entry.progress is None else progress_shown(entry.progress)
    why = None
    if entry.blocked is not None:
        why = h.p(
            "Nothing of this workspace is begun at present: ",
            entry.blocked["reason"],
            ". It is tried again by itself.",
        )
    return notice(
        h.p(word),
        why,
        bar,
        form(request, f"/invocations/{entry.id}/cancel", button, state=_state(entry)),
    )
