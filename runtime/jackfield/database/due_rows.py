"""Rows that become due, as the processes of one database share them.

To claim a row is to put off when the next process looks at it, and to count the claim on. If the process that claimed it dies, another one
takes it then; what the first one commits too late changes nothing, since the claim has been counted on.
"""

from __future__ import annotations

from jackfield.database import Database, Row, Transaction


class OvertakenError(Exception):
    """Another process has claimed the row, or somebody changed it, so nothing was stored."""


def held(count: int) -> None:
    """Check the number of rows that a statement changed under a claim.

    :raises OvertakenError: if the claim does not hold.
    """
    if not count:
        raise OvertakenError


def claim(database: Database, due: str, take: str, now: float, lasts: float, limit: int) -> list[Row]:
    """Claim up to ``limit`` rows for ``lasts`` seconds, as they were before.

    ``due`` selects them by ``:now`` and ``:limit``, with ``workspace``, ``id`` and ``claim`` among their columns; ``take`` counts the claim
    of one on, until ``:until``.
    """

    def unit(transaction: Transaction) -> list[Row]:
        rows = transaction.execute(f"{due} {database.dialect.skips_locked}", {"now": now, "limit": limit})
        return [row for row in rows if transaction.change(take, _place(row, now, lasts))]

    return database.record(unit)


def _place(row: Row, now: float, lasts: float) -> dict[str, object]:
    return {"workspace": row.workspace, "id": row.id, "claim": row.claim, "now": now, "until": now + lasts}
