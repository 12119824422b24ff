"""The server as a process: workers that are killed, cores, callers who hang up, bodies that do not
end, actions that compute.

One server with two workers, which the last of its tests kills, is for all tests that ask for
``pair``.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import select
import signal
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fake_aws import FakeAws, FakeAwsProcess
from gates import Gatekeeper
from http_stand import SETTINGS, Client, Process, process, say, standing
from jackfield.kernel.local import CORES
from jackfield_service.shell.process import metrics
from jackfield_store.database import open_database
from mcp_talk import call_of, message
from plugboard import make_connector

pytest_plugins = ["warm"]

ENDLESS = 100_000_000
KEYS = {
    "accessKeyId": "AKIAABCDEFGHIJKLWXYZ",
    "secretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
}
MAIL = {
    "awsRegion": "eu-west-1",
    "to": "ada@example.com",
    "sender": "noreply@example.com",
    "text": "t",
}
BUSY = '''
"""Computes."""
import time
from jackfield.connector import Connector, Field, Inputs, Output

class Span(Inputs):
    """How long."""
    seconds: float = Field(title="Seconds")

class Done(Output):
    """Done."""
    turns: int

connector = Connector("busy", title="Busy", version="1.0.0")

@connector.action("compute", effect="read")
def compute(span: Span) -> Done:
    """Compute."""
    turns, end = 0, time.thread_time() + span.seconds
    while time.thread_time() < end:
        turns += 1
    return Done(turns=turns)
'''


def mail(subject: str) -> dict[str, Any]:
    """An invocation that sends."""
    return {
        "connector": "aws-ses",
        "action": "sendEmail",
        "connection": "acme",
        "inputs": {**MAIL, "subject": subject},
    }


def connect(client: Client, url: str) -> None:
    """A connection ``acme`` to the fake AWS."""
    made = client.post(
        "/v1/connections?test=false",
        {"name": "acme", "type": "aws/apiKeySecret", "values": {**KEYS, "endpoint": url}},
    )
    assert made.status == 201, made.body


def persistent(client: Client, key: str, *, queued: bool) -> str:
    """What a careful caller does: ask again with the same key until there is an answer that says
    what became of it. Its status.
    """
    headers = {"Prefer": "respond-async"} if queued else {}
    pause = threading.Event()
    for _ in range(200):
        with contextlib.suppress(OSError, http.client.HTTPException):
            reply = client.post("/v1/invocations", mail(key), Idempotency_Key=key, **headers)
            if reply.status == 202:
                return _settled(client, reply.json["invocationId"])
            if reply.json["status"] in ("succeeded", "in_doubt"):
                return str(reply.json["status"])
        pause.wait(0.1)
    raise AssertionError(f"no answer for {key}")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server with two workers, each on a core of its own."""
    with process(tmp_path_factory.mktemp("pair"), "--workers", "2", JACKFIELD_PIN="1") as server:
        yield server


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server of one process, which the last test that asks for it stops."""
    folder = tmp_path_factory.mktemp("single")
    make_connector(folder / "busy", "busy", BUSY)
    settings = {"max_file": ENDLESS // 2, "max_body": ENDLESS // 2}
    with process(
        folder, paths=(str(folder / "busy"),), settings=settings, JACKFIELD_PIN="1"
    ) as server:
        yield server


def test_workers_answer_alike_over_mcp(pair: Process) -> None:
    """Any of two processes answers any request; one key is one effect, whichever has it."""
    given = {**say("post", text="hello"), "idempotencyKey": "k-1"}

    def ask(request: dict[str, Any]) -> Any:
        return pair.client.post("/mcp", request, Mcp_Protocol_Version="2025-11-25").json["result"]

    def talk(number: int) -> str:
        found = ask(call_of("execute_action", number, **given))["structuredContent"]
        return str(
            found["meta"]["invocationId"]
            if found["status"] == "succeeded"
            else found["error"]["code"]
        )

    with ThreadPoolExecutor(6) as threads:
        ids = set(threads.map(talk, range(6))) - {"idempotency_conflict"}
        tools = set(
            threads.map(
                lambda number: json.dumps(ask(message("tools/list", number))["tools"]), range(6)
            )
        )
    assert (len(ids), len(tools)) == (1, 1)


@pytest.mark.skipif(
    not Path("/proc/self/limits").exists(),
    reason="limits of another process are read from Linux's /proc",
)
def test_security_2_9_a_server_writes_no_core(pair: Process) -> None:
    """A crash of the server, or of one of its workers, could write the master key to disk where the
    host's hard limit allows it.
    """
    for pid in (pair.process.pid, *pair.children()):
        limits = Path(f"/proc/{pid}/limits").read_text(encoding="ascii").splitlines()
        (core,) = (line.split()[4:6] for line in limits if line.startswith("Max core file size"))
        assert core == ["0", "0"], pid


def test_workers_count_together_each_on_a_core_of_its_own(pair: Process) -> None:
    """Whichever worker answers ``/metrics`` tells of all, also of one that was killed. All threads
    of a worker, also those that calls have started, are on one core, and no other worker is; one
    that replaces another takes the core that is free.
    """
    first, second = _pinned(pair)
    before = _counted(pair.client)
    for _ in range(20):  # each over a connection of its own, so that both workers have some
        assert pair.client.post("/v1/invocations", say("say", text="Hi")).status == 200
    assert {_counted(pair.client) for _ in range(10)} == {before + 20}
    assert len(CORES) < 2 or len(_cores_of(first) | _cores_of(second)) == 2 or _others_claim(pair)
    os.kill(first, signal.SIGKILL)
    pause = threading.Event()
    while first in pair.children():
        pause.wait(0.05)
    third = next(pid for pid in _pinned(pair) if pid != second)
    assert len(CORES) < 2 or _cores_of(third) != _cores_of(second) or _others_claim(pair)
    assert {_counted(pair.client) for _ in range(10)} == {before + 20}


def _cores_of(pid: int) -> set[int]:
    """The cores that the threads of a process may use, all together."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return set().union(*(os.sched_getaffinity(int(thread.name)) for thread in threads))


def _others_claim(server: Process) -> bool:
    """Return whether a server of somebody else on this machine has a core, so that there is none
    for each worker.
    """
    claims = {
        line.split()[6]
        for line in Path("/proc/net/unix").read_text().splitlines()
        if "@jackfield-core-" in line
    }
    own = {
        os.readlink(link)
        for pid in server.children()
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if os.path.lexists(link)
    }
    return bool({f"socket:[{inode}]" for inode in claims} - own)


def _pinned(server: Process) -> list[int]:
    """The two workers once both serve."""
    pause = threading.Event()
    for _ in range(600):
        found = server.children()
        if len(found) == 2 and all(len(_cores_of(pid)) == 1 for pid in found):
            return found
        pause.wait(0.05)
    raise AssertionError([(pid, _cores_of(pid)) for pid in server.children()])


def _counted(client: Client) -> float:
    """How many invocations have succeeded, as ``/metrics`` says; nothing of them may seem to
    run.
    """
    answer = client.get("/metrics")
    assert answer.status == 200, answer.body
    lines = answer.body.decode().splitlines()
    assert [line for line in lines if line.startswith("jackfield_invocations_running")] == [
        "jackfield_invocations_running 0.0"
    ]
    return sum(
        float(line.split()[-1]) for line in lines if line.startswith("jackfield_invocations_total")
    )


@pytest.mark.usefixtures("warm_python")
def test_what_another_server_runs_is_cancelled(tmp_path: Path) -> None:
    """Two servers on one database: the second one is told to cancel, the first one does so before
    anything is sent.
    """
    home = tmp_path / "first" / "home"
    with (
        process(tmp_path / "first") as first,
        process(tmp_path / "second", JACKFIELD_HOME=str(home)) as second,
        Gatekeeper() as gate,
        ThreadPoolExecutor(1) as threads,
    ):
        other = Client(second.port, first.token)
        body = say("post", text="cancel me", gate={"port": gate.port, "before": True})
        running = threads.submit(first.client.post, "/v1/invocations", body)
        gate.wait()
        identifier = other.get("/v1/invocations?status=running").json["items"][0]["invocationId"]
        assert other.post(f"/v1/invocations/{identifier}/cancel").status == 202
        with open_database(f"sqlite:///{home / 'jackfield.db'}") as database:
            pause = threading.Event()
            while (
                database.look_up("SELECT id FROM invocations WHERE cancel_at IS NOT NULL", {})
                is not None
            ):
                pause.wait(0.05)  # until the first one has read it
        gate.open()
        answer = running.result(30)
        assert (answer.status, answer.json["error"]["code"]) == (409, "cancelled")
        assert _settled(other, identifier) == "failed"
        assert other.post(f"/v1/invocations/{identifier}/cancel").status == 409


def _settled(client: Client, identifier: str) -> str:
    pause = threading.Event()
    for number in range(120):
        with contextlib.suppress(OSError, http.client.HTTPException):
            status = client.get(f"/v1/invocations/{identifier}").json["status"]
            if status not in ("queued", "running"):
                return str(status)
        # 50 callers who ask ten times a second would take more time than the work
        pause.wait(min(0.1 * 2**number, 0.8))
    raise AssertionError(f"never settled: {identifier}")


def _killed_and_restarted(server: Process, times: int) -> int:
    pause, killed = threading.Event(), 0
    for _ in range(times):
        pause.wait(0.8)
        before = server.children()
        if len(before) == 2:
            os.kill(before[0], signal.SIGKILL)
            killed += 1
        for _ in range(1200):
            if len([pid for pid in server.children() if pid not in before[:1]]) == 2:
                break
            pause.wait(0.05)
    return killed


@pytest.mark.parametrize(
    ("count", "kills"), [(50, 1), pytest.param(500, 3, marks=pytest.mark.campaign)]
)
def test_workers_that_are_killed_lose_nothing_and_send_nothing_twice(
    pair: Process, count: int, kills: int
) -> None:
    """Callers, answered at once or queued, while workers die: each learns what became of it, and
    nothing was sent twice.
    """
    with FakeAwsProcess(latency=0.02 if count > 100 else 0.4) as aws:
        pair.client.call("DELETE", "/v1/connections/acme")
        connect(pair.client, aws.url)
        with ThreadPoolExecutor(50) as pool:
            keys = [f"{count}-mail-{number}" for number in range(count)]
            asked = {
                key: pool.submit(persistent, pair.client, key, queued=place % 2 == 0)
                for place, key in enumerate(keys)
            }
            assert _killed_and_restarted(pair, kills) == kills
            outcomes = {key: future.result(120) for key, future in asked.items()}
        sent = Counter(message["subject"] for message in aws.state()["messages"])
    assert set(outcomes.values()) <= {"succeeded", "in_doubt"}
    assert max(sent.values()) == 1
    assert {key for key, status in outcomes.items() if status == "succeeded"} <= sent.keys()
    # a kill leaves at most what was on its way in doubt: 50 callers, and 16 jobs of the queue
    assert Counter(outcomes.values())["in_doubt"] <= kills * (50 + 16)


@pytest.mark.skipif(
    not hasattr(os, "pidfd_open"), reason="a process is watched by its pidfd, which is Linux's"
)
def test_w4_workers_end_with_their_parent(pair: Process) -> None:
    """W4: where the parent of ``--workers`` is killed, its workers end, and a new server can have
    the port.
    """
    watched = [os.pidfd_open(pid) for pid in pair.children()]
    assert len(watched) == 2
    pair.process.kill()
    pair.process.wait(60)
    assert [bool(select.select([descriptor], [], [], 20.0)[0]) for descriptor in watched] == [
        True,
        True,
    ]
    for descriptor in watched:
        os.close(descriptor)
    socket.create_server(("127.0.0.1", pair.port)).close()


def test_callers_who_hang_up_are_counted_as_they_were_sent(tmp_path: Path) -> None:
    """At 50 random instants of a slow send: what the journal says was sent is what the endpoint
    got.
    """
    instants = random.Random(7)
    with FakeAws(latency=0.1) as aws, standing(tmp_path, SETTINGS) as stand:
        client = stand.client()
        connect(client, aws.url)
        client.post("/v1/invocations", mail("warm"))
        with ThreadPoolExecutor(8) as pool:
            list(
                pool.map(
                    lambda number: _hung_up(client, f"gone-{number}", instants.uniform(0, 0.15)),
                    range(50),
                )
            )
        entries = _all_settled(client)
        sent = Counter(message.subject for message in aws.messages)
    told = Counter(entry["status"] for entry in entries)
    assert told["succeeded"] == sum(sent.values())
    assert max(sent.values()) == 1
    assert {entry["error"]["code"] for entry in entries if entry["status"] == "failed"} <= {
        "cancelled"
    }
    assert set(told) <= {"succeeded", "failed"}


def _hung_up(client: Client, subject: str, after: float) -> None:
    text = json.dumps(mail(subject)).encode()
    head = (
        "POST /v1/invocations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
        f"{client.token}\r\nContent-Length: {len(text)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", client.port), timeout=120) as connection:
        connection.sendall(head.encode() + text)
        threading.Event().wait(after)


def _all_settled(client: Client) -> list[Any]:
    pause = threading.Event()
    for _ in range(200):
        items: list[Any] = client.get("/v1/invocations?limit=200").json["items"]
        if all(item["status"] not in ("queued", "running") for item in items):
            return items
        pause.wait(0.05)
    raise AssertionError("something runs still")


def test_a_body_without_end_takes_no_memory(single: Process) -> None:
    """100 MB, announced or in chunks, to be run or to be kept: 413, and memory grows by 10 MB at
    most. Files may have 50 MB here.
    """
    single.client.invoke("say", text="warm")
    single.client.post("/v1/files", b"x" * 3_000_000)
    before = single.rss()
    for path in ("/v1/invocations", "/v1/files"):
        assert _poured(single.client, path, f"Content-Length: {ENDLESS}", b"x" * 65536) == 413
        assert (
            _poured(
                single.client,
                path,
                "Transfer-Encoding: chunked",
                b"10000\r\n" + b"x" * 65536 + b"\r\n",
            )
            == 413
        )
    grown = single.rss() - before
    assert single.client.get("/healthz").status == 200
    assert grown <= 10_000_000, grown


def _poured(client: Client, path: str, header: str, piece: bytes) -> int:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
        f"{client.token}\r\nContent-Type: application/pdf\r\n{header}\r\n\r\n"
    )
    if path == "/v1/invocations":
        head = head.replace("application/pdf", "application/json")
    answer = b""
    with (
        socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection,
        contextlib.suppress(ConnectionError),
    ):
        connection.sendall(head.encode())
        connection.setblocking(False)
        poured = 0
        while poured < ENDLESS:
            with contextlib.suppress(BlockingIOError):
                poured += (
                    connection.send(piece)
                    if not poured % len(piece)
                    else connection.send(piece[poured % len(piece) :])
                )
            with contextlib.suppress(BlockingIOError):
                answer += connection.recv(65536)
            if b"\r\n\r\n" in answer:
                break
    return int(answer.split()[1]) if answer else 0


@pytest.mark.skipif(len(CORES) < 2, reason="one core is all that there is")
def test_a_single_process_keeps_to_a_core_too(single: Process) -> None:
    """All its threads, also those that calls have started."""
    assert single.client.invoke("say", text="x").status == 200
    assert len(_cores_of(single.process.pid)) == 1


def test_an_action_that_computes_does_not_stop_the_others(single: Process) -> None:
    """While one computes for a second of CPU time, probes and other actions are answered."""
    client = single.client
    assert (
        client.post(
            "/v1/invocations", {"connector": "busy", "action": "compute", "inputs": {"seconds": 0}}
        ).status
        == 200
    )
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            client.post,
            "/v1/invocations",
            {"connector": "busy", "action": "compute", "inputs": {"seconds": 1}},
        )
        answered = 0
        while not running.done():
            assert (client.get("/healthz").status, client.invoke("say", text="others").status) == (
                200,
                200,
            )
            answered += 1
        assert running.result(30).json["status"] == "succeeded"
    assert answered >= 5


@pytest.mark.usefixtures("warm_python")
def test_it_listens_on_ipv6(tmp_path: Path) -> None:
    """``--host ::1``: calls are answered, and the link to the console that is told can be
    followed.
    """
    with process(tmp_path, "--host", "::1") as server:
        assert server.host == "::1"
        assert server.client.invoke("say", text="six").status == 200
        told = (tmp_path / "log").read_text(encoding="utf-8")
        link = f"http://[::1]:{server.port}"
        assert link in told
        path = told.split(link)[1].split()[0]
        page = Client(server.port, host="::1").get(path)
    assert page.status == 200
    assert b"Signed in" in page.body


def test_being_told_to_stop_lets_what_runs_end(single: Process) -> None:
    """SIGTERM: nobody new is let in, what runs is answered, and the process ends."""
    with Gatekeeper() as gate, ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            single.client.post,
            "/v1/invocations",
            say("post", text="last words", gate={"port": gate.port}),
        )
        gate.wait()
        single.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(OSError, http.client.HTTPException):
            for _ in range(200):
                single.client.get("/healthz")
        gate.open()
        assert running.result(30).json["output"]["text"] == "last words"
        assert single.process.wait(30) == 0


def _spent(pid: int) -> float:
    """Seconds of CPU time that a process has taken: unlike those of a clock, they are hardly more
    beside other programs.
    """
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("count", [100, pytest.param(1500, marks=pytest.mark.campaign)])
def test_many_connectors_start_fast(tmp_path: Path, count: int) -> None:
    """Manifests of ten actions each: the server starts, and every action is found."""
    plugs = tmp_path / "many"
    about = {"description": "It does.", "effect": "read"}
    actions = [
        {"key": f"doThing{number}", "title": f"Do Thing {number}", **about} for number in range(10)
    ]
    for number in range(count):
        key = f"many-{number}"
        manifest = {
            "manifestVersion": 1,
            "key": key,
            "title": key,
            "version": "1.0.0",
            "description": "One of many.",
            "actions": actions,
        }
        make_connector(plugs, key, "", manifest)
    with process(tmp_path, paths=(str(plugs),)) as server:
        spent = _spent(server.process.pid)
        assert (
            server.client.get(f"/v1/actions?q=thing7+many-{count - 1}").json["items"][0][
                "connector"
            ]
            == f"many-{count - 1}"
        )
        rss = server.rss()
    assert spent < 20, spent
    assert rss < 200_000_000, rss
    (tmp_path / "figures").write_text(f"{spent:.2f} s, {rss / 1e6:.0f} MB", encoding="utf-8")


def test_a_file_of_a_worker_that_has_just_begun_hides_no_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Metrics are read again where a worker's file is empty yet; what stays unreadable is told."""
    empty = tmp_path / "counter_1.db"
    empty.touch()
    monkeypatch.setattr(time, "sleep", lambda _seconds: empty.unlink())
    assert metrics._of_all(str(tmp_path)) == b""
    empty.touch()
    monkeypatch.setattr(time, "sleep", bool)
    with pytest.raises(struct.error):
        metrics._of_all(str(tmp_path))
