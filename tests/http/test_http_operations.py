"""Starting and stopping as an operator sees it: what a server says, checks and takes along."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gates import Gatekeeper
from http_stand import clean, process, say
from jackfield.database import open_database
from plugboard import make_echo
from shell import Shell

pytest_plugins = ["shell_fixture", "postgres"]


def _ended(descriptor: int, seconds: float) -> bool:
    """Wait for the process behind a pidfd to end."""
    return bool(select.select([descriptor], [], [], seconds)[0])


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="a process is watched by its pidfd, which is Linux's")
def test_w4_workers_end_with_their_parent(tmp_path: Path) -> None:
    """W4: where the parent of ``--workers`` is killed, its workers end, and a new server can have the port."""
    with process(tmp_path, "--workers", "2") as server:
        watched = [os.pidfd_open(pid) for pid in server.children()]
        assert len(watched) == 2
        server.process.kill()
        server.process.wait(60)
        assert [_ended(descriptor, 20.0) for descriptor in watched] == [True, True]
        for descriptor in watched:
            os.close(descriptor)
        port = str(server.port)
    with process(tmp_path / "again", "--port", port) as again:
        assert again.client.get("/healthz").status == 200


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="limits of another process are read from Linux's /proc")
def test_security_2_9_a_server_writes_no_core(tmp_path: Path) -> None:
    """A crash of the server, or of one of its workers, could write the master key to disk where the host's hard limit allows it."""
    with process(tmp_path, "--workers", "2") as server:
        for pid in (server.process.pid, *server.children()):
            limits = Path(f"/proc/{pid}/limits").read_text(encoding="ascii").splitlines()
            (core,) = (line.split()[4:6] for line in limits if line.startswith("Max core file size"))
            assert core == ["0", "0"], pid


def test_l44_json_from_the_first_line_to_the_last(tmp_path: Path) -> None:
    """L44: with JACKFIELD_LOG=json all of stderr is JSON, the link to the console is not in it, and a stop that gives up logs no error."""
    with (
        Gatekeeper() as gate,
        ThreadPoolExecutor(1) as threads,
        process(tmp_path, "--stop-within", "1s", JACKFIELD_LOG="json", JACKFIELD_LOG_LEVEL="INFO") as server,
    ):
        asked = threads.submit(server.client.post, "/v1/invocations", say("post", text="x", gate={"port": gate.port}))
        gate.wait()
        server.process.send_signal(signal.SIGTERM)
        assert asked.result(30).status == 504
        assert server.process.wait(30) == 0
        port = server.port
    lines = [*(tmp_path / "stderr").read_text("utf-8").splitlines(), *(tmp_path / "log").read_text("utf-8").splitlines()]
    rows = [json.loads(line) for line in lines]
    assert rows[0]["message"] == f"jackfield listens on {rows[0]['origin']}"
    assert rows[0]["origin"] == f"http://127.0.0.1:{port}"
    assert {row["level"] for row in rows} == {"INFO"}
    assert [row for row in rows if "once=" in row["message"]] == []


@pytest.mark.parametrize(
    "origin", ["https://app.example/path", "https://app.example/", "app.example", "https://APP.example", "http://a:80"]
)
def test_l45_an_origin_that_no_browser_sends(shell: Shell, origin: str) -> None:
    """L45: an origin with a path, or in a form that browsers never send, is refused with the form that they send."""
    answer = shell.run("serve", "--port", "0", "--origin", origin)
    assert answer.code == 2
    assert "is not an origin as browsers send it" in answer.json["error"]["message"]


def test_l45_an_origin_for_all_is_warned_of(tmp_path: Path) -> None:
    """L45: ``--origin '*'`` is taken, and warned of."""
    with process(tmp_path, "--origin", "*", "--origin", "http://localhost:3000"):
        pass
    told = (tmp_path / "stderr").read_text("utf-8")
    assert told.startswith("jackfield: --origin '*' lets pages from every website call")


def test_pages_of_a_rebound_name_are_not_shown(tmp_path: Path) -> None:
    """A server on loopback shows console and docs under the names of this machine only; its API has bearer tokens."""
    with process(tmp_path) as server:
        client = server.client
        for path in ("/", "/login", "/docs", "/openapi.json"):
            assert client.get(path, Host="evil.example").status == 403
            assert client.get(path, Host="LOCALHOST:1234").status in {200, 303}
        assert [client.get(path, Host="evil.example").status for path in ("/healthz", "/readyz", "/v1/actions")] == [200, 200, 200]


@pytest.mark.parametrize("command", ["serve", "worker"])
@pytest.mark.parametrize(("named", "reason"), [("/nope/x.yaml", "does not exist"), ("$NOPE", "is not set")])
def test_l37_connection_files_that_are_not_there(shell: Shell, command: str, named: str, reason: str) -> None:
    """L37: ``serve`` and ``worker`` do not start without the files that JACKFIELD_CONNECTIONS names."""
    shell.set(JACKFIELD_CONNECTIONS=named)
    answer = shell.run(command, *(("--port", "0") if command == "serve" else ()))
    assert answer.code == 2
    assert answer.json["error"]["message"] == f"JACKFIELD_CONNECTIONS lists '{named}', which {reason}"


def test_l37_mcp_warns_of_connection_files(tmp_path: Path) -> None:
    """L37: ``mcp`` warns on stderr, where clients keep its log, and serves what there is."""
    environment = clean(tmp_path / "home", JACKFIELD_CONNECTIONS="/nope/x.yaml", PYTHONPATH=os.pathsep.join(make_echo(tmp_path / "plugs")))
    command = [sys.executable, "-m", "jackfield", "mcp"]
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.startswith("WARNING jackfield.connections: JACKFIELD_CONNECTIONS: /nope/x.yaml: it cannot be read")


def test_l37_a_file_that_is_broken_in_part_is_warned_of(tmp_path: Path) -> None:
    """L37: what is wrong inside of a connection file is warned of at the start; the rest of the file is used."""
    file = tmp_path / "connections.yaml"
    file.write_text("connections: {good: {type: echo/token, values: {token: t}}, bad: 1}", encoding="utf-8")
    with process(tmp_path, JACKFIELD_CONNECTIONS=str(file)) as server:
        assert [row["name"] for row in server.client.get("/v1/connections").json["items"]] == ["good"]
    told = (tmp_path / "stderr").read_text("utf-8") + (tmp_path / "log").read_text("utf-8")
    assert "WARNING jackfield.connections: JACKFIELD_CONNECTIONS: connections.yaml: connection 'bad': must be an object" in told


@pytest.mark.usefixtures("no_tables")
def test_m43_a_database_that_is_behind(tmp_path: Path, postgres_url: str) -> None:
    """M43: a server says how to migrate the database, is not ready before, and does it by itself with ``--migrate``; so does a worker."""
    home = tmp_path / "home"
    environment = clean(home, JACKFIELD_DATABASE_URL=postgres_url, PYTHONPATH=os.pathsep.join(make_echo(tmp_path / "plugs")))
    serve = [sys.executable, "-m", "jackfield", "serve", "--port", "0"]
    with subprocess.Popen(serve, env=environment, stderr=subprocess.PIPE, text=True) as behind:
        assert behind.stderr is not None
        lines = [behind.stderr.readline(), behind.stderr.readline()]
        behind.send_signal(signal.SIGTERM)
        behind.wait(30)
    assert lines[1].startswith("jackfield is not ready: the database is not up to date: ")
    assert "Run 'jackfield db upgrade', or start 'jackfield serve' or 'jackfield worker' with --migrate." in lines[1]
    worker = [sys.executable, "-m", "jackfield", "worker", "--concurrency", "3"]
    refused = subprocess.run(worker, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert "with --migrate" in json.loads(refused.stdout)["error"]["hint"]
    with subprocess.Popen([*worker, "--migrate"], env=environment, stderr=subprocess.PIPE, text=True) as working:
        assert working.stderr is not None
        told = working.stderr.readline()
        working.send_signal(signal.SIGTERM)
        assert working.wait(30) == 0
    assert told.startswith("jackfield worker runs up to 3 queued invocations at once from postgresql://")
    with open_database(postgres_url, migrate=None) as database:
        assert database.pending() == []


def test_m43_serve_migrates(tmp_path: Path, postgres_url: str) -> None:
    """M43: with ``--migrate`` a server on an empty PostgreSQL is ready."""
    home = tmp_path / "home"
    environment = clean(home, JACKFIELD_DATABASE_URL=postgres_url)
    command = [sys.executable, "-m", "jackfield", "serve", "--port", "0", "--migrate", "--console-link", "always"]
    with subprocess.Popen(command, env={**environment, "JACKFIELD_LOG": "json"}, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        lines = [json.loads(server.stderr.readline())["message"] for _ in range(2)]
        server.send_signal(signal.SIGTERM)
        server.wait(30)
    assert lines[0].startswith("jackfield listens on http://127.0.0.1:")
    assert "/login?once=" in lines[1]
