"""What a caller was told as succeeded stays so, in whatever ordinary way his program ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from host_provider import Provider, request
from jackfield import Jackfield
from jackfield_store.database import Database, batches, open_database
from jackfield_store.recording.record import Record
from postgres import Server

_PROGRAM = Path(__file__).with_name("ending.py")
_COUNT = 50 if os.environ.get("CAMPAIGN") else 2
_WAYS = {
    "last line": 1,
    "sys.exit": 1,
    "fault": 1,
    "signal": 1,
    "thread": 1,
    "threads": 1,
    "atexit": 1,
    "asyncio": 1,
    "fork, exit": 1,
    "fork, os._exit": 1,
    "import after fork, os._exit": 1,
    "Process, fork": 1,
    "Process, spawn": 1,
    "Process, forkserver": 1,
    "Process, many at once": 1,
    "Pool": 2,
    "ProcessPoolExecutor": 1,
    "billiard": 1,
    "Airflow": 2,
    "Prefect": 1,
}
"""Ways to end, and how many processes call in each."""
_ENDS = ("sys.exit", "fault", "signal", "thread", "threads", "asyncio")
_CROSSED = {
    f"{way}: {end}": 1 for way in ("fork", "Process, fork", "Process, spawn") for end in _ENDS
} | dict.fromkeys(("fork: atexit", "fork, os._exit: threads", "fork, os._exit: tasks"), 1)
_ON_A_SERVER = ("last line", "Process, fork", "fork, os._exit", "Process, many at once")


def _rarely(names: Iterable[str]) -> list[object]:
    return [pytest.param(name, marks=pytest.mark.campaign) for name in names]


def _ends(way: str, provider: Provider, url: str) -> None:
    if way == "billiard":
        pytest.importorskip("billiard")
    words = [sys.executable, str(_PROGRAM), way, provider.url, url, str(_COUNT)]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    assert done.returncode == int(way == "fault"), done.stderr


def _statuses(url: str) -> list[str]:
    with Jackfield(database_url=url) as jackfield:
        assert jackfield.journal is not None
        return [entry.status for entry in jackfield.journal.entries(limit=1000)[0]]


@pytest.mark.parametrize("way", [*_WAYS, *_rarely(_CROSSED)])
def test_a_success_is_recorded_at_each_ordinary_end(
    way: str, provider: Provider, tmp_path: Path
) -> None:
    """No write that was told as succeeded is in doubt, and no read is without its entry, when a
    program or one of its children ends.
    """
    url = f"sqlite:///{tmp_path / 'j.db'}"
    _ends(way, provider, url)
    assert _statuses(url) == ["succeeded"] * 2 * _COUNT * {**_WAYS, **_CROSSED}[way]


@pytest.mark.parametrize(
    "way", [*_ON_A_SERVER, *_rarely(sorted({*_WAYS, *_CROSSED} - {*_ON_A_SERVER}))]
)
def test_ends_are_recorded_on_a_server_too(
    way: str, provider: Provider, postgres_server: Server
) -> None:
    """The same holds on PostgreSQL."""
    url = postgres_server.create(postgres_server.template())
    _ends(way, provider, url)
    assert _statuses(url) == ["succeeded"] * 2 * _COUNT * {**_WAYS, **_CROSSED}[way]


def test_a_write_alone_is_recorded_when_its_caller_has_the_result(
    provider: Provider, database_url: str
) -> None:
    """While no other call runs, the outcome of a write is committed before its caller gets it:
    another connection sees it at once.
    """
    open_database(database_url, migrate=True).close()
    with (
        Jackfield(connections=[provider.connection()], database_url=database_url) as jackfield,
        open_database(database_url) as other,
    ):
        for _ in range(5):
            found = jackfield.invoke(request())
            row = other.look_up(
                "SELECT status FROM invocations WHERE id = :id", {"id": found.meta.invocation_id}
            )
            assert row is not None
            assert row.status == "succeeded"


def _meeting(
    finish: Callable[..., Awaitable[None]], both: threading.Barrier
) -> Callable[..., Awaitable[None]]:
    async def meets(record: Record, result: Any) -> None:
        await finish(record, result)
        both.wait(60)

    return meets


@pytest.mark.parametrize("first", ["POST", "GET"])
def test_calls_that_end_together_are_recorded_when_the_last_has_its_result(
    first: str, provider: Provider, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two calls that put their outcomes off at the same moment, one commits both: once no call
    runs, no success is left to a later commit, which a process that ends by ``os._exit`` would not
    make.
    """
    open_database(database_url, migrate=True).close()
    monkeypatch.setattr(batches, "_MOMENT", 600.0)  # the next commit that nobody asks for
    with (
        Jackfield(connections=[provider.connection()], database_url=database_url) as jackfield,
        open_database(database_url) as other,
    ):
        jackfield.invoke(request()).unwrap()
        monkeypatch.setattr(Database, "may_vanish", True)  # as in a forked child
        monkeypatch.setattr(Record, "_finish", _meeting(Record._finish, threading.Barrier(2)))
        with ThreadPoolExecutor(2) as pool:
            found = [*pool.map(jackfield.invoke, (request("/x", first), request()))]
        for result in found:
            row = other.look_up(
                "SELECT status FROM invocations WHERE id = :id", {"id": result.meta.invocation_id}
            )
            assert row is not None
            assert row.status == "succeeded"
