"""List of the workspace's connections, with the search by which one is created."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from starlette.responses import Response

from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Markup, Node
from jackfield_service.shell.pages.layout.components import (
    badge,
    choice_field,
    done_notice,
    filters,
    h,
    heading,
    notice,
    offering,
    panel,
    text_field,
)
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.selection import NONE, Selection, Step, tick
from jackfield_service.shell.pages.layout.shell import fragment, page
from jackfield_service.shell.pages.layout.sorted_list import Sorts
from jackfield_service.subjects.connections.pages.state import connection_state
from jackfield_service.subjects.connections.pages.uses import uses

_PAGE = 50
_MOST = 1000
_STATUSES = (
    ("", "Any status"),
    ("ok", "Working"),
    ("failing", "Failing"),
    ("expired", "Expired"),
    ("untested", "Not tested"),
)
_SORTS = Sorts(
    {"Name": "name", "Status": "status", "Type": "type", "Source": "source"}, names="name"
)
_DONE = {"removed": "Connection removed, with its secrets.", **NONE}


def listed(request: PageRequest) -> Response:
    """Serve ``GET /connections``, with ``?text=``, ``?type=`` and ``?cursor=``."""
    request.require("read")
    found = _render_results(request)
    if request.partial:
        return fragment(found)
    offered = offering("/new-connection", "Connect to…", "Show all")
    make = (
        panel("make", "New connection", "New connection", offered, tone="primary")
        if request.may("manage")
        else None
    )
    lead = "A connection holds the credentials for one account. Actions use it to sign in."
    above = [
        done_notice(request, _DONE, *NONE),
        _problems(request),
        _filters(request),
        SELECTION.bar(request),
    ]
    clients = (
        h.a("OAuth clients", href="/oauth-clients", class_="button")
        if make and not request.identity.rules
        else None
    )
    head = heading("Connections", clients, make, lead=lead)
    return page(
        request,
        "connections",
        "Connections",
        *above,
        h.div(found, id="found", aria_live="polite"),
        head=head,
    )


def account_of(row: Mapping[str, Any]) -> Node:
    """Render the account from the last test."""
    account = row.get("account") or {}
    label, identifier = account.get("label"), account.get("id")
    if not label and not identifier:
        return h.span("not known yet", class_="muted")
    return [
        label or identifier,
        h.span(f" ({identifier})", class_="muted")
        if label and identifier and identifier not in label
        else None,
    ]


def _problems(request: PageRequest) -> list[Markup]:
    known = request.connections
    return [notice(text, tone="warn") for text in (*known.problems, *known.warnings)]


def _filters(request: PageRequest) -> Markup:
    there = sorted({str(row["type"]) for row in request.connections.list(limit=_MOST).items})
    types = [
        (
            name,
            f"{found.about.title} ({name})"
            if (found := request.connections.kinds.known(name))
            else name,
        )
        for name in there
    ]
    return filters(
        "/connections",
        text_field(
            "text",
            "Search",
            request.query.get("text", ""),
            type="search",
            placeholder="Name, type or account",
        ),
        choice_field("type", "Type", [("", "All types"), *types], request.query.get("type", "")),
        choice_field("status", "Status", _STATUSES, request.query.get("status", "")),
    )


def _render_results(request: PageRequest) -> Markup:
    given, status = request.query, request.query.get("status")

    def listed(cursor: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        most = _MOST if status else limit  # the database cannot filter by status
        page_ = request.connections.list(
            cursor, most, type=given.get("type") or None, text=given.get("text") or None
        )
        return [
            row for row in page_.items if not status or row.get("status") == status
        ], page_.next_cursor or None

    found = _SORTS.read(request, listed, _PAGE)
    rows = [_row(request, row) for row in found.rows]
    narrowed = any(given.get(name) for name in ("text", "type", "status"))
    empty = "No connection matches." if narrowed else _first(request)
    kept = {name: given.get(name) or None for name in ("text", "type", "status")}
    columns = [
        "Name",
        "Status",
        "Account",
        "Type",
        *(["Source"] if any(source for *_, source in rows) else []),
    ]
    rows = [row[: len(columns)] for row in rows]
    return found.table(
        "/connections",
        "Connections",
        columns,
        rows,
        empty=empty,
        older="More",
        whole=False,
        kept=kept,
        picks=SELECTION.every(request),
    )


def _first(request: PageRequest) -> Node:
    if not request.may("manage"):
        return "No connections yet. Ask an administrator of the workspace to create one."
    return ["No connections yet. ", h.a("Connect the first account", href="/new-connection"), "."]


def _row(request: PageRequest, row: Mapping[str, Any]) -> tuple[Node, ...]:
    name = str(row["name"])
    is_stored = row.get("source") in (None, "store", "database")
    source = "" if is_stored else str(row["source"])
    box = tick(name, name) if is_stored and request.may("manage") else None
    link = h.a(name, href=f"/connections/{name}")
    return (
        [box, link],
        badge(str(row.get("status", "untested"))),
        account_of(row),
        h.code(row["type"]),
        source,
    )


def _connection_label(request: PageRequest, name: str) -> Node:
    try:
        row = request.connections.show(name)
    except JackfieldError:
        return h.code(name[:100])
    return [h.a(name, href=f"/connections/{row['name']}"), " ", h.code(row["type"], class_="small")]


def _removed(request: PageRequest, name: str, _once: str) -> Node:
    request.connections.remove(name)
    return "Removed, with its secrets."


def _stopped(request: PageRequest, picked: Sequence[str]) -> Node:
    found = uses(request, picked)
    if not found:
        return None
    lead = h.p(h.strong("These stop:"))
    return notice(
        lead,
        h.ul(
            h.li(h.a(name, href=f"/connections/{name}"), ": ", own) for name, own in found.items()
        ),
        tone="warn",
    )


_GONE = (
    "They are deleted with their secrets, and approvals are revoked at the provider. "
    "Invocations that use them will fail. This cannot be undone."
)
_REMOVE = Step("remove", "Remove and revoke", "manage", _GONE, _removed, _stopped, tone="danger")


def _present(request: PageRequest, name: str) -> Any:
    with suppress(JackfieldError):
        return connection_state(request, request.connections.show(name))
    return None


SELECTION = Selection(
    "/connections", "connections", "Connection", (_REMOVE,), _connection_label, _present
)
"""Selection of several connections, and the steps for them."""
