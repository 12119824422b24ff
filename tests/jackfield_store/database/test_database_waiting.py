"""Who waits for a lock of SQLite's waits as long as it has patience, and no other with it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import pytest
from tests.jackfield_store.database.workspace_rows import adding, names

from jackfield.kernel.clock import within
from jackfield.kernel.errors import Unavailable
from jackfield_store.database import Database, batches, open_database
from ready_database import migrated_for_real

__all__ = ["migrated_for_real"]


@contextmanager
def locked(file: Path) -> Iterator[sqlite3.Connection]:
    """Somebody else has a transaction open that writes, until its ROLLBACK."""
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield other
    finally:
        other.close()


def seconds_of(call: Callable[[], object]) -> tuple[float, Exception | None]:
    """How long a call takes, and what it raises."""
    started = time.monotonic()
    try:
        call()
    except Unavailable as fault:
        return time.monotonic() - started, fault
    return time.monotonic() - started, None


def test_a_caller_waits_for_a_lock_as_long_as_it_has_patience(tmp_path: Path) -> None:
    """Whoever says how long it waits is told of the lock after that time, in every way to write."""
    file = tmp_path / "a.db"
    lost: Queue[Exception | None] = Queue()
    with open_database(f"sqlite:///{file}") as database:
        with locked(file):
            for write in (
                lambda: database.record(adding("a")),
                lambda: database.write().__enter__(),
            ):
                with within(0.3):
                    took, fault = seconds_of(write)
                assert took < 20
                assert "locked by another process" in str(fault)
            with within(0.3):
                database.defer(adding("b"), lambda _value, error: lost.put(error))
                assert seconds_of(lambda: names(database))[0] < 20
            assert "locked by another process" in str(lost.get(timeout=60))
        assert database.record(adding("c")) == "c"


def test_a_patient_caller_does_not_fail_with_one_in_a_hurry(tmp_path: Path) -> None:
    """Of those that wait together for a lock each waits its own time, be it the leader, a follower
    or an event loop's; whoever waits longer goes on waiting, and is committed when the lock is
    free.
    """
    file = tmp_path / "a.db"
    with (
        open_database(f"sqlite:///{file}") as database,
        locked(file) as other,
        ThreadPoolExecutor(4) as pool,
    ):
        leader = pool.submit(_hurried, database, "leader")
        while not database._process.batches._led:
            threading.Event().wait(0.001)
        patient = pool.submit(database.record, adding("patient"))
        follower = pool.submit(_hurried, database, "follower")
        handed: Future[str] = Future()
        database.submit(
            adding("handed"), lambda value, error: handed.set_result(str(error or value))
        )
        assert "locked by another process" in str(leader.result(60)[1])
        took, fault = follower.result(60)
        assert took < 20
        assert "in time" in str(fault) or "locked" in str(fault)
        assert not patient.done()
        other.execute("ROLLBACK")
        assert (patient.result(60), handed.result(60)) == ("patient", "handed")
        assert names(database) == ["handed", "patient"]


def test_what_was_submitted_can_be_taken_back_while_it_waits(tmp_path: Path) -> None:
    """An event loop whose time is over takes its unit back: nothing of it is done, and nobody is
    told.
    """
    file = tmp_path / "a.db"
    told: list[object] = []
    with open_database(f"sqlite:///{file}") as database:
        with locked(file):
            taken_back = database.submit(
                adding("a"), lambda value, error: told.append((value, error))
            )
            assert (taken_back(), taken_back()) == (True, False)
        assert database.record(adding("b")) == "b"
        assert names(database) == ["b"]
    assert told == []


def _hurried(database: Database, name: str) -> tuple[float, Exception | None]:
    with within(0.5):
        return seconds_of(lambda: database.record(adding(name)))


def test_opening_a_locked_database_has_an_end(tmp_path: Path) -> None:
    """A file that somebody else keeps for himself is told as locked when the caller's time is
    over.
    """
    file = tmp_path / "a.db"
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with within(0.3):
        took, fault = seconds_of(lambda: open_database(f"sqlite:///{file}"))
    other.close()
    assert took < 20
    assert "locked by another process" in str(fault)


def test_writers_are_relieved_of_the_checkpoint(tmp_path: Path) -> None:
    """A thread that changes much can copy its pages into the file itself, while a writer goes
    on.
    """
    file = tmp_path / "a.db"
    with open_database(f"sqlite:///{file}") as database:
        database.record(adding("ada"))
        with database.write() as transaction:
            transaction.change("INSERT INTO workspaces (name, created_at) VALUES ('open', 1)")
            database.dialect.relieve_writers()
            copied = sqlite3.connect(f"file:{file}?immutable=1", uri=True)  # without the WAL
            assert [
                name
                for (name,) in copied.execute(
                    "SELECT name FROM workspaces WHERE name IN ('ada', 'open')"
                )
            ] == ["ada"]
            copied.close()


def test_closing_does_not_wait_for_a_lock_as_long_as_calls_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that another process keeps locked does not hold up the exit: calls would wait for
    an hour here, closing ends while it is still locked, also when threads of the database's own
    wait for the lock already, and whoever deferred something hears what became of it.
    """
    monkeypatch.setattr(batches, "_CLOSING", 0.2)
    file, lost = tmp_path / "a.db", Queue[Exception | None]()
    for waits_already in (False, True):
        database = open_database(f"sqlite:///{file}", wait=3600.0)
        with locked(file):
            if waits_already:
                # taken back: the thread that writes goes on waiting
                database.submit(adding("b"), lambda _value, _error: None)()
            database.defer(adding("a"), lambda _value, error: lost.put(error))
            while waits_already and not database._process.batches._led:
                threading.Event().wait(0.001)
            database.close()
        assert isinstance(lost.get(timeout=60), Unavailable | None)
