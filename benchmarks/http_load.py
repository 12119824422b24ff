"""Scenes of servers under load: jackfield's, of the tree of the process, and a bare Starlette
application.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.child import Figures
from benchmarks.measure import Answer, Scene
from benchmarks.scenes import KEYS, MAIL
from benchmarks.trees import ROOT

SECONDS = 0.7
"""Seconds of one load. A side has one in each round."""
ROUNDS = 7
_KEY = "0" * 64
"""Master key of a database that several servers of one run open, each with a home of its own."""
_MANIFEST = ROOT / "tests" / "connectors" / "echo" / "jackfield_echo" / "connector.json"
_HELLO = {"text": "hello"}


def _invocation(
    connector: str, action: str, connection: str, inputs: Mapping[str, Any]
) -> dict[str, Any]:
    return {"connector": connector, "action": action, "connection": connection, "inputs": inputs}


def _tool(**arguments: Any) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "execute_action", "arguments": arguments},
    }


_POSTED = {"url": "/parcels/p1?a=1", "method": "POST", "json": {"a": 1}}
_LANES: Mapping[str, dict[str, Any]] = {
    "read": {"body": _invocation("echo", "say", "hall", _HELLO)},
    "async": {"body": _invocation("echo", "sayLater", "hall", _HELLO)},
    "write": {"body": _invocation("echo", "post", "hall", _HELLO)},
    "keyed": {"body": _invocation("echo", "post", "hall", _HELLO), "keyed": True},
    "refused": {"body": _invocation("echo", "say", "hall", {"text": 5}), "status": 422},
    "mcp": {
        "body": _tool(connector="echo", action="say", connection="hall", inputs=_HELLO),
        "path": "/mcp",
        "headers": {"Accept": "application/json, text/event-stream"},
    },
    "upstream": {"body": _invocation("http", "request", "far", {"url": "/parcels/p1?a=1"})},
    "upstreamWrite": {"body": _invocation("http", "request", "far", _POSTED)},
    "upstreamKeyed": {"body": _invocation("http", "request", "far", _POSTED), "keyed": True},
    "mail": {"body": _invocation("aws-ses", "sendEmail", "acme", MAIL)},
}
"""Requests by name; what is left out is that of an invocation that succeeds."""


def lane(name: str, connections: int, *options: Any, value: str = "rate") -> Scene:
    """Make the scene of a lane of our server, whose connections have this provider; ``value`` is
    what counts of a load.
    """
    return Scene(ours, (name, connections, *options), said(value), count=1)


def said(value: str) -> Callable[[Answer], float]:
    """Return the function that finds a value in what a call says."""
    return lambda answer: float(answer.said[value])


@contextmanager
def ours(
    name: str,
    connections: int,
    provider: str = "",
    workers: int = 1,
    seconds: float = SECONDS,
    database: str = "",
) -> Iterator[Callable[[], Figures]]:
    """Serve, and load the server for some seconds; with a ``database``, on that instead of
    SQLite.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), provider, workers, database) as server,
    ):
        wanted = _wanted(name)
        for _ in range(2 * workers):  # the first call imports the connector
            found = server.client.call(
                "POST", wanted["path"], json.loads(wanted["body"]), **wanted["headers"]
            )
            assert found.status == wanted["status"], found.body
        yield lambda: load(
            server.port, server.process.pid, name, connections, token=server.token, seconds=seconds
        )


@contextmanager
def serving(
    folder: Path, provider: str = "", workers: int = 1, database: str = ""
) -> Iterator[Any]:
    """Serve with the connections of all lanes."""
    from http_stand import process
    from plugboard import declare

    declare(
        folder / "points",
        "jackfield-http",
        "jackfield.connectors",
        {"http": "jackfield_http.request:connector"},
    )
    paths = (
        str(folder / "points"),
        *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)),
    )
    on: dict[str, Any] = (
        {"JACKFIELD_DATABASE_URL": database, "JACKFIELD_MASTER_KEY": _KEY} if database else {}
    )
    with process(
        folder,
        "--workers",
        str(workers),
        "--allow-host",
        "127.0.0.1",
        paths=paths,
        JACKFIELD_PIN="1",
        **on,
    ) as server:
        for name, kind, values in (
            ("hall", "echo/token", {"token": "t"}),
            (
                "far",
                "http/bearer",
                {"server": provider, "token": "token-of-the-benchmark-0123456789"},
            ),
            ("acme", "aws/apiKeySecret", {**KEYS, "endpoint": provider}),
        ):
            if provider or name == "hall":
                made = server.client.post(
                    "/v1/connections?test=false", {"name": name, "type": kind, "values": values}
                )
                # 409: the scene was opened before, on the same database
                assert made.status in (201, 409), made.body
        yield server


@contextmanager
def bare(name: str, connections: int) -> Iterator[Callable[[], Figures]]:
    """Serve a bare Starlette application, and load it."""
    with _served(name, connections, "benchmarks.bare", str(_MANIFEST)) as loaded:
        yield loaded


@contextmanager
def bound(
    name: str, connections: int, provider: str, kind: str, database: str = ""
) -> Iterator[Callable[[], Figures]]:
    """Serve the fair bound of a lane that calls a provider, with its client in ``threads`` or on
    the ``loop``, and load it.
    """
    with tempfile.TemporaryDirectory() as folder:
        with _served(
            name, connections, "benchmarks.bound", provider, database or f"{folder}/bound.db", kind
        ) as loaded:
            yield loaded


@contextmanager
def _served(
    name: str, connections: int, module: str, *words: str
) -> Iterator[Callable[[], Figures]]:
    command = [sys.executable, "-m", module, *words]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        found = re.search(r":(\d+)$", child.stderr.readline().strip())
        assert found is not None
        try:
            yield lambda: load(int(found[1]), child.pid, name, connections)
        finally:
            child.send_signal(signal.SIGTERM)


def load(
    port: int,
    pid: int,
    name: str,
    connections: int,
    *,
    token: str = "none",
    seconds: float = SECONDS,
) -> Figures:
    """Load a server with the requests of a lane."""
    wanted = {
        "port": port,
        "pid": pid,
        "token": token,
        "connections": connections,
        "seconds": seconds,
        **_wanted(name),
    }
    command = [sys.executable, "-m", "benchmarks.load", json.dumps(wanted)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("fault") is None, done.stdout
    return Figures(found)


def _wanted(name: str) -> dict[str, Any]:
    lane = _LANES[name]
    return {
        "path": "/v1/invocations",
        "status": 200,
        "keyed": False,
        "headers": {},
        **lane,
        "body": json.dumps(lane["body"]),
    }
