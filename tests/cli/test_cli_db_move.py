"""``jackfield db move``: everything that an operator has on one machine is there afterwards, and works."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from jackfield.database import open_database
from operating import journalled
from shell import Answer, Shell

pytest_plugins = ["shell_fixture", "postgres"]

SECRET = '{"token": "secret-4711"}'


@pytest.fixture
def one_machine(shell: Shell, tmp_path: Path) -> str:
    """The URL of a SQLite database with some of everything."""
    url = f"sqlite:///{tmp_path / 'one.db'}"
    shell.set(JACKFIELD_HOME=str(tmp_path / "home"), JACKFIELD_DATABASE_URL=url)
    assert shell.run("workspaces", "create", "acme", "--allow", "echo/*", "--retention-days", "90").code == 0
    assert shell.run("connections", "add", "annex", "--type", "echo/token", "--values", "-", "--no-test", stdin=SECRET).code == 0
    assert said(shell, "text=once").json["meta"]["replayed"] is False
    journalled("succeeded", "failed", "in_doubt", "running")
    return url


def said(shell: Shell, text: str) -> Answer:
    """Call the connector with a key."""
    return shell.run("invoke", "echo", "say", "--connection", "annex", "--idempotency-key", "order-1", text)


def test_everything_works_after_the_move(shell: Shell, one_machine: str, postgres_url: str, tmp_path: Path) -> None:
    """Connections open, keys replay, tokens and rules hold, the audit log's chain goes on: on PostgreSQL, and back on SQLite."""
    token = shell.run("tokens", "create", "--scope", "invoke", "--workspace", "acme", "--name", "shop").json
    before = {words: shell.run(*words).json for words in LISTS}
    there = shell.run("db", "move", one_machine, postgres_url)
    assert (there.code, there.json["ok"], there.json["problems"], there.json["resumed"]) == (0, True, [], False), there.err
    assert there.json["tables"]["tokens"]["rows"] == 1
    assert "jackfield: invocations: 5 of 5 rows" in there.err.splitlines()
    back = f"sqlite:///{tmp_path / 'back.db'}"
    returned = shell.run("db", "move", postgres_url, back)
    assert returned.json["tables"] == there.json["tables"]
    for url in (postgres_url, back):
        shell.set(JACKFIELD_DATABASE_URL=url)
        assert {words: shell.run(*words).json for words in LISTS} == before
        assert said(shell, "text=once").json["meta"]["replayed"] is True
        assert said(shell, "text=twice").json["error"]["code"] == "idempotency_conflict"
        assert shell.run("connections", "test", "annex").code == 0
        assert shell.run("audit", "verify").code == 0
        assert shell.run("tokens", "revoke", token["id"], "--workspace", "acme").code == 0
        assert shell.run("audit", "verify").code == 0
        assert shell.run("db", "check").json["problems"] == []


LISTS = (
    ("connections", "list"),
    ("workspaces", "list"),
    ("tokens", "list", "--workspace", "acme"),
    ("invocations", "list"),
    ("audit", "list"),
    ("queue", "stats"),
)


def test_a_database_in_use_is_not_moved(shell: Shell, one_machine: str, tmp_path: Path) -> None:
    """A process that runs invocations is named, and what to do; one that was killed long ago does not count."""
    with open_database(one_machine) as database, database.write() as transaction:
        values = {"now": 4_000_000_000.0}
        transaction.change("INSERT INTO instances (id, host, pid, started_at, seen_at) VALUES ('i', 'alpha', 41, 1, :now)", values)
    target = f"sqlite:///{tmp_path / 'two.db'}"
    refused = shell.run("db", "move", one_machine, target)
    assert (refused.code, "the process 41 on alpha uses sqlite:///" in refused.json["error"]["message"]) == (2, True)
    with open_database(one_machine) as database, database.write() as transaction:
        transaction.change("UPDATE instances SET seen_at = 1")
    assert shell.run("db", "move", one_machine, target).code == 0


def test_a_killed_move_is_continued_by_the_same_command(shell: Shell, one_machine: str, postgres_url: str) -> None:
    """Until then no other command uses the target, and each says how to continue."""
    with open_database(postgres_url) as database, database.write() as transaction:
        transaction.execute("CREATE TABLE unfinished_move (source TEXT NOT NULL)")
        transaction.change("INSERT INTO unfinished_move (source) VALUES (:source)", {"source": one_machine})
    shell.set(JACKFIELD_DATABASE_URL=postgres_url)
    refused = shell.run("connections", "list")
    assert (refused.code, "jackfield db move" in refused.json["error"]["hint"]) == (1, True)
    moved = shell.run("db", "move", one_machine, postgres_url)
    assert (moved.code, moved.json["resumed"]) == (0, True)
    assert shell.run("connections", "list").json[0]["name"] == "annex"


def test_urls_that_cannot_be_moved(shell: Shell, one_machine: str, tmp_path: Path) -> None:
    """A missing source is not created, a database in memory is no target, and another master key is told before anything is copied."""
    missing, target = (f"sqlite:///{tmp_path / name}" for name in ("missing.db", "two.db"))
    assert "does not exist" in shell.run("db", "move", missing, target).json["error"]["message"]
    assert not (tmp_path / "missing.db").exists()
    assert "in memory" in shell.run("db", "move", one_machine, "sqlite://").json["error"]["message"]
    assert shell.run("db", "move", "oracle://x", target).code == 2
    shell.set(JACKFIELD_MASTER_KEY="A" * 43 + "=")
    refused = shell.run("db", "move", one_machine, target)
    assert (refused.code, "does not decrypt this database" in refused.json["error"]["message"]) == (1, True)


def test_a_password_stays_out_of_the_command(shell: Shell, one_machine: str, tmp_path: Path) -> None:
    """``@FILE`` reads a URL from a file."""
    shell.write("from", f"{one_machine}\n")
    shell.write("to", f"sqlite:///{tmp_path / 'two.db'}\n")
    assert shell.run("db", "move", "@from", "@to").code == 0
    with sqlite3.connect(tmp_path / "two.db") as moved:
        assert moved.execute("SELECT COUNT(*) FROM invocations").fetchone() == (5,)
    assert "cannot be read" in shell.run("db", "move", "@nowhere", "@to").json["error"]["message"]
