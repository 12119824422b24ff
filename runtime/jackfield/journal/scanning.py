"""Scans of the journal: how far one page of a filtered list looks, and the list for callers who see only a part of it.

Neither what a page holds, nor its cursor, nor the work that it takes may depend on what a filter matches among hidden entries. So the rules
are asked first, of a fixed number of rows; the filters are applied to the rest; and the cursor is encrypted: it may name a hidden row.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.database.faults import SealBroken
from jackfield.errors import InvalidInvocation
from jackfield.journal.filters import AFTER_CURSOR, condition, fits, indexed

if TYPE_CHECKING:
    from jackfield.database import Database, Row, Transaction, Vault

__all__ = ["FROM_FLOOR", "Scan", "floor"]

_LOOKED_AT = 2000
"""Rows that one page looks at; where that is not enough, the page is short and has a cursor."""
_FILTERED = 20_000
"""Rows that a page of a filtered list looks at for a caller without rules: 36 ms where ``q`` fits none of them."""
FROM_FLOOR = " AND (created_at, id) >= (:floor_at, :floor_id)"
_FLOOR = "SELECT created_at, id FROM invocations WHERE workspace = :workspace"
_SELECT = """
SELECT id, status, connector, action, effect, connection, caller, idempotency_key, error_code, request_id, context, created_at
FROM invocations WHERE workspace = :workspace"""
_WIDTH = 100
"""Bytes of every cursor before it is encrypted: their number says nothing."""
_PLACE = ("invocations", "cursor")


def floor(transaction: Transaction, filters: Mapping[str, Any], place: Mapping[str, Any]) -> Row | None:
    """Return the last row that one page may look at, read from an index alone; None where no filter needs a bound, or fewer rows are left.

    ``place`` is the workspace, and ``at`` and ``after`` of a cursor.
    """
    served = indexed(filters)
    if all(name in served for name, value in filters.items() if value is not None):
        return None
    where, wanted = condition(served)
    where += AFTER_CURSOR if "at" in place else ""
    statement = f"{_FLOOR}{where} ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET :skipped"
    return transaction.find(statement, {**place, **wanted, "skipped": _FILTERED - 1})


class Scan:
    """Rows of a workspace that a caller sees, newest first. ``sees`` is asked of each row before the filters are."""

    def __init__(self, database: Database, vault: Vault, workspace: str, sees: Callable[[Any], bool]) -> None:
        self._database = database
        self._vault = vault
        self._workspace = workspace
        self._sees = sees

    def page(self, cursor: str | None, limit: int, filters: Mapping[str, Any]) -> tuple[list[str], str | None]:
        """Return ids of entries that are seen and fit, and the cursor of the next page."""
        rows = self._rows(cursor, {name: filters.get(name) for name in ("since", "until")})
        found: list[str] = []
        last: Row | None = None
        for row in rows[:_LOOKED_AT]:
            if self._sees(row) and fits(row, filters):
                if len(found) == limit:
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
            raise InvalidInvocation("the cursor is not one that a list gave", hint="Start again without a cursor.") from None
        return float(at), str(identifier)
