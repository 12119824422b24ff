"""Commands of an operator while PostgreSQL does not answer: each ends within the wait that belongs
to no call, and says so.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from database_proxy import DatabaseProxy
from postgres import Server, use_programs
from shell import Shell
from waiting import until

pytest_plugins = ["shell_fixture", "postgres"]

_SLOW = 40
"""Seconds that libpq alone would wait for each connection."""
_COMMANDS = {
    "check": ("db", "check"),
    "backup": ("db", "backup", "copy"),
    "upgrade": ("db", "upgrade"),
    "hold": ("queue", "hold"),
    "list": ("invocations", "list"),
    "doctor": ("doctor",),
}


@pytest.fixture
def proxy(
    postgres_server: Server, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DatabaseProxy]:
    """A proxy before the database of the shell's commands."""
    use_programs(monkeypatch)
    url = postgres_server.create(postgres_server.template())
    with DatabaseProxy(int(url.rpartition(":")[2].partition("/")[0])) as found:
        shell.set(
            JACKFIELD_DATABASE_URL=f"{found.url(url)}?connect_timeout={_SLOW}",
            JACKFIELD_DATABASE_WAIT="1",
        )
        try:
            yield found
        finally:
            found.deliver()


@pytest.mark.parametrize("command", _COMMANDS)
def test_a_command_does_not_wait_for_a_silent_database(
    proxy: DatabaseProxy, shell: Shell, command: str
) -> None:
    """No command takes longer than ``JACKFIELD_DATABASE_WAIT`` to find that PostgreSQL is silent,
    though statements of some may take an hour; ``doctor`` does not call that healthy. Each works
    once the database answers.
    """
    proxy.hold()
    began = time.monotonic()
    silent = shell.run(*_COMMANDS[command])
    assert time.monotonic() - began < _SLOW
    assert silent.code != 0
    assert "the database does not answer" in silent.out + silent.err
    proxy.deliver()
    assert shell.run(*_COMMANDS[command]).code == 0


@pytest.mark.parametrize(
    "words", [("backup",), ("restore",), ("restore", "--hold-queue")], ids=" ".join
)
def test_a_program_does_not_wait_for_a_silent_database(
    proxy: DatabaseProxy,
    shell: Shell,
    postgres_server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    """A server that falls silent while pg_dump, pg_restore or psql works ends the program and the
    command, which says so; no part of a backup stays. One that answers is waited for, however long
    the program takes.
    """
    programs, told, archive = tmp_path / "programs", tmp_path / "told", tmp_path / "archive"
    programs.mkdir()
    slow = {"backup": "pg_dump", "restore": "psql" if "--hold-queue" in words else "pg_restore"}[
        words[0]
    ]
    for name in ("pg_dump", "pg_restore", "psql"):
        does = f"echo $$ > {told}\nexec sleep 600" if name == slow else "true"
        (programs / name).write_text(f"#!/bin/sh\n{does}\n", encoding="ascii")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    if words[0] == "restore":
        archive.write_bytes(b"PGDMP")
        shell.set(
            JACKFIELD_DATABASE_URL=f"{proxy.url(postgres_server.create())}?connect_timeout={_SLOW}"
        )

    def hold() -> None:
        until(lambda: told.exists() and told.read_text(encoding="ascii").strip())
        before = proxy.turns
        until(lambda: proxy.turns >= before + 3)  # it has asked, was answered, and has waited on
        proxy.hold()

    holding = threading.Thread(target=hold)
    holding.start()
    silent = shell.run("db", *words, str(archive))
    holding.join()
    assert silent.code != 0
    made = "the backup was not made" if words[0] == "backup" else "nothing was restored"
    assert f"{made}: the database does not answer" in silent.out + silent.err
    assert not Path(f"/proc/{told.read_text(encoding='ascii').strip()}").exists()
    assert [path.name for path in tmp_path.iterdir() if "archive" in path.name] == (
        ["archive"] if words[0] == "restore" else []
    )


def test_doctor_says_what_is_wrong_with_the_database(proxy: DatabaseProxy, shell: Shell) -> None:
    """``doctor`` without a connection names the fault of the database, and what to do."""
    assert shell.run("doctor").json["healthy"]
    proxy.hold()
    found = shell.run("doctor")
    assert (found.code, found.json["healthy"]) == (1, False)
    assert found.json["notReady"]["kind"] == "silent"
    assert "does not answer" in found.json["notReady"]["message"]
    assert found.json["notReady"]["hint"]


def test_doctor_makes_no_database(shell: Shell, tmp_path: Path) -> None:
    """A SQLite database that nobody has used yet is no fault, and stays unmade; one that cannot be
    read is one.
    """
    path = tmp_path / "elsewhere" / "jackfield.db"
    shell.set(JACKFIELD_DATABASE_URL=f"sqlite:///{path}")
    assert shell.run("doctor").json["healthy"]
    assert not path.parent.exists()
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    found = shell.run("doctor")
    assert (found.code, found.json["healthy"]) == (1, False)
    assert found.json["notReady"]["kind"] == "damaged"
