"""Rows that are written with the next commit: those of the same statements run as one, and each is
as if it had run alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from tests.jackfield_store.database.workspace_rows import adding, names

from jackfield_store.database import ConstraintViolation, Database, Transaction
from jackfield_store.database.batches import RowUnit

_INSERT = "INSERT INTO workspaces (name, created_at) VALUES (:name, :at) ON CONFLICT DO NOTHING"
_UPDATE = "UPDATE workspaces SET created_at = :again WHERE name = :name AND created_at <> :at"


def rows(database: Database, *values: dict[str, Any]) -> list[tuple[object, Exception | None]]:
    """Defer a row for each set of values, all in one commit, and return what is reported of
    them.
    """
    done: list[tuple[object, Exception | None]] = []
    ended = threading.Semaphore(0)

    def report(value: object, error: Exception | None) -> None:
        done.append((value, error))
        ended.release()

    def unit(_transaction: object) -> None:  # while it runs, the others queue up behind it
        for given in values:
            database.defer(RowUnit(_INSERT, _UPDATE, given), report)

    database.record(unit)
    database.record(adding("last"))
    for _ in values:
        assert ended.acquire(timeout=120)
    return done


def times(database: Database) -> dict[str, float]:
    """Return the times of the rows by name."""
    with database.read() as transaction:
        return {
            row.name: row.created_at
            for row in transaction.execute("SELECT name, created_at FROM workspaces")
        }


def test_rows_of_one_statement_are_all_written(database: Database) -> None:
    """Each of many rows that wait for a commit is in it, with its own values."""
    told = rows(
        database,
        *({"name": f"n{number}", "at": float(number), "again": 0.0} for number in range(50)),
    )
    assert [error for _, error in told] == [None] * 50
    assert {name: at for name, at in times(database).items() if name[0] == "n"} == {
        f"n{number}": float(number) for number in range(50)
    }


def test_a_row_that_is_there_gets_the_other_statement(database: Database) -> None:
    """Where one of several rows changes nothing, its second statement runs, and does nothing to the
    rows of the others.
    """
    database.record(adding("there"))
    rows(database, *({"name": name, "at": 2.0, "again": 3.0} for name in ("one", "there", "two")))
    assert {
        name: at for name, at in times(database).items() if name in {"one", "there", "two"}
    } == {"one": 2.0, "there": 3.0, "two": 2.0}


def test_a_row_that_fails_fails_alone(database: Database) -> None:
    """The error of one row is reported for that one; the others are written."""
    told = rows(
        database, *({"name": name, "at": 2.0, "again": 3.0} for name in ("one", None, "two"))
    )
    assert sorted(isinstance(error, ConstraintViolation) for _, error in told) == [
        False,
        False,
        True,
    ]
    assert {"one", "two", "last"} <= set(names(database))


def test_what_follows_a_commit_is_done_once_and_only_after_it(database: Database) -> None:
    """Also where the commit is tried again without a unit that fails. Its step is forgotten, as
    that of a savepoint that is undone.
    """
    told: list[str] = []

    def unit(name: str, *, fails: bool = False) -> Callable[[Transaction], None]:
        def run(transaction: Transaction) -> None:
            with suppress(ValueError), transaction.savepoint():
                transaction.afterwards = (
                    *transaction.afterwards,
                    partial(told.append, f"{name} undone"),
                )
                raise ValueError
            transaction.afterwards = (*transaction.afterwards, partial(told.append, name))
            assert name not in told
            if fails:
                raise ValueError(name)

        return run

    def together(_transaction: object) -> None:  # while it runs, the others queue up behind it
        for one in (unit("one"), unit("two", fails=True), unit("three")):
            database.defer(one)

    database.record(together)
    database.record(adding("last"))
    assert told == ["one", "three"]
    database.record(unit("alone"))
    assert told == ["one", "three", "alone"]
