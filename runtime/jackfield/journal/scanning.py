"""Bounded scans of the journal: the limit of one filtered page, and the list for callers who may see only some entries.

The content of a page, its cursor and its cost must not depend on hidden entries that match a filter. Therefore the rules are applied first,
to a fixed number of rows, and the filters to the rows that remain; the cursor may name a hidden row, so it is encrypted.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.database.faults import SealBroken
from jackfield.errors import InvalidInvocation
from jackfield.journal import statements as sql
from jackfield.journal.filters import AFTER_CURSOR, condition, fits, indexed

if TYPE_CHECKING:
    from jackfield.database import Database, Row, Transaction, Vault

__all__ = ["FROM_FLOOR", "PAGE_BYTES", "Scan", "floor"]

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
