"""Filters of the journal's list: as SQL for SQLite and PostgreSQL, and as a test of a row in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jackfield.database.stored_values import parsed_object

__all__ = ["AFTER_CURSOR", "FILTERS", "condition", "fits", "indexed"]

_EQUAL = {
    "status": "status", "connector": "connector", "action": "action", "connection": "connection", "caller": "caller",
    "idempotencyKey": "idempotency_key", "errorCode": "error_code",
}  # fmt: skip
_SEARCHED = ("id", "connector", "action", "connection", "caller", "idempotency_key", "error_code", "request_id", "context")
FILTERS = (*_EQUAL, "since", "until", "correlationId", "label", "q")
"""Names of all filters; ``since`` and ``until`` are seconds since 1970, ``label`` is a name or ``name=value``."""
AFTER_CURSOR = " AND (created_at, id) < (:at, :after)"
"""SQL for the page after a cursor; both databases answer it from an index."""


def condition(filters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return further conditions for a WHERE clause, and their values. A row must match all filters; None means no filter."""
    given = {name: value for name, value in filters.items() if value is not None}
    if given.get("status") == "cancelled":  # stored as a failure with that code
        given |= {"status": "failed", "errorCode": given.get("errorCode", "cancelled")}
        if given["errorCode"] != "cancelled":
            return " AND 1 = 0", {}
    parts: list[str] = []
    values: dict[str, Any] = {}
    for name, value in given.items():
        values[f"by_{name}"] = value if name in _EQUAL or name in ("since", "until") else _pattern(name, value)
        parts.append(_part(name))
    return "".join(f" AND {part}" for part in parts), values


def indexed(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filters that a single index can answer; the others need a scan of the entries."""
    given = {name: value for name, value in filters.items() if value is not None}
    first = "idempotencyKey" if "idempotencyKey" in given else "status" if given.get("status") != "cancelled" else ""
    return {name: given[name] for name in ("since", "until", first) if name in given}


def fits(row: Any, filters: Mapping[str, Any]) -> bool:
    """Return whether a row matches all filters except ``since`` and ``until``."""
    given = {name: value for name, value in filters.items() if value is not None and name not in ("since", "until")}
    if given.get("status") == "cancelled":
        del given["status"]
        if (row.status, row.error_code) != ("failed", "cancelled"):
            return False
    return all(_passes(row, name, value) for name, value in given.items())


def _passes(row: Any, name: str, value: str) -> bool:
    if name in _EQUAL:
        return bool(getattr(row, _EQUAL[name]) == value)
    if name == "q":
        return any(value.lower() in (getattr(row, column) or "").lower() for column in _SEARCHED)
    context = _context(row.context)
    if name == "correlationId":
        return bool(context.get("correlationId") == value)
    labels = context.get("labels")
    key, equals, wanted = value.partition("=")
    return isinstance(labels, dict) and key in labels and (not equals or labels[key] == wanted)


def _context(text: str | None) -> dict[str, Any]:
    try:
        return parsed_object(text or "{}")
    except (ValueError, TypeError):  # damaged
        return {}


def _part(name: str) -> str:
    if name in _EQUAL:
        return f"{_EQUAL[name]} = :by_{name}"
    if name in ("since", "until"):
        return f"created_at {'>=' if name == 'since' else '<'} :by_{name}"
    if name == "q":
        return "(" + " OR ".join(f"LOWER({column}) LIKE :by_q ESCAPE '!'" for column in _SEARCHED) + ")"
    return f"context LIKE :by_{name} ESCAPE '!'"


def _pattern(name: str, value: str) -> str:
    """Build the LIKE pattern for a filter. Values of the context are matched as JSON text, so that quotes in a value are escaped."""
    if name == "q":
        return f"%{_literal(value.lower())}%"
    if name == "correlationId":
        return f'%"correlationId": {_literal(json.dumps(value))}%'
    key, equals, wanted = value.partition("=")
    return f'%"labels": {{%{_literal(json.dumps(key))}: {_literal(json.dumps(wanted)) if equals else ""}%'


def _literal(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
