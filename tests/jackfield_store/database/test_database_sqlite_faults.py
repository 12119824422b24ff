"""What goes wrong with a SQLite file is told in clear words, and nothing is lost or half done."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.jackfield_store.database.sqlite_writer import writer
from tests.jackfield_store.database.workspace_rows import names, rolled_back

from jackfield.kernel.errors import Sent, Unavailable
from jackfield_store.database import (
    CommitUnknown,
    Contended,
    Database,
    DatabaseUnfit,
    Transaction,
    open_database,
)
from jackfield_store.database.check import check
from queue_campaign import may_unshare
from queue_campaign import small_disk as disk_of
from ready_database import migrated_for_real

__all__ = ["migrated_for_real"]


BIG = 20_000


def adding(name: str, size: int = 0) -> Callable[[Transaction], str]:
    """A unit of work that inserts a workspace with ``size`` bytes of settings and gives its
    name.
    """

    def unit(transaction: Transaction) -> str:
        transaction.change(
            "INSERT INTO workspaces (name, created_at, settings) VALUES (:name, 1, :settings)",
            {"name": name, "settings": "x" * size},
        )
        return name

    return unit


def filled(database: Database) -> list[str]:
    """Record until the database refuses; what was told as done."""
    done: list[str] = []
    with pytest.raises(Unavailable) as caught:  # noqa: PT012 (which call is refused is not known)
        for number in range(2000):
            done.append(database.record(adding(f"n{number:04}", BIG)))  # noqa: PERF401 (kept when one raises)
    fault = caught.value
    assert fault.message == "the database cannot be written: the disk is full"
    assert (fault.code, fault.sent, fault.retryable) == ("unavailable", Sent.NOTHING, True)
    assert "Free space" in str(fault)
    return done


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """When no page can be had any more the error says so, what was told as done is there, and with
    space it goes on.
    """
    with open_database(f"sqlite:///{tmp_path / 'a.db'}") as database:
        names(database)
        connection = writer(database)
        connection.execute("PRAGMA max_page_count = 400")
        done = filled(database)
        assert names(database) == done
        assert len(done) > 10
        assert (
            database.record(
                lambda transaction: transaction.change(
                    "DELETE FROM workspaces WHERE name = 'n0000'"
                )
            )
            == 1
        )
        connection.execute("PRAGMA max_page_count = 4000")
        assert database.record(adding("later", BIG)) == "later"
        assert names(database) == sorted([*done[1:], "later"])
        assert check(database).problems == ()


def test_on_a_full_disk_a_small_unit_is_not_refused_for_a_large_one(tmp_path: Path) -> None:
    """Of two units in one batch the one that does not fit fails; what the other is told is what is
    in the file.
    """
    with open_database(f"sqlite:///{tmp_path / 'a.db'}") as database:
        connection = writer(database)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 4}")
        told: list[object] = []

        def both(transaction: Transaction) -> None:
            database.submit(adding("large", 100 * BIG), lambda _value, error: told.append(error))
            database.submit(
                adding("small"), lambda value, error: told.append(value if error is None else error)
            )

        database.record(both)
        database.close()
    with open_database(f"sqlite:///{tmp_path / 'a.db'}") as again:
        assert [str(found).splitlines()[0] for found in told] == [
            "the database cannot be written: the disk is full",
            "small",
        ]
        assert names(again) == ["small"]


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mount.returncode != 0:
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_really_full_disk(tmp_path: Path) -> None:
    """On a file system without space the same is true; with space again the database goes on and is
    whole.
    """
    with small_disk(tmp_path / "disk") as disk:
        ballast = disk / "ballast"
        with open_database(f"sqlite:///{disk / 'a.db'}") as database:
            ballast.write_bytes(b"x" * 100_000)
            done = filled(database)
            assert names(database) == done
            ballast.unlink()
            assert database.record(adding("later", BIG)) == "later"
        with open_database(f"sqlite:///{disk / 'a.db'}") as again:
            assert names(again) == sorted([*done, "later"])
            assert check(again).problems == ()


@contextmanager
def another_account() -> Iterator[None]:
    """Root may write everything: be nobody for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def readable() -> Iterator[Path]:
    """A folder that every account can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def test_a_read_only_file_can_be_read(readable: Path) -> None:
    """A database whose file must not be written says so when it is written, and is read all the
    same.
    """
    file = readable / "a.db"
    with open_database(f"sqlite:///{file}") as database:
        database.record(adding("a"))
    file.chmod(0o444)
    readable.chmod(0o777)
    with another_account(), open_database(f"sqlite:///{file}") as database:
        assert names(database) == ["a"]
        with pytest.raises(Unavailable, match="read-only") as caught:
            database.record(adding("b"))
        assert "write permission" in str(caught.value)
        assert names(database) == ["a"]


def test_a_read_only_file_system_is_told(tmp_path: Path) -> None:
    """Where it is the file system that is read-only, no permission would help, and the error says
    so.
    """
    with small_disk(tmp_path / "disk") as disk:
        open_database(f"sqlite:///{disk / 'a.db'}").close()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with (
            pytest.raises(Unavailable, match="its file system is read-only"),
            open_database(f"sqlite:///{disk / 'a.db'}") as database,
        ):
            database.record(adding("a"))


def test_a_folder_that_is_closed(readable: Path) -> None:
    """A database that cannot be made or opened says where it was looked for and why."""
    closed = readable / "closed"
    closed.mkdir(mode=0o755)
    closed.chmod(0o555)
    for path in (closed / "a.db", closed / "more" / "a.db"):
        with another_account(), pytest.raises(Unavailable, match="Permission denied") as caught:
            open_database(f"sqlite:///{path}")
        assert str(path) in str(caught.value)


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    """A path that names a folder is refused in words."""
    with pytest.raises(Unavailable, match="cannot be opened"):
        open_database(f"sqlite:///{tmp_path}")


LOCKING = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
"""


def test_a_database_that_another_process_locks(tmp_path: Path) -> None:
    """A write that cannot get the lock in time says so and did nothing; reads go on; once it is
    free the write works.
    """
    file = tmp_path / "a.db"
    with open_database(f"sqlite:///{file}", wait=0.2) as database:
        database.record(adding("a"))
        with subprocess.Popen(
            [sys.executable, "-c", LOCKING, str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == b"locked\n"
            with pytest.raises(Contended, match="locked by another process"):
                database.record(adding("b"))
            with pytest.raises(Contended, match="locked by another process"), database.write():
                pass
            assert names(database) == ["a"]
            other.communicate(b"\n", timeout=120)
        assert database.record(adding("c")) == "c"
        assert names(database) == ["a", "c"]


def test_a_thread_does_not_wait_for_ever_for_another(tmp_path: Path) -> None:
    """A thread that finds the only writer busy is told so when its time is over."""
    with open_database(f"sqlite:///{tmp_path / 'a.db'}", wait=0.1) as database:
        from jackfield_store.database.transaction import Mode

        session = database.dialect.begin(Mode.WRITE)
        with pytest.raises(Unavailable, match="in time"):
            database.record(adding("a"))
        session.pool.give_back(rolled_back(session))
        assert database.record(adding("a")) == "a"


def test_a_deleted_file_is_noticed(tmp_path: Path) -> None:
    """SQLite would go on writing to a deleted file: we refuse, and work again when the file is
    back.
    """
    file, away = tmp_path / "a.db", tmp_path / "away.db"
    with open_database(f"sqlite:///{file}") as database:
        database.record(adding("a"))
        assert names(database) == ["a"]
        file.rename(away)
        with pytest.raises(Unavailable, match="moved, deleted or replaced"):
            database.record(adding("lost"))
        with pytest.raises(Unavailable, match="moved, deleted or replaced"):
            names(database)
        with pytest.raises(Unavailable, match="cannot be opened"):
            database.record(adding("lost"))
        assert not file.exists()
        away.rename(file)
        assert database.record(adding("b")) == "b"
        assert names(database) == ["a", "b"]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    """A file that is no database, or one with broken pages, is told as damaged, and check says so
    without raising.
    """
    nothing = tmp_path / "nothing.db"
    nothing.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(Unavailable, match="damaged") as caught:
        open_database(f"sqlite:///{nothing}")
    assert "restore" in str(caught.value)
    file = tmp_path / "a.db"
    with open_database(f"sqlite:///{file}") as database:
        for number in range(50):
            database.record(adding(f"{number}", 2000))
    content = bytearray(file.read_bytes())
    content[-8 * 4096 :] = b"\xff" * (8 * 4096)
    file.write_bytes(content)
    with open_database(f"sqlite:///{file}", migrate=None) as database:
        report = check(database)
    assert not report.sound
    assert any("damaged" in problem for problem in report.problems)


def test_an_old_sqlite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SQLite without what we need says so at the start."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 31, 1))
    with pytest.raises(DatabaseUnfit, match="too old"):
        open_database(f"sqlite:///{tmp_path / 'a.db'}")


def test_files_are_private(tmp_path: Path) -> None:
    """The file, those that SQLite puts beside it and the folders made for it are open to this
    account only.
    """
    file = tmp_path / "x" / "y" / "a.db"
    with open_database(f"sqlite:///{file}") as database:
        database.record(adding("a"))
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "x").rglob("*")
        }
    assert modes == {
        "y": 0o700,
        "a.db": 0o600,
        "a.db-wal": 0o600,
        "a.db-shm": 0o600,
        "a.db-epoch": 0o600,
    }
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o700


class Faulty(sqlite3.Connection):
    """A connection on which chosen statements fail or answer otherwise."""

    plan: ClassVar[dict[str, list[sqlite3.OperationalError | str]]] = {}

    def execute(self, sql: str, *params: Any) -> sqlite3.Cursor:
        """Do what the plan says for statements that begin so, once each; else what SQLite does."""
        for begin, turns in self.plan.items():
            if sql.startswith(begin) and turns:
                turn = turns.pop(0)
                if isinstance(turn, str):
                    return super().execute(turn)
                raise turn
        return super().execute(sql, *params)


def fault(code: int) -> sqlite3.OperationalError:
    """An error of SQLite's."""
    error = sqlite3.OperationalError("s3cr3t words")
    error.sqlite_errorcode = code
    error.sqlite_errorname = "SQLITE"
    return error


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[sqlite3.OperationalError | str]]:
    """What fails, by how statements begin."""
    made: dict[str, list[sqlite3.OperationalError | str]] = {}
    monkeypatch.setattr(Faulty, "plan", made)
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Faulty))
    return made


def test_a_disk_that_fails_in_the_commit_leaves_doubt(
    tmp_path: Path, plan: dict[str, list[sqlite3.OperationalError | str]]
) -> None:
    """When the sync of a commit fails it may stand in the file or not: that is what the caller is
    told, and the next call works.
    """
    with open_database(f"sqlite:///{tmp_path / 'a.db'}") as database:
        plan["COMMIT"] = [fault(sqlite3.SQLITE_IOERR_FSYNC)]
        with pytest.raises(CommitUnknown, match="its disk is failing"):
            database.record(adding("a"))
        plan["COMMIT"] = [fault(sqlite3.SQLITE_FULL)]
        with pytest.raises(Unavailable, match="the disk is full") as caught:
            database.record(adding("b"))
        assert not isinstance(caught.value, CommitUnknown)
        assert database.record(adding("c")) == "c"
        assert names(database) == ["c"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (sqlite3.SQLITE_IOERR_READ, "its disk is failing"),
        (sqlite3.SQLITE_NOMEM, "its disk is failing"),
        (sqlite3.SQLITE_CORRUPT, "is damaged"),
        (sqlite3.SQLITE_CANTOPEN, "cannot be opened"),
        (sqlite3.SQLITE_PROTOCOL, "locked by another process"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "is read-only"),
    ],
)
def test_each_trouble_has_its_words(
    tmp_path: Path, plan: dict[str, list[sqlite3.OperationalError | str]], code: int, words: str
) -> None:
    """Whatever SQLite says becomes our words and a hint; its own text is not passed on."""
    with open_database(f"sqlite:///{tmp_path / 'a.db'}") as database:
        plan["INSERT"] = [fault(code)]
        with pytest.raises(Unavailable, match=words) as caught, database.write() as transaction:
            adding("a")(transaction)
        assert caught.value.hint
        assert "s3cr3t" not in str(caught.value)
        plan["BEGIN"] = [fault(code)]
        with pytest.raises(Unavailable, match=words):
            names(database)
        assert database.record(adding("a")) == "a"


def test_processes_that_turn_a_file_to_wal_at_once_wait(
    tmp_path: Path, plan: dict[str, list[sqlite3.OperationalError | str]]
) -> None:
    """SQLite refuses that without its usual wait: we wait ourselves, and not for ever."""
    plan["PRAGMA journal_mode"] = [fault(sqlite3.SQLITE_BUSY)] * 3
    open_database(f"sqlite:///{tmp_path / 'a.db'}").close()
    plan["PRAGMA journal_mode"] = [fault(sqlite3.SQLITE_BUSY)] * 100
    with pytest.raises(Contended):
        open_database(f"sqlite:///{tmp_path / 'b.db'}", wait=0.05)


def test_a_file_system_without_shared_memory_is_told(
    tmp_path: Path, plan: dict[str, list[sqlite3.OperationalError | str]]
) -> None:
    """Where SQLite cannot have a WAL, many processes could not share the file: that is refused with
    the cure.
    """
    plan["PRAGMA journal_mode"] = ["SELECT 'delete'"]
    with pytest.raises(DatabaseUnfit, match="no shared memory") as caught:
        open_database(f"sqlite:///{tmp_path / 'a.db'}")
    assert "local disk" in str(caught.value)


@pytest.mark.skipif(not may_unshare(), reason="a small file system is mounted by root only")
def test_w7_a_tiny_disk_is_not_filled_by_the_wal() -> None:
    """On 3 MB of disk a small database is written again and again; once something else has filled
    the disk and gone, it goes on.
    """
    with disk_of(3) as folder, open_database(f"sqlite:///{folder}/a.db", migrate=True) as database:
        database.record(adding("acme", 100))
        change = "UPDATE workspaces SET settings = :settings WHERE name = 'acme'"
        for number in range(1500):
            values = {"settings": "x" * (2000 + number % 7)}
            database.record(lambda transaction, values=values: transaction.change(change, values))  # type: ignore[misc]
        filler = folder / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(b"x" * 512):
                pass
        assert len(filled(database)) < 200
        filler.unlink()
        assert database.record(adding("after"))
