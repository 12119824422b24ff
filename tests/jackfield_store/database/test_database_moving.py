"""Every row of every table moves from one kind of database to the other and back, whatever
interrupts the move.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jackfield.kernel.errors import Unavailable
from jackfield_store.database import Database, DatabaseUnfit, Transaction, open_database
from jackfield_store.database import moving as rows
from jackfield_store.database.faults import UsageFault
from jackfield_store.database.hold import Hold, find_hold, set_hold
from jackfield_store.database.moving import NOT_MOVED, move

pytest_plugins = ["postgres"]

_EACH = 12
_CHOICES = re.compile(r"CHECK \((\w+) IN \('(\w+)'")


@pytest.fixture
def full(tmp_path: Path) -> str:
    """A SQLite database with rows in every table that is moved."""
    url = f"sqlite:///{tmp_path / 'full.db'}"
    with open_database(url) as database, database.write() as transaction:
        for table in tables_of(database):
            fill(transaction, table)
    return url


def tables_of(database: Database) -> list[str]:
    """All tables but those that belong to one database, in the order of their creation."""
    with database.read() as transaction:
        names = [
            row.name
            for row in transaction.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid"
            )
        ]
    return [name for name in names if name not in NOT_MOVED and not name.startswith("sqlite_")]


def fill(transaction: Transaction, table: str) -> None:
    """Add rows of which every column has a value. A text is the row's number, so that references
    between tables hold.
    """
    columns = transaction.execute(
        "SELECT name, type AS kind FROM pragma_table_info(:name)", {"name": table}
    )
    declared = transaction.execute(
        "SELECT sql FROM sqlite_master WHERE name = :name", {"name": table}
    )[0].sql
    choices = dict(_CHOICES.findall(declared))
    make: dict[str, Callable[[int], Any]] = {
        "TEXT": lambda number: f"é{number:03}",
        "INTEGER": lambda number: 1000 + number,
        "REAL": lambda number: number + 0.1,
        "BLOB": lambda number: bytes([0, 255, number]),
    }
    names = [column.name for column in columns]
    transaction.change_many(
        f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES "
        f"({', '.join(f':{name}' for name in names)})",
        [
            {column.name: choices.get(column.name, make[column.kind](number)) for column in columns}
            for number in range(_EACH)
        ],
    )


def contents(url: str) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables that are moved."""
    with open_database(url, migrate=False) as database, database.read() as transaction:
        tables = {row.name for row in transaction.execute(database.dialect.tables)} - {*NOT_MOVED}
        return {
            table: sorted(map(tuple, transaction.execute(f"SELECT * FROM {table}")), key=repr)
            for table in sorted(tables)
        }


def moved(
    source: str, target: str, progress: rows.Progress = lambda _table, _done, _count: None
) -> rows.CompletedMove:
    """Move one database to another."""
    with open_database(source) as reading, open_database(target, migrate=None) as writing:
        if not writing.version():
            writing.migrate()
        return move(reading, writing, progress)


def test_every_table_moves_to_postgresql_and_back(
    full: str, postgres_url: str, tmp_path: Path
) -> None:
    """A table that a migration adds is moved without a change here; numbers that a database gives
    go on after the highest one.
    """
    before = contents(full)
    assert [name for name, found in before.items() if not found] == []
    there = moved(full, postgres_url)
    assert {name: table.rows for name, table in there.tables.items()} == {
        name: len(found) for name, found in before.items()
    }
    assert contents(postgres_url) == before
    back = f"sqlite:///{tmp_path / 'back.db'}"
    assert moved(postgres_url, back).tables == there.tables
    assert contents(back) == before
    for url in (postgres_url, back):
        with open_database(url) as database, database.write() as transaction:
            values = ", ".join(["'w'"] * 8)
            columns = "workspace, connector, action, status, effect, connection, caller, error_code"
            transaction.change(f"INSERT INTO invocation_kinds ({columns}) VALUES ({values})")
            ids = [
                row.id for row in transaction.execute("SELECT id FROM invocation_kinds ORDER BY id")
            ]
        assert len(set(ids)) == len(before["invocation_kinds"]) + 1


def test_a_held_queue_is_held_in_the_new_database(
    full: str, postgres_url: str, tmp_path: Path
) -> None:
    """What waits begins in neither; a queue that is not held is not held afterwards."""
    free = f"sqlite:///{tmp_path / 'free.db'}"
    moved(full, free)
    held = Hold(1.5, "cli:ada", "before the move")
    with open_database(full) as database, database.write() as transaction:
        set_hold(transaction, held)
    back = f"sqlite:///{tmp_path / 'back.db'}"
    moved(full, postgres_url)
    moved(postgres_url, back)
    for url, expected in ((free, None), (postgres_url, held), (back, held)):
        with open_database(url) as database:
            assert find_hold(database) == expected


def test_triggers_do_not_run_again_and_run_afterwards(
    full: str, postgres_url: str, tmp_path: Path
) -> None:
    """The sums of the journal are the source's, and not counted once more; an entry that ends later
    is counted.
    """
    total = "SELECT SUM(invocations) AS total FROM invocation_counts"
    with open_database(full) as database, database.read() as reading:
        expected = reading.execute(total)[0].total
    for url in (postgres_url, f"sqlite:///{tmp_path / 'other.db'}"):
        moved(full, url)
        with open_database(url) as database:
            epoch = database.epoch()
            with database.write() as transaction:
                assert transaction.execute(total)[0].total == expected
                transaction.change("UPDATE invocations SET status = 'failed' WHERE id = 'é001'")
                assert (
                    transaction.execute(
                        "SELECT COUNT(*) AS n FROM invocation_counts WHERE status = 'failed'"
                    )[0].n
                    == 1
                )
                transaction.change("DELETE FROM tokens WHERE id = 'é001'")
            assert database.epoch() != epoch


@pytest.mark.parametrize("stops", [2, pytest.param(5, marks=pytest.mark.campaign)])
def test_an_interrupted_move_goes_on(
    full: str, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops: int
) -> None:
    """A move that was stopped in the middle of a table, again and again, ends with the same rows;
    until then the target is refused.
    """
    monkeypatch.setattr(rows, "_ROWS", 5)
    before = contents(full)
    for target in (postgres_url, f"sqlite:///{tmp_path / 'other.db'}"):
        for stop in range(1, stops + 1):
            with pytest.raises(KeyboardInterrupt):
                moved(full, target, stopping(after=stop * 7))
            for migrate in (True, False):
                with pytest.raises(DatabaseUnfit, match="incomplete"):
                    open_database(target, migrate=migrate)
        assert moved(full, target).resumed
        assert contents(target) == before


def stopping(*, after: int) -> rows.Progress:
    """Stop a move after so many commits."""
    calls = iter(range(after))

    def progress(_table: str, _done: int, _count: int) -> None:
        if next(calls, None) is None:
            raise KeyboardInterrupt

    return progress


def test_what_changed_while_a_move_was_interrupted_is_moved(
    full: str, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that ran on the source in between has changed rows that were copied before: their
    table is copied anew.
    """
    monkeypatch.setattr(rows, "_ROWS", 5)
    with pytest.raises(KeyboardInterrupt):
        moved(full, postgres_url, stopping(after=30))
    with open_database(full) as database, database.write() as transaction:
        transaction.change("UPDATE connections SET name = 'first' WHERE id = 'é002'")
        transaction.change("DELETE FROM connections WHERE id = 'é001'")
        transaction.change("UPDATE workspaces SET settings = '{}'")
    moved(full, postgres_url)
    assert contents(postgres_url) == contents(full)


def test_a_page_holds_no_more_than_its_bytes(
    full: str, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large values are copied a few at a time, and one that is larger than a page by itself."""
    monkeypatch.setattr(rows, "_BYTES", 100)
    with open_database(full) as database, database.write() as transaction:
        transaction.change(
            "UPDATE invocations SET result = :large WHERE id = 'é003'", {"large": b"x" * 1000}
        )
    steps: list[int] = []
    moved(
        full,
        postgres_url,
        lambda table, done, _count: steps.append(done) if table == "invocations" else None,
    )
    assert steps == list(range(1, _EACH + 1))
    assert contents(postgres_url) == contents(full)


def test_nothing_is_written_to_the_source_meanwhile(
    full: str, postgres_url: str, tmp_path: Path
) -> None:
    """Both kinds keep writers out until the move has ended."""

    def writing_to(url: str) -> rows.Progress:
        def progress(table: str, _done: int, _count: int) -> None:
            if table == "tokens":
                with (
                    open_database(url, migrate=None, wait=0.05) as database,
                    database.write() as transaction,
                ):
                    # SQLite does not get as far
                    transaction.execute("SET LOCAL lock_timeout = '50ms'")
                    transaction.change("DELETE FROM tokens")

        return progress

    back = f"sqlite:///{tmp_path / 'back.db'}"
    for source, target in ((full, postgres_url), (postgres_url, back)):
        with pytest.raises(Unavailable, match="locked"):
            moved(source, target, writing_to(source))
        moved(source, target)
    assert contents(back) == contents(full)


def test_a_database_in_use_is_no_target(full: str, postgres_url: str, tmp_path: Path) -> None:
    """Rows of others are neither mixed in nor overwritten, nor are those of another move."""
    with open_database(postgres_url) as database, database.write() as transaction:
        transaction.change("INSERT INTO workspaces (name, created_at) VALUES ('theirs', 1)")
    with pytest.raises(UsageFault, match="its table 'workspaces' has 1 rows"):
        moved(full, postgres_url)
    with pytest.raises(UsageFault, match="to itself"):
        moved(full, full)
    other, target = (f"sqlite:///{tmp_path / name}" for name in ("other.db", "target.db"))
    open_database(other).close()
    with pytest.raises(KeyboardInterrupt):
        moved(full, target, stopping(after=1))
    with pytest.raises(UsageFault, match="a part of another database"):
        moved(other, target)


def test_a_value_that_postgresql_does_not_store_is_named(full: str, postgres_url: str) -> None:
    """The error says which table holds it."""
    with open_database(full) as database, database.write() as transaction:
        transaction.change(
            "UPDATE connections SET account_label = :label WHERE id = 'é001'", {"label": "a\0b"}
        )
    with pytest.raises(DatabaseUnfit, match="table 'connections' cannot be stored"):
        moved(full, postgres_url)
