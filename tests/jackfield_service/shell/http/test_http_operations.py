"""Starting and stopping as an operator sees it: what a server says, checks and takes along."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import pytest

from gates import Gatekeeper
from http_stand import Process, clean, process, say
from jackfield_store.database import open_database
from plugboard import make_echo
from shell import Shell

pytest_plugins = ["shell_fixture", "postgres", "warm"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, launchers: Path) -> Iterator[Process]:
    """A server that is for any origin, and has a connection file that is broken in part."""
    folder = tmp_path_factory.mktemp("served")
    file = folder / "connections.yaml"
    file.write_text(
        "connections: {good: {type: echo/token, values: {token: t}}, bad: 1}", encoding="utf-8"
    )
    with (
        mock.patch.object(sys, "executable", str(launchers / "python")),
        process(
            folder,
            "--origin",
            "*",
            "--origin",
            "http://localhost:3000",
            JACKFIELD_CONNECTIONS=str(file),
        ) as server,
    ):
        yield server


@pytest.mark.usefixtures("warm_python")
def test_l44_json_from_the_first_line_to_the_last(tmp_path: Path) -> None:
    """L44: with JACKFIELD_LOG=json all of stderr is JSON, the link to the console is not in it, and
    a stop that gives up logs no error.
    """
    with (
        Gatekeeper() as gate,
        ThreadPoolExecutor(1) as threads,
        process(
            tmp_path, "--stop-within", "1s", JACKFIELD_LOG="json", JACKFIELD_LOG_LEVEL="INFO"
        ) as server,
    ):
        asked = threads.submit(
            server.client.post, "/v1/invocations", say("post", text="x", gate={"port": gate.port})
        )
        gate.wait()
        server.process.send_signal(signal.SIGTERM)
        assert asked.result(30).status == 504
        assert server.process.wait(30) == 0
        port = server.port
    lines = [
        *(tmp_path / "stderr").read_text("utf-8").splitlines(),
        *(tmp_path / "log").read_text("utf-8").splitlines(),
    ]
    rows = [json.loads(line) for line in lines]
    assert rows[0]["message"] == f"jackfield listens on {rows[0]['origin']}"
    assert rows[0]["origin"] == f"http://127.0.0.1:{port}"
    # a machine that is slow is told of
    assert {row["level"] for row in rows} <= {"INFO", "WARNING"}
    assert [row for row in rows if "once=" in row["message"]] == []


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example/path",
        "https://app.example/",
        "app.example",
        "https://APP.example",
        "http://a:80",
    ],
)
def test_l45_an_origin_that_no_browser_sends(shell: Shell, origin: str) -> None:
    """L45: an origin with a path, or in a form that browsers never send, is refused with the form
    that they send.
    """
    answer = shell.run("serve", "--port", "0", "--origin", origin)
    assert answer.code == 2
    assert "is not an origin as browsers send it" in answer.json["error"]["message"]


def test_l45_an_origin_for_all_is_warned_of(served: Process) -> None:
    """L45: ``--origin '*'`` is taken, and warned of."""
    told = (served.folder / "stderr").read_text("utf-8")
    assert told.startswith("jackfield: --origin '*' lets pages from every website call")


def test_pages_of_a_rebound_name_are_not_shown(served: Process) -> None:
    """A server on loopback shows console and docs under the names of this machine only; its API has
    bearer tokens. Whoever has put a proxy in front of it is told what that needs.
    """
    client = served.client
    for path in ("/", "/login", "/docs", "/openapi.json"):
        refused = client.get(path, Host="evil.example")
        assert (refused.status, "--behind-proxy and --public-url" in refused.json["detail"]) == (
            403,
            True,
        )
        assert client.get(path, Host="LOCALHOST:1234").status in {200, 303}
    assert [
        client.get(path, Host="evil.example").status
        for path in ("/healthz", "/readyz", "/v1/actions")
    ] == [200, 200, 200]


@pytest.mark.parametrize("command", ["serve", "worker"])
@pytest.mark.parametrize(
    ("named", "reason"), [("/nope/x.yaml", "does not exist"), ("$NOPE", "is not set")]
)
def test_l37_connection_files_that_are_not_there(
    shell: Shell, command: str, named: str, reason: str
) -> None:
    """L37: ``serve`` and ``worker`` do not start without the files that JACKFIELD_CONNECTIONS
    names.
    """
    shell.set(JACKFIELD_CONNECTIONS=named)
    answer = shell.run(command, *(("--port", "0") if command == "serve" else ()))
    assert answer.code == 2
    assert (
        answer.json["error"]["message"] == f"JACKFIELD_CONNECTIONS lists '{named}', which {reason}"
    )


@pytest.mark.usefixtures("warm_python")
def test_l37_mcp_warns_of_connection_files(tmp_path: Path) -> None:
    """L37: ``mcp`` warns on stderr, where clients keep its log, and serves what there is."""
    environment = clean(
        tmp_path / "home",
        JACKFIELD_CONNECTIONS="/nope/x.yaml",
        PYTHONPATH=os.pathsep.join(make_echo(tmp_path / "plugs")),
    )
    command = [sys.executable, "-m", "jackfield", "mcp"]
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr.partition(" ")[2].startswith(
        "WARNING jackfield.connections: JACKFIELD_CONNECTIONS: /nope/x.yaml: it cannot be read"
    )


def test_l37_a_file_that_is_broken_in_part_is_warned_of(served: Process) -> None:
    """L37: what is wrong inside of a connection file is warned of at the start; the rest of the
    file is used.
    """
    assert [row["name"] for row in served.client.get("/v1/connections").json["items"]] == ["good"]
    told = (served.folder / "stderr").read_text("utf-8") + (served.folder / "log").read_text(
        "utf-8"
    )
    assert (
        "WARNING jackfield.connections: JACKFIELD_CONNECTIONS: connections.yaml: connection "
        "'bad': must be an object"
    ) in told


@pytest.mark.usefixtures("no_tables", "warm_python")
def test_m43_a_database_that_is_behind(tmp_path: Path, postgres_url: str) -> None:
    """M43: a server says how to migrate the database, is not ready before, and does it by itself
    with ``--migrate``; so does a worker.
    """
    home = tmp_path / "home"
    environment = clean(
        home,
        JACKFIELD_DATABASE_URL=postgres_url,
        PYTHONPATH=os.pathsep.join(make_echo(tmp_path / "plugs")),
    )
    serve = [sys.executable, "-m", "jackfield", "serve", "--port", "0"]
    with subprocess.Popen(serve, env=environment, stderr=subprocess.PIPE, text=True) as behind:
        assert behind.stderr is not None
        lines = [behind.stderr.readline(), behind.stderr.readline()]
        behind.send_signal(signal.SIGTERM)
        behind.wait(30)
    assert lines[1].startswith("jackfield is not ready: the database is not up to date: ")
    assert (
        "Run 'jackfield db upgrade', or start 'jackfield serve' or 'jackfield worker' with "
        "--migrate."
    ) in lines[1]
    worker = [sys.executable, "-m", "jackfield", "worker", "--concurrency", "3"]
    refused = subprocess.run(
        worker, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert "with --migrate" in json.loads(refused.stdout)["error"]["hint"]
    with subprocess.Popen(
        [*worker, "--migrate"], env=environment, stderr=subprocess.PIPE, text=True
    ) as working:
        assert working.stderr is not None
        told = working.stderr.readline()
        working.send_signal(signal.SIGTERM)
        assert working.wait(30) == 0
    assert told.startswith(
        "jackfield worker runs up to 3 queued invocations at once from postgresql://"
    )
    with open_database(postgres_url, migrate=None) as database:
        assert database.pending() == []


@pytest.mark.usefixtures("warm_python")
def test_m43_serve_migrates(tmp_path: Path, postgres_url: str) -> None:
    """M43: with ``--migrate`` a server on an empty PostgreSQL is ready."""
    home = tmp_path / "home"
    environment = clean(home, JACKFIELD_DATABASE_URL=postgres_url)
    command = [
        sys.executable,
        "-m",
        "jackfield",
        "serve",
        "--port",
        "0",
        "--migrate",
        "--console-link",
        "always",
    ]
    with subprocess.Popen(
        command, env={**environment, "JACKFIELD_LOG": "json"}, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        lines = [json.loads(server.stderr.readline())["message"] for _ in range(2)]
        server.send_signal(signal.SIGTERM)
        server.wait(30)
    assert lines[0].startswith("jackfield listens on http://127.0.0.1:")
    assert "/login?once=" in lines[1]
