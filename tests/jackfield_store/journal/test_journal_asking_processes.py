"""Doubts of killed processes, and processes that send the request of one doubt again at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jackfield.callers import Caller
from jackfield_store.database import open_database
from jackfield_store.journal.recovery import Recovery
from scripted import Panel, Script, runtime, scripted

SCRIPT = Path(__file__).with_name("asking_process.py")
SUPPORT = Path(__file__).parents[2] / "support"
ADA = Caller("token:ada", "manage")

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The keys that the provider got, one a line."""
    found = tmp_path / "sent"
    found.touch()
    return found


@pytest.fixture
def start(database_url: str, tmp_path: Path, log: Path) -> Start:
    """Starts a process over the database, which is upgraded."""
    open_database(database_url, migrate=True).close()
    number = iter(range(100))

    def started(act: str, about: str) -> subprocess.Popen[str]:
        folder = tmp_path / f"process{next(number)}"
        folder.mkdir()
        return subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder), database_url, str(log), act, about],
            env={**os.environ, "PYTHONPATH": str(SUPPORT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    return started


def killed(start: Start, board: Panel, text: str) -> str:
    """The ID of a call whose process was killed when its provider had the request."""
    process = start("call", text)
    process.communicate(timeout=60)
    assert process.returncode == 9
    jackfield = board.jackfield
    Recovery(jackfield.storage.database, jackfield.storage.vault, board.clock).look()
    assert jackfield.journal is not None
    ((one,), _) = jackfield.journal.entries(limit=1)
    return one.id


def shown(board: Panel, identifier: str, caller: Caller = ADA) -> Any:
    """The inputs of an invocation, as a caller sees them."""
    return board.jackfield.journal_of(caller).find(identifier).inputs


def test_a_killed_call_shows_its_inputs_until_it_is_settled(
    start: Start, database_url: str, tmp_path: Path, log: Path
) -> None:
    """They were in the row since its begin. Asking again finds the request in it, under its key;
    then it is gone.
    """
    connector = scripted(Script("done"), effect="idempotent", idempotent_by="key", key_kept=1800.0)
    with runtime(tmp_path, connector, database_url=database_url) as board:
        identifier = killed(start, board, "a lamp")
        assert shown(board, identifier) == {"text": "a lamp"}
        assert board.jackfield.ask(identifier, caller=ADA).status == "succeeded"
        assert shown(board, identifier) is None
    assert len(log.read_text().splitlines()) == 1


def test_large_inputs_of_a_killed_call_have_size_and_digest(
    start: Start, database_url: str, tmp_path: Path
) -> None:
    """What is above 4 KiB is not written twice: its name, its size and a keyed digest are."""
    connector = scripted(Script("done"), effect="idempotent", idempotent_by="key", key_kept=1800.0)
    with runtime(tmp_path, connector, database_url=database_url) as board:
        found = shown(board, killed(start, board, "x" * 5_000))["text"]
    assert found["size"] >= 5_000
    assert found["digest"]


def test_two_processes_ask_at_once_and_one_sends(
    start: Start, database_url: str, tmp_path: Path, log: Path
) -> None:
    """Whoever comes second is refused, or told what the first has found: one request goes out."""
    connector = scripted(Script("done"), effect="idempotent", idempotent_by="key", key_kept=1800.0)
    with runtime(tmp_path, connector, database_url=database_url) as board:
        identifier = killed(start, board, "a lamp")
        log.write_text("")
        both = [start("ask", identifier) for _ in range(2)]
        for process in both:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in both:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        outcomes = {process.communicate(timeout=60)[0].strip() for process in both}
        assert board.jackfield.journal is not None
        assert board.jackfield.journal.find(identifier).status == "succeeded"
    assert len(log.read_text().splitlines()) == 1
    assert outcomes <= {"succeeded", "invalid_invocation"}
    assert "succeeded" in outcomes
