"""Being told to stop while an action hangs: the time that it takes, what the journal tells, and the
exit code.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from tests.jackfield_service.shell.http.two_ways import ONCE, PAST, PAST_ALONE, THROUGH

from gates import Gatekeeper
from http_stand import Client, Process, clean, process, say
from jackfield.cli.main import main
from plugboard import ECHO

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")

WITHIN = 2.0
SLACK = 45.0
"""Seconds that a busy machine may take beside what is promised: a process that waits for what
hangs, or for locks, takes longer.
"""
LARGE = "x" * 300_000


def _posted(client: Client, body: dict[str, Any], **headers: str) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        client.post("/v1/invocations", body, **headers)


def _journal(server: Process) -> list[Any]:
    """What the journal tells afterwards, as an operator sees it."""
    said = io.StringIO()
    with (
        mock.patch.dict(os.environ, clean(server.folder / "home"), clear=True),
        contextlib.redirect_stdout(said),
    ):
        assert main(["invocations", "list", "--json"]) == 0
    found: list[Any] = json.loads(said.getvalue())
    return found


CALLS: dict[str, Callable[[Client, dict[str, Any]], None]] = {
    "waiting": _posted,
    "queued": lambda client, body: _posted(
        client, {**body, "connection": "hall"}, Prefer="respond-async"
    ),
    "large": lambda client, body: _posted(
        client, {**body, "inputs": {**body["inputs"], "text": LARGE}}
    ),
}


def _leave(client: Client, gate: Gatekeeper, body: dict[str, Any]) -> None:
    """A caller who hangs up while the action hangs."""
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", client.port, timeout=120)
    ) as connection:
        connection.request("POST", "/v1/invocations", json.dumps(body).encode(), headers)
        gate.wait()


@PAST_ALONE
def test_who_waits_is_answered_when_the_time_is_over(tmp_path: Path) -> None:
    """An action hangs past the time to stop: its caller gets a problem that says where to look, not
    a bare error.
    """
    with (
        Gatekeeper() as gate,
        ThreadPoolExecutor(1) as threads,
        process(tmp_path, "--stop-within", "1") as server,
    ):
        body = say("post", text="x", gate={"port": gate.port})
        asked = threads.submit(server.client.post, "/v1/invocations", body)
        gate.wait()
        server.process.send_signal(signal.SIGTERM)
        answer = asked.result(30)
        assert (answer.status, answer.headers["content-type"]) == (504, "application/problem+json")
        assert "journal" in answer.json["detail"]
        identifier = answer.json["invocationId"]
        assert answer.headers["location"] == f"/v1/invocations/{identifier}"
        assert len(answer.headers["x-request-id"]) == 32
        assert server.process.wait(30) == 0
    assert [(item["invocationId"], item["status"]) for item in _journal(server)] == [
        (identifier, "in_doubt")
    ]
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("way", "workers", "before"),
    [
        (PAST, 2, True),
        (THROUGH, 1, False),
        *(
            pytest.param(way, workers, before, marks=pytest.mark.campaign)
            for way, workers, before in product((PAST, THROUGH), (1, 2), (False, True))
            if (way, workers, before) not in ((PAST, 2, True), (THROUGH, 1, False))
        ),
    ],
    indirect=["way"],
)
def test_a_stop_waits_for_no_action_that_hangs(tmp_path: Path, workers: int, before: bool) -> None:
    """SIGTERM while writes hang, whoever waits for them: the process ends in time with 0, and the
    journal tells of each that it is in doubt, or, where nothing had been sent, that it failed. Of a
    large one, which one thread runs from beginning to end, it is not known what had been sent.
    """
    settings = {"stop_within": WITHIN, "workers": workers}
    with (
        process(tmp_path, settings=settings) as server,
        Gatekeeper() as gate,
        ThreadPoolExecutor(len(CALLS)) as pool,
    ):
        client = server.client
        assert (
            client.post(
                "/v1/connections", {"name": "hall", "type": "echo/token", "values": {"token": "t"}}
            ).status
            == 201
        )
        body = say("post", text="x", gate={"port": gate.port, "before": before})
        for call in CALLS.values():
            pool.submit(call, client, body)
            gate.wait()
        _leave(client, gate, body)
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
        took = time.monotonic() - started
        told = _journal(server)
    assert took < WITHIN + SLACK, took
    assert len(told) == len(CALLS) + 1
    expected = {"failed": 2, "queued": 1, "in_doubt": 1} if before else {"in_doubt": 4}
    assert Counter(entry["status"] for entry in told) == expected, told
    doubts = [entry for entry in told if entry["status"] == "in_doubt"]
    # H4
    assert [(entry["meta"]["attempts"], entry["attempts"][0]["step"]) for entry in doubts] == [
        (1, "post")
    ] * len(doubts), told
    assert all("'post'" in entry["error"]["message"] for entry in doubts)


@ONCE
@pytest.mark.parametrize(
    ("workers", "number"),
    [
        (1, signal.SIGINT),
        pytest.param(2, signal.SIGTERM, marks=pytest.mark.campaign),
        pytest.param(1, signal.SIGTERM, marks=pytest.mark.campaign),
        pytest.param(2, signal.SIGINT, marks=pytest.mark.campaign),
    ],
)
def test_a_stop_that_was_asked_for_is_no_failure(tmp_path: Path, workers: int, number: int) -> None:
    """A server that nobody uses ends at once with 0, whichever of the two signals asks for it."""
    with process(tmp_path, "--workers", str(workers)) as server:
        server.process.send_signal(number)
        assert server.process.wait(30) == 0


@ONCE
@pytest.mark.parametrize("before", [False, True])
def test_a_worker_waits_for_no_action_that_hangs(tmp_path: Path, before: bool) -> None:
    """The same for ``jackfield worker``; what had not been sent waits for another worker."""
    command = [sys.executable, "-m", "jackfield", "worker", "--stop-within", "2"]
    with process(tmp_path, "--queue-workers", "0") as server, Gatekeeper() as gate:
        server.client.post(
            "/v1/connections", {"name": "hall", "type": "echo/token", "values": {"token": "t"}}
        )
        body = say("post", "hall", text="x", gate={"port": gate.port, "before": before})
        assert server.client.post("/v1/invocations", body, Prefer="respond-async").status == 202
        paths = os.pathsep.join([str(tmp_path / "plugs"), str(ECHO)])
        with subprocess.Popen(command, env=clean(tmp_path / "home", PYTHONPATH=paths)) as worker:
            gate.wait()
            started = time.monotonic()
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0
            took = time.monotonic() - started
        told = server.client.get("/v1/invocations").json["items"]
    assert took < 2 + SLACK, took
    assert [entry["status"] for entry in told] == ["queued" if before else "in_doubt"]


@ONCE
def test_l46_a_stop_waits_for_no_lock_of_the_database(tmp_path: Path) -> None:
    """L46: another process holds the database's lock while a server stops and three writes hang: it
    ends within the ten seconds that the documentation names, not after a lock's time for each of
    them, and what had been sent is in doubt.
    """
    with process(tmp_path, "--stop-within", "1") as server, Gatekeeper() as gate:
        client = server.client
        client.post(
            "/v1/connections", {"name": "hall", "type": "echo/token", "values": {"token": "t"}}
        )
        for _ in range(3):
            assert (
                client.post(
                    "/v1/invocations",
                    say("post", "hall", text="x", gate={"port": gate.port}),
                    Prefer="respond-async",
                ).status
                == 202
            )
            gate.wait()
        with contextlib.closing(
            sqlite3.connect(tmp_path / "home" / "jackfield.db", isolation_level=None)
        ) as other:
            other.execute("BEGIN IMMEDIATE")
            started = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(60) == 0
            took = time.monotonic() - started
            other.execute("ROLLBACK")
        told = _journal(server)
    assert took < 1 + SLACK, took
    assert [entry["status"] for entry in told] == ["in_doubt"] * 3
