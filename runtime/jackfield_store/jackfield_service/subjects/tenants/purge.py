"""The end of a workspace: every row of every table that belongs to it, and every stored file. Its
keys go with them.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from jackfield.kernel.errors import JackfieldError
from jackfield_service.subjects.triggers.table import hand_over
from jackfield_store.access import DEFAULT, Audit
from jackfield_store.access.audit_seals import prepare_seals
from jackfield_store.connections.connection_table import ConnectionTable
from jackfield_store.connections.grants import forget
from jackfield_store.connections.revocations import Revocations
from jackfield_store.database.slices import SLICE, delete_in_slices, slice_of
from jackfield_store.database.table_shapes import tables_of_workspaces
from jackfield_store.journal.jobs import WAITS

if TYPE_CHECKING:
    from jackfield.callers.actor import Actor
    from jackfield.connections.named_connection import NamedConnection
    from jackfield.connector.grants import Grant
    from jackfield.kernel.clock import Clock
    from jackfield_store.database import Database, Transaction
    from jackfield_store.files import Files
    from jackfield_store.resources.storage import Storage

_PASSES = 20
"""Maximum number of passes over all tables until a pass finds no row. A request in progress may add
a row to an already emptied table, as long as its parent row still exists.
"""
_COUNTED = ("connections", "grants", "files", "invocations", "tokens")
_RUNNING = (
    "SELECT COUNT(*) AS n FROM invocations WHERE workspace = :workspace AND status = "
    f"'running' AND NOT ({WAITS})"
)
_LATE = (
    "events",
    "event_heads",
    "event_counts",
    "invocation_counts",
    "invocation_kinds",
    "invocation_terms",
    "file_usage",
    "audit_entries",
    "audit_heads",
    "data_keys",
    "workspace_wrappers",
)
"""Tables that the deletion of other rows writes to, or that are filled from others meanwhile
(events, from the outbox). The keys are among them: rows left behind would be unreadable without
them.
"""
_GONE = " AND NOT EXISTS (SELECT 1 FROM workspaces WHERE name = :workspace)"
_PURGED = """
SELECT SUBSTR(object, LENGTH('workspace:') + 1) AS name FROM audit_entries
WHERE workspace = :workspace AND event = 'workspace.purged'
    AND sequence > (SELECT sequence - 500 FROM audit_heads WHERE workspace = :workspace)
"""
"""SQL query for the names of recently purged workspaces, from a bounded part of the operator's
audit log.
"""


def kept_by(database: Database, workspace: str) -> dict[str, int]:
    """Count a workspace's connections, grants, files, invocations and tokens, and separately its
    running invocations. A job that waits for its next poll does not run: the suspended workspace
    polls nothing.
    """
    with database.read() as transaction:
        counts = {
            table: _count(
                transaction,
                f"SELECT COUNT(*) AS n FROM {table} WHERE workspace = :workspace",
                workspace,
            )
            for table in _COUNTED
        }
        return {**counts, "running": _count(transaction, _RUNNING, workspace)}


def keep_at_providers(storage: Storage, workspace: str, clock: Clock) -> tuple[int, list[str]]:
    """Move the pending notices to providers to the operator's workspace. Return the number of
    webhooks, and the IDs of the approvals there.
    """
    database, noted = storage.database, list[str]()
    store = ConnectionTable(database, lambda: storage.vault, workspace, clock)
    operators = Revocations(database, lambda: storage.vault, DEFAULT, clock)

    def find(name: str) -> tuple[NamedConnection | None, Grant | None]:
        stored = grant = None
        # nobody can read it, nobody has approved it, or the approval has ended
        with suppress(JackfieldError):
            stored = store.find(name)
            grant = store.approvals[0].find(stored.id or "", name) if stored is not None else None
        return stored, grant

    webhooks = hand_over(database, storage.vault, workspace, DEFAULT, store.now(), find)
    with database.read() as transaction:
        rows = transaction.execute(
            "SELECT connection_id FROM grants WHERE workspace = :workspace",
            {"workspace": workspace},
        )
    for row in rows:
        stored, grant = find(store.name_of(row.connection_id) or "")
        if stored is not None and grant is not None:
            with database.write() as transaction:
                noted.append(operators.note(transaction, workspace, stored, grant, 0.0))
                forget(transaction, workspace, row.connection_id)
    return webhooks, noted + store.revocations.hand_over(DEFAULT)


def purge(storage: Storage, files: Files, workspace: str, clock: Clock, actor: Actor) -> None:
    """Delete a workspace. An interrupted purge is repeated from the beginning, since the row of the
    workspace is deleted last.
    """
    database, vault = storage.database, storage.vault
    prepare_seals(vault)
    _empty(database, files, "", workspace)
    with database.write() as transaction:
        transaction.change(
            "DELETE FROM workspaces WHERE name = :workspace", {"workspace": workspace}
        )
        Audit(database, lambda: vault, DEFAULT, clock, actor).append(
            transaction, "workspace.purged", f"workspace:{workspace}"
        )
    _empty(database, files, _GONE, workspace)


def sweep(database: Database, files: Files) -> None:
    """Delete rows of recently purged workspaces, written by requests that had found the workspace
    before its end. Later requests cannot start in it.
    """
    with database.read() as transaction:
        rows = transaction.execute(_PURGED, {"workspace": DEFAULT})
    _empty(database, files, _GONE, *{row.name for row in rows})


def _empty(database: Database, files: Files, also: str, *workspaces: str) -> None:
    tables = {shape.name: shape.key for shape in tables_of_workspaces(database)}
    order = sorted(tables, key=lambda name: (_LATE.index(name) + 1 if name in _LATE else 0, name))
    for workspace in workspaces:
        identifier = ""
        while page := _stored_files(database, workspace, identifier, also):
            for identifier in page:
                files.erase(workspace, identifier)
        for _ in range(_PASSES):
            # to callbacks of platforms
            told = _delete(database, "deliveries", tables["deliveries"], workspace, also, "source")
            if not told + sum(
                [_delete(database, table, tables[table], workspace, also) for table in order]
            ):
                break


def _delete(
    database: Database,
    table: str,
    key: tuple[str, ...],
    workspace: str,
    also: str,
    column: str = "workspace",
) -> int:
    values, condition = {"workspace": workspace}, f"{column} = :workspace{also}"
    there = (
        database.look_up(f"SELECT 1 AS one FROM {table} WHERE {condition} LIMIT 1", values)
        is not None
    )
    return (
        delete_in_slices(database, slice_of(table, ", ".join(key), condition), values)
        if there
        else 0
    )


def _stored_files(database: Database, workspace: str, after: str, also: str) -> list[str]:
    with database.read() as transaction:
        rows = transaction.execute(
            f"SELECT id FROM files WHERE workspace = :workspace{also} AND id > :after ORDER BY "
            f"id LIMIT {SLICE}",
            {"workspace": workspace, "after": after},
        )
    return [row.id for row in rows]


def _count(transaction: Transaction, statement: str, workspace: str) -> int:
    return int(transaction.execute(statement, {"workspace": workspace})[0].n)
