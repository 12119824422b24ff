"""Approvals of removed connections whose providers still have to be notified, sealed: the
connection, and the tokens of its grant.

The row is written in the transaction that removes the connection, and is deleted when the provider
has been notified, or after three days.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from jackfield.connections.named_connection import NamedConnection
from jackfield.connector.grants import Grant
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.secrecy import SecretHolder
from jackfield_store.database import Row, Transaction
from jackfield_store.database.due_rows import DueRows, DueTable
from jackfield_store.database.shared_clock import SharedClock
from jackfield_store.keys.vault import SealedTable

LASTS = 3 * 86_400.0
"""Seconds after which notifying is given up."""
_HELD = 120.0
"""Seconds for which one process has a revocation; then another may try."""
_EVERY = 600.0
"""Seconds between two tries."""
_INSERT = """
INSERT INTO revocations (workspace, id, sealed, claim, wake_at, created_at) VALUES (:workspace, :id, :sealed, 0, :at, :now)
"""
_COLUMNS = "workspace, id, sealed, claim, created_at"
_FIND = f"SELECT {_COLUMNS} FROM revocations WHERE workspace = :workspace AND id = :id"
_ALL = f"SELECT {_COLUMNS} FROM revocations WHERE workspace = :workspace"
_MOVE = """
UPDATE revocations SET workspace = :target, sealed = :sealed, claim = claim + 1, wake_at = 0 WHERE workspace = :workspace AND id = :id
"""
_END = "DELETE FROM revocations WHERE workspace = :workspace AND id = :id"
_LATER = "UPDATE revocations SET wake_at = :at WHERE workspace = :workspace AND id = :id"


@dataclass(frozen=True, slots=True, repr=False)
class Revocation(SecretHolder):
    """Grant of a removed connection, stored in ``workspace``. ``origin`` is the workspace of the
    connection, ``name`` its name for people.
    """

    workspace: str
    id: str
    created_at: float
    origin: str
    name: str
    stored: NamedConnection
    grant: Grant


class Revocations(SealedTable):
    """Revocations stored in one workspace."""

    def note(
        self,
        transaction: Transaction,
        origin: str,
        stored: NamedConnection,
        grant: Grant,
        wait: float = _HELD,
    ) -> str:
        """Store a grant until its provider is notified, in the transaction that removes the
        connection; return its id. This process notifies the provider; another one may, too, after
        ``wait`` seconds.
        """
        identifier = str(uuid.uuid4())
        content = {"origin": origin, "stored": stored.to_json(), "grant": grant.to_json()}
        sealed = self._vault().seal(
            self._workspace,
            revocation_place(identifier),
            json.dumps(content, separators=(",", ":")).encode(),
        )
        values = {"workspace": self._workspace, "id": identifier, "sealed": sealed}
        now = SharedClock.of(self._database, self._clock).now()
        transaction.change(_INSERT, {**values, "now": now, "at": now + wait})
        return identifier

    def hand_over(self, target: str) -> list[str]:
        """Move all remaining revocations to another workspace, which outlasts this one, and make
        them due; return their ids.
        """
        moved = list[str]()
        with self._database.read() as transaction:
            rows = transaction.execute(_ALL, {"workspace": self._workspace})
        for row in rows:
            with suppress(JackfieldError):  # nobody can read it
                content = self._vault().open(self._workspace, revocation_place(row.id), row.sealed)
                sealed = self._vault().seal(target, revocation_place(row.id), content)
                values = {
                    "workspace": self._workspace,
                    "id": row.id,
                    "target": target,
                    "sealed": sealed,
                }
                with self._database.write() as transaction:
                    transaction.change(_MOVE, values)
                moved.append(row.id)
        return moved

    def find(self, identifier: str) -> Row | None:
        """Return the row of a revocation; None if it does not exist."""
        return self._database.look_up(_FIND, {"workspace": self._workspace, "id": identifier})

    def read(self, row: Row) -> Revocation:
        """Return the revocation in a row.

        :raises SealBroken: if the row was changed in the database.
        """
        content: dict[str, Any] = json.loads(
            self._vault().open(self._workspace, revocation_place(row.id), row.sealed)
        )
        stored = content["stored"]
        removed = NamedConnection.from_json({**stored, "name": f"{stored['name']} (removed)"})
        origin = content["origin"]
        name = stored["name"] if origin == self._workspace else f"{stored['name']} of {origin}"
        return Revocation(
            row.workspace,
            row.id,
            row.created_at,
            origin,
            name,
            removed,
            Grant.from_json(content["grant"]),
        )

    def end(self, identifier: str, in_transaction: Callable[[Transaction], None]) -> None:
        """Delete a row; ``in_transaction`` runs in the same transaction."""
        with self._database.write() as transaction:
            transaction.change(_END, {"workspace": self._workspace, "id": identifier})
            in_transaction(transaction)

    def put_off(self, identifier: str) -> None:
        """Postpone a row."""
        values = {
            "workspace": self._workspace,
            "id": identifier,
            "at": SharedClock.of(self._database, self._clock).now() + _EVERY,
        }
        self._database.record(lambda transaction: transaction.change(_LATER, values))


class DueRevocations(DueRows):
    """Approvals of all workspaces whose providers still have to be notified."""

    table = DueTable("revocations", _COLUMNS, _HELD)


def revocation_place(identifier: str) -> tuple[str, ...]:
    """Return the place that a revocation is sealed for."""
    return ("revocation", identifier)
