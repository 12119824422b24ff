"""Key wrappers of single workspaces ("bring your own key"). The list of a workspace is sealed for
it in the workspace ``default``.

Without that seal, an attacker with write access to the database could give a workspace a data key
that they know, wrapped by a key service of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from jackfield_store.database.faults import RowDamaged

if TYPE_CHECKING:
    from jackfield_store.database.engine import Database
    from jackfield_store.database.statements import Row
    from jackfield_store.database.transaction import Transaction

HOME = "default"
"""Workspace that always exists and always has the installation's wrappers."""
_ADD = (
    "INSERT INTO workspace_wrappers (workspace, wrappers, seal) VALUES (:workspace, "
    ":wrappers, :seal) ON CONFLICT DO NOTHING"
)
_STILL = "workspace = :workspace AND wrappers = :before"
_CHANGE = f"UPDATE workspace_wrappers SET wrappers = :wrappers, seal = :seal WHERE {_STILL}"
_REMOVE = f"DELETE FROM workspace_wrappers WHERE {_STILL}"


class Seals(Protocol):
    """Maker and verifier of seals over open values; the vault implements it."""

    def attest(self, workspace: str, aad_parts: tuple[str, ...]) -> bytes:
        """Return a seal over values."""

    def attests(self, workspace: str, aad_parts: tuple[str, ...], seal: bytes | None) -> bool:
        """Return whether a seal is valid for these values."""


class WorkspaceWrappers:
    """Lists of wrappers by workspace, sealed by ``seals``."""

    def __init__(self, database: Database, seals: Seals) -> None:
        self._database = database
        self._seals = seals

    def of(self, workspace: str) -> tuple[str, ...]:
        """Return the ids of a workspace's own wrappers, in order of use; an empty tuple if it has
        the installation's.

        :raises RowDamaged: if they were changed in the database.
        """
        if workspace == HOME:
            return ()
        row = self._database.look_up(
            "SELECT workspace, wrappers, seal FROM workspace_wrappers WHERE workspace = :workspace",
            {"workspace": workspace},
        )
        return () if row is None else self._uris_from(row)

    def all(self) -> dict[str, tuple[str, ...]]:
        """Return the wrappers of all workspaces that have their own.

        :raises RowDamaged: if they were changed in the database.
        """
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(
                "SELECT workspace, wrappers, seal FROM workspace_wrappers ORDER BY workspace"
            )
        return {row.workspace: self._uris_from(row) for row in rows}

    def change(self, workspace: str, before: tuple[str, ...], wrappers: tuple[str, ...]) -> bool:
        """Set the wrappers of a workspace, which were ``before``; an empty tuple restores the
        installation's. Return False if they were changed meanwhile: then nothing was stored.
        """
        text = " ".join(wrappers)
        values = {"workspace": workspace, "before": " ".join(before)}
        anew = (
            {"wrappers": text, "seal": self._seals.attest(HOME, _place(workspace, text))}
            if wrappers
            else {}
        )
        statement = (_CHANGE if before else _ADD) if wrappers else _REMOVE
        with self._database.write() as transaction:
            return bool(transaction.change(statement, {**values, **anew}))

    def hold(self, transaction: Transaction, workspace: str, wrappers: tuple[str, ...]) -> bool:
        """Return whether these are the wrappers of a workspace, and lock them until the end of the
        transaction.
        """
        values = {"workspace": workspace, "before": " ".join(wrappers)}
        statement = (
            "SELECT workspace FROM workspace_wrappers WHERE "
            f"{_STILL}{self._database.dialect.shares}"
        )
        return transaction.find(statement, values) is not None

    def _uris_from(self, row: Row) -> tuple[str, ...]:
        if not self._seals.attests(HOME, _place(row.workspace, row.wrappers), row.seal):
            raise RowDamaged(
                f"the key wrappers of the workspace '{row.workspace}' were changed in the database",
                hint="Restore a backup, or set them again: jackfield keys assign WORKSPACE URI.",
            )
        return tuple(row.wrappers.split())


def _place(workspace: str, text: str) -> tuple[str, ...]:
    return ("workspace", "wrappers", workspace, text)
