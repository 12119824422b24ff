"""``jackfield db``, on SQLite and PostgreSQL."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from jackfield_store.database.migrations import BASELINE, known_migrations
from operating import storage
from ready_database import take_back
from shell import Shell

pytest_plugins = ["shell_fixture", "postgres", "operating"]

NEW = [one.version for one in known_migrations()]


@pytest.mark.usefixtures("no_tables")
def test_upgrade(shell: Shell, database_url: str, tmp_path: Path) -> None:
    """``upgrade`` makes the tables and says which versions it applied; again there is nothing to
    do.
    """
    shell.set(JACKFIELD_HOME=str(tmp_path / "home"), JACKFIELD_DATABASE_URL=database_url)
    first = shell.run("db", "upgrade")
    assert first.code == 0
    assert first.json["applied"] == list(range(BASELINE, first.json["version"] + 1))
    again = shell.run("db", "upgrade")
    assert (again.json["version"], again.json["applied"]) == (first.json["version"], [])


def test_h2_a_seal_that_was_removed_is_not_made_again(operator: Shell) -> None:
    """No command makes the removed seal of a connection again: the connection is refused, and
    ``check`` names it, until it is removed and added again.
    """
    values = ("--type", "echo/token", "--values", "-", "--no-test")
    operator.run("connections", "add", "sealed", *values, stdin='{"token": "secret-4711"}')
    _make_older()
    with (
        storage() as opened,
        opened.opened(migrate=None) as database,
        database.write() as transaction,
    ):
        transaction.change("UPDATE connections SET seal = NULL WHERE name = 'sealed'")
    assert operator.run("db", "upgrade").json["applied"] == NEW
    assert operator.run("keys", "rotate").code == 0
    error = operator.run("connections", "test", "sealed").json["error"]
    assert (error["code"], "'sealed' cannot be opened" in error["message"]) == (
        "invalid_connection",
        True,
    )
    assert any(
        "of the connection 'sealed'" in text
        for text in operator.run("db", "check").json["problems"]
    )
    assert operator.run("connections", "remove", "sealed").code == 0
    assert (
        operator.run("connections", "add", "sealed", *values, stdin='{"token": "secret-4711"}').code
        == 0
    )
    assert operator.run("connections", "test", "sealed").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("invocations", "list"),
        ("invocations", "stats"),
        ("queue", "stats"),
        ("connections", "list"),
        ("tokens", "list"),
        ("workspaces", "list"),
        ("audit", "list"),
        ("files", "list"),
        ("keys", "rotate"),
    ],
    ids=" ".join,
)
def test_w1_commands_that_read_or_manage_upgrade_nothing(
    operator: Shell, words: tuple[str, ...]
) -> None:
    """An older database is left as it is, with exit code 2 and the command that upgrades it: an
    older version may be running on it.
    """
    _make_older()
    answer = operator.run(*words)
    assert answer.code == 2, answer.out
    assert "jackfield db upgrade" in answer.json["error"]["hint"]
    assert operator.run("db", "upgrade").json["applied"] == NEW
    assert operator.run(*words).code == 0


@pytest.mark.parametrize(
    "words", [("echo", "say", "text=x"), ("--lines",), ("--lines", "--queue")], ids=" ".join
)
def test_w1_invoke_upgrades_sqlite(shell: Shell, tmp_path: Path, words: tuple[str, ...]) -> None:
    """A call upgrades an older SQLite database by itself; a command that reads creates a new
    one.
    """
    shell.set(
        JACKFIELD_HOME=str(tmp_path / "home"),
        JACKFIELD_DATABASE_URL=f"sqlite:///{tmp_path / 'own.db'}",
    )
    assert shell.run("invocations", "list").json == []
    _make_older()
    assert shell.run("invocations", "list").code == 2
    line = '{"connector": "echo", "action": "say", "inputs": {"text": "x"}}\n'
    assert shell.run("invoke", *words, stdin=line).json["status"] in {"succeeded", "queued"}
    assert len(shell.run("invocations", "list").json) == 1


def _make_older() -> None:
    """Make the database one of the version before the baseline, which has the same tables."""
    with storage() as opened, opened.database.write() as transaction:
        transaction.change(
            "DELETE FROM schema_migrations WHERE version > :baseline", {"baseline": BASELINE}
        )
        take_back(transaction)
        transaction.change("UPDATE schema_migrations SET version = version - 1")


def test_check(operator: Shell) -> None:
    """``check`` finds a good database good."""
    answer = operator.run("db", "check")
    assert answer.code == 0
    assert (answer.json["ok"], answer.json["problems"]) == (True, [])


@pytest.mark.usefixtures("no_tables")
def test_check_without_tables(shell: Shell, database_url: str, tmp_path: Path) -> None:
    """``check`` says what is wrong with a database that was not upgraded, changes nothing, and
    exits with 1.
    """
    shell.set(JACKFIELD_HOME=str(tmp_path / "home"), JACKFIELD_DATABASE_URL=database_url)
    for _ in range(2):
        answer = shell.run("db", "check")
        assert answer.code == 1
        assert any("jackfield db upgrade" in problem for problem in answer.json["problems"])


def test_backup(operator: Shell) -> None:
    """``backup`` writes a new file that only its owner reads, and never over one that is there."""
    operator.run("workspaces", "create", "acme")
    answer = operator.run("db", "backup", "backup.db")
    path = operator.folder / "backup.db"
    assert answer.code == 0
    assert answer.json == {
        "path": "backup.db",
        "size": path.stat().st_size,
        "version": answer.json["version"],
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = operator.run("db", "backup", "backup.db")
    error = again.json["error"]
    assert (again.code, error["code"], error["retryable"]) == (2, "invalid_invocation", False)
    assert "exists already" in error["message"]


@pytest.mark.parametrize("path", ["", ".", "/"])
def test_a_backup_without_a_file_name(operator: Shell, path: str) -> None:
    """A path that is not a file path is refused in words."""
    answer = operator.run("db", "backup", path)
    assert (answer.code, answer.json["error"]["code"]) == (2, "invalid_invocation")
    assert "is not a file path" in answer.json["error"]["message"]


def test_restore(operator: Shell, request: pytest.FixtureRequest) -> None:
    """A backup of PostgreSQL is read into an empty database; one of SQLite is a database in itself,
    and says so.
    """
    identifier = operator.run("tokens", "create", "--scope", "read").json["id"]
    assert operator.run("db", "backup", "backup.db").code == 0
    refused = operator.run("db", "restore", "backup.db")
    assert refused.code == 1
    if not str(request.node.callspec.params["database_url"]).startswith("postgresql"):
        assert "copy the backup to the database's path" in refused.json["error"]["hint"]
        return
    assert "is not empty" in refused.json["error"]["message"]
    server = request.getfixturevalue("postgres_server")
    url = server.create()
    try:
        operator.set(JACKFIELD_DATABASE_URL=url)
        answer = operator.run("db", "restore", "backup.db")
        assert (answer.code, answer.json["applied"]) == (0, [])
        assert [row["id"] for row in operator.run("tokens", "list").json] == [identifier]
    finally:
        server.drop(url)


def test_a_database_that_cannot_be_opened(shell: Shell) -> None:
    """A URL that is none and a server that is not there are told in one sentence, without the
    password.
    """
    for url, said in (
        ("mysql://ada:s3cret@host/x", "unsupported database URL"),
        ("postgresql://ada:s3cret@127.0.0.1:1/x", "cannot be reached"),
    ):
        shell.set(JACKFIELD_DATABASE_URL=url)
        answer = shell.run("db", "check") if "mysql" in url else shell.run("db", "upgrade")
        error = answer.json["error"]
        assert (answer.code, error["retryable"]) == ((2, False) if "mysql" in url else (1, True))
        assert said in error["message"]
        assert "s3cret" not in answer.out + answer.err
