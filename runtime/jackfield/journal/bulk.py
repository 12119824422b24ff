"""Insertion of many queued invocations with few statements: one statement per row would cost a round trip each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from jackfield.database import Transaction

_SHARED = "workspace"
_COLUMNS = (
    "id", "connector", "connector_version", "action", "effect", "connection", "caller", "idempotency_key", "key_held", "fingerprint",
    "dry_run", "created_at", "inputs", "context", "available_at", "not_after", "priority",
)  # fmt: skip
"""Columns of a queued invocation that differ between rows; the others have their defaults."""
_SIZES = (64, 16, 4, 1)
"""Rows per statement: few sizes, so that the databases' statement caches hold all of them."""


@lru_cache(maxsize=len(_SIZES))
def _statement(rows: int) -> str:
    names = ", ".join((_SHARED, "status", "attempts", *_COLUMNS))
    values = ", ".join(f"(:{_SHARED}, 'queued', 0, {', '.join(f':{name}_{row}' for name in _COLUMNS)})" for row in range(rows))
    return f"INSERT INTO invocations ({names}) VALUES {values} ON CONFLICT DO NOTHING RETURNING id"


def insert(transaction: Transaction, workspace: str, rows: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Insert queued invocations in order, and return the ids of those inserted: not those whose idempotency key is held."""
    found: set[str] = set()
    for part in _parts(rows):
        values = {f"{name}_{place}": row[name] for place, row in enumerate(part) for name in _COLUMNS}
        found |= {row.id for row in transaction.execute(_statement(len(part)), {_SHARED: workspace, **values})}
    return frozenset(found)


def _parts(rows: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    begin = 0
    for size in _SIZES:
        while len(rows) - begin >= size:
            yield rows[begin : begin + size]
            begin += size
