"""Positions of a platform's callback: the number of the last event with a delivery, by workspace.

A platform's callback gets the events of all workspaces that the platform manages, later ones too.
Each workspace counts its own events, so there is a position for each: a missing one is 0, as for a
workspace without events yet. A dispatcher reads them with one query, and checks only workspaces
whose last event has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jackfield.kernel.clock import monotonic
from jackfield_store.access.platform_tokens import manages
from jackfield_store.database import Database, Transaction

_READ = "SELECT workspace, position FROM callback_positions WHERE callback = :callback"
_BEGIN = """
INSERT INTO callback_positions (callback, workspace, position)
SELECT :callback, workspace, last FROM event_heads WHERE workspace >= :first AND workspace <= :last AND workspace <> 'default'
"""
_MOVE = """
INSERT INTO callback_positions (callback, workspace, position)
SELECT :callback, workspace, :to FROM event_heads WHERE workspace = :workspace AND last >= :to AND (
    :from = 0 OR EXISTS (SELECT 1 FROM callback_positions WHERE callback = :callback AND workspace = :workspace)
){locks}
ON CONFLICT (callback, workspace) DO UPDATE SET position = excluded.position WHERE callback_positions.position = :from
"""
"""SQL statement that moves a position. It locks the head, since a purged workspace could otherwise
leave a position to a later workspace of its name.
"""
_REMOVE = "DELETE FROM callback_positions WHERE callback = :callback"
_NUMBER = """
UPDATE callbacks SET position = position + :count WHERE workspace = :workspace AND id = :callback RETURNING position
"""
_ACTIVE = """
SELECT DISTINCT workspaces FROM platform_tokens WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now)
"""
_LAST = "~"
"""Character that sorts after all characters of names."""


class Positions:
    """Positions of one callback, as cached in this process."""

    def __init__(self, pattern: str, callback: str) -> None:
        self.pattern = pattern
        self._callback = callback
        self._known: dict[str, int] | None = None
        self._behind: set[str] = set()
        self._moved: dict[str, float] = {}

    def forget(self) -> None:
        """Discard the cached positions, so that the next ``look`` reads them again."""
        self._known = None

    def of(self, workspace: str) -> int:
        """Return the number of the last event of a workspace that was delivered or deliberately
        skipped.
        """
        return (self._known or {}).get(workspace, 0)

    def look(
        self, transaction: Transaction, heads: Mapping[str, int], changed: Iterable[str]
    ) -> None:
        """Record which workspaces have new events. ``heads`` are the last numbers of all
        workspaces, ``changed`` the workspaces whose number has changed since the previous call. A
        lower number means that the workspace was purged, or the database restored.
        """
        if self._known is None or any(heads.get(name, 0) < self.of(name) for name in changed):
            self._known = {
                row.workspace: row.position
                for row in transaction.execute(_READ, {"callback": self._callback})
            }
            self._moved, changed = {}, heads
        self._behind |= {name for name in changed if manages(self.pattern, name)}
        self._behind = {name for name in self._behind if self.of(name) < heads.get(name, 0)}

    def behind(self) -> list[tuple[float, str]]:
        """Return the workspaces with new events, each with the time of its last made deliveries
        (``time.monotonic``).
        """
        return [(self._moved.get(name, 0.0), name) for name in self._behind]

    def move(self, workspace: str, position: int) -> None:
        """Note that a position was moved."""
        if self._known is not None:
            self._known[workspace], self._moved[workspace] = position, monotonic()


def begin(transaction: Transaction, pattern: str, callback: str) -> None:
    """Store the positions of a new callback at the last event of each workspace, so that it gets
    later events only.
    """
    first = pattern.removesuffix("*")
    transaction.change(
        _BEGIN,
        {
            "callback": callback,
            "first": first,
            "last": first + _LAST if pattern.endswith("*") else first,
        },
    )


def read_positions(transaction: Transaction, callback: str) -> dict[str, int]:
    """Return the stored positions by workspace."""
    return {
        row.workspace: row.position for row in transaction.execute(_READ, {"callback": callback})
    }


def remove(transaction: Transaction, callback: str) -> None:
    """Delete the positions of a callback."""
    transaction.change(_REMOVE, {"callback": callback})


def move(
    transaction: Transaction,
    database: Database,
    workspace: str,
    callback: str,
    before: int,
    after: int,
) -> bool:
    """Move a position, if it is unchanged and the workspace still has events; return whether it was
    moved.
    """
    values = {"workspace": workspace, "callback": callback, "from": before, "to": after}
    return transaction.change(_MOVE.format(locks=database.dialect.locks), values) == 1


def next_numbers(transaction: Transaction, home: str, callback: str, count: int) -> range | None:
    """Return unused delivery numbers of a callback; None if the callback is gone. Its row is locked
    until the transaction ends.
    """
    row = transaction.find(_NUMBER, {"workspace": home, "callback": callback, "count": count})
    return None if row is None else range(row.position - count + 1, row.position + 1)


def active_patterns(transaction: Transaction, now: float) -> set[str]:
    """Return the patterns of the platforms with a token that is neither revoked nor expired."""
    return {row.workspaces for row in transaction.execute(_ACTIVE, {"now": now})}
