"""Numbers of events that a database which went back may have given twice, by workspace: a cursor among them tells nothing.

Each head of events says where they were last numbered: on which server, in which database of it, and after which return that a process has
noticed. If that is another place now, all numbers above the head may have been given in what was lost, and told: they are given up before
the next one is given. A return that leaves no other place (a file that was copied back, a snapshot of a disk) is known only once a process
has noticed it. What was numbered until then is moved above what was seen before, so that a reader who goes on from before misses nothing.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jackfield.dataclass import dataclass, field

if TYPE_CHECKING:
    from jackfield.database.dialect import Dialect
    from jackfield.database.statements import Row
    from jackfield.database.transaction import Transaction

NAME = "'events lost: ' || event_heads.workspace"
"""Name of a workspace's row, as an expression beside its head."""
_BEYOND = 1_000_000
"""Numbers left free above those that were seen: others may have been given, and told, since a process has last looked."""
_KEPT = 1_000
"""Returns that are remembered, of those whose numbers are not purged yet: a reader would look through the numbers of others in vain."""
_MARGIN = 10.0
"""Seconds before the last renewal from which numbers may be later than the return: clocks of servers differ."""
_RETURNS = "events returns"
_HEAD = f"""
SELECT last, purged, (SELECT holder FROM dispatchers WHERE name = {NAME}) AS lost FROM event_heads WHERE workspace = :workspace
"""
_SINCE = "SELECT workspace, numbered_on, numbered_at FROM event_heads ORDER BY workspace"
_RETURN = """
INSERT INTO dispatchers (name, holder, held_until) VALUES (:name, :holder, {now})
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until WHERE dispatchers.held_until <= :since
"""
_IS_THERE = "SELECT 1 AS one FROM events WHERE workspace = :workspace AND sequence = :number AND id = :event"
_SKIP = "UPDATE event_heads SET last = last + :by WHERE workspace = :workspace"
_MOVES = (
    "UPDATE event_heads SET last = last + :by, numbered_on = :here WHERE workspace = :workspace",
    "UPDATE events SET sequence = sequence + :by WHERE workspace = :workspace AND sequence > :safe",
    "UPDATE deliveries SET sequence = sequence + :by WHERE workspace = :workspace AND sequence > :safe",
    "UPDATE callbacks SET position = position + :by WHERE workspace = :workspace AND position > :safe",
)
_FORGET = "DELETE FROM dispatchers WHERE name = :name"
_NOTE = """
INSERT INTO dispatchers (name, holder, held_until) VALUES (:name, :lost, 0)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder
"""


@dataclass(frozen=True, slots=True)
class Lost:
    """Knowledge of a database before it went back: it was the one that a process had seen until ``since``, by the database's clock.

    ``heads`` has by workspace the last numbers that were seen, oldest first, each with the ID of its event; None if that is not known.
    """

    since: float
    heads: Mapping[str, Sequence[tuple[int, str | None]]] = field(default_factory=dict)


def place_of(dialect: Dialect) -> str:
    """Return the expression for the place where events are numbered now; NULL on a standby."""
    return f"({dialect.place} || '.' || COALESCE((SELECT holder FROM dispatchers WHERE name = '{_RETURNS}'), ''))"


def is_elsewhere(numbered_on: str | None, here: str | None) -> bool:
    """Return whether events were last numbered at another place, or before a return; False where that is not known."""
    return numbered_on is not None and here is not None and numbered_on != here


def skip_lost(transaction: Transaction, workspace: str) -> int:
    """Give up the numbers above a workspace's head, which was numbered elsewhere; return the number after which the next is given. The head
    is locked."""
    row = transaction.execute(_HEAD, {"workspace": workspace})[0]
    transaction.change(_SKIP, {"workspace": workspace, "by": _BEYOND})
    _note(transaction, workspace, row, (row.last, row.last + _BEYOND))
    return int(row.last) + _BEYOND


def give_up(transaction: Transaction, dialect: Dialect, lost: Lost) -> None:
    """Give up the numbers that a database which went back at the same place may have given twice, unless another process has. Heads that
    were numbered before the return are left to ``skip_lost``."""
    heads = transaction.execute(_SINCE + dialect.locks)  # nobody numbers before the return is noted
    noted = {"name": _RETURNS, "holder": os.urandom(4).hex(), "since": lost.since}
    before = _here(transaction, dialect)
    if not transaction.change(_RETURN.format(now=dialect.now), noted):
        return
    here = _here(transaction, dialect)
    for head in heads:
        if head.numbered_on == before and head.numbered_at > lost.since - _MARGIN:
            _move(transaction, head.workspace, lost.heads.get(head.workspace, ()), here)


def _here(transaction: Transaction, dialect: Dialect) -> str:
    return str(transaction.execute(f"SELECT {place_of(dialect)} AS here")[0].here)


def _move(transaction: Transaction, workspace: str, heads: Sequence[tuple[int, str | None]], here: str) -> None:
    """Move the events of a workspace from the first that may not be the one that was told under its number, to beyond the highest that was
    seen. If none is known to be there, these are all."""
    row = transaction.execute(_HEAD, {"workspace": workspace})[0]
    seen = max([row.last, *(number for number, _ in heads)])
    safe = max(row.purged, min(row.last, _safe(transaction, workspace, heads, row)))
    by = seen - safe + _BEYOND
    for move in _MOVES:
        transaction.change(move, {"workspace": workspace, "safe": safe, "by": by, "here": here})
    _note(transaction, workspace, row, (safe, safe + by))


def _note(transaction: Transaction, workspace: str, row: Row, gap: tuple[int, int]) -> None:
    gaps = [*(known for known in _read(row.lost) if known[1] > row.purged), gap][-_KEPT:]
    transaction.change(_NOTE, {"name": f"events lost: {workspace}", "lost": json.dumps(gaps)})


def _safe(transaction: Transaction, workspace: str, heads: Sequence[tuple[int, str | None]], present: Row) -> int:
    """Return the highest number that was seen up to which all events are as they were; those that are purged tell nobody anything."""
    known = [(number, event) for number, event in heads if event is not None or number <= present.purged]

    def is_lost(head: tuple[int, str | None]) -> bool:
        place = {"workspace": workspace, "number": head[0], "event": head[1]}
        return head[0] > present.purged and transaction.find(_IS_THERE, place) is None

    place = bisect_left(known, True, key=is_lost)
    return known[place - 1][0] if place else int(present.purged)


def begin_anew(transaction: Transaction, workspace: str) -> None:
    """Forget what a workspace of this name gave up: its numbers begin again."""
    transaction.change(_FORGET, {"name": f"events lost: {workspace}"})


def before_lost(cursor: int, last: int, lost: str | None) -> int | None:
    """Return the number to go on from instead of a cursor among those that a workspace gave up; None for another one. ``last`` is its
    highest number."""
    found = [safe for safe, end in _read(lost) if safe < cursor < end <= last]
    return min(found, default=None)


def may_be_lost(cursor: int, last: int) -> bool:
    """Return whether a cursor beyond the last event may be one of what was lost."""
    return last < cursor < last + _BEYOND


def past_lost(number: int, last: int, lost: str | None) -> int:
    """Return the number after which the next event is looked for: those that were given up have none."""
    return max([number, *(end for safe, end in _read(lost) if safe <= number < end <= last)])


def _read(lost: str | None) -> Sequence[tuple[int, int]]:
    return [] if lost is None else [(safe, end) for safe, end in json.loads(lost)]
