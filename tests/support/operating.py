"""The fixture ``operator``, a shell on a database of each kind, for test modules that say
``pytest_plugins = ["shell_fixture", "postgres", "operating"]``; and entries for its journal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jackfield.invocation import Meta, Result, new_invocation_id
from jackfield.invocation.entry import Draft
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InDoubt, Sent, Unavailable
from jackfield_store.journal import Journal
from jackfield_store.resources.storage import Storage
from shell import Shell


@pytest.fixture
def operator(shell: Shell, database_url: str, tmp_path: Path) -> Shell:
    """A shell whose database, SQLite or PostgreSQL, is empty and up to date, with a home of its
    own.
    """
    shell.set(JACKFIELD_HOME=str(tmp_path / "home"), JACKFIELD_DATABASE_URL=database_url)
    assert shell.run("db", "upgrade").code == 0
    return shell


@contextmanager
def storage() -> Iterator[Storage]:
    """The database and vault that the shell's commands use."""
    with Storage(None, os.environ, SystemClock()) as opened:
        yield opened


def journalled(*statuses: str, workspace: str = "default", action: str = "say") -> list[str]:
    """Put an invocation of the echo connector into the journal for each status, and give their
    ids.
    """
    made = []
    with storage() as opened:
        clock = SystemClock()
        journal = Journal(opened.database, opened.vault, workspace, clock)
        for place, status in enumerate(statuses):
            meta = Meta(
                new_invocation_id(),
                connector="echo",
                connector_version="1.0.0",
                action=action,
                attempts=1,
            )
            draft = Draft(
                id=meta.invocation_id,
                connector="echo",
                connector_version="1.0.0",
                action=action,
                effect="write",
                connection="hall",
                caller="test",
                created_at=clock.time() + place / 1000,
                expires_at=clock.time() + 60,
            )
            opened.database.record(journal.starting(draft))
            if status != "running":
                opened.database.record(journal.finishing(draft, _result(status, meta), []))
            made.append(draft.id)
    return made


def _result(status: str, meta: Meta) -> Result:
    if status == "succeeded":
        return Result("succeeded", meta, output={"said": "Hi"})
    if status == "in_doubt":
        return Result(
            "in_doubt", meta, error=InDoubt("nobody knows", hint="Find out.", sent=Sent.UNKNOWN)
        )
    return Result("failed", meta, error=Unavailable("not reached"))
