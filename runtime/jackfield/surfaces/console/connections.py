"""List of the workspace's connections, with the link to create one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from jackfield.surfaces.console.components import badge, heading, more, notice, option_list, rows_table
from jackfield.surfaces.console.markup import Markup, Node, h
from jackfield.surfaces.console.page_request import PageRequest
from jackfield.surfaces.console.shell import fragment, page

_PAGE = 50
_MOST = 1000
_DONE = {"removed": "Connection removed, with its secrets."}


def listed(request: PageRequest) -> Response:
    """``GET /connections``: ``?text=``, ``?type=`` and ``?cursor=``."""
    request.require("read")
    found = _found(request)
    if request.partial:
        return fragment(found)
    make = h.a("New connection", href="/new-connection", class_="button primary") if request.may("manage") else None
    lead = "A connection holds the credentials for one account. Actions use it to sign in."
    return page(
        request, "connections", "Connections", heading("Connections", make, lead=lead), done_notice(request, _DONE), _problems(request),
        _filters(request), h.div(found, id="found", aria_live="polite"),
    )  # fmt: skip


def account_of(row: Mapping[str, Any]) -> Node:
    """Render the account that the last test found."""
    account = row.get("account") or {}
    label, identifier = account.get("label"), account.get("id")
    if not label and not identifier:
        return h.span("not known yet", class_="muted")
    return [label or identifier, h.span(f" ({identifier})", class_="muted") if label and identifier and identifier not in label else None]


def done_notice(request: PageRequest, texts: Mapping[str, str]) -> Markup | None:
    """Render the outcome of the previous request; ``?done=`` only selects one of ``texts``, so a link cannot inject text."""
    text = texts.get(request.query.get("done", ""))
    return notice(text, tone="good") if text else None


def _problems(request: PageRequest) -> list[Markup]:
    known = request.connections
    return [notice(text, tone="warn") for text in (*known.problems, *known.warnings)]


def _filters(request: PageRequest) -> Markup:
    there = sorted({str(row["type"]) for row in request.connections.list(limit=_MOST).items})
    types = [(name, f"{found.about.title} ({name})" if (found := request.connections.kinds.known(name)) else name) for name in there]
    text = h.input(
        type="search", id="text", name="text", value=request.query.get("text", ""), autocomplete="off", placeholder="Name, type or account"
    )
    kind = h.select(option_list([("", "All types"), *types], request.query.get("type", "")), id="type", name="type")
    status = h.select(
        option_list([("", "Any status"), ("ok", "Working"), ("failing", "Failing"), ("untested", "Untested")], request.query.get("status", "")),
        id="status", name="status",
    )  # fmt: skip
    return h.form(
        h.div(h.label("Search", for_="text"), text), h.div(h.label("Type", for_="type"), kind), h.div(h.label("Status", for_="status"), status),
        h.button("Filter"),
        action="/connections", class_="filters", hx_get="/connections", hx_trigger="input delay:200ms, submit", hx_target="#found",
        hx_replace_url="true", hx_sync="this:replace",
    )  # fmt: skip


def _found(request: PageRequest) -> Markup:
    given, status = request.query, request.query.get("status")
    limit = _MOST if status else _PAGE  # the database cannot filter by status
    page_ = request.connections.list(given.get("cursor"), limit, type=given.get("type") or None, text=given.get("text") or None)
    rows = [_row(row) for row in page_.items if not status or row.get("status") == status]
    narrowed = any(given.get(name) for name in ("text", "type", "status"))
    empty = "No connection matches." if narrowed else _first(request)
    table = rows_table("Connections", ("Name", "Status", "Account", "Type", "Source"), rows, empty=empty)
    filters = {name: given[name] for name in ("text", "type", "status") if given.get(name)}
    address = f"/connections?{urlencode({**filters, 'cursor': page_.next_cursor})}" if page_.next_cursor else None
    return h.div(table, more(address, "More"))


def _first(request: PageRequest) -> Node:
    make = h.a("Create one", href="/new-connection") if request.may("manage") else "Ask an administrator of the workspace to create one"
    return ["No connections yet. ", make, "."]


def _row(row: Mapping[str, Any]) -> tuple[Node, ...]:
    name = str(row["name"])
    source = "this workspace" if row.get("source") in (None, "store", "database") else str(row["source"])
    return h.a(name, href=f"/connections/{name}"), badge(str(row.get("status", "untested"))), account_of(row), h.code(row["type"]), source
