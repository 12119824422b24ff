"""A migrated SQLite database, made once for each process of pytest, and for the one that forks the
commands of ``warm``: the new database of a test begins as a copy of it.

Migrating takes 60 ms of CPU, and thousands of tests begin with an empty database.
``tests/jackfield_store/database`` migrates for real.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from unittest import mock

import pytest

from jackfield_store.database import Transaction
from jackfield_store.database.engine import open_database
from jackfield_store.database.migrations import Migrations, known_migrations
from jackfield_store.database.sqlite import SqliteDialect

_REAL = Migrations.apply
_FIRST_PAGE = 4096
"""Bytes of a file that only was read: SQLite notes there that it has a WAL."""


class _Template:
    """Pages of a migrated database without rows of its own."""

    def __init__(self, folder: Path) -> None:
        open_database(f"sqlite:///{folder / 'template.db'}", migrate=True).close()
        self._pages = sqlite3.connect(":memory:", check_same_thread=False)
        self._lock = threading.Lock()
        with closing(sqlite3.connect(folder / "template.db")) as made:
            made.backup(self._pages)

    def copy_to(self, path: str) -> bool:
        """Fill a database without tables, as no other process does meanwhile; False if it has any,
        or cannot be written now.
        """
        if os.path.getsize(path) > _FIRST_PAGE:
            return False
        with (
            self._lock,
            _alone(os.path.dirname(os.path.abspath(path))),
            closing(_connected(path)) as new,
        ):
            try:
                new.execute("BEGIN IMMEDIATE")  # fails beside a process that migrates it for real
                found = new.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
                new.execute("ROLLBACK")
            except sqlite3.Error:
                return False
            if found is None:
                self._pages.backup(new)
        return found is None

    def close(self) -> None:
        """Close the pages: CPython 3.13 warns of a connection that is not."""
        self._pages.close()


def _connected(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=0, isolation_level=None)


@contextmanager
def _alone(folder: str) -> Iterator[None]:
    """Let no other process copy to a database of a folder."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


@contextmanager
def databases_copied(folder: Path) -> Iterator[None]:
    """Let migrations of empty SQLite databases be copies."""
    template = _Template(folder)

    def apply(self: Migrations) -> list[int]:
        dialect = self._dialect
        if (
            not isinstance(dialect, SqliteDialect)
            or self._known is not known_migrations
            or not template.copy_to(dialect.path)
        ):
            return _REAL(self)
        return [migration.version for migration in known_migrations()]

    with closing(template), mock.patch.object(Migrations, "apply", apply):
        yield


def real_migrations() -> AbstractContextManager[object]:
    """Let migrations be migrations."""
    return mock.patch.object(Migrations, "apply", _REAL)


@pytest.fixture(autouse=True)
def migrated_for_real() -> Iterator[None]:
    """Begin with empty databases and run the migrations, for tests of them."""
    with real_migrations():
        yield


_UNDONE = (
    "ALTER TABLE invocations DROP COLUMN asked",
    "ALTER TABLE invocations DROP COLUMN key_facts",
    "DROP INDEX invocations_key",
    "ALTER TABLE invocations DROP COLUMN key_space",
    "CREATE UNIQUE INDEX invocations_key ON invocations (workspace, idempotency_key) WHERE key_held=1",
    "ALTER TABLE invocations DROP COLUMN kept_for",
    "DROP INDEX doubts_of_functions",
    "DROP INDEX doubts_due",
    "ALTER TABLE doubts DROP COLUMN function",
    "CREATE INDEX doubts_due ON doubts (look_at) WHERE look_at IS NOT NULL",
    "DROP TABLE applied",
    "DROP TABLE quota_places",
    "DROP TABLE quota_counts",
)


def take_back(transaction: Transaction) -> None:
    """Take away what the changes since the baseline have added to its tables."""
    for statement in _UNDONE:
        transaction.change(statement)
