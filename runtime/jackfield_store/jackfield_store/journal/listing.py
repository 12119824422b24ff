"""Filters of the journal's list: as conditions of SQL, and as a test of a row in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jackfield.kernel.stored_values import like_literal, parsed_object

GROUPED = {
    "status": "status",
    "connector": "connector",
    "action": "action",
    "connection": "connection",
    "caller": "caller",
    "errorCode": "error_code",
}
"""Filters on the columns that determine an entry's kind (``invocation_kinds``), with these
columns.
"""
_EQUAL = {**GROUPED, "idempotencyKey": "idempotency_key"}
_NAMES = ("connector", "action", "connection", "caller", "error_code")
_IDENTIFIERS = ("id", "idempotency_key", "request_id", "context")
_SEARCHED = (*_NAMES, *_IDENTIFIERS)
FILTERS = (*_EQUAL, "since", "until", "correlationId", "label", "q")
"""Names of all filters; ``since`` and ``until`` are seconds since 1970, ``label`` is a name or
``name=value``.
"""
AFTER_CURSOR = " AND (created_at, id) < (:at, :after)"
"""SQL for the page after a cursor; both databases answer it from an index."""


NOT_CANCELLED = "isNotCancelled"
"""Filter that leaves out cancelled or declined calls, which the journal stores as failed. It is not
part of the API.
"""
_FLAGS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "dead": ("dead_at IS NOT NULL", lambda row: row.dead_at is not None),
    NOT_CANCELLED: (
        "COALESCE(error_code, '') <> 'cancelled'",
        lambda row: bool(row.error_code != "cancelled"),
    ),
}
"""Filters without a value, each as SQL and as a test of a row."""
_WAITS = {True: "available_at IS NULL", False: "available_at IS NOT NULL"}


def normalized(filters: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the given filters; None if nothing can match.

    ``cancelled`` becomes a failure with the code ``cancelled``, ``dead`` a failure that is a dead
    letter, and ``waiting`` a queued invocation that is not due until a person approves it.
    """
    given = {name: value for name, value in filters.items() if value is not None}
    if given.get("status") == "cancelled":
        if given.setdefault("errorCode", "cancelled") != "cancelled":
            return None
        given["status"] = "failed"
    if given.get("status") == "waiting":
        given |= {"status": "queued", "waits": True}
    elif given.get("status") == "queued":
        given.setdefault("waits", False)
    if given.get("status") == "dead":
        given |= {"status": "failed", "dead": True}
    return given


def condition(filters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return further conditions for a WHERE clause, and their values. A row must match all filters;
    None means no filter.
    """
    given = normalized(filters)
    if given is None:
        return " AND 1 = 0", {}
    parts: list[str] = []
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name != "waits" and name not in _FLAGS:
            values[f"by_{name}"] = (
                value if name in _EQUAL or name in ("since", "until") else _pattern(name, value)
            )
        parts.append(_WAITS[value] if name == "waits" else _part(name))
    return "".join(f" AND {part}" for part in parts), values


def fits(row: Any, filters: Mapping[str, Any]) -> bool:
    """Return whether a row matches all filters except ``since`` and ``until``."""
    given = normalized(filters)
    return given is not None and all(
        _passes(row, name, value) for name, value in given.items() if name not in ("since", "until")
    )


def naming(text: str) -> tuple[str, dict[str, str]]:
    """Return a further condition for kinds of entries (``k``) whose names contain a text, and its
    value.
    """
    return f" AND ({_containing([f'k.{column}' for column in _NAMES], 'name')})", {
        "by_name": _pattern("q", text)
    }


def _passes(row: Any, name: str, value: str) -> bool:
    if name in _EQUAL:
        return bool(getattr(row, _EQUAL[name]) == value)
    if name in _FLAGS:
        return _FLAGS[name][1](row)
    if name == "waits":
        return (row.available_at is None) == bool(value)
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
    if name in _FLAGS:
        return _FLAGS[name][0]
    if name in ("since", "until"):
        return f"created_at {'>=' if name == 'since' else '<'} :by_{name}"
    if name == "q":
        return f"({_containing(_SEARCHED, name)})"
    if name == "identifiers":  # the names of all but the running entries are those of their kinds
        return (
            f"({_containing(_IDENTIFIERS, name)} OR (status = 'running' AND "
            f"({_containing(_NAMES, name)})))"
        )
    return f"context LIKE :by_{name} ESCAPE '!'"


def _containing(columns: Iterable[str], name: str) -> str:
    return " OR ".join(f"LOWER({column}) LIKE :by_{name} ESCAPE '!'" for column in columns)


def _pattern(name: str, value: str) -> str:
    """Build the LIKE pattern for a filter. Values of the context are matched as JSON text, so that
    quotes in a value are escaped.
    """
    if name in ("q", "identifiers"):
        return f"%{like_literal(value.lower())}%"
    if name == "correlationId":
        return f'%"correlationId": {like_literal(json.dumps(value))}%'
    key, equals, wanted = value.partition("=")
    return (
        f'%"labels": {{%{like_literal(json.dumps(key))}: '
        f"{like_literal(json.dumps(wanted)) if equals else ''}%"
    )
