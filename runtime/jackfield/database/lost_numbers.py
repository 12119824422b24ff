"""Numbers of events that a database which went back may have given twice, by workspace: a cursor among them tells nothing.

What was numbered since is moved above them, so that a reader who goes on from before them misses nothing that is there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jackfield.database.transaction import Transaction

NAME = "'events lost: ' || event_heads.workspace"
"""Name of a workspace's row, as an expression beside its head."""
_BEYOND = 1_000_000
"""Numbers left free above those that were seen: others may have been given, and told, since a process has last looked."""
_KEPT = 20
"""Returns that are remembered."""
_HEAD = f"""
SELECT last, (SELECT holder FROM dispatchers WHERE name = {NAME}) AS lost FROM event_heads WHERE workspace = :workspace
"""
_LOCK = "UPDATE event_heads SET last = last WHERE workspace = :workspace"
_MOVES = (
    "UPDATE event_heads SET last = last + :by WHERE workspace = :workspace",
    "UPDATE events SET sequence = sequence + :by WHERE workspace = :workspace AND sequence > :safe",
    "UPDATE deliveries SET sequence = sequence + :by WHERE workspace = :workspace AND sequence > :safe",
    "UPDATE callbacks SET position = position + :by WHERE workspace = :workspace AND position > :safe",
)
_NOTE = """
INSERT INTO dispatchers (name, holder, held_until) VALUES (:name, :lost, 0)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder
"""


def give_up(transaction: Transaction, workspace: str, safe: int, seen: int) -> None:
    """Give up the numbers of a workspace from the first after ``safe``, which every copy has, to beyond the highest ``seen``; not if
    another process has."""
    transaction.change(_LOCK, {"workspace": workspace})
    row = transaction.find(_HEAD, {"workspace": workspace})
    if row is None or row.last >= seen + _BEYOND // 2:
        return
    safe, by = min(safe, row.last), max(0, seen - safe) + _BEYOND
    for move in _MOVES:
        transaction.change(move, {"workspace": workspace, "safe": safe, "by": by})
    lost = [*_read(row.lost), (safe, safe + by)][-_KEPT:]
    transaction.change(_NOTE, {"name": f"events lost: {workspace}", "lost": json.dumps(lost)})


def before_lost(cursor: int, last: int, lost: str | None) -> int | None:
    """Return the number to go on from instead of a cursor among those that a workspace gave up; None for another one. ``last`` is its
    highest number: a workspace that was deleted and made anew begins again."""
    found = [safe for safe, end in _read(lost) if safe < cursor < end <= last]
    return min(found, default=None)


def past_lost(number: int, last: int, lost: str | None) -> int:
    """Return the number after which the next event is looked for: those that were given up have none."""
    return max([number, *(end for safe, end in _read(lost) if safe <= number < end <= last)])


def _read(lost: str | None) -> Sequence[tuple[int, int]]:
    return [] if lost is None else [(safe, end) for safe, end in json.loads(lost)]
