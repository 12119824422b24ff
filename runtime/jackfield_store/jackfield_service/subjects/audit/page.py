"""Audit log of the workspace: changes, tests, exports and sign-ins, with their actors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from jackfield.kernel.clock import moment
from jackfield.kernel.markup import Node
from jackfield_service.shell.operations.entry_export import KINDS, rows_exported
from jackfield_service.shell.pages.layout.components import at, filters, h, text_field
from jackfield_service.shell.pages.layout.export import export_kind, export_links, exported_file
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.shell.pages.layout.shell import page
from jackfield_service.shell.pages.layout.sorted_list import Sorts
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.schedules.timing import zone
from jackfield_store.access import Audit, AuditEntry

_FILTERS = (
    ("actor", "Who", "a name, or cli:…"),
    ("event", "What", "schedule"),
    ("object", "Target", "a name, or connection:…"),
)
_DAYS = (("from", "From"), ("until", "Until"))
_PAGE = 50
_REASON = 4
"""Index of the column of reasons, which a list without reasons lacks."""
_TOKENS = 200
_SORTS = Sorts(
    {"When": "at", "What": "event", "Target": "object"},
    names="sequence",
    value=lambda entry, member: entry.sequence if member == "sequence" else entry.about.get(member),
)
_PAGES = {
    "connection": "/connections",
    "invocation": "/invocations",
    "oauth-client": "/oauth-clients",
    "mcp-server": "/mcp-servers",
}
"""Addresses of pages of an entry's object, by kind."""
_REASONS = ("why", "reason")
"""Details with the reason of an event."""
_NO_RULES: Mapping[str, list[str]] = {"allow": [], "block": []}
_CELLS = ("sequence", "at", "actor", "name", "event", "object", "details", "damage", "digest")
"""Columns of an export as CSV."""


def listed(request: PageRequest) -> Response:
    """Serve ``GET /audit``. ``?from=`` and ``?until=`` are days, both included, in ``?timezone=``,
    which the page's script fills in.
    """
    log, given = _log(request), _given(request)
    wanted = _log_filters(request, given)
    found = _SORTS.read(
        request, lambda cursor, limit: log.list(**wanted, cursor=cursor, limit=limit), _PAGE
    )
    rows = [_row(request, entry) for entry in found.rows]
    columns: tuple[str, ...] = ("When", "Who", "What", "Target", "Reason", "Details")
    if not any(row[_REASON] for row in rows):
        columns, rows = (
            tuple(name for name in columns if name != "Reason"),
            [(*row[:_REASON], row[-1]) for row in rows],
        )
    empty = (
        "No entry matches the filters."
        if given.keys() - {"timezone"}
        else "Nothing has been recorded yet."
    )
    fields = [
        text_field(name, title, given.get(name, ""), type="search", placeholder=example)
        for name, title, example in _FILTERS
    ]
    fields += [text_field(name, title, given.get(name, ""), type="date") for name, title in _DAYS]
    fields += [
        h.input(
            type="hidden", name="timezone", value=given.get("timezone", "UTC"), data_timezone=True
        )
    ]
    lead = [
        "Changes, tests, exports and sign-ins in this workspace. ",
        h.code("jackfield audit verify"),
        " checks that no entry was altered.",
    ]
    shown = found.table(
        "/audit", "Audit log", columns, rows, empty=empty, kind="rows audit", kept={**given}
    )
    return page(
        request,
        "audit",
        "Audit log",
        filters("/audit", fields, live=False),
        shown,
        export_links("/audit", given),
        lead=lead,
    )


def saved(request: PageRequest) -> Response:
    """Serve ``GET /audit/export``: save the rows that the list's filters match, ``?kind=csv`` or
    ``jsonl``.
    """
    log, kind = _log(request), export_kind(request)
    wanted = _log_filters(request, _given(request))
    text, count, rest = rows_exported(
        lambda cursor, limit: log.list(**wanted, cursor=cursor, limit=limit),
        KINDS[kind],
        None,
        _CELLS,
        _cells,
    )
    return exported_file(text, f"audit-newest-{count}" if rest is not None else "audit", kind)


def _log(request: PageRequest) -> Audit:
    """Return the log of the visitor's workspace.

    :raises Problem: 403 if the visitor may not read it.
    """
    request.require("manage")
    if request.identity.rules:
        raise Problem(403, "a token with rules cannot read the audit log", code="not_allowed")
    storage = request.server.storage
    return Audit(
        storage.database, lambda: storage.vault, request.identity.workspace, request.server.clock
    )


def _given(request: PageRequest) -> dict[str, str]:
    names = (*(name for name, _, _ in _FILTERS), *(name for name, _ in _DAYS), "timezone")
    found = {name: request.query.get(name, "").strip()[:200] for name in names}
    return {name: text for name, text in found.items() if text}


def _log_filters(request: PageRequest, given: Mapping[str, str]) -> dict[str, Any]:
    """Return the filters of the log for a query's filters."""
    by = zone(given.get("timezone", "UTC"))
    first, last = (given.get(name) for name, _ in _DAYS)
    return {
        "actor": _who(request, given.get("actor", "")),
        "target": _anywhere(given.get("object", "")) or None,
        "event": _anywhere(given.get("event", "")) or None,
        "since": None if first is None else moment(first, request.now, -1, "'from'", zone=by),
        "until": None
        if last is None
        else moment(last, request.now, -1, "'until'", zone=by, ends=True),
    }


def _anywhere(text: str) -> str:
    """Return the filter of the log that matches a string anywhere, unless the string has a pattern
    of its own.
    """
    return text if not text or ":" in text or text.endswith("*") else f"*{text}*"


def _who(request: PageRequest, text: str) -> str | None:
    """Return the filter for the actor: the only token of that name, else a match anywhere in the
    actor. None without a text.
    """
    named = [
        token.id
        for token in request.tokens.list(limit=_TOKENS)[0]
        if text and token.name.casefold() == text.casefold()
    ]
    return f"token:{named[0]}" if len(named) == 1 else _anywhere(text) or None


def _cells(entry: AuditEntry) -> Mapping[str, Any]:
    about, actor = entry.to_json(), entry.about.get("actor") or {}
    details = about.get("details")
    return {
        **about,
        "actor": _key(actor),
        "name": actor.get("name"),
        "details": None if details is None else json.dumps(details, ensure_ascii=False),
    }


def _row(request: PageRequest, entry: AuditEntry) -> tuple[Node, ...]:
    if entry.damage is not None:
        return "unknown", "unknown", h.strong(f"Entry {entry.sequence} {entry.damage}"), "", "", ""
    about = entry.about
    noted = dict(about.get("details") or {})
    changes = (
        _changes(noted.pop("before"), noted.pop("after"))
        if noted.keys() >= {"before", "after"}
        else None
    )
    given = {name: value for name, value in noted.items() if value not in (None, {}, [], _NO_RULES)}
    named = (
        [h.strong(given.pop("name")), h.br()]
        if about["object"].startswith("token:") and given.get("name")
        else None
    )
    unsealed = (
        h.p(h.strong("The head before this entry was not sealed"))
        if about.get("unsealed")
        else None
    )
    reason = next((str(given.pop(name)) for name in _REASONS if name in given), "")
    details = [
        [h.span(f"{name} ", class_="muted"), h.code(_text(value)), h.br()]
        for name, value in given.items()
    ]
    target = [named, _target(about["object"])]
    return (
        at(about["at"], request.now, whole=True),
        _actor(about["actor"]),
        h.code(about["event"]),
        target,
        reason,
        [details, changes, unsealed],
    )


def _changes(before: Any, after: Any) -> Node:
    """Render the changed values: one value, or several by name."""
    sides = (
        (before, after)
        if isinstance(before, Mapping) and isinstance(after, Mapping)
        else ({"": before}, {"": after})
    )
    rows = [
        (
            name,
            *("not set" if side.get(name) is None else h.code(_text(side[name])) for side in sides),
        )
        for name in sides[1]
    ]
    return [
        [h.span(f"{name} ", class_="muted") if name else None, was, " → ", now, h.br()]
        for name, was, now in rows
    ]


def _target(key: str) -> Node:
    kind, _, name = key.partition(":")
    shown = h.code(key)
    return (
        h.a(shown, href=f"{_PAGES[kind]}/{quote(name, safe='')}")
        if kind in _PAGES and name
        else shown
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _key(actor: Mapping[str, str]) -> str:
    return ":".join(actor[name] for name in ("kind", "id") if name in actor)


def _actor(actor: Mapping[str, str]) -> Node:
    return (
        [h.strong(actor["name"]), h.br(), h.code(_key(actor), class_="small")]
        if "name" in actor
        else h.code(_key(actor))
    )


PAGES: tuple[Page, ...] = (
    Page("/audit/export", saved),
    Page("/audit", listed),
)
