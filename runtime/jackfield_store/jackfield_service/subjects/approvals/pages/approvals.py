"""Page of calls that wait for a person's approval, and of decided ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from starlette.responses import Response

from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.markup import Markup, Node
from jackfield_service.shell.pages.layout.components import (
    at,
    badge,
    choice_field,
    done_notice,
    h,
    notice,
)
from jackfield_service.shell.pages.layout.gist import name_of, named, telling_inputs
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.shell import page
from jackfield_service.shell.pages.layout.sorted_list import Sorts
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.approvals.pages.approval import (
    DONE,
    LIST,
    WARNINGS,
    approval_shown,
    approvals_of,
    asker,
    decider,
)
from jackfield_store.recording.decisions import STATUSES

T = TypeVar("T")
_PAGE = 50
_WAITING = "waiting"
_ENDS = {_WAITING: "Expires", "expired": "Expired", "approved": "Decided", "declined": "Decided"}
"""Titles of the column with the end, by the status filter."""
_STATUS = "Status"


class _Call(NamedTuple):
    """Call of an approval, with the members for the line that distinguishes calls."""

    id: str
    status: str
    connector: str
    action: str
    context: Mapping[str, Any] = MappingProxyType({})


def listed(request: PageRequest) -> Response:
    """Serve ``GET /approvals``: waiting calls, or calls with ``?status=``, newest first.
    ``?decide=`` shows one call above the list, ready for a decision.
    """
    request.require("approve")
    status = request.query.get("status", _WAITING)
    ends = _ENDS.get(status, "Expires, or decided")
    sorts = Sorts({_STATUS: "status", "Connection": "connection", ends: "expiresAt"}, names="id")
    columns = (
        "Action",
        *(() if status else (_STATUS,)),
        "Connection",
        "Asked by",
        "Asked",
        ends,
        *_steps(status, "Actions"),
    )
    try:
        listed_ = approvals_of(request).list
        found = sorts.read(
            request,
            lambda cursor, limit: listed_(status=status or None, cursor=cursor, limit=limit),
            _PAGE,
        )
    except InvalidInvocation as error:
        raise Problem(error.http_status, error.message, hint=error.hint) from None
    empty = "No call waits for an approval." if status == _WAITING else "There are none."
    if found.cursor is not None:
        empty = "None of these that you may see. Select Older to keep searching."
    asked = _decision_view(request)
    others = [item for item in found.rows if asked is None or item["id"] != request.query["decide"]]
    told = named(
        request,
        [_Call(item["id"], item["status"], item["connector"], item["action"]) for item in others],
    )
    rows = [_row(request, item, told[item["id"]], status) for item in others]
    shown = found.table(
        LIST,
        "Approvals",
        columns,
        rows,
        empty=empty,
        kept={"status": None if status == _WAITING else status},
    )
    choices = [("", "All"), *((one, one.capitalize()) for one in STATUSES)]
    chosen = h.form(
        choice_field("status", "Status", choices, status),
        h.div(h.button("Filter"), class_="actions"),
        action=LIST,
        class_="filters",
    )
    lead = (
        None if asked else "Calls that a rule lets wait. Decide shows exactly what would be sent."
    )
    done = done_notice(request, DONE, *WARNINGS)
    listed_there = (
        [chosen, shown] if asked is None else [h.h2("Other calls that wait"), shown] if rows else []
    )
    return page(
        request,
        "approvals",
        _title(request, found.rows) if asked else "Approvals",
        done,
        _unknown(request, asked),
        asked,
        listed_there,
        lead=lead,
    )


def _title(request: PageRequest, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the name of the call that the visitor decides on, with its recipients."""
    item = next((item for item in rows if item["id"] == request.query["decide"]), None)
    if item is None:
        return "Approvals"
    call = _Call(item["id"], item["status"], item["connector"], item["action"])
    recipients = telling_inputs(request, call)[1]
    return f"{name_of(request, call)} to {recipients}" if recipients else name_of(request, call)


def _decision_view(request: PageRequest) -> Markup | None:
    """Render the call that the visitor has chosen to decide on, as on its own page; None without a
    chosen call.
    """
    identifier = request.query.get("decide")
    return approval_shown(request, identifier, from_list=True) if identifier else None


def _unknown(request: PageRequest, asked: Markup | None) -> Markup | None:
    is_unknown = asked is None and request.query.get("decide")
    return notice("No approval that you may see has this ID.", tone="warn") if is_unknown else None


def _row(
    request: PageRequest, item: Mapping[str, Any], name: Node, status: str
) -> tuple[Node, ...]:
    waits = item["status"] == _WAITING
    said = f"Decide on the call asked for at {item['requestedAt']}"
    return (
        [name, h.p("changed in the database") if "damage" in item else None],
        *(() if status else (badge(str(item["status"])),)),
        h.a(over, href=f"/connections/{over}")
        if (over := item.get("connection"))
        else h.span("none", class_="muted"),
        asker(request, item["requestedBy"]),
        at(str(item["requestedAt"]), request.now),
        [at(item.get("decidedAt"), request.now), " by ", decider(item)]
        if "decidedBy" in item
        else at(str(item["expiresAt"]), request.now),
        *_steps(
            status,
            h.a(
                "Decide",
                href=f"{LIST}?decide={item['id']}#decide",
                class_="button",
                aria_label=said,
            )
            if waits
            else None,
        ),
    )


def _steps(status: str, cell: T) -> tuple[T, ...]:
    """Return a cell of the column with the button, for lists that may hold waiting calls; else no
    cell.
    """
    return (cell,) if status in ("", _WAITING) else ()
