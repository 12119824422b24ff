"""What a commit waits for: the disk, or with ``JACKFIELD_DURABILITY=process`` only the database."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_store.database.workspace_rows import adding, names

from clocks import FakeClock
from jackfield.kernel.errors import InvalidInvocation, Unavailable
from jackfield_store.database import Database, Transaction, open_database
from jackfield_store.resources.storage import Storage
from ready_database import migrated_for_real

__all__ = ["migrated_for_real"]
SETTINGS = {"disk": {}, "process": {"JACKFIELD_DURABILITY": "process"}}
SHOWN: dict[str, dict[object, str]] = {
    "sqlite": {2: "disk", 1: "process"},
    "postgresql": {"on": "disk", "off": "process"},
}


def waits_for(database: Database, transaction: Transaction) -> str:
    """Say what a commit of the transaction waits for."""
    kind = database.dialect.name
    row = transaction.find("PRAGMA synchronous" if kind == "sqlite" else "SHOW synchronous_commit")
    assert row is not None
    return SHOWN[kind][row[0]]


@pytest.mark.parametrize("durability", ["disk", "process"])
def test_commits_of_the_journal_wait_for_what_the_setting_says(
    database_url: str, durability: str, tmp_path: Path
) -> None:
    """All group commits do as it says; connections, tokens and settings wait for the disk either
    way, also between two such commits.
    """
    open_database(database_url).close()
    environment = {"JACKFIELD_HOME": str(tmp_path), **SETTINGS[durability]}
    with Storage(database_url, environment, FakeClock()) as storage:
        database, done = storage.database, threading.Event()
        found: list[Any] = [database.record(lambda transaction: waits_for(database, transaction))]
        with database.write() as transaction:
            written = waits_for(database, transaction)

        def submitted(value: str | None, _error: Exception | None) -> None:
            found.append(value)
            done.set()

        database.submit(lambda transaction: waits_for(database, transaction), submitted)
        assert done.wait(30)
    assert (found, written) == ([durability] * 2, "disk")


def test_another_durability_is_refused(tmp_path: Path) -> None:
    """The error names the variable and the values that it may have."""
    with (
        Storage(
            None, {"JACKFIELD_HOME": str(tmp_path), "JACKFIELD_DURABILITY": "paper"}, FakeClock()
        ) as storage,
        pytest.raises(InvalidInvocation, match="JACKFIELD_DURABILITY is 'paper'") as refused,
    ):
        storage.database.version()
    assert "'disk'" in (refused.value.hint or "")
    assert "'process'" in (refused.value.hint or "")


def test_what_did_not_wait_for_the_disk_is_synced_within_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite would leave the last commits to the system's cache for as long as nothing else is
    written.
    """
    synced, original = threading.Event(), os.fsync

    def fsync(descriptor: int) -> None:
        original(descriptor)
        synced.set()

    monkeypatch.setattr(os, "fsync", fsync)
    with open_database(f"sqlite:///{tmp_path}/a.db", syncs=False) as database:
        for name in ("one", "two"):
            database.record(adding(name))
            assert synced.wait(30)
            synced.clear()


WRITER = """
import os, sys
from jackfield.kernel.clock import SystemClock
from jackfield_store.resources.storage import Storage

def adding(name):
    return lambda transaction: transaction.change("INSERT INTO workspaces (name, created_at) VALUES (:name, 1)", {"name": name})

database = Storage(sys.argv[1], {"JACKFIELD_HOME": sys.argv[2], "JACKFIELD_DURABILITY": "process"}, SystemClock()).database
for number in range(20):
    database.record(adding(f"n{number}"))
os.kill(os.getpid(), 9)
"""


def test_a_killed_process_loses_nothing_that_did_not_wait_for_the_disk(
    database_url: str, tmp_path: Path
) -> None:
    """All that was answered is there after kill -9 right behind the last commit."""
    open_database(database_url).close()
    assert (
        subprocess.run(
            [sys.executable, "-c", WRITER, database_url, str(tmp_path)], check=False, timeout=60
        ).returncode
        == -9
    )
    with open_database(database_url) as database:
        assert set(names(database)) >= {f"n{number}" for number in range(20)}


def test_a_thread_that_outlasts_a_closed_storage_opens_no_other_database(tmp_path: Path) -> None:
    """What still looks at the workspaces of a closed database is told so: nobody would close
    another one.
    """
    with Storage(None, {"JACKFIELD_HOME": str(tmp_path)}, FakeClock()) as storage:
        blocked = storage.blocked
        storage.close()
        with pytest.raises(Unavailable, match="closed"):
            blocked.served(["default"])
        assert not storage.is_open
        assert storage.blocked.served(["default"]) == ["default"]
