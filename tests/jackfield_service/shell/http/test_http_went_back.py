"""A database that went back to an earlier state under a running server, as a standby does that is
promoted before it had everything.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gates import Gatekeeper
from http_stand import Client, standing
from jackfield_service.shell.process import readiness
from jackfield_store.database import open_database
from jackfield_store.database.backup import backup, restore
from postgres import Server, use_programs

SECONDS = 15.0
"""Deadline of the calls, within which a copy is made, however slow the machine is."""
CALLS = 4
_PAUSE = threading.Event()


@pytest.fixture
def url(postgres_server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a database with all tables."""
    use_programs(monkeypatch)
    monkeypatch.setattr(readiness, "_FRESH", 0.0)
    return postgres_server.create(postgres_server.template())


def swapped(server: Server, url: str, copy: str) -> None:
    """Give the name of a database to a copy of it, whoever is connected."""
    name, other = url.rpartition("/")[2], copy.rpartition("/")[2]
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
        until(
            lambda: (
                admin.execute(
                    "SELECT 1 FROM pg_stat_activity WHERE datname = %s", (name,)
                ).fetchone()
                is None
            )
        )
        admin.execute(f"ALTER DATABASE {name} RENAME TO {name}_lost".encode())
        admin.execute(f"ALTER DATABASE {other} RENAME TO {name}".encode())


def until(holds: Callable[[], object], within: float = 20.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end
        _PAUSE.wait(0.1)


def post(client: Client, key: str, port: int) -> Any:
    """Send a write under a key that waits at a gate."""
    inline = {"type": "token", "values": {"token": "secret-4711"}}
    inputs = {"text": key, "gate": {"port": port, "before": False}}
    body = {
        "connector": "echo",
        "action": "post",
        "connection": inline,
        "inputs": inputs,
        "timeoutSeconds": SECONDS,
    }
    return client.post("/v1/invocations", {**body, "idempotencyKey": key})


def running(client: Client) -> int:
    """How many entries are open."""
    reply = client.get("/v1/invocations?status=running&limit=200")
    return len(reply.json["items"]) if reply.status == 200 else -1


def test_what_ran_at_the_copy_ends_in_doubt(
    tmp_path: Path, url: str, postgres_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """Entries of a copy that this process ran and has no task for end as in doubt soon after their
    deadline; a repeat of their keys gets that, no conflict. The return is told once: in the log, in
    the audit log, by the readiness probe and in a metric.
    """
    with (
        standing(tmp_path, JACKFIELD_DATABASE_URL=url) as stand,
        Gatekeeper() as gate,
        ThreadPoolExecutor(CALLS) as threads,
    ):
        client = stand.client()
        calls = [
            threads.submit(post, client, f"key-{number}", gate.port) for number in range(CALLS)
        ]
        for _ in calls:
            gate.wait()
        with open_database(url) as database:
            backup(database, tmp_path / "copy")
        gate.open()
        assert [call.result(30).status for call in calls] == [200] * CALLS
        copy = postgres_server.create()
        with open_database(copy, migrate=None) as database:
            restore(database, tmp_path / "copy", lambda _database: [])
        until(lambda: stand.host.storage.database.highest_epoch > 1, 30)
        swapped(postgres_server, url, copy)
        until(lambda: running(client) == 0, SECONDS + 10)
        again = [post(client, f"key-{number}", gate.port) for number in range(CALLS)]
        assert {reply.json["status"] for reply in again} == {"in_doubt"}, again[0].json
        assert {reply.json["meta"]["replayed"] for reply in again} == {True}
        until(lambda: len(client.get("/v1/audit?event=database.wentBack").json["items"]) == 1)
        assert "went back" in str(client.get("/readyz").json["warnings"])
        assert "jackfield_database_went_back 1.0" in client.get("/metrics").body.decode()
        said = [record for record in caplog.records if "went back" in record.getMessage()]
        assert len(said) == 1
