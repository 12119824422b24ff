"""The check of a database decrypts what is sealed of subscriptions, schedules, callbacks and all
that is built on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_service.subjects.triggers.trigger_stage import TriggerStage, trigger_stage

from jackfield.callers import LIBRARY
from jackfield.callers.actor import Actor
from jackfield.connector import Outcome
from jackfield.connector.context import Minted
from jackfield.connector.grants import Grant
from jackfield.invocation.entry import AskedApproval, Draft
from jackfield.kernel.clock import Deadline
from jackfield_service.subjects.callbacks.callbacks import Callbacks
from jackfield_service.subjects.connect.connecting import open_sessions
from jackfield_service.subjects.connect.records import ConnectRecord, ConnectRecords
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules
from jackfield_service.subjects.sealed_rows import SEALED_ROWS as PLATFORM_ROWS
from jackfield_store.access import Workspaces
from jackfield_store.connections.authorizations import Authorizations
from jackfield_store.connections.grants import GrantTable
from jackfield_store.connections.revocations import Revocations
from jackfield_store.connections.shared_leases import SharedLeases
from jackfield_store.database import Transaction
from jackfield_store.journal.approvals import ask
from jackfield_store.journal.doubts import expect, sealed_facts
from jackfield_store.journal.marks import keep, sealed_mark
from jackfield_store.journal.outcomes import note, sealed_outcome
from jackfield_store.resources.sealed_rows import STORE_ROWS
from jackfield_store.resources.verify import StoredContents

SEALED_ROWS = (*STORE_ROWS, *PLATFORM_ROWS)
_TICK = {"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "tick"}}
_MOVED = {
    "schedules": ("missed", "'all'"),
    "subscriptions": ("connection", "'room'"),
    "subscription_items": ("item", "'4711'"),
    "callbacks": ("url", "'https://evil.example'"),
    "outcomes": ("part", "'4711'"),
    "doubts": ("id", "'4711'"),
    "marked_events": ("reference", "'4711'"),
    "approvals": ("id", "'4711'"),
    "authorizations": ("connection_id", "'4711'"),
    "leases": ("lease_key", "'4711'"),
    "revocations": ("id", "'4711'"),
    "connect_sessions": ("status", "'granted'"),
    "files": ("id", "'file_4711'"),
    "connections": ("connect_record", "(SELECT seal FROM workspaces WHERE name = 'other')"),
    "grants": ("sealed", "(SELECT seal FROM workspaces WHERE name = 'other')"),
}
"""A column of each table that somebody changes, and its new value: what is sealed does not fit any
more.
"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[TriggerStage]:
    """A workspace that has a row in each of the tables."""
    with trigger_stage(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", servers=1) as found:
        from jackfield_echo.watching import BOARD

        BOARD.update({"n-1": "old"})
        found.add("board")
        found.look()
        _fill(found)
        yield found


def _fill(stage: TriggerStage) -> None:
    runtime, storage = stage.runtime, stage.runtime.storage
    actor, vault = Actor("library"), stage.runtime.storage.vault
    callbacks = Callbacks(storage.database, vault, "default", stage.clock, actor, origin="operator")
    WorkspaceSchedules(runtime, LIBRARY, actor).add(
        {"name": "daily", "invocation": _TICK, "every": "1d"}
    )
    callbacks.create({"url": "https://a.example", "types": ["*"]})
    open_sessions(runtime, stage.clock).create({"verify": "link"}, actor)
    runtime.files.store("default", [b"content"], "text/plain")
    stored = runtime.connections.find("hall")
    Authorizations(storage.database, lambda: vault, "default", stage.clock).begin(
        "4", "redirect", "state", {"verifier": "v"}
    )
    leases = SharedLeases(storage.database, vault, "default", "hall", stage.clock)
    leases.lease(
        "role",
        lambda: Minted("key", None),
        lambda _minted: stage.clock.time() + 60,
        Deadline.after(60, stage.clock),
    )
    Workspaces(storage.database, vault, stage.clock).create("other")
    grants = GrantTable(storage.database, lambda: vault, "default", stage.clock)
    grants.put(
        stored.id or "",
        Grant({"token": "t"}),
        "ada",
        grants.digest(stored),
        lambda _transaction: None,
    )
    revocations = Revocations(storage.database, lambda: vault, "default", stage.clock)

    def unit(transaction: Transaction) -> None:
        note(
            transaction,
            "default",
            sealed_outcome(vault, "default", "echo:m-1", 1.0, Outcome("delivered", 1, part="ada")),
        )
        expect(transaction, "default", "0", sealed_facts(vault, "default", "0", {}))
        keep(transaction, "default", [sealed_mark(vault, "default", "d", "r", 1.0, {})], 1.0)
        revocations.note(transaction, "default", stored, Grant({"token": "t"}))
        about = vault.seal("default", ("invocation", "0", "approval"), b"{}")
        ask(
            Draft(
                "0",
                "echo",
                "1",
                "say",
                "write",
                None,
                None,
                0.0,
                1.0,
                approval=AskedApproval("rule", {}, 1.0, about=about),
            ),
            "default",
            transaction,
        )

    storage.database.record(unit)
    records = ConnectRecords(storage.database, lambda: vault, "default", stage.clock)
    with storage.database.write() as transaction:
        records.keep(transaction, "hall", ConnectRecord(type="echo/token"))


def _problems(stage: TriggerStage) -> list[str]:
    storage = stage.runtime.storage
    return list(StoredContents(storage.database, lambda: storage.vault, SEALED_ROWS).problems())


def test_what_was_changed_in_the_database_is_named(stage: TriggerStage) -> None:
    """Each table by itself; a sound database has no problem."""
    assert _problems(stage) == []
    seen: list[str] = []
    for table, (column, value) in _MOVED.items():
        with stage.runtime.storage.database.write() as transaction:
            assert transaction.change(f"UPDATE {table} SET {column} = {value}") == 1, table
        problems = _problems(stage)
        assert len(problems) == len(seen) + 1, table
        seen = problems
    assert {rows.table for rows in SEALED_ROWS} - _MOVED.keys() == {
        "deliveries",
        "oauth_clients",
        "mcp_servers",
        "client_registrations",
    }
