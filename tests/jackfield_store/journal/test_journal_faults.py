"""A journal that cannot be written: a clear error, nothing sent that was not recorded first,
nothing corrupted (issue 3, acceptance).
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_store.database.sqlite_writer import writer
from tests.jackfield_store.journal.truth import entries_by_key

from fake_aws import FakeAws
from jackfield import Result
from jackfield.kernel.clock import SystemClock
from jackfield_store.database import Database, open_database
from jackfield_store.database.check import check
from jackfield_store.resources.storage import Storage
from jackfield_store.runtime import Jackfield
from nursery import connection, mail
from postgres import missing, running_server
from waiting import until


class ImpatientStorage(Storage):
    """Waits 0.3 seconds for locks."""

    def __init__(self, url: str) -> None:
        super().__init__(url, os.environ, SystemClock())

    def opened(self, *, migrate: bool | None, most: float = 0.0) -> Database:
        """The database, opened by somebody in a hurry."""
        return open_database(self.url, migrate=migrate, wait=0.3, most=most)


@contextmanager
def runtime(aws: FakeAws, url: str) -> Iterator[Jackfield]:
    """A runtime in a hurry, whose journal is open."""
    storage = ImpatientStorage(url)
    with Jackfield(connections=[connection(aws.url)], storage=storage) as jackfield:
        jackfield.invoke(mail("before")).unwrap()
        yield jackfield
    storage.close()


def refused(result: Result, *words: str) -> None:
    """The Result says in one of these words what is wrong with the database, and may be
    repeated.
    """
    assert result.error is not None
    assert (result.status, result.error.code, result.error.retryable) == (
        "failed",
        "unavailable",
        True,
    )
    assert any(one in result.error.message for one in words), result.error.message
    assert result.error.hint


def whole(url: str) -> None:
    """Nothing in the database is corrupted."""
    with open_database(url) as database:
        assert check(database).problems == ()


def test_a_full_disk(aws: FakeAws, tmp_path: Path) -> None:
    """Where the entry does not fit, nothing is sent; with space it goes on."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    with runtime(aws, url) as jackfield:
        connection = writer(jackfield.storage.database)
        connection.execute(
            f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}"
        )
        statuses = [jackfield.invoke(mail(f"full-{number}")) for number in range(30)]
        sent = {message.subject for message in aws.messages}
        late = [result for number, result in enumerate(statuses) if f"full-{number}" not in sent]
        assert late
        for result in late:
            refused(result, "the disk is full")
        connection.execute("PRAGMA max_page_count = 4000")
        assert jackfield.invoke(mail("after")).status == "succeeded"
        assert jackfield.journal is not None
        told = {
            key
            for key, entry in entries_by_key(jackfield.journal).items()
            if entry.status == "succeeded"
        }
        assert told == {message.subject for message in aws.messages}
    whole(url)


def test_a_read_only_database(aws: FakeAws, tmp_path: Path) -> None:
    """A database that may only be read refuses the entry, and nothing is sent."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    with runtime(aws, url) as jackfield:
        connection = writer(jackfield.storage.database)
        connection.execute("PRAGMA query_only = ON")
        refused(jackfield.invoke(mail("order-1")), "read-only")
        assert len(aws.messages) == 1
        connection.execute("PRAGMA query_only = OFF")
        assert jackfield.invoke(mail("order-1")).status == "succeeded"
    whole(url)


@pytest.mark.parametrize("keyed", [True, False], ids=["with a key", "without"])
def test_a_locked_database(aws: FakeAws, tmp_path: Path, keyed: bool) -> None:
    """A lock that another process does not give back refuses the entry, and nothing is sent,
    whether the request has a key or not.
    """
    url = f"sqlite:///{tmp_path / 'a.db'}"
    order = mail("order-1")
    if not keyed:
        del order["idempotencyKey"]
    with runtime(aws, url) as jackfield:
        other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        # on a busy machine, what came before may still wait for the lock
        refused(
            jackfield.invoke(order),
            "locked by another process",
            "what came before still waits for a lock",
        )
        assert len(aws.messages) == 1
        other.execute("ROLLBACK")
        other.close()
        assert jackfield.invoke(order).status == "succeeded"
    whole(url)


def test_a_doubt_is_on_the_disk_before_anybody_learns_of_it(aws: FakeAws, tmp_path: Path) -> None:
    """Whoever is told that a mail may have been sent finds it in the journal, whatever becomes of
    the process that told them, and of the machine: its call waits for the disk, and says if it
    waited in vain. What is put off would wait for nobody.
    """
    order = mail("order-1")
    del order["idempotencyKey"]
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None, check_same_thread=False)
    with runtime(aws, f"sqlite:///{tmp_path / 'a.db'}") as jackfield:
        aws.script([{"do": "reset", "operation": "sesv2:SendEmail", "always": True}])
        told = jackfield.invoke(order)
        assert (told.status, told.meta.warnings) == ("in_doubt", ())
        assert other.execute(
            "SELECT count(*) FROM invocations WHERE status = 'in_doubt'"
        ).fetchall() == [(1,)]
        with _locks(jackfield, other):
            told = jackfield.invoke(order)
        other.execute("ROLLBACK")
        assert told.status == "in_doubt"
        assert "could not be recorded yet" in told.meta.warnings[0]["message"]
    other.close()


def test_a_deadline_bounds_the_wait_for_a_lock(aws: FakeAws, tmp_path: Path) -> None:
    """With 'timeoutSeconds' a locked database is waited for as long as that, from threads and event
    loops alike; nothing is sent, and the runtime is closed as fast.
    """
    url = f"sqlite:///{tmp_path / 'a.db'}"
    hurried = {**mail("order-1"), "timeoutSeconds": 1.5}
    with Jackfield(connections=[connection(aws.url)], database_url=url) as jackfield:
        jackfield.invoke(mail("before")).unwrap()
        assert jackfield.journal is not None
        # what that call left to be written later is written: a unit in its commit waits for 30 s
        jackfield.journal.entries()
        other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for looped in (False, True):
            started = time.monotonic()
            result = (
                asyncio.run(jackfield.ainvoke(hurried)) if looped else jackfield.invoke(hurried)
            )
            assert time.monotonic() - started < 25
            assert result.error is not None
            # the second one may wait for the first one's entry before
            assert result.error.code in ("unavailable", "timeout")
            assert looped or "lock" in result.error.message
        started = time.monotonic()
    assert time.monotonic() - started < 25
    other.close()
    assert len(aws.messages) == 1


def test_a_lock_in_mid_call(aws: FakeAws, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A Result that cannot be recorded stands, is logged, and is recorded as soon as the database
    is back: its key is not held for ever.
    """
    url = f"sqlite:///{tmp_path / 'a.db'}"
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None, check_same_thread=False)
    with runtime(aws, url) as jackfield, caplog.at_level(logging.ERROR, "jackfield"):
        with _locks(jackfield, other):
            assert jackfield.invoke(mail("order-1")).status == "succeeded"
        assert "could not be recorded" in caplog.text
        other.execute("ROLLBACK")
        again = jackfield.invoke(mail("order-1"))
        assert (again.status, again.meta.replayed) == ("succeeded", True)
    other.close()
    assert len(aws.messages) == 2
    whole(url)


def test_a_lock_before_the_end(aws: FakeAws, tmp_path: Path) -> None:
    """A server or a worker that stops records what it could not record before: nobody has to wait
    until it counts as dead.
    """
    url = f"sqlite:///{tmp_path / 'a.db'}"
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None, check_same_thread=False)
    with runtime(aws, url) as jackfield:
        with _locks(jackfield, other):
            assert jackfield.invoke(mail("order-1")).status == "succeeded"
        other.execute("ROLLBACK")
        assert [
            status for (status,) in other.execute("SELECT status FROM invocations ORDER BY id")
        ] == ["succeeded", "running"]
        asyncio.run(jackfield.drained(0.0))
        assert [
            status for (status,) in other.execute("SELECT status FROM invocations ORDER BY id")
        ] == ["succeeded", "succeeded"]
    other.close()


@contextmanager
def _locks(jackfield: Jackfield, other: sqlite3.Connection) -> Iterator[None]:
    """Somebody locks the database while the mail is on its way."""
    from jackfield_aws_ses import sending

    original = sending.request

    def locking(*arguments: Any) -> Any:
        other.execute("BEGIN IMMEDIATE")
        return original(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sending, "request", locking)
        yield


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_a_server_that_is_gone(tmp_path: Path) -> None:
    """PostgreSQL gone before a call: nothing is sent. Gone in mid-call: the Result stands, and the
    journal learns of it later.
    """
    with FakeAws(latency=0.3) as aws, running_server() as server:
        url = server.create()
        open_database(url, migrate=True).close()
        with runtime(aws, url) as jackfield:
            server.stop()
            refused(jackfield.invoke(mail("order-1")), "cannot be")
            assert len(aws.messages) == 1
            server.start()
            # one that has just found it gone may be refused
            sent = until(lambda: _unless_refused(jackfield.invoke(mail("order-1"))))
            assert sent is not None
            assert sent.status == "succeeded"
            result = _stopped_in_mid_call(jackfield, aws, server)
            assert result.status == "succeeded"
            server.start()
            again = until(lambda: _unless_refused(jackfield.invoke(mail("order-2"))))
            assert again is not None
            assert (again.status, again.meta.replayed) == ("succeeded", True), again.to_json()
        assert len(aws.messages) == 3


def _unless_refused(result: Result) -> Result | None:
    return None if result.error is not None and result.error.code == "unavailable" else result


def _stopped_in_mid_call(jackfield: Jackfield, aws: FakeAws, server: Any) -> Result:
    from concurrent.futures import ThreadPoolExecutor

    before = aws.received
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(jackfield.invoke, mail("order-2"))
        assert aws.wait_until(lambda fake: fake.received > before)
        server.stop()
        return future.result(60)
