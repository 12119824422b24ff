"""Numbers of events in a restored database: they continue above all numbers given before, so that
receivers may compare them.

Each head of events records the place of the last number: the server, its database, and the
restoration, which a process noticed or a backup recorded. If the place differs now, the lost copy
may have given further numbers, and the next number is far above. No reader depends on it: a cursor
is identified by its mark (``jackfield_service.subjects.events.marks``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jackfield_store.database.transaction import Dialect, Transaction

_BEYOND = 1_000_000
"""Minimum number of event numbers left unused."""
_RETURNS = "events returns"
_NOTE = """
INSERT INTO dispatchers (name, holder, held_until) VALUES (:name, :holder, {now})
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until WHERE dispatchers.held_until <= :since
"""
_NEVER = 2.0**62


def place_of(dialect: Dialect) -> str:
    """Return the expression for the place where events are numbered now; NULL on a standby."""
    return (
        f"({dialect.place} || '.' || COALESCE((SELECT holder FROM dispatchers WHERE name = "
        f"'{_RETURNS}'), ''))"
    )


def is_elsewhere(numbered_on: str | None, here: str | None) -> bool:
    """Return whether events were last numbered at another place, or before a restoration; False if
    the place is unknown.
    """
    return numbered_on is not None and here is not None and numbered_on != here


def above_lost(last: int, now: float) -> int:
    """Return the number after which a workspace continues if its events were numbered elsewhere. It
    is the time in milliseconds, so that a second copy of the same state continues above the first.
    """
    return max(last + _BEYOND, int(now * 1000))


def note_place(transaction: Transaction, dialect: Dialect, since: float = _NEVER) -> None:
    """Record that this database was restored, or is a copy; with ``since``, unless another process
    has recorded that after this time of the database's clock.
    """
    transaction.change(*noting(dialect, since))


def noting(dialect: Dialect, since: float = _NEVER) -> tuple[str, Mapping[str, Any]]:
    """Return the statement of ``note_place``, and its values."""
    return _NOTE.format(now=dialect.now), {
        "name": _RETURNS,
        "holder": os.urandom(4).hex(),
        "since": since,
    }
