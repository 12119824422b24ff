"""A backup is the whole database at one moment, is private, and becomes the database again."""

from __future__ import annotations

import json
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jackfield.kernel.errors import Unavailable
from jackfield_store.database import Database, DatabaseUnfit, open_database
from jackfield_store.database.backup import backup, check, restore
from jackfield_store.database.migrations import BASELINE, known_migrations
from ready_database import migrated_for_real

__all__ = ["migrated_for_real"]


BLOB = bytes(range(256))
CONNECTION = (
    "INSERT INTO connections (workspace, id, name, type, version, public_values, status, "
    "created_at, updated_at)"
    " VALUES ('w', 'id', 'n', 't', 1, :values, 'ok', 0.1, 1e300)"
)

LAST = known_migrations()[-1].version


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with some rows."""
    with open_database(database_url) as opened:
        with opened.write() as transaction:
            transaction.change(CONNECTION, {"values": '{"a": "é\\n中"}'})
            transaction.change(
                "INSERT INTO connection_secrets VALUES ('w', 'id', 'f', 1, :blob)", {"blob": BLOB}
            )
            transaction.change(
                "INSERT INTO instances (id, host, pid, started_at, seen_at) VALUES ('i', 'h', 1, "
                "1, 1)"
            )
            for number in range(1200):
                transaction.change(
                    "INSERT INTO workspaces (name, created_at) VALUES (:name, 1.25)",
                    {"name": f"{number:04}"},
                )
        yield opened


def contents(database: Database, *without: str) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables."""
    with database.read() as transaction:
        tables = [
            row.name
            for row in transaction.execute(database.dialect.tables)
            if row.name not in without
        ]
        return {
            table: sorted(map(tuple, transaction.execute(f"SELECT * FROM {table}")), key=repr)
            for table in tables
        }


def opened_again(kind: str, path: Path, postgres_url: str | None) -> Database:
    """The database that a backup becomes."""
    if kind == "sqlite":
        copy = path.with_name("restored.db")
        shutil.copy(path, copy)
        return open_database(f"sqlite:///{copy}")
    assert postgres_url is not None
    database = open_database(postgres_url, migrate=None)
    assert restore(database, path) == []
    return database


@pytest.fixture
def second_url(request: pytest.FixtureRequest, database: Database) -> Iterator[str | None]:
    """Another empty PostgreSQL database, where the first is one."""
    if database.dialect.name == "sqlite":
        yield None
        return
    server = request.getfixturevalue("postgres_server")
    url: str = server.create()
    yield url
    server.drop(url)


def test_a_backup_becomes_the_database_again(
    database: Database, tmp_path: Path, second_url: str | None
) -> None:
    """Every row comes back with every byte, and one that says that this is a copy; the file is
    private, alone, and its size and version are told.
    """
    path = tmp_path / "backups.d" / "backup"
    path.parent.mkdir()
    made = backup(database, path)
    assert (made.path, made.version, made.size) == (str(path), LAST, path.stat().st_size)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["backup"]
    with opened_again(database.dialect.name, path, second_url) as again:
        found = contents(again, "instances", "dispatchers")
        assert found == contents(database, "instances", "dispatchers")
        assert [row[0] for row in contents(again)["dispatchers"]] == ["events returns"]
        assert check(again).problems == ()


def test_a_backup_never_overwrites(database: Database, tmp_path: Path) -> None:
    """A file that is there is left as it is; a folder that is not there is told."""
    path = tmp_path / "backup"
    path.write_text("precious", encoding="utf-8")
    with pytest.raises(Unavailable, match="exists already"):
        backup(database, path)
    assert path.read_text(encoding="utf-8") == "precious"
    with pytest.raises(Unavailable, match="No such file"):
        backup(database, tmp_path / "none" / "backup")


def test_a_backup_while_others_write(
    database: Database, tmp_path: Path, second_url: str | None
) -> None:
    """A backup that is taken while threads write pairs of rows holds whole pairs only, and does not
    hold the writers up.
    """
    ended = threading.Event()
    counts: list[int] = []

    def work(thread: int) -> None:
        turn = 0
        while not ended.is_set():
            with database.write() as transaction:
                for half in ("left", "right"):
                    transaction.change(
                        "INSERT INTO workspaces (name, created_at) VALUES (:name, 1)",
                        {"name": f"pair-{thread}-{turn}-{half}"},
                    )
            turn += 1
        counts.append(turn)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for one in threads:
        one.start()
    try:
        backup(database, tmp_path / "backup")
    finally:
        ended.set()
        for one in threads:
            one.join(30)
    assert sum(counts) > 0
    with opened_again(database.dialect.name, tmp_path / "backup", second_url) as again:
        assert check(again).sound
        rows = [str(row[0]) for row in contents(again)["workspaces"]]
    pairs = [name for name in rows if name.startswith("pair")]
    assert {name.rpartition("-")[0] + "-left" for name in pairs} | {
        name.rpartition("-")[0] + "-right" for name in pairs
    } == set(pairs)


def test_a_backup_of_a_damaged_database_gets_no_name(tmp_path: Path) -> None:
    """A copy that is not whole is thrown away."""
    file = tmp_path / "a.db"
    with open_database(f"sqlite:///{file}") as database, database.write() as transaction:
        for number in range(300):
            transaction.change(
                "INSERT INTO workspaces (name, created_at) VALUES (:name, 1)",
                {"name": f"{number}" * 200},
            )
    content = bytearray(file.read_bytes())
    content[-10 * 4096 :] = b"\xff" * (10 * 4096)
    file.write_bytes(content)
    with (
        open_database(f"sqlite:///{file}", migrate=None) as database,
        pytest.raises(Unavailable, match="damaged"),
    ):
        backup(database, tmp_path / "backup")
    assert (
        sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("a.db")) == []
    )


@pytest.fixture
def dumped(postgres_url: str, tmp_path: Path) -> Path:
    """A backup of PostgreSQL with one workspace in it."""
    with open_database(postgres_url) as database:
        with database.write() as transaction:
            transaction.change("INSERT INTO workspaces (name, created_at) VALUES ('a', 1.0)")
        return Path(backup(database, tmp_path / "dump").path)


def test_restore_needs_a_database_without_tables(
    dumped: Path, postgres_url: str, tmp_path: Path
) -> None:
    """Rows that are there are never mixed with a backup; SQLite is restored by copying."""
    with open_database(postgres_url) as database:
        before = contents(database)
        with pytest.raises(DatabaseUnfit, match="not empty"):
            restore(database, dumped)
        assert contents(database) == before
    with (
        open_database(f"sqlite:///{tmp_path / 'a.db'}") as database,
        pytest.raises(DatabaseUnfit, match="itself a database") as caught,
    ):
        restore(database, dumped)
    assert "copy" in str(caught.value)


def test_other_files_are_no_backups(postgres_url: str, tmp_path: Path) -> None:
    """A SQLite file, a file of anything, one that is cut off and no file at all are told apart, and
    nothing is restored.
    """
    open_database(f"sqlite:///{tmp_path / 'a.db'}").close()
    (tmp_path / "noise").write_bytes(b"\xff\xfe{")
    (tmp_path / "cut").write_bytes(b"PGDMP\x01\x10")
    said = {
        "a.db": "is a SQLite database",
        "noise": "not a pg_dump archive",
        "none": "No such file",
        "cut": "nothing was restored",
    }
    with open_database(postgres_url, migrate=None) as database:
        for name, words in said.items():
            with pytest.raises(Unavailable, match=words):
                restore(database, tmp_path / name)
        assert database.version() == 0


def test_without_the_programs_the_command_to_run_is_told(
    dumped: Path, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where pg_dump or pg_restore is not on the PATH the error says what to install or run, without
    the password, and leaves no file.
    """
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with open_database(
        postgres_url.replace("postgres@", "postgres:s3cr3t@"), migrate=None
    ) as database:
        with pytest.raises(DatabaseUnfit, match="'pg_dump', which is not on the PATH") as caught:
            backup(database, tmp_path / "other")
        assert "pg_dump --format=custom" in str(caught.value)
        assert str(tmp_path / "other") in str(caught.value)
        assert "s3cr3t" not in str(caught.value)
        with database.write() as transaction:
            transaction.execute("DROP SCHEMA public CASCADE")
            transaction.execute("CREATE SCHEMA public")
        with pytest.raises(DatabaseUnfit, match="'pg_restore', which is not on the PATH"):
            restore(database, dumped)
    assert not (tmp_path / "other").exists()


def test_no_password_is_on_a_command_line(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program gets the password, and none of our keys, from its environment, where other users
    cannot read it; its failure is told.
    """
    program = tmp_path / "bin" / "pg_dump"
    program.parent.mkdir()
    told = program.with_name("told")
    program.write_text(
        f'#!/bin/sh\necho "$@ | $PGPASSWORD | $JACKFIELD_MASTER_KEY" > {told}\necho no, s3cr3t! '
        ">&2\nexit 3\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("JACKFIELD_MASTER_KEY", "master")
    with (
        open_database(postgres_url.replace("postgres@", "postgres:s3cr3t@")) as database,
        pytest.raises(Unavailable, match=r"the backup was not made: no, \*\*\*!"),
    ):
        backup(database, tmp_path / "dump")
    words, password, master = told.read_text(encoding="utf-8").split("|")
    assert ("s3cr3t" in words, password.strip(), master.strip()) == (False, "s3cr3t", "")
    assert not (tmp_path / "dump").exists()


def test_check_finds_what_is_missing(database: Database) -> None:
    """A lost index and a changed migration are problems with names; a whole database has none, and
    says what it is.
    """
    report = check(database)
    assert report.sound
    assert report.to_json() == {
        "database": database.location,
        "kind": database.dialect.name,
        "version": LAST,
        "ok": True,
        "problems": [],
    }
    with database.write() as transaction:
        transaction.execute("DROP INDEX invocations_key")
        transaction.execute("DROP TABLE leases")
        transaction.change("UPDATE schema_migrations SET checksum = 'x'")
    assert check(database).problems == (
        *(
            f"version {version} was applied with different SQL than this jackfield contains"
            for version in range(BASELINE, LAST + 1)
        ),
        "the table 'leases' is missing",
        "the index 'invocations_key' is missing",
    )


def test_check_tells_what_is_pending(database_url: str) -> None:
    """A database that was never migrated is told as such, and is not called damaged."""
    with open_database(database_url, migrate=None) as database:
        assert check(database).problems == (
            f"not up to date: version {BASELINE} is pending; run 'jackfield db upgrade'",
        )


def test_check_tells_orphans(tmp_path: Path) -> None:
    """A row of SQLite's that refers to nothing is found."""
    import sqlite3

    with open_database(f"sqlite:///{tmp_path / 'a.db'}") as database:
        other = sqlite3.connect(tmp_path / "a.db")
        other.execute("INSERT INTO connection_secrets VALUES ('w', 'none', 'f', 1, x'00')")
        other.commit()
        other.close()
        assert check(database).problems == (
            "a row of 'connection_secrets' refers to a row of 'connections' that does not exist",
        )


def test_check_of_a_server_that_is_gone() -> None:
    """Where nothing answers the report says so, and nothing is raised."""
    pytest.importorskip("psycopg")
    with open_database("postgresql://user:s3cr3t@127.0.0.1:1/x", migrate=None) as database:
        report = check(database)
    assert not report.sound
    assert "cannot be reached" in report.problems[0]
    assert "s3cr3t" not in json.dumps(report.to_json())
