"""What one transaction does, on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_store.database.workspace_rows import names

from jackfield_store.database import (
    ConstraintViolation,
    Database,
    StatementInvalid,
    Transaction,
    UniqueViolation,
    open_database,
)

WORKSPACE = "INSERT INTO workspaces (name, created_at) VALUES (:name, :now)"
INVOCATION = (
    "INSERT INTO invocations (workspace, id, status, connector, action, idempotency_key, "
    "key_held, created_at, inputs) "
    "VALUES (:workspace, :id, :status, 'echo', 'say', :key, :held, :now, :inputs)"
)


def workspace(transaction: Transaction, name: str, now: float = 1.5) -> int:
    """Insert a workspace."""
    return transaction.change(WORKSPACE, {"name": name, "now": now})


def invocation(transaction: Transaction, identifier: str, **given: Any) -> int:
    """Insert an invocation."""
    values = {
        "workspace": "w",
        "status": "running",
        "key": None,
        "held": 0,
        "now": 1.0,
        "inputs": None,
        **given,
    }
    return transaction.change(INVOCATION, {"id": identifier, **values})


def test_a_block_that_ends_is_committed(database: Database) -> None:
    """What a write block did is there afterwards, and the counts of touched rows are right."""
    with database.write() as transaction:
        assert workspace(transaction, "a") == 1
        assert workspace(transaction, "b") == 1
        assert transaction.change("UPDATE workspaces SET created_at = :now", {"now": 2}) == 2
        assert (
            transaction.change("DELETE FROM workspaces WHERE name = :name", {"name": "none"}) == 0
        )
    assert names(database) == ["a", "b"]


def test_a_block_that_raises_leaves_nothing(database: Database) -> None:
    """What a write block did before it raised is gone, whatever it raised."""
    for fault in (ValueError, KeyboardInterrupt):
        with pytest.raises(fault), database.write() as transaction:  # noqa: PT012 (the block is what is tested)
            workspace(transaction, "a")
            raise fault
    assert names(database) == []
    with database.write() as transaction:
        workspace(transaction, "b")
    assert names(database) == ["b"]


def test_rows_have_the_same_types_everywhere(database: Database) -> None:
    """Blobs are bytes, booleans 0 and 1, times floats, sums and counts numbers, NULL None, text
    text, on both databases.
    """
    with database.write() as transaction:
        invocation(transaction, "1", held=True, inputs=b"\0\xff", now=3, key="k:%s")
        invocation(transaction, "2", held=False, inputs=memoryview(b"x").tobytes())
        row = transaction.find(
            "SELECT i.*, (SELECT COUNT(*) FROM invocations) AS total, (SELECT SUM(attempts) FROM "
            "invocations) AS tried,"
            " (SELECT AVG(created_at) FROM invocations) AS middle, 1 = 1 AS yes, EXISTS (SELECT 1 "
            "FROM workspaces) AS any_workspace,"
            " (SELECT SUM(CAST(created_at AS BIGINT)) / 2.0 FROM invocations) AS half"
            " FROM invocations i WHERE id = :id AND idempotency_key LIKE '%:\\%%' ESCAPE '\\'",
            {"id": "1"},
        )
    assert row is not None
    found = (
        row.inputs,
        row.key_held,
        row.created_at,
        row.total,
        row.tried,
        row.middle,
        row.yes,
        row.any_workspace,
        row.half,
    )
    assert found == (b"\0\xff", 1, 3.0, 2, 0, 2.0, 1, 0, 2.0)
    assert [type(value) for value in found] == [bytes, int, float, int, int, float, int, int, float]
    assert row.caller is None
    assert (row.workspace, row[0], row.id) == ("w", "w", "1")


def test_a_row_is_a_tuple_with_names(database: Database) -> None:
    """A row compares and unpacks as a tuple, has its columns as attributes and as a dictionary, and
    no others.
    """
    with database.write() as transaction:
        workspace(transaction, "a", 2.5)
        (row,) = transaction.execute("SELECT name, created_at FROM workspaces")
        name, created = row
    assert (name, created) == ("a", 2.5)
    assert [row] == [("a", 2.5)]
    assert row.as_dict() == {"name": "a", "created_at": 2.5}
    with pytest.raises(AttributeError):
        _ = row.settings
    with database.read() as transaction:
        assert (
            transaction.find("SELECT name FROM workspaces WHERE name = :name", {"name": "z"})
            is None
        )


def test_returning_and_upsert_work(database: Database) -> None:
    """INSERT … ON CONFLICT and RETURNING are the same text on both databases."""
    upsert = WORKSPACE + (
        " ON CONFLICT (name) DO UPDATE SET created_at = excluded.created_at RETURNING "
        "name, created_at"
    )
    with database.write() as transaction:
        assert transaction.execute(upsert, {"name": "a", "now": 1.0}) == [("a", 1.0)]
        assert transaction.execute(upsert, {"name": "a", "now": 2.0}) == [("a", 2.0)]


def test_a_parameter_may_stand_several_times(database: Database) -> None:
    """One name in two places is one value, NULL included."""
    sql = (
        "SELECT name FROM workspaces WHERE (CAST(:after AS TEXT) IS NULL OR name > :after) "
        "ORDER BY name LIMIT :page"
    )
    with database.write() as transaction:
        for name in "abc":
            workspace(transaction, name)
        assert [row.name for row in transaction.execute(sql, {"after": None, "page": 2})] == [
            "a",
            "b",
        ]
        assert [row.name for row in transaction.execute(sql, {"after": "b", "page": 2})] == ["c"]


def test_text_sorts_by_code_point(database: Database) -> None:
    """Both databases sort text alike, so that cursors mean the same."""
    given = ["b", "B", "a", "é", "z", "-", "10", "9", "中", "\U0001f600"]
    with database.write() as transaction:
        for name in given:
            workspace(transaction, name)
    assert names(database) == sorted(given)


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("INSERT INTO workspaces (name, created_at) VALUES ('a', 1)", "workspaces_pkey"),
        (
            (
                "INSERT INTO connections (workspace, id, name, type, version, public_values, "
                "status, created_at, updated_at)"
                " VALUES ('w', 'other', 'n', 't', 1, '{}', 'ok', 1, 1)"
            ),
            "connections_name",
        ),
        (
            (
                "INSERT INTO connections (workspace, id, name, type, version, public_values, "
                "status, created_at, updated_at)"
                " VALUES ('w', 'id', 'other', 't', 1, '{}', 'ok', 1, 1)"
            ),
            "connections_pkey",
        ),
        (
            (
                "INSERT INTO invocations (workspace, id, status, connector, action, "
                "idempotency_key, key_held, created_at)"
                " VALUES ('w', 'other', 'running', 'c', 'a', 'key', 1, 1)"
            ),
            "invocations_key",
        ),
    ],
)
def test_a_unique_violation_names_the_index(database: Database, sql: str, name: str) -> None:
    """The stores learn by the same name on both databases which rule a row breaks."""
    with database.write() as transaction:
        workspace(transaction, "a")
        invocation(transaction, "1", key="key", held=1)
        transaction.change(
            "INSERT INTO connections (workspace, id, name, type, version, public_values, status, "
            "created_at, updated_at)"
            " VALUES ('w', 'id', 'n', 't', 1, '{}', 'ok', 1, 1)"
        )
    with pytest.raises(UniqueViolation) as caught, database.write() as transaction:
        transaction.change(sql)
    assert caught.value.name == name


def test_a_key_that_is_not_held_may_repeat(database: Database) -> None:
    """The index on idempotency keys counts held keys only, and each workspace has its own."""
    with database.write() as transaction:
        invocation(transaction, "1", key="k", held=0)
        invocation(transaction, "2", key="k", held=0)
        invocation(transaction, "3", key="k", held=1)
        invocation(transaction, "4", key="k", held=1, workspace="other")
        rows = transaction.execute("SELECT id FROM invocations ORDER BY id")
    assert [row.id for row in rows] == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO workspaces (name) VALUES ('a')",
        (
            "INSERT INTO connection_secrets (workspace, connection_id, field, version, sealed) "
            "VALUES ('w', 'none', 'f', 1, :blob)"
        ),
        (
            "INSERT INTO invocations (workspace, id, status, connector, action, created_at) "
            "VALUES ('w', 'i', 'lost', 'c', 'a', 1)"
        ),
    ],
)
def test_other_constraints_are_kept(database: Database, sql: str) -> None:
    """A missing value, a reference to nothing and an unknown status are refused, and are no unique
    violations.
    """
    with pytest.raises(ConstraintViolation) as caught, database.write() as transaction:
        transaction.change(sql, {"blob": b""})
    assert not isinstance(caught.value, UniqueViolation)


def test_secrets_go_with_their_connection(database: Database) -> None:
    """Removing a connection removes its sealed secrets."""
    with database.write() as transaction:
        transaction.change(
            "INSERT INTO connections (workspace, id, name, type, version, public_values, status, "
            "created_at, updated_at)"
            " VALUES ('w', 'id', 'n', 't', 1, '{}', 'ok', 1, 1)"
        )
        transaction.change(
            "INSERT INTO connection_secrets VALUES ('w', 'id', 'f', 1, :blob)", {"blob": b"x"}
        )
        transaction.change("DELETE FROM connections WHERE workspace = 'w'")
        assert transaction.execute("SELECT 1 AS one FROM connection_secrets") == []


def test_a_savepoint_undoes_its_block_only(database: Database) -> None:
    """After a violation inside a savepoint the transaction goes on, and keeps what was outside."""
    with database.write() as transaction:
        workspace(transaction, "a")
        with suppress(UniqueViolation), transaction.savepoint():
            workspace(transaction, "b")
            workspace(transaction, "a")
        with transaction.savepoint():
            workspace(transaction, "c")
    assert names(database) == ["a", "c"]


def test_a_swallowed_failure_is_not_committed(database: Database) -> None:
    """A block that swallows a statement's failure outside a savepoint is refused at its end, on
    both databases alike.
    """
    with pytest.raises(StatementInvalid), database.write() as transaction:  # noqa: PT012 (its end raises)
        workspace(transaction, "a")
        with suppress(UniqueViolation):
            workspace(transaction, "a")
    with pytest.raises(StatementInvalid), database.write() as transaction:  # noqa: PT012 (its end raises)
        with suppress(StatementInvalid):
            transaction.execute("SELECT nothing FROM nowhere")
        workspace(transaction, "b")
    assert names(database) == []


def test_a_nested_write_is_a_savepoint(database: Database) -> None:
    """A write block inside a write block of the same thread is part of it, and undone alone where
    it raises.
    """
    with database.write() as outer:
        workspace(outer, "a")
        with suppress(ValueError), database.write() as inner:
            assert inner is outer
            workspace(inner, "b")
            raise ValueError
        with database.read() as reading:
            assert [row.name for row in reading.execute("SELECT name FROM workspaces")] == ["a"]
        with database.write() as inner:
            workspace(inner, "c")
        states = [database.writing]
    assert [*states, database.writing] == [True, False]
    assert names(database) == ["a", "c"]


def test_a_write_inside_a_read_stands_for_itself(database: Database) -> None:
    """A write block inside a read block commits at its own end, and the read block still sees its
    own moment.
    """
    with database.read() as reading:
        before = reading.execute("SELECT name FROM workspaces")
        assert not database.writing
        with database.write() as transaction:
            workspace(transaction, "a")
        assert reading.execute("SELECT name FROM workspaces") == before == []
    assert names(database) == ["a"]


def test_a_read_sees_one_moment(database: Database) -> None:
    """What other threads commit while a read block lasts is not seen in it, and they do not wait
    for it.
    """
    with database.read() as reading:
        assert reading.execute("SELECT name FROM workspaces") == []
        other = threading.Thread(
            target=lambda: database.record(lambda transaction: workspace(transaction, "a"))
        )
        other.start()
        other.join(60)
        assert not other.is_alive()
        assert reading.execute("SELECT name FROM workspaces") == []
    assert names(database) == ["a"]


def test_a_read_cannot_write(database: Database) -> None:
    """A statement that writes is refused in a read block, as a fault of ours."""
    with pytest.raises(StatementInvalid, match="cannot write"), database.read() as transaction:
        workspace(transaction, "a")
    assert names(database) == []


def test_an_ended_transaction_is_refused(database: Database) -> None:
    """A transaction that was kept beyond its block does nothing any more."""
    with database.write() as transaction:
        pass
    with pytest.raises(StatementInvalid, match="ended"):
        workspace(transaction, "a")


@pytest.mark.parametrize(
    ("sql", "params"),
    [
        ("SELEC 1", {}),
        ("SELECT nothing FROM workspaces", {}),
        ("SELECT :missing", {}),
        (WORKSPACE, {"name": object(), "now": 1}),
        (WORKSPACE, {"name": "\udcff", "now": 1}),
        ("UPDATE invocations SET attempts = :count", {"count": 2**70}),
    ],
)
def test_a_wrong_statement_is_our_bug(database: Database, sql: str, params: dict[str, Any]) -> None:
    """A statement or value that a database cannot take is one kind of error, whose text quotes
    nothing, and the database goes on.
    """
    with database.write() as transaction:
        invocation(transaction, "1")
    with pytest.raises(StatementInvalid) as caught, database.write() as transaction:
        transaction.execute(sql, params)
    assert "object" not in str(caught.value)
    assert caught.value.code == "internal"
    assert names(database) == []


def test_many_threads_read_and_write(database: Database) -> None:
    """More threads than connections wait for each other and lose nothing."""
    faults: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(5):
                with database.write() as transaction:
                    workspace(transaction, f"{number}-{turn}")
                assert f"{number}-{turn}" in names(database)
        except BaseException as fault:  # noqa: BLE001 (whatever it is, the test tells)
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
    assert len(names(database)) == 24 * 5


def test_violations_survive_pickling() -> None:
    """A violation can cross to another process with its name."""
    import pickle

    found = pickle.loads(pickle.dumps(UniqueViolation("connections_name")))
    assert (type(found), found.name, str(found)) == (
        UniqueViolation,
        "connections_name",
        str(UniqueViolation("connections_name")),
    )


@pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="open files are read from Linux's /proc"
)
def test_what_sqlite_keeps_for_a_savepoint_is_in_no_file(tmp_path: Path) -> None:
    """It copies each page that a savepoint might restore, from 64 KiB on into a file unless told
    otherwise: one more write for a page.
    """
    with open_database(f"sqlite:///{tmp_path}/a.db", migrate=True) as database:
        with database.write() as transaction:
            rows = [{"name": f"{number:05d}-{'x' * 500}"} for number in range(400)]
            transaction.change_many(
                "INSERT INTO workspaces (name, created_at) VALUES (:name, 1)", rows
            )
        with database.write() as transaction, transaction.savepoint():
            assert (
                transaction.change("UPDATE workspaces SET created_at = 2 WHERE name <> 'default'")
                == 400
            )
            links = [Path("/proc/self/fd", number) for number in os.listdir("/proc/self/fd")]
            found = [os.readlink(link) for link in links if link.is_symlink()]
        assert [name for name in found if "etilqs" in name] == []
