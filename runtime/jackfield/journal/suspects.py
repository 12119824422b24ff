"""Invocations that have been lost with two workers: one of them may be the cause, so they run one at a time.

Whatever ends its worker takes down all that runs there. Without this, an invocation that does so would take the same neighbours down
each time until all of them are given up.
"""

from __future__ import annotations

from collections.abc import Iterable

from jackfield.database import Row, Transaction
from jackfield.journal import statements as sql

_SUSPECT = 2
"""Deliveries after which a lost invocation runs apart from others like it."""


def apart(transaction: Transaction, rows: Iterable[Row]) -> list[Row]:
    """Leave out all but one of a workspace's suspects, and that one, too, while another is on its way or runs."""
    found: list[Row] = []
    seen: set[str] = set()
    for row in rows:
        if row.lost and row.delivery >= _SUSPECT:
            if row.workspace in seen:
                continue
            seen.add(row.workspace)
            if transaction.find(sql.SUSPECT_AT_WORK, {"workspace": row.workspace, "deliveries": _SUSPECT}) is not None:
                continue
        found.append(row)
    return found
