"""``jackfield db``, on SQLite and PostgreSQL."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from shell import Shell

pytest_plugins = ["shell_fixture", "postgres", "operating"]


def test_upgrade(shell: Shell, database_url: str, tmp_path: Path) -> None:
    """``upgrade`` makes the tables and says which versions it applied; again there is nothing to do."""
    shell.set(JACKFIELD_HOME=str(tmp_path / "home"), JACKFIELD_DATABASE_URL=database_url)
    first = shell.run("db", "upgrade")
    assert first.code == 0
    assert first.json["applied"] == list(range(1, first.json["version"] + 1))
    again = shell.run("db", "upgrade")
    assert (again.json["version"], again.json["applied"]) == (first.json["version"], [])


def test_check(operator: Shell) -> None:
    """``check`` finds a good database good."""
    answer = operator.run("db", "check")
    assert answer.code == 0
    assert (answer.json["ok"], answer.json["problems"]) == (True, [])


def test_check_without_tables(shell: Shell, database_url: str, tmp_path: Path) -> None:
    """``check`` says what is wrong with a database that was not upgraded, changes nothing, and exits with 1."""
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
    assert answer.json == {"path": "backup.db", "size": path.stat().st_size, "version": answer.json["version"]}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = operator.run("db", "backup", "backup.db")
    assert again.code == 2
    assert "there already" in again.json["error"]["message"]


@pytest.mark.parametrize("path", ["", ".", "/"])
def test_a_backup_without_a_file_name(operator: Shell, path: str) -> None:
    """A path that names no file is refused in words."""
    answer = operator.run("db", "backup", path)
    assert (answer.code, answer.json["error"]["code"]) == (2, "invalid_invocation")
    assert "names no file" in answer.json["error"]["message"]


def test_restore(operator: Shell, request: pytest.FixtureRequest) -> None:
    """A backup of PostgreSQL is read into an empty database; one of SQLite is a database in itself, and says so."""
    identifier = operator.run("tokens", "create", "--scope", "read").json["id"]
    assert operator.run("db", "backup", "backup.db").code == 0
    refused = operator.run("db", "restore", "backup.db")
    assert refused.code == 1
    if not str(request.node.callspec.params["database_url"]).startswith("postgresql"):
        assert "copy the backup to the place of the database" in refused.json["error"]["hint"]
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
    """A URL that is none and a server that is not there are told in one sentence, without the password."""
    for url, said in (("mysql://ada:s3cret@host/x", "no known kind"), ("postgresql://ada:s3cret@127.0.0.1:1/x", "cannot be reached")):
        shell.set(JACKFIELD_DATABASE_URL=url)
        answer = shell.run("db", "check") if "mysql" in url else shell.run("db", "upgrade")
        assert answer.code == (2 if "mysql" in url else 1)
        assert said in answer.json["error"]["message"]
        assert "s3cret" not in answer.out + answer.err
