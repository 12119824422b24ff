"""Numbers of events that a database which went back may have given twice, by workspace: a cursor among them tells nothing.

What was numbered since is moved above them, so that a reader who goes on from before them misses nothing that is there.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jackfield.database.statements import Row
    from jackfield.database.transaction import Transaction

NAME = "'events lost: ' || event_heads.workspace"
"""Name of a workspace's row, as an expression beside its head."""
_BEYOND = 1_000_000
"""Numbers left free above those that were seen: others may have been given, and told, since a process has last looked."""
_KEPT = 1_000
"""Returns that are remembered, of those whose numbers are not purged yet: a reader would look through the numbers of others in vain."""
_HEAD = f"""
SELECT last, purged, (SELECT holder FROM dispatchers WHERE name = {NAME}) AS lost FROM event_heads WHERE workspace = :workspace
"""
_IS_THERE = "SELECT 1 AS one FROM events WHERE workspace = :workspace AND sequence = :number AND id = :event"
_LOCK = "UPDATE event_heads SET last = last WHERE workspace = :workspace"
_MOVES = (
    "UPDATE event_heads SET last = last + :by WHERE workspace = :workspace",
    "UPDATE events SET sequence = sequence + :by WHERE workspace = :workspace AND sequence > :safe",
    "UPDATE deliveries SET sequence = sequence + :by WHERE workspace = :workspace AND sequence > :safe",
    "UPDATE callbacks SET position = position + :by WHERE workspace = :workspace AND position > :safe",
)
_FORGET = "DELETE FROM dispatchers WHERE name = :name"
_NOTE = """
INSERT INTO dispatchers (name, holder, held_until) VALUES (:name, :lost, 0)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder
"""


def give_up(transaction: Transaction, workspace: str, heads: Sequence[tuple[int, str | None]]) -> None:
    """Give up the numbers of a workspace from the first that another event may have had, to beyond the highest that was seen; not if
    another process has.

    ``heads`` are the last numbers that were seen, oldest first, each with the id of its event: if that is there under its number, so is
    all before it. If none is there, what there is before them counts as kept.
    """
    transaction.change(_LOCK, {"workspace": workspace})
    row = transaction.find(_HEAD, {"workspace": workspace})
    seen = max(number for number, _ in heads)
    if row is None or row.last >= seen + _BEYOND // 2:
        return
    safe = max(row.purged, min(row.last, _safe(transaction, workspace, heads, row)))
    by = max(0, seen - safe) + _BEYOND
    for move in _MOVES:
        transaction.change(move, {"workspace": workspace, "safe": safe, "by": by})
    lost = [*(gap for gap in _read(row.lost) if gap[1] > row.purged), (safe, safe + by)][-_KEPT:]
    transaction.change(_NOTE, {"name": f"events lost: {workspace}", "lost": json.dumps(lost)})


def _safe(transaction: Transaction, workspace: str, heads: Sequence[tuple[int, str | None]], present: Row) -> int:
    """Return the highest number that was seen up to which all events are as they were; those that are purged tell nobody anything."""
    known = [(number, event) for number, event in heads if event is not None or number <= present.purged]

    def is_lost(head: tuple[int, str | None]) -> bool:
        place = {"workspace": workspace, "number": head[0], "event": head[1]}
        return head[0] > present.purged and transaction.find(_IS_THERE, place) is None

    place = bisect_left(known, True, key=is_lost)
    if place:
        return known[place - 1][0]
    return int(known[0][0] - 1 if known else present.last)


def begin_anew(transaction: Transaction, workspace: str) -> None:
    """Forget what a workspace of this name gave up: its numbers begin again."""
    transaction.change(_FORGET, {"name": f"events lost: {workspace}"})


def before_lost(cursor: int, last: int, lost: str | None) -> int | None:
    """Return the number to go on from instead of a cursor among those that a workspace gave up; None for another one. ``last`` is its
    highest number."""
    found = [safe for safe, end in _read(lost) if safe < cursor < end <= last]
    return min(found, default=None)


def past_lost(number: int, last: int, lost: str | None) -> int:
    """Return the number after which the next event is looked for: those that were given up have none."""
    return max([number, *(end for safe, end in _read(lost) if safe <= number < end <= last)])


def _read(lost: str | None) -> Sequence[tuple[int, int]]:
    return [] if lost is None else [(safe, end) for safe, end in json.loads(lost)]
