"""The hold of a queue: while it is set, no waiting work in the database starts by itself. Direct
calls are not affected.

The hold is a row, so that it is in a backup's copy before any process runs. Every process sees it
in the statements that claim: invocations, slots of schedules, polls of jobs and subscriptions,
revocations and deliveries.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import dataclass
from jackfield_store.database.statements import HOLD

if TYPE_CHECKING:
    from jackfield_store.database.engine import Database
    from jackfield_store.database.transaction import Transaction

_FIND = f"SELECT holder, held_until AS since FROM dispatchers WHERE name = '{HOLD}'"
_SET = (
    f"INSERT INTO dispatchers (name, holder, held_until) VALUES ('{HOLD}', :about, :since) "
    "ON CONFLICT (name) DO NOTHING"
)
_END = f"DELETE FROM dispatchers WHERE name = '{HOLD}'"


@dataclass(frozen=True, slots=True)
class Hold:
    """Hold of a database's queue: since when, by whom, and why."""

    since: float
    by: str
    reason: str

    @property
    def warning(self) -> str:
        """Warning about the hold, for operators."""
        why = f" ({self.reason})" if self.reason else ""
        return (
            f"the queue is held since {iso(self.since)} by {self.by}{why}: nothing that "
            "waits begins until 'jackfield queue release'"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the hold as a JSON object."""
        found = {"since": iso(self.since), "by": self.by, "reason": self.reason}
        return {name: value for name, value in found.items() if value}


def find_hold(database: Database) -> Hold | None:
    """Return the hold of a database's queue; None if it is not held."""
    row = database.look_up(_FIND, {})
    if row is None:
        return None
    about = json.loads(row.holder)
    return Hold(row.since, about["by"], about["reason"])


def set_hold(transaction: Transaction, hold: Hold) -> bool:
    """Hold the queue; return False if it was held already."""
    return bool(
        transaction.change(
            _SET, {"about": json.dumps({"by": hold.by, "reason": hold.reason}), "since": hold.since}
        )
    )


def end_hold(transaction: Transaction) -> bool:
    """Release the queue; return False if it was not held."""
    return bool(transaction.change(_END))


def move_hold(source: Transaction, target: Transaction) -> None:
    """Hold the queue of another database if this database's queue is held."""
    row = source.find(_FIND)
    if row is not None:
        target.change(_SET, {"about": row.holder, "since": row.since})


def script(hold: Hold) -> str:
    """Return the statement that holds the queue, for a program of PostgreSQL."""
    about = json.dumps({"by": hold.by, "reason": hold.reason}).replace("'", "''")
    return (
        f"INSERT INTO dispatchers (name, holder, held_until) VALUES ('{HOLD}', '{about}', "
        f"{hold.since!r}) ON CONFLICT (name) DO NOTHING;\n"
    )
