"""Outcomes of tests of connections that files define, which have no row of their own."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping

from jackfield.connections.named_connection import NamedConnection
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.stored_values import parsed_object
from jackfield_store.connections.connection_rows import LastOutcome
from jackfield_store.database import Database, Row
from jackfield_store.keys.vault import Vault

_COLUMNS = "name, fingerprint, status, account_id, account_label, last_test"
_ALL = f"SELECT {_COLUMNS} FROM file_connection_tests WHERE workspace = :workspace"
_KEEP = f"""
INSERT INTO file_connection_tests (workspace, {_COLUMNS})
VALUES (:workspace, :name, :fingerprint, :status, :account_id, :account_label, :last_test)
ON CONFLICT (workspace, name) DO UPDATE SET fingerprint = excluded.fingerprint,
    status = CASE WHEN excluded.status = 'untested' AND file_connection_tests.status = 'ok'
        AND file_connection_tests.fingerprint = excluded.fingerprint THEN 'ok' ELSE excluded.status END,
    account_id = excluded.account_id, account_label = excluded.account_label, last_test = excluded.last_test
"""
_USED_FILE = f"{_KEEP} WHERE file_connection_tests.fingerprint != excluded.fingerprint"


class FileTests:
    """Test outcomes of one workspace. An outcome is valid only for the type and values that were
    tested; references are compared unresolved.
    """

    def __init__(self, database: Database, vault: Callable[[], Vault], workspace: str) -> None:
        self._database = database
        self._vault = vault
        self._workspace = workspace

    def find(self, connections: Iterable[NamedConnection]) -> Mapping[str, LastOutcome]:
        """Return the valid outcomes by name; an empty mapping if the database is unavailable."""
        wanted = {item.name: item for item in connections}
        if not wanted:
            return {}
        try:
            with self._database.read(flush=False) as transaction:
                rows = {
                    row.name: row
                    for row in transaction.execute(_ALL, {"workspace": self._workspace})
                }
            return {
                name: _outcome(row)
                for name, row in rows.items()
                if name in wanted and row.fingerprint == self._fingerprint(wanted[name])
            }
        except (JackfieldError, ValueError, TypeError):
            # the key cannot be read, or a row is damaged
            return {}

    def keep(self, connection: NamedConnection, outcome: LastOutcome) -> None:
        """Store the outcome of a test in place of the earlier one. Without a writable database
        nothing is stored.
        """
        with contextlib.suppress(JackfieldError):
            row = {
                "workspace": self._workspace,
                "name": connection.name,
                "fingerprint": self._fingerprint(connection),
            }
            with self._database.write() as transaction:
                transaction.change(_KEEP, {**row, **outcome.columns()})

    def note_used(self, connection: NamedConnection) -> None:
        """Mark a connection as working at the next commit, unless its present values were
        tested.
        """
        row = {
            "workspace": self._workspace,
            "name": connection.name,
            "fingerprint": self._fingerprint(connection),
        }
        self._database.defer(
            lambda transaction: transaction.change(
                _USED_FILE, {**row, **LastOutcome("ok").columns()}
            )
        )

    def _fingerprint(self, connection: NamedConnection) -> str:
        text = json.dumps(
            {"type": connection.type, "values": connection.values},
            sort_keys=True,
            separators=(",", ":"),
            default=str,
        )
        return self._vault().hmac(self._workspace, text.encode("utf-8", "surrogatepass"))


def _outcome(row: Row) -> LastOutcome:
    last_test = parsed_object(row.last_test) if row.last_test is not None else None
    return LastOutcome(row.status, row.account_id, row.account_label, last_test)
