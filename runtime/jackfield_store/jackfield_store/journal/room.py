"""Limits of a workspace for invocations that have not begun, counted in the transaction that adds
one.

Invocations that wait for a worker count against ``queued``, invocations that wait for a person
against ``waiting``. A person reads each of the latter, so a workspace without that limit has one
for each caller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import LimitReached
from jackfield_store.database import Database, Transaction
from jackfield_store.journal import statements as sql

if TYPE_CHECKING:
    from jackfield.invocation.entry import Draft

QUEUED, WAITING = "queued", "waiting"
_WAITING = "SELECT COUNT(*) AS n FROM approvals WHERE workspace = :workspace AND status = 'waiting'"
_COUNTS: Mapping[str, str] = {
    QUEUED: f"""
SELECT COALESCE(SUM(invocations + 0.0), 0) - ({_WAITING}) AS n FROM invocation_counts
WHERE workspace = :workspace AND width = 0 AND slot = 0 AND status = 'queued'
""",
    WAITING: _WAITING,
}
_OF_CALLER = """
SELECT COUNT(*) AS n FROM approvals a JOIN invocations i ON i.workspace = a.workspace AND i.id = a.id
WHERE a.workspace = :workspace AND a.status = 'waiting' AND i.caller = :caller
"""
EACH_CALLER = 100
"""Maximum number of invocations of one caller that wait for a person, unless the workspace has a
limit ``waiting``. The process's own code and the command line, which several people may use, are no
such caller.
"""
_DECIDE = "Decide on some of those that wait for a person. Who manages the workspace can "


@dataclass(frozen=True, slots=True)
class Room:
    """Maximum number of invocations that have not begun, by the name of its limit. It counts those
    of one ``caller`` if given, else those of the workspace.
    """

    limit: str
    most: int
    caller: str | None = None


def room_for(draft: Draft, limits: Mapping[str, float]) -> Room | None:
    """Return the room in which an invocation has to find a place; None for no limit. ``limits`` are
    the workspace's.
    """
    approval = draft.approval
    if approval is None:
        return queue_room(limits.get(QUEUED))
    most = limits.get(WAITING)
    if most is not None:
        return Room(WAITING, int(most)) if most else None
    return None if approval.asker is None else Room(WAITING, EACH_CALLER, approval.asker)


def queue_room(most: float | None) -> Room | None:
    """Return the room of invocations that wait for a worker; ``most`` None is no limit."""
    return None if most is None else Room(QUEUED, int(most))


def in_use(transaction: Transaction, workspace: str, limit: str = QUEUED) -> int:
    """Return the number of invocations that a limit of the workspace counts now."""
    return int(transaction.execute(_COUNTS[limit], {"workspace": workspace})[0].n)


def limit_reached(room: Room) -> LimitReached:
    """Build the error of an invocation for which there is no room."""
    if room.limit == QUEUED:
        return LimitReached(QUEUED, room.most)
    if room.caller is None:
        return LimitReached(WAITING, room.most, hint=f"{_DECIDE}raise the limit.")
    return LimitReached(
        WAITING, room.most, hint=f"{_DECIDE}set its limit 'waiting'; now it is one for each caller."
    )


def require_room(transaction: Transaction, workspace: str, room: Room | None) -> None:
    """Check that one more invocation may wait.

    :raises LimitReached: if the limit is reached.
    """
    if room is not None and _taken(transaction, workspace, room) >= room.most:
        raise limit_reached(room)


def _taken(transaction: Transaction, workspace: str, room: Room) -> int:
    if room.caller is None:
        return in_use(transaction, workspace, room.limit)
    values = {"workspace": workspace, "caller": room.caller}
    return int(transaction.execute(_OF_CALLER, values)[0].n)


def is_queue_full(database: Database, workspace: str, most: float | None) -> bool:
    """Return whether the number of invocations that wait for a worker has reached ``most``."""
    if most is None:
        return False
    with database.read() as transaction:
        return in_use(transaction, workspace) >= int(most)


def insert_within(
    transaction: Transaction,
    workspace: str,
    drafts: Sequence[tuple[Draft, Mapping[str, Any]]],
    limits: Mapping[str, float] | None,
) -> frozenset[str]:
    """Queue the first drafts, each with its row, as many as the workspace's ``limits`` allow;
    without them all. Return their ids; a draft whose idempotency key is held does not count. Keys
    are claimed in a fixed order: two processes that queue the same keys do not wait for each other.
    """
    queued = frozenset[str]()
    placed = [(None if limits is None else room_for(draft, limits), row) for draft, row in drafts]
    left: dict[Room | None, int] = {
        room: room.most - _taken(transaction, workspace, room)
        for room in {room for room, _ in placed}
        if room is not None
    }
    for room, group in groupby(placed, key=itemgetter(0)):
        rows = [row for _, row in group]
        while rows and left.get(room, 1) > 0:
            part = rows[: left.get(room)]
            found = sql.insert_queued(transaction, workspace, sorted(part, key=_order))
            rows, queued = rows[len(part) :], queued | found
            if room is not None:
                left[room] -= len(found)
    return queued


def _order(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["key_space"], row["idempotency_key"] or ""
