"""What has become of a connection since a call is told by the audit log: of the connection that had
the name then, not of the name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from clocks import StillClock
from jackfield_store.access.connection_names import ConnectionNames
from jackfield_store.database import Row, Transaction, open_database
from jackfield_store.runtime import Jackfield

pytest_plugins = ["postgres"]

VALUES = {"server": "https://api.example.com", "token": "sesame-0815"}


@pytest.fixture
def clock() -> StillClock:
    """A clock that stands still."""
    return StillClock()


@pytest.fixture
def runtime(database_url: str, clock: StillClock) -> Iterator[Jackfield]:
    """A workspace with a connection."""
    open_database(database_url, migrate=True).close()
    with Jackfield(database_url=database_url, environment={}, connections=(), clock=clock) as found:
        found.connections.add("hall", "http/bearer", VALUES)
        yield found


def names(runtime: Jackfield) -> ConnectionNames:
    """The names of its connections."""
    return ConnectionNames(runtime.storage.database, runtime.workspace)


def test_renames_are_followed_and_no_other_connection_is_taken(
    runtime: Jackfield, clock: StillClock
) -> None:
    """Also several in the same instant, and where the names change places."""
    connections, before = runtime.connections, clock.time()
    assert (names(runtime).present("hall", before), names(runtime).present("unknown", before)) == (
        "hall",
        "unknown",
    )
    clock.advance(1)
    connections.add("yard", "http/bearer", VALUES)
    between = clock.time()
    clock.advance(1)
    for old, new in (("hall", "spare"), ("yard", "hall"), ("spare", "yard")):
        connections.rename(old, new)
    found = names(runtime)
    assert (found.present("hall", between), found.present("yard", between)) == ("yard", "hall")
    assert (found.present("hall", clock.time()), found.present("yard", clock.time())) == (
        "hall",
        "yard",
    )
    assert found.present("yard", before) is None
    assert (found.former("yard"), found.former("hall"), found.former("ya%d")) == (
        ["spare"],
        ["yard"],
        [],
    )
    connections.test("yard")
    clock.advance(1)
    connections.remove("yard")
    connections.add("yard", "http/bearer", VALUES)
    assert names(runtime).present("hall", between) is None
    assert names(runtime).present("yard", clock.time()) == "yard"


def test_a_name_that_changes_all_the_time_is_not_told(
    runtime: Jackfield, clock: StillClock
) -> None:
    """More changes than are looked at: nothing is followed, and nothing is guessed."""
    connections, before = runtime.connections, clock.time()
    clock.advance(1)
    for _ in range(13):
        connections.rename("hall", "yard")
        connections.rename("yard", "hall")
    assert names(runtime).present("hall", before) is None
    assert names(runtime).present("hall", clock.time()) == "hall"


def test_the_changes_of_a_name_are_found_by_an_index(
    runtime: Jackfield, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it was tested, and however long the log is."""
    database, used = runtime.storage.database, list[str]()
    execute = Transaction.execute

    def noted(self: Transaction, sql: str, values: Any = None) -> list[Row]:
        used.append(sql)
        return execute(self, sql, values or {})

    monkeypatch.setattr(Transaction, "execute", noted)
    assert (names(runtime).present("hall", 0.0), names(runtime).former("hall")) == (None, [])
    assert len(used) == 2
    if database.dialect.name == "sqlite":
        values = {"workspace": "default", "object": "connection:hall", "to": "%"}
        with database.read() as transaction:
            plans = [
                execute(transaction, f"EXPLAIN QUERY PLAN {one}", values)[0].detail for one in used
            ]
        assert all("audit_entries_names" in step for step in plans), plans
