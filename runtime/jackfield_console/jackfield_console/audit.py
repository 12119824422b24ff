"""Audit log of the workspace: changes, tests, exports and sign-ins, with their actors."""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.responses import Response

from jackfield.kernel.markup import Node
from jackfield_console.layout.components import at, filters, h, text_field
from jackfield_console.layout.page_request import PageRequest
from jackfield_console.layout.shell import page
from jackfield_console.sorted_list import Sorts
from jackfield_server.shared.requests.problem import Problem
from jackfield_store.access import Audit, AuditEntry

_FILTERS = (("actor", "Actor", "token:… or cli:…"), ("object", "Object", "connection:*"), ("event", "Event", "connection.created"))
_PAGE = 50
_SORTS = Sorts(
    {"Time": "at", "Event": "event", "Object": "object"}, names="sequence",
    value=lambda entry, member: entry.sequence if member == "sequence" else entry.about.get(member),
)  # fmt: skip
_NO_RULES: Mapping[str, list[str]] = {"allow": [], "block": []}


def listed(request: PageRequest) -> Response:
    """``GET /audit``."""
    request.require("manage")
    if request.identity.rules:
        raise Problem(403, "a token with rules cannot read the audit log", code="not_allowed")
    given = {name: request.query.get(name, "").strip()[:200] for name, _, _ in _FILTERS}
    storage = request.server.storage
    log = Audit(storage.database, lambda: storage.vault, request.identity.workspace, request.server.clock)
    wanted = {"actor": given["actor"] or None, "target": given["object"] or None, "event": given["event"] or None}
    found = _SORTS.read(request, lambda cursor, limit: log.list(**wanted, cursor=cursor, limit=limit), _PAGE)
    rows = [_row(request, entry) for entry in found.rows]
    columns = ("Time", "Actor", "Event", "Object", "Details")
    empty = "No entry matches the filters." if any(given.values()) else "Nothing has been recorded yet."
    fields = [text_field(name, title, given[name], type="search", placeholder=example) for name, title, example in _FILTERS]
    lead = [
        "Changes, tests, exports and sign-ins in this workspace. ",
        h.code("jackfield audit verify"),
        " checks that no entry was altered.",
    ]
    return page(
        request,
        "audit",
        "Audit log",
        filters("/audit", fields, live=False),
        found.table("/audit", "Audit log", columns, rows, empty=empty, kept={name: text or None for name, text in given.items()}),
        lead=lead,
    )


def _row(request: PageRequest, entry: AuditEntry) -> tuple[Node, ...]:
    if entry.damage is not None:
        return "unknown", "unknown", h.strong(f"Entry {entry.sequence} {entry.damage}"), "", ""
    about = entry.about
    given = {name: value for name, value in (about.get("details") or {}).items() if value not in (None, {}, [], _NO_RULES)}
    named = [h.strong(given.pop("name")), h.br()] if about["object"].startswith("token:") and given.get("name") else None
    unsealed = h.p(h.strong("The head before this entry was not sealed")) if about.get("unsealed") else None
    details = [h.code(json.dumps(given), class_="small") if given else "", unsealed]
    return at(about["at"], request.now), _actor(about["actor"]), h.code(about["event"]), [named, h.code(about["object"])], details


def _actor(actor: Mapping[str, str]) -> Node:
    key = ":".join(actor[name] for name in ("kind", "id") if name in actor)
    return [h.strong(actor["name"]), h.br(), h.code(key, class_="small")] if "name" in actor else h.code(key)
