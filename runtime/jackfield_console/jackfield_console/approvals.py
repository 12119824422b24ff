"""Page of the calls that wait until a person approves them, and of those that were decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.markup import Node, table
from jackfield_console.approval import approvals_of
from jackfield_console.components import at, badge, choice_field, h, more
from jackfield_console.page_request import PageRequest
from jackfield_console.shell import page
from jackfield_server.shared.problem import Problem
from jackfield_store.recording.decisions import STATUSES

_PAGE = 50
_WAITING = "waiting"
COLUMNS = ("Asked", "Status", "Action", "Connection", "Asked by", "Expires")


def listed(request: PageRequest) -> Response:
    """``GET /approvals``: those that wait, or with ``?status=`` others; the newest first."""
    request.require("approve")
    status = request.query.get("status", _WAITING)
    try:
        found, cursor = approvals_of(request).list(status=status or None, cursor=request.query.get("cursor") or None, limit=_PAGE)
    except InvalidInvocation as error:
        raise Problem(error.http_status, error.message, hint=error.hint) from None
    empty = "No call waits for an approval." if status == _WAITING else "There are none."
    shown = table("Approvals", COLUMNS, [_row(request, item) for item in found], empty=empty)
    choices = [("", "All"), *((one, one.capitalize()) for one in STATUSES)]
    chosen = h.form(
        choice_field("status", "Status", choices, status), h.div(h.button("Show"), class_="actions"), action="/approvals", class_="filters"
    )
    lead = "Calls that a rule lets wait. Open one to see exactly what would be sent, and decide."
    return page(request, "approvals", "Approvals", chosen, shown, more("/approvals", cursor=cursor, status=status), lead=lead)


def _row(request: PageRequest, item: Mapping[str, Any]) -> tuple[Node, ...]:
    call = f"{item['connector']}/{item['action']}"
    asked: Mapping[str, Any] = item["requestedBy"]
    return (
        at(str(item["requestedAt"]), request.now), (badge(str(item["status"])), " changed in the database" if "damage" in item else None),
        h.a(h.strong(call), href=f"/invocations/{item['id']}"), item.get("connection", "none"),
        h.code(str(asked.get("caller") or "the process's own code")), at(str(item["expiresAt"]), request.now),
    )  # fmt: skip
