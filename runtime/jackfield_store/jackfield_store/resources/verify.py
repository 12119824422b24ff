"""Integrity check of the database: it parses every row, decrypts every sealed value and follows the
audit log's chains.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import Internal
from jackfield.kernel.stored_values import parsed_object
from jackfield_store.access import DEFAULT
from jackfield_store.access.audit import Audit
from jackfield_store.access.settings import Settings, read_settings
from jackfield_store.access.tokens import COLUMNS as TOKEN_COLUMNS
from jackfield_store.access.tokens import read_token
from jackfield_store.connections.connection_rows import COLUMNS as CONNECTION_COLUMNS
from jackfield_store.connections.connection_rows import ConnectionRow
from jackfield_store.connections.connection_seals import check_seal, opened_secret, stored_secrets
from jackfield_store.database import Database, DatabaseUnfit, DataKeyDamaged, Row
from jackfield_store.database.faults import RowDamaged
from jackfield_store.database.outbox import sealed_place
from jackfield_store.database.table_shapes import tables_of_workspaces
from jackfield_store.journal.entry import COLUMNS as ENTRY_COLUMNS
from jackfield_store.journal.entry import opened_result, read_entry
from jackfield_store.keys.vault import SealedRows, Vault

if TYPE_CHECKING:
    from jackfield_store.database.check import CheckReport
    from jackfield_store.resources.storage import Storage

_PAGE = 500
_LOGGED = """
SELECT workspace FROM audit_heads UNION SELECT workspace FROM audit_entries UNION SELECT name FROM workspaces
UNION SELECT workspace FROM tokens ORDER BY workspace
"""
_STRAYS = """
SELECT DISTINCT workspace FROM {table}
WHERE workspace <> :own AND workspace NOT LIKE 'platform:%' AND workspace NOT IN (SELECT name FROM workspaces)
"""
_FAULTS = (ValueError, TypeError, KeyError, AttributeError, Internal, DataKeyDamaged, RowDamaged)


_EVENTS = SealedRows(
    "events",
    "type, subject, data",
    "the event {id}",
    lambda vault, row: json.loads(
        vault.open(row.workspace, sealed_place(row.id, row.type, row.subject), row.data)
    ),
)


class StoredContents:
    """Read-only check of all rows of ``database``. ``open_vault`` returns the vault for sealed
    values; ``more`` are rows other than those of access, connections, the journal and events.
    """

    def __init__(
        self, database: Database, open_vault: Callable[[], Vault], more: Sequence[SealedRows] = ()
    ) -> None:
        self._database = database
        self._sealed_rows = (_EVENTS, *more)
        self._open_vault = open_vault
        self._vault: Vault | None = None
        self._closed: set[str] = set()
        self.not_checked: tuple[str, ...] = ()
        """Parts that could not be checked, as sentences."""

    def problems(self) -> Iterator[str]:
        """Generate a sentence for each damaged item."""
        self._unlock()
        yield from self._strays()
        yield from self._keys()
        yield from self._audit()
        for row in self._rows("workspaces", "'' AS workspace, name AS id, settings, seal"):
            if not _reads(lambda row=row: self._settings(row)):  # type: ignore[misc]
                yield f"damaged: the settings of the workspace '{row.id}'"
        for row in self._rows("tokens", TOKEN_COLUMNS):
            if read_token(row, self._vault_of(row.workspace)).damage is not None:
                yield f"damaged: the token {row.id} of the workspace '{row.workspace}'"
        for row in self._rows("connections", f"workspace, {CONNECTION_COLUMNS}"):
            yield from (
                f"damaged: {what} of the workspace '{row.workspace}'"
                for what in self._connection(row)
            )
        for row in self._rows("invocations", f"workspace, inputs, job, {', '.join(ENTRY_COLUMNS)}"):
            yield from (
                f"damaged: {what} of the workspace '{row.workspace}'"
                for what in self._invocation(row)
            )
        for rows in self._sealed_rows:
            yield from self._sealed(rows)

    def _sealed(self, rows: SealedRows) -> Iterator[str]:
        for row in self._rows(
            rows.table, ", ".join(("workspace", *rows.key, rows.columns)), rows.key
        ):
            vault = self._vault_of(row.workspace)
            if vault is not None and not _reads(lambda row=row, vault=vault: rows.open(vault, row)):  # type: ignore[misc]
                yield (
                    f"damaged: {rows.what.format_map(row.as_dict())} of the workspace "
                    f"'{row.workspace}'"
                )

    def _keys(self) -> Iterator[str]:
        """Try all data keys. Sealed values of a workspace whose key service refuses or gives no
        answer are not checked.
        """
        for workspace, fault in self._vault.key_faults() if self._vault is not None else ():
            if isinstance(fault, DataKeyDamaged):
                yield f"damaged: {fault.message}"
            elif workspace not in self._closed:
                self._closed.add(workspace)
                self.not_checked += (
                    f"what is sealed in the workspace '{workspace}': {fault.message}",
                )

    def _vault_of(self, workspace: str) -> Vault | None:
        """Return the vault if the sealed values of a workspace can be checked, otherwise None."""
        return None if workspace in self._closed else self._vault

    def _strays(self) -> Iterator[str]:
        """Find rows of workspaces that do not exist: a workspace of that name would inherit
        them.
        """
        for shape in tables_of_workspaces(self._database):
            with self._database.read() as transaction:
                rows = transaction.execute(_STRAYS.format(table=shape.name), {"own": DEFAULT})
            again = "create, suspend and purge that workspace to delete them"
            yield from (
                (
                    f"'{shape.name}' has rows of the workspace '{row.workspace}', which does not "
                    f"exist: {again}"
                )
                for row in rows
            )

    def _settings(self, row: Row) -> Settings:
        """Read the settings of a workspace, and check their seal if the master key is available."""
        vault = self._vault_of(row.id)
        return (
            Settings.from_json(parsed_object(row.settings))
            if vault is None
            else read_settings(vault, row.id, row)
        )

    def _audit(self) -> Iterator[str]:
        """Verify the audit log of every workspace that has entries, or must have."""
        with self._database.read() as transaction:
            rows = transaction.execute(_LOGGED)
        for row in rows:
            log = Audit(self._database, self._open_vault, row.workspace, SystemClock())
            state = log.verify(seals=self._vault_of(DEFAULT) is not None)
            if state.fault is not None:
                yield f"damaged: the audit log of the workspace '{row.workspace}': {state.fault}"

    def _unlock(self) -> None:
        """Open the vault if the database has sealed values."""
        if self._database.look_up("SELECT 1 AS one FROM data_keys LIMIT 1", {}) is None:
            return
        try:
            vault = self._open_vault()
            vault.verify()
        except DatabaseUnfit as fault:
            self.not_checked = (f"what is sealed: {fault.message}",)
        else:
            self._vault = vault

    def _rows(self, table: str, columns: str, key: Sequence[str] = ("id",)) -> Iterator[Row]:
        """Iterate over a table page by page, so that a large one is not held in memory and no read
        transaction takes long.
        """
        names = ("workspace", *key)
        order, after = (
            ("name", ":id")
            if table == "workspaces"
            else (", ".join(names), ", ".join(f":{name}" for name in names))
        )
        statement = (
            f"SELECT {columns} FROM {table} WHERE ({order}) > ({after}) ORDER BY {order} "
            "LIMIT :page"
        )
        last: Mapping[str, Any] = {**dict.fromkeys(names, ""), "page": _PAGE}
        while True:
            with self._database.read() as transaction:
                rows = transaction.execute(statement, last)
            yield from rows
            if len(rows) < _PAGE:
                return
            last = {**last, **{name: getattr(rows[-1], name) for name in names}}

    def _connection(self, row: Row) -> Iterator[str]:
        stored = ConnectionRow.from_row(row)
        vault = self._vault_of(row.workspace)
        if stored.damage is not None:
            yield f"the values of the connection '{stored.name}'"
        elif vault is not None:
            if not _reads(lambda: check_seal(vault, row.workspace, stored)):
                yield f"the values of the connection '{stored.name}', which were changed,"
            yield from self._secrets(vault, row.workspace, stored)

    def _secrets(self, vault: Vault, workspace: str, stored: ConnectionRow) -> Iterator[str]:
        with self._database.read() as transaction:
            sealed = stored_secrets(transaction, workspace, stored)
        for field in stored.sealed:
            if not _reads(
                lambda field=field: json.loads(  # type: ignore[misc]
                    opened_secret(vault, workspace, stored, field, sealed[field])
                )
            ):
                yield f"the secret '{field}' of the connection '{stored.name}'"

    def _invocation(self, row: Row) -> Iterator[str]:
        if read_entry(row.as_dict(), None).damage is not None:
            yield f"the invocation {row.id}"
        for name, sealed in (("result", row.result), ("inputs", row.inputs), ("job", row.job)):
            if sealed is not None and not self._opens(row, name, sealed):
                yield f"the {name} of the invocation {row.id}"

    def _opens(self, row: Row, name: str, sealed: bytes) -> bool:
        vault, read = (
            self._vault_of(row.workspace),
            (lambda text: opened_result(text, row)) if name == "result" else json.loads,
        )
        return vault is None or _reads(
            lambda: read(vault.open(row.workspace, ("invocation", row.id, name), sealed))
        )


def with_contents(
    storage: Storage, report: CheckReport, more: Sequence[SealedRows] = ()
) -> CheckReport:
    """Extend the report on a database by problems of individual rows (``StoredContents``)."""
    contents = StoredContents(storage.database, lambda: storage.vault, more)
    problems = list(contents.problems())
    return report.and_more(problems, contents.not_checked)


def _reads(read: Callable[[], object]) -> bool:
    try:
        read()
    except _FAULTS:
        return False
    return True
