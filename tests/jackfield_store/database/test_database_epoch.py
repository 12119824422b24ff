"""The epoch: every change of what decides calls moves it for every process, before the change is
answered; nothing else does.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.jackfield_store.database import changing

from forking import alone, fork
from jackfield.kernel.errors import Unavailable
from jackfield_store.database import Database, open_database
from jackfield_store.database.epoch import EpochCache
from jackfield_store.database.shared_looks import SharedLooks
from together import PATIENCE, at_once
from waiting import until

_CHANGES = (
    "INSERT INTO workspaces (name, created_at) VALUES ('a', 1)",
    "UPDATE workspaces SET settings = '{\"keepInputs\": true}' WHERE name = 'a'",
    (
        "INSERT INTO connections (workspace, id, name, type, version, public_values, status, "
        "created_at, updated_at) "
        "VALUES ('a', 'c', 'hall', 'echo/token', 1, '{}', 'untested', 1, 1)"
    ),
    "UPDATE connections SET version = 2, public_values = '{\"x\": 1}' WHERE id = 'c'",
    "UPDATE connections SET name = 'door' WHERE id = 'c'",
    (
        "INSERT INTO tokens (workspace, id, name, scope, digest, rules, created_at) VALUES ('a', "
        "'t', '', 'read', 'd', '{}', 1)"
    ),
    "UPDATE tokens SET rules = '{\"block\": [\"*\"]}' WHERE id = 't'",
    "UPDATE tokens SET revoked_at = 1 WHERE id = 't'",
    "DELETE FROM tokens WHERE id = 't'",
    "DELETE FROM connections WHERE id = 'c'",
    "DELETE FROM workspaces WHERE name = 'a'",
)
_KEPT = (
    "UPDATE connections SET status = 'ok', last_test = '{}' WHERE id = 'c'",
    "UPDATE tokens SET last_used_at = 2 WHERE id = 't'",
    "UPDATE workspaces SET settings = '{}' WHERE name = 'missing'",
)
_PAUSE = threading.Event()
_SUPPORT = os.path.dirname(changing.__file__)


@pytest.fixture
def other(database_url: str, database: Database) -> Iterator[Database]:
    """The same database, as another process has it."""
    database.migrate()
    with open_database(database_url) as found:
        yield found


def change(database: Database, statement: str) -> None:
    """Commit one statement."""
    with database.write() as transaction:
        transaction.change(statement)


def test_each_change_moves_the_epoch_of_every_process(database: Database, other: Database) -> None:
    """Connections, tokens and workspaces, made, changed and removed: readings differ from before
    here and elsewhere, then stay.
    """
    for statement in _CHANGES:
        before = database.epoch(), other.epoch()
        assert before == (database.epoch(), other.epoch())
        change(other, statement)
        after = database.epoch(), other.epoch()
        assert after[0] != before[0], statement
        assert after[1] != before[1], statement
        assert after == (database.epoch(), other.epoch())


def test_what_calls_write_themselves_moves_nothing(database: Database, other: Database) -> None:
    """The last use of a token and the status of a connection, which calls note, leave everything
    that is kept.
    """
    for statement in (_CHANGES[2], _CHANGES[5]):
        change(other, statement)
    before = database.epoch()
    for statement in _KEPT:
        change(other, statement)
    assert database.epoch() == before


def test_what_is_rolled_back_moves_nothing_for_good(database: Database, other: Database) -> None:
    """A change that is undone, with its transaction or its savepoint, leaves readings equal; the
    next change moves them.
    """
    before = database.epoch()
    with suppress(ZeroDivisionError), other.write() as transaction:
        transaction.change(_CHANGES[0])
        raise ZeroDivisionError
    assert database.epoch() == before
    with other.write() as transaction, suppress(ZeroDivisionError), transaction.savepoint():
        transaction.change(_CHANGES[0])
        raise ZeroDivisionError
    assert database.epoch() == before
    change(other, _CHANGES[0])
    assert database.epoch() != before


def test_in_a_transaction_nothing_may_be_kept(database: Database, other: Database) -> None:
    """A snapshot may be older than a reading, and a change may be undone: readings there are unlike
    all others.
    """
    with database.read():
        assert database.epoch() != database.epoch()
    with other.write():
        assert other.epoch() != other.epoch()
    assert database.epoch() == database.epoch()


def test_a_cache_holds_values_until_the_epoch_moves(database: Database, other: Database) -> None:
    """A value is read once for each epoch; what the limit does not hold is read again."""
    read: list[str] = []
    cache: EpochCache[str, str] = EpochCache(database.epoch, 4, len)

    def reading(key: str) -> str:
        read.append(key)
        return key

    def found(key: str) -> str:
        return cache.find(key, lambda: reading(key))

    assert [found(key) for key in ("ab", "c", "ab", "long text", "long text", "ab")] == [
        "ab",
        "c",
        "ab",
        "long text",
        "long text",
        "ab",
    ]
    assert read[:4] == ["ab", "c", "long text", "long text"]
    read.clear()
    change(other, _CHANGES[0])
    assert (found("c"), found("c"), read) == ("c", "c", ["c"])


_DYING = """
import sys
sys.path.insert(0, sys.argv[4])
from tests.jackfield_store.database.changing import die_at_commit
from jackfield_store.database import open_database

die_at_commit(sys.argv[3])
with open_database(sys.argv[1]) as database, database.write() as transaction:
    transaction.change(sys.argv[2])
"""


def killed(url: str, statement: str, instant: str) -> None:
    """Change the database in a process that is killed ``uncommitted``, or ``committed`` and not
    answered.
    """
    died = subprocess.run(
        [sys.executable, "-c", _DYING, url, statement, instant, _SUPPORT],
        check=False,
        timeout=PATIENCE,
    )
    assert died.returncode == -signal.SIGKILL


def test_a_change_whose_writer_is_killed_after_the_commit_is_seen(
    database_url: str, database: Database, other: Database
) -> None:
    """Nobody was told of the change, and every process sees it with its next reading."""
    before = database.epoch(), other.epoch()
    killed(database_url, _CHANGES[0], "committed")
    after = database.epoch(), other.epoch()
    assert after[0] != before[0]
    assert after[1] != before[1]
    assert after == (database.epoch(), other.epoch())


def test_a_writer_killed_before_the_commit_leaves_no_doubt_for_long(
    database_url: str, database: Database, other: Database
) -> None:
    """The number that it has stored is trusted by nobody, also when the next change gets the same
    one; then readings are equal again.
    """
    before = database.epoch()
    killed(database_url, _CHANGES[0], "uncommitted")
    doubtful = {database.epoch() for _ in range(3)}
    assert len(doubtful) == (3 if database.dialect.name == "sqlite" else 1)
    change(other, _CHANGES[0])
    after = database.epoch()
    assert after not in {before, *doubtful}
    assert database.epoch() == after
    killed(database_url, _CHANGES[1], "uncommitted")
    until(lambda: database.epoch() == database.epoch())  # without any further change
    assert database.epoch() == database.epoch()


def test_changes_by_other_programs_are_noticed(tmp_path: Path) -> None:
    """A change with SQLite's own shell, or by a version that knows no such file, is noticed a
    moment later, and so is another file.
    """
    path = tmp_path / "a.db"
    with open_database(f"sqlite:///{path}") as database:
        before = database.epoch()
        with closing(sqlite3.connect(path)) as shell:
            shell.execute(_CHANGES[0])
            shell.commit()
        until(lambda: database.epoch() != before)
        until(lambda: database.epoch() == database.epoch())
        before = database.epoch()
        (tmp_path / "a.db-epoch").unlink()
        until(lambda: database.epoch() != before)
        assert database.epoch() == database.epoch()


def test_a_change_that_cannot_be_announced_is_not_made(tmp_path: Path) -> None:
    """Other processes would go on with the old state: the change is refused, and the file is
    named.
    """
    with open_database(f"sqlite:///{tmp_path / 'a.db'}") as database:
        (tmp_path / "a.db-epoch").mkdir()
        with pytest.raises(Unavailable, match=r"a\.db-epoch"):
            change(database, _CHANGES[0])
        with database.read() as transaction:
            assert transaction.execute("SELECT name FROM workspaces") == []
        assert database.epoch() != database.epoch()
        (tmp_path / "a.db-epoch").rmdir()
        change(database, _CHANGES[0])


def test_a_link_to_a_database_has_its_epoch(tmp_path: Path) -> None:
    """A process that opens the database by a symbolic link announces its changes to the others."""
    (tmp_path / "links").mkdir()
    with open_database(f"sqlite:///{tmp_path / 'a.db'}") as database:
        (tmp_path / "links" / "b.db").symlink_to(tmp_path / "a.db")
        before = database.epoch()
        with open_database(f"sqlite:///{tmp_path / 'links' / 'b.db'}") as other:
            change(other, _CHANGES[0])
        assert database.epoch() != before
    assert sorted(os.listdir(tmp_path / "links")) == ["b.db"]


def _changed_by_both(url: str) -> list[bool]:
    with open_database(url) as database:
        before = database.epoch()

        def work() -> bool:
            known = database.epoch() == database.epoch()
            change(database, _CHANGES[0])
            return known

        known = fork(work).answer()
        return [known, database.epoch() != before, database.epoch() == database.epoch()]


def test_a_forked_child_goes_on_reading(database_url: str) -> None:
    """A child has readings of its own, and its parent sees what it changes."""
    assert alone(_changed_by_both, database_url) == [True] * 3


class Server:
    """Answers queries when it is let; ``begun`` is released by each that has begun."""

    def __init__(self) -> None:
        self.number = 1
        self.queries = 0
        self.begun = threading.Semaphore(0)
        self.let = threading.Semaphore(0)

    def committed(self) -> int:
        """One query: what it answers is true when it begins."""
        self.queries += 1
        number = self.number
        self.begun.release()
        assert self.let.acquire(timeout=PATIENCE)
        return number


def test_callers_share_a_query_that_began_after_them() -> None:
    """Callers that come during a query wait for the next one, which answers all of them: none gets
    what was true before it asked.
    """
    server, looks = Server(), None
    looks = SharedLooks(server.committed)
    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(looks.read)
        assert server.begun.acquire(timeout=PATIENCE)
        server.number = 2
        late = [threads.submit(looks.read) for _ in range(8)]
        server.let.release()
        assert first.result(PATIENCE) == 1
        while not all(one.done() for one in late):
            server.let.release()
            _PAUSE.wait(0.005)
        assert {one.result() for one in late} == {2}
    assert server.queries <= 9


def test_tasks_share_a_query_of_their_tick() -> None:
    """All tasks that ask in one tick of a loop are answered by one query."""
    server = Server()
    looks = SharedLooks(server.committed)

    async def ask() -> list[int]:
        return await asyncio.gather(*(looks.aread() for _ in range(50)))

    server.let.release()
    assert asyncio.run(ask()) == [1] * 50
    assert server.queries == 1


def test_a_query_that_fails_is_trusted_by_nobody() -> None:
    """Where the server cannot be asked, each reading is unlike all others, in threads and in
    tasks.
    """

    def failing() -> int:
        raise Unavailable("the database cannot be reached")

    looks = SharedLooks(failing)
    found = at_once(4, lambda _number: looks.read())

    async def ask() -> list[int]:
        return list(await asyncio.gather(*(looks.aread() for _ in range(2))))

    assert looks.read() != looks.read()
    assert not {*found} & {*asyncio.run(ask())}


def test_without_a_thread_no_task_waits() -> None:
    """A process that has no thread left for the query gets readings that are unlike all others, at
    once.
    """
    looks = SharedLooks(lambda: 1)

    async def ask() -> list[int]:
        threads = ThreadPoolExecutor(1)
        threads.shutdown()
        asyncio.get_running_loop().set_default_executor(threads)
        return [await looks.aread(), *await asyncio.gather(looks.aread(), looks.aread())]

    assert len({*asyncio.run(ask())}) == 3


def test_a_block_holds_its_reading() -> None:
    """Within the block no query is made, so that a call runs on one state; after it, the next
    reading is a new one.
    """
    server = Server()
    looks = SharedLooks(server.committed)
    server.let.release(2)
    with looks.held():
        server.number = 2
        assert [looks.read(), looks.read()] == [1, 1]
        with looks.held(7):
            assert looks.read() == 7
        assert looks.read() == 1
    assert (looks.read(), server.queries) == (2, 2)


def test_readings_of_a_server_that_is_away_or_went_back() -> None:
    """While no reading can be told nothing is added, and what was known holds again with the same
    reading; a database that went back gives no reading that it gave before, and the last one is
    recent only for as long as it says.
    """
    answers: list[int | None] = [7]

    def committed() -> int | None:
        if not answers:
            raise Unavailable("it does not answer")
        return answers[-1]

    looks = SharedLooks(committed)
    cache: EpochCache[str, str] = EpochCache(looks.read, 4)
    assert cache.find("a", lambda: "one") == "one"
    reading = looks.recent(60.0)
    assert reading is not None
    assert cache.under(reading, "a") == "one"
    assert looks.recent(-1.0) is None
    answers.clear()
    assert cache.find("a", lambda: "asked") == "asked"
    assert cache.find("a", lambda: "again") == "again"
    assert looks.recent(60.0) == reading
    answers.append(7)
    assert cache.find("a", lambda: "never") == "one"
    answers.append(None)
    looks.read()
    answers.append(7)
    assert cache.find("a", lambda: "anew") == "anew"
    assert cache.under(reading, "a") is None
