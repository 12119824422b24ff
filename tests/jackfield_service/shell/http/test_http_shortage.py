"""A process that runs out of memory, threads or files, and a database that cannot be written: what
callers and probes get meanwhile.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import logging
import os
import re
import socket
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from tests.jackfield_service.shell.http.two_ways import ONCE, PAST_ALONE

from fake_aws import FakeAws
from http_stand import Client, clean, mint, say, standing
from jackfield.catalog import index as index_module
from jackfield.catalog import index_file
from jackfield.catalog.index import ActionIndex
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.threads import Threads
from jackfield_service.shell.commands.worker_probes import WorkerProbes
from jackfield_service.shell.http import server_process
from jackfield_service.shell.http.protocol import Bounded
from jackfield_service.shell.process import readiness, server_context
from jackfield_service.shell.process.master import Master
from jackfield_store.database import open_database
from jackfield_store.management import conditions
from jackfield_store.resources import memory

_LISTENS = re.compile(r"listens on http://127\.0\.0\.1:(\d+)")
SPACE, LARGE = 280_000_000, 4_000_000
"""Bytes of address space of a server, and of an attachment."""


def _no_thread(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_w8_no_thread_can_be_started(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """W8: without further threads those that are there do the work, or the caller is told to try
    again; one line is logged, and all is well as soon as threads are back.
    """
    with standing(tmp_path) as stand:
        client = stand.client()
        with (
            mock.patch.object(threading.Thread, "start", _no_thread),
            caplog.at_level(logging.ERROR),
        ):
            replies = [client.invoke("say", text=str(number)) for number in range(20)]
            assert client.get("/readyz").status in {200, 503}
        for reply in replies:
            assert reply.status == 200 or (
                reply.status == 503 and reply.headers["retry-after"] == "1"
            ), reply.body
        assert (
            len(caplog.records) <= 2 * len({record.getMessage() for record in caplog.records}) <= 6
        )
        assert [record for record in caplog.records if record.exc_info] == []
        assert client.invoke("say", text="again").status == 200
        assert client.get("/readyz").status in {200, 503}


@ONCE
def test_w8_work_that_is_refused_is_not_done_later(caplog: pytest.LogCaptureFixture) -> None:
    """W8: a pool that cannot grow does with its threads what it was given, and tells nobody that it
    failed.
    """
    with Threads(8, "test") as pool, mock.patch.object(threading.Thread, "start", _no_thread):
        gates = [threading.Event() for _ in range(3)]
        found = [pool.submit(gate.wait, 30.0) for gate in gates]
        for gate in gates:
            gate.set()
        assert [future.result(30) for future in found] == [True, True, True]
    assert [record.getMessage() for record in caplog.records] == [
        "no more threads can be started; 'test' continues with 1 threads"
    ]


@pytest.mark.parametrize(
    "place", ["jackfield.invocation.wire.check_values", "jackfield.call.check.checked"]
)
def test_w2_memory_that_is_used_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    """W2: a request that finds no memory, before or in the pipe, is told to try again, without a
    traceback; the next one is run.
    """
    with standing(tmp_path) as stand:
        client = stand.client()
        with mock.patch(place, side_effect=MemoryError), caplog.at_level(logging.ERROR):
            replies = [client.invoke("say", text="x") for _ in range(5)]
        assert [(reply.status, reply.headers["retry-after"]) for reply in replies] == [
            (503, "1")
        ] * 5
        assert "this process has no memory left" in replies[0].body.decode()
        assert [record for record in caplog.records if record.exc_info] == []
        assert client.invoke("say", text="again").status == 200


@ONCE
def test_w2_bodies_fit_into_memory(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """W2: the room for bodies is a share of the memory that the process may have beyond its own;
    where it is less than one body may have, bodies may have no more, and the log says so.
    """
    mib = 1024**2
    for limit, room, body in (
        (0, 512, 64),
        (16_384, 512, 64),
        (1152, 128, 64),
        (384, 32, 32),
        (100, 1, 1),
    ):
        monkeypatch.setattr(
            server_process, "memory_limit", lambda _processes, limit=limit: limit * mib
        )
        caplog.clear()
        assert server_process.fitted_bodies(512 * mib, 64 * mib, 1) == (room * mib, body * mib)
        assert len(caplog.records) == (body < 64)


@ONCE
@pytest.mark.parametrize("version", [1, 2])
def test_w2_limits_of_control_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    """W2: the least limit of the process's control group and those around it counts, in parts where
    processes share it.
    """
    root, groups = tmp_path / "cgroup", tmp_path / "groups"
    name = "memory.max" if version == 2 else "memory.limit_in_bytes"
    unit = (root if version == 2 else root / "memory") / "system.slice" / "jackfield.service"
    unit.mkdir(parents=True)
    monkeypatch.setattr(memory, "_ROOT", root)
    monkeypatch.setattr(memory, "_GROUPS", groups)
    monkeypatch.setattr(memory, "_address_space", lambda: -1)
    assert memory.memory_limit() == 0
    groups.write_text(
        "0::/system.slice/jackfield.service\n"
        if version == 2
        else "4:cpu,memory:/system.slice/jackfield.service\n0::/\n"
    )
    (unit / name).write_text("max\n" if version == 2 else "9223372036854771712\n")
    assert memory.memory_limit() == 0
    (unit.parent / name).write_text("800000000\n")
    assert (memory.memory_limit(), memory.memory_limit(4)) == (800_000_000, 200_000_000)
    monkeypatch.setattr(memory, "_address_space", lambda: 300_000_000)
    assert (memory.memory_limit(), memory.memory_limit(4)) == (300_000_000, 200_000_000)


@ONCE
@pytest.mark.parametrize(
    ("limit", "words", "text"),
    [
        ("-v 131072", "serve --port 0", "may have 128 MiB of address space, and needs 256 MiB"),
        (
            "-v 200000",
            "serve --port 0 --workers 2",
            "may have 195 MiB of address space, and needs 256 MiB",
        ),
        ("-v 131072", "worker", "may have 128 MiB of address space, and needs 256 MiB"),
        ("-n 48", "serve --port 0", "may have 48 files open, and needs 64"),
        ("-n 24", "serve --port 0 --workers 2", "may have 24 files open, and needs 64"),
    ],
)
def test_w2_less_than_a_process_needs(tmp_path: Path, limit: str, words: str, text: str) -> None:
    """W2: a server and a worker that cannot work within their limits say so and end, instead of
    crashing at the first calls.
    """
    command = [
        "sh",
        "-c",
        f'ulimit {limit}; exec "$@"',
        "sh",
        sys.executable,
        "-m",
        "jackfield",
        *words.split(),
    ]
    ended = subprocess.run(
        command,
        env=clean(tmp_path / "home"),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ended.returncode, text in ended.stdout) == (2, True), ended
    assert "Traceback" not in ended.stderr


@ONCE
def test_w2_less_than_a_process_needs_of_its_control_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """W2: the limit of the control group counts for a start, too, in parts where processes share
    it; no limit is none.
    """
    mib = 1024**2
    monkeypatch.setattr(memory, "_address_space", lambda: -1)
    cases: tuple[tuple[list[int], int, bool], ...] = (
        ([], 9, True),
        ([0], 1, True),
        ([80 * mib], 1, True),
        ([64 * mib], 1, False),
        ([300 * mib], 4, False),
    )
    for limits, processes, enough in cases:
        monkeypatch.setattr(memory, "_of_groups", lambda limits=limits: limits)
        with (
            contextlib.nullcontext()
            if enough
            else pytest.raises(InvalidInvocation, match="MiB of memory, and needs 80 MiB")
        ):
            memory.require_memory(processes)


@PAST_ALONE
@pytest.mark.parametrize("rounds", [1, pytest.param(2, marks=pytest.mark.campaign)])
def test_w2_an_address_space_that_large_mails_would_fill(tmp_path: Path, rounds: int) -> None:
    """W2: of twelve mails with large attachments at once those that fit into the memory are sent,
    and the others are told to try again; the process lives, and small mails are sent.
    """
    home = tmp_path / "home"
    token = mint(home)
    data = base64.b64encode(os.urandom(LARGE)).decode()
    command = [
        "sh",
        "-c",
        f'ulimit -v {SPACE // 1024}; exec "$@"',
        "sh",
        sys.executable,
        "-m",
        "jackfield",
        "serve",
        "--port",
        "0",
    ]
    with (
        FakeAws(latency=0.2) as aws,
        subprocess.Popen(command, env=clean(home), stderr=subprocess.PIPE, text=True) as server,
        ThreadPoolExecutor(12) as pool,
    ):
        assert server.stderr is not None
        told = server.stderr.readline()
        assert "a request takes a body of" in told
        found = _LISTENS.search(server.stderr.readline())
        assert found is not None
        client = Client(int(found[1]), token, timeout=120.0)
        values = {
            "accessKeyId": "AKIA",
            "secretAccessKey": "s" * 20,
            "region": "eu-west-1",
            "endpoint": aws.url,
        }
        assert (
            client.post(
                "/v1/connections", {"name": "m", "type": "aws-ses/apiKeySecret", "values": values}
            ).status
            == 201
        )
        for _ in range(rounds):
            replies = list(
                pool.map(lambda _: client.post("/v1/invocations", _mail(data)), range(12))
            )
            assert {reply.status for reply in replies} == {200, 503}, [
                reply.body for reply in replies
            ]
            assert {
                reply.headers.get("retry-after") for reply in replies if reply.status == 503
            } == {"1"}
            assert [client.post("/v1/invocations", _mail()).status for _ in range(3)] == [200] * 3
        server.terminate()
        assert server.wait(60) == 0
        assert "Traceback" not in server.stderr.read()


def _mail(data: str | None = None) -> dict[str, Any]:
    inputs: dict[str, Any] = {
        "to": ["a@example.com"],
        "sender": "b@example.com",
        "subject": "x",
        "text": "x",
    }
    if data is not None:
        inputs["attachments"] = {"large.bin": {"data": data}}
    return {"connector": "aws-ses", "action": "sendEmail", "connection": "m", "inputs": inputs}


@pytest.mark.parametrize("cause", [MemoryError(), None])
def test_w2_memory_that_is_used_up_while_a_body_comes(
    tmp_path: Path, cause: MemoryError | None
) -> None:
    """W2: the parser of HTTP wraps a shortage of memory in an error of its own: the caller is told
    to try again.
    """

    def used_up(_protocol: Bounded, _body: bytes) -> None:
        raise cause or ValueError

    with standing(tmp_path) as stand:
        client = stand.client()
        with mock.patch.object(Bounded, "on_body", used_up):
            reply = client.invoke("say", text="x")
        assert reply.status == (400 if cause is None else 503), reply.body
        assert cause is None or reply.headers["retry-after"] == "1"
        assert client.invoke("say", text="again").status == 200


@ONCE
def test_w6_files_that_are_used_up(tmp_path: Path) -> None:
    """W6: with 256 files and 400 idle connections probes are answered, and all is well when the
    idle ones are gone.
    """
    home = tmp_path / "home"
    token = mint(home)
    command = [
        "sh",
        "-c",
        'ulimit -n 256; exec "$@"',
        "sh",
        sys.executable,
        "-m",
        "jackfield",
        "serve",
        "--port",
        "0",
    ]
    with (
        subprocess.Popen(command, env=clean(home), stderr=subprocess.PIPE, text=True) as server,
        contextlib.ExitStack() as idle,
    ):
        assert server.stderr is not None
        told = server.stderr.readline()
        assert "a process takes 96 connections at most: it may have 256 files open" in told
        found = _LISTENS.search(server.stderr.readline())
        assert found is not None
        client = Client(int(found[1]), token, timeout=60.0)
        assert client.get("/readyz").status == 200
        for _ in range(400):
            idle.enter_context(socket.create_connection(("127.0.0.1", client.port), 10))
        asked = [_tried(client, "/readyz"), _tried(client, "/healthz")]
        idle.close()
        assert asked == [200, 200]
        assert _tried(client, "/v1/connections") == 200
        server.terminate()
        server.wait(60)


def _tried(client: Client, path: str) -> int:
    """The status after at most some tries, as a probe makes them."""
    pause, status = threading.Event(), 0
    for _ in range(50):
        with contextlib.suppress(OSError, http.client.HTTPException):
            status = client.get(path).status
        if status == 200:
            break
        pause.wait(0.2)
    return status


class _Wandering(SystemClock):
    """A clock that nobody agrees with, itself included: each reading is an hour later."""

    hours = 24

    def time(self) -> float:
        """Return a time in the future."""
        self.hours += 1
        return super().time() + self.hours * 3600.0


@ONCE
def test_r5_a_server_whose_clock_is_off_is_ready_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``/readyz`` of servers and workers says by how much the clock is off; the process goes on,
    since the database's time counts.
    """
    monkeypatch.setattr(readiness, "_FRESH", 0.0)
    with open_database(f"sqlite:///{tmp_path}/home/jackfield.db") as database:
        assert conditions.clock_warning(database, SystemClock()) is None
    with standing(tmp_path, clock=_Wandering()) as stand:
        client = stand.client()
        found = client.get("/readyz")
        assert (
            found.status,
            found.json["status"],
            len(found.json["warnings"]),
            found.json["kinds"],
        ) == (200, "ok", 1, ["clock"])
        assert " ahead of the database's" in found.json["warnings"][0]
        status, _, body = WorkerProbes(Master((), 0, 0.0), stand.host.runtimes, mock.Mock()).answer(
            "/readyz", f"Bearer {client.token}"
        )
        assert (status, "ahead of the database's" in json.loads(body)["warnings"][0]) == (200, True)


@ONCE
def test_a_process_says_what_its_packages_warn_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``/readyz`` of servers and workers and ``jackfield doctor`` have the warnings of installed
    packages: the direct way of AWS is off.
    """
    with standing(tmp_path) as stand:
        figures = WorkerProbes(Master((), 0, 0.0), stand.host.runtimes, mock.Mock())
        assert (
            stand.client().get("/readyz").json
            == json.loads(figures.answer("/readyz")[2])
            == {"status": "ok"}
        )
        monkeypatch.setenv("JACKFIELD_AWS_DIRECT", "0")
        client = stand.client()
        found = client.get("/readyz")
        assert (
            found.status,
            json.loads(figures.answer("/readyz", f"Bearer {client.token}")[2]),
        ) == (200, found.json)
        assert [text.partition(":")[0] for text in found.json["warnings"]] == [
            "JACKFIELD_AWS_DIRECT=0"
        ]


@ONCE
def test_w5_a_database_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W5: while another process holds the database's lock, or its disk is full, a server is alive
    and not ready; then it is.
    """
    monkeypatch.setattr(readiness, "_FRESH", 0.0)
    monkeypatch.setattr(conditions, "_LOCK_WAIT", 0.2)
    with standing(tmp_path) as stand:
        client = stand.client()
        assert client.get("/readyz").status == 200
        with contextlib.closing(
            sqlite3.connect(tmp_path / "home" / "jackfield.db", isolation_level=None)
        ) as other:
            other.execute("BEGIN IMMEDIATE")
            locked = client.get("/readyz")
            assert (
                locked.status,
                locked.headers["retry-after"],
                client.get("/healthz").status,
            ) == (503, "1", 200)
            assert locked.json["kind"] in {"locked", "silent"}
            other.execute("COMMIT")
        assert client.get("/readyz").status == 200
        with mock.patch.object(
            os, "statvfs", return_value=mock.Mock(f_bavail=1, f_frsize=4096, f_flag=0)
        ):
            assert client.get("/readyz").json["detail"] == "the disk of the database is full"
        assert client.get("/readyz").status == 200


@ONCE
def test_a_process_is_ready_once_the_catalog_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``/readyz`` is 503 until the first call would wait for nothing; the process is alive
    meanwhile.
    """
    monkeypatch.setattr(readiness, "_PATIENCE", 0.1)
    monkeypatch.setattr(readiness, "_FRESH", 0.0)
    may = threading.Event()
    build = ActionIndex.build

    def late(index: ActionIndex) -> None:
        assert may.wait(30)
        build(index)

    with mock.patch.object(ActionIndex, "build", late), standing(tmp_path) as stand:
        client = stand.client()
        unread = client.get("/readyz")
        assert (unread.status, unread.json["kind"], client.get("/healthz").status) == (
            503,
            "starting",
            200,
        )
        may.set()
        monkeypatch.setattr(readiness, "_PATIENCE", 30.0)
        assert client.get("/readyz").status == 200
        assert stand.host.readiness.warm_up is not None
        assert stand.host.readiness.warm_up.done()


def test_a_process_is_ready_while_another_one_makes_its_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls run meanwhile. A search waits for the index; if that takes long, it is 503 with
    ``Retry-After``.
    """
    may = threading.Event()
    monkeypatch.setattr(index_module, "_CONNECTORS", 0)
    monkeypatch.setattr(index_file, "made_elsewhere", lambda *_given, **_more: not may.wait(30))
    monkeypatch.setattr(server_context, "_INDEX_WAIT", 0.05)
    with standing(tmp_path) as stand, ThreadPoolExecutor(1) as pool:
        client = stand.client()
        assert client.get("/readyz").status == 200
        assert (
            client.post("/v1/invocations", say("say", text="early")).json["status"] == "succeeded"
        )
        for path in ("/v1/actions?q=say", "/v1/connectors", "/v1/connections"):
            busy = client.get(path)
            assert (busy.status, busy.headers["retry-after"], busy.json["detail"]) == (
                503,
                "1",
                "the search index is being made",
            )
        monkeypatch.setattr(server_context, "_INDEX_WAIT", 30.0)
        waiting = pool.submit(stand.client().get, "/v1/actions?q=say")
        may.set()
        assert waiting.result(30).json["items"][0]["action"] == "say"
        assert client.get("/v1/connections").status == 200


@ONCE
def test_w5_probes_are_cheap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """W5: however many probes ask, one look is taken at a time, and its outcome holds for a
    while.
    """
    looks = []
    found = readiness.Readiness._examine

    def counted(self: readiness.Readiness) -> conditions.Condition:
        looks.append(1)
        return found(self)

    with (
        mock.patch.object(readiness, "_FRESH", 60.0),
        mock.patch.object(readiness.Readiness, "_examine", counted),
        standing(tmp_path) as stand,
    ):
        assert [stand.client().get("/readyz").status for _ in range(20)] == [200] * 20
    assert len(looks) == 1
