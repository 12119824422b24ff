"""The journal's list: bounded scans, and filters as SQL and as a test of a row in memory."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from jackfield.database import Database, Row, Transaction, Vault
from jackfield.database.faults import SealBroken
from jackfield.database.stored_values import parsed_object
from jackfield.errors import InvalidInvocation
from jackfield.journal import statements as sql

_LOOKED_AT = 2000
"""Rows scanned for one page; if these are not enough, the page is short and has a cursor."""
_FILTERED = 20_000
"""Rows scanned for a page of a filtered list for a caller without rules: 36 ms if ``q`` matches none of them."""
FROM_FLOOR = " AND (created_at, id) >= (:floor_at, :floor_id)"
_FLOOR = "SELECT created_at, id FROM invocations WHERE workspace = :workspace"
PAGE_BYTES = 8 * 1024 * 1024
"""Bytes of stored Results on one page, unless its only entry has more."""
_SELECT = f"""
SELECT id, status, connector, action, effect, connection, caller, idempotency_key, error_code, request_id, context, created_at, {sql.SIZE}
FROM invocations WHERE workspace = :workspace"""
_WIDTH = 100
"""Bytes of every cursor before encryption; fixed, so that the length reveals nothing."""
_PLACE = ("invocations", "cursor")


def floor(transaction: Transaction, filters: Mapping[str, Any], place: Mapping[str, Any]) -> Row | None:
    """Return the last row that one page may scan, read from an index alone; None if an index answers all filters, or fewer rows are left.

    ``place`` holds the workspace, and ``at`` and ``after`` of a cursor.
    """
    served = indexed(filters)
    if all(name in served for name, value in filters.items() if value is not None):
        return None
    where, wanted = condition(served)
    where += AFTER_CURSOR if "at" in place else ""
    statement = f"{_FLOOR}{where} ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET :skipped"
    return transaction.find(statement, {**place, **wanted, "skipped": _FILTERED - 1})


class Scan:
    """Scan of the rows of a workspace that a caller may see, newest first. ``sees`` is applied to each row before the filters."""

    def __init__(self, database: Database, vault: Vault, workspace: str, sees: Callable[[Any], bool]) -> None:
        self._database = database
        self._vault = vault
        self._workspace = workspace
        self._sees = sees

    def page(self, cursor: str | None, limit: int, filters: Mapping[str, Any]) -> tuple[list[str], str | None]:
        """Return the ids of visible entries that match the filters, and the cursor of the next page."""
        rows = self._rows(cursor, {name: filters.get(name) for name in ("since", "until")})
        found: list[str] = []
        last: Row | None = None
        size = 0
        for row in rows[:_LOOKED_AT]:
            if self._sees(row) and fits(row, filters):
                size += row.size
                if len(found) == limit or (found and size > PAGE_BYTES):
                    return found, self._sealed(last)
                found.append(row.id)
            last = row
        return found, self._sealed(last) if len(rows) > _LOOKED_AT else None

    def _rows(self, cursor: str | None, times: Mapping[str, float | None]) -> list[Row]:
        where, values = condition(times)
        values |= {"workspace": self._workspace, "limit": _LOOKED_AT + 1}
        if cursor is not None:
            values["at"], values["after"] = self._opened(cursor)
            where += AFTER_CURSOR
        statement = f"{_SELECT}{where} ORDER BY created_at DESC, id DESC LIMIT :limit"
        with self._database.read() as transaction:
            return list(transaction.execute(statement, values))

    def _sealed(self, row: Row | None) -> str | None:
        if row is None:
            return None
        text = json.dumps([row.created_at, row.id]).encode()
        return base64.urlsafe_b64encode(self._vault.seal(self._workspace, _PLACE, text.ljust(_WIDTH))).decode().rstrip("=")

    def _opened(self, cursor: str) -> tuple[float, str]:
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            at, identifier = json.loads(self._vault.open(self._workspace, _PLACE, sealed))
        except (SealBroken, ValueError):
            raise InvalidInvocation("invalid cursor", hint="Start again without a cursor.") from None
        return float(at), str(identifier)


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
