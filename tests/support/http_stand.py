"""A server to call: in a thread of the test process, or as a process of its own; with the echo
connector, tokens and a small client.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import uvicorn
from starlette import routing

from documented import undocumented
from hosted import Hosted
from jackfield.callers import Rules, Scope
from jackfield.kernel.clock import Clock
from jackfield_dapr.sidecar import Components
from jackfield_dapr.sidecar.mounted import dapr_routes
from jackfield_service.shell.commands.serve import mounts
from jackfield_service.shell.http.app import build_app
from jackfield_service.shell.http.server_process import config
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.process.settings import ServerSettings
from jackfield_store.access import Tokens, Workspaces
from jackfield_store.resources.storage import Storage
from plugboard import make_echo, plugged
from replies import Reply

_SERVE = """
import ast, sys
from jackfield.cli.logs import configure
from jackfield_service.shell.http.server_process import run
from jackfield_service.shell.process.settings import ServerSettings
say = lambda origin: print("jackfield listens on", origin, file=sys.stderr, flush=True)
sys.exit(run(ServerSettings(**{"port": 0, **ast.literal_eval(sys.argv[1])}), configure, say))
"""
_LISTENS = re.compile(r"listens on http://\[?(\S+?)\]?:(\d+)[\s\"]")
SETTINGS = ServerSettings(port=0, guesses=0.0, stop_within=5.0)


_compiled_path = functools.cache(routing.compile_path)
"""150 routes of a server take 10 ms."""


@dataclass(frozen=True)
class Client:
    """Calls one server with one token. Each call has a connection of its own."""

    port: int
    token: str | None = None
    timeout: float = 120.0
    host: str = "127.0.0.1"

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Send a request; ``body`` is bytes, or what is sent as JSON. Underscores in header names
        are dashes.
        """
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        data = (
            body
            if isinstance(body, bytes) or body is None
            else json.dumps(body).encode("utf-8", "surrogatepass")
        )
        if data is not None and not isinstance(body, bytes):
            sent.setdefault("Content-Type", "application/json")
        with contextlib.closing(connection):
            connection.request(method, path, data, sent)
            reply = Reply.read(connection.getresponse())
        assert not (more := undocumented(method, path, reply)), (
            f"{method} {path} {reply.status}: {more} not in /openapi.json"
        )
        return reply

    def get(self, path: str, **headers: str) -> Reply:
        """``GET``."""
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Reply:
        """``POST``."""
        return self.call("POST", path, body, **headers)

    def invoke(self, action: str, **inputs: Any) -> Reply:
        """Run an action of the echo with an inline connection."""
        return self.post("/v1/invocations", say(action, **inputs))


def say(action: str, connection: Any = None, **inputs: Any) -> dict[str, Any]:
    """An invocation of the echo."""
    inline = {"type": "token", "values": {"token": "secret-4711"}}
    return {
        "connector": "echo",
        "action": action,
        "connection": connection or inline,
        "inputs": inputs,
    }


@dataclass
class Stand(Hosted):
    """A server in this process."""

    host: ServerContext
    port: int
    folder: Path
    clients: dict[str, Client] = field(default_factory=dict)

    def client(
        self,
        scope: Scope = "manage",
        workspace: str = "default",
        rules: Rules | None = None,
        **more: Any,
    ) -> Client:
        """A client with a new token."""
        return Client(
            self.port, self.tokens(workspace).create(scope, rules=rules or Rules(), **more).text
        )

    def platform(self, name: str = "The Shop") -> Client:
        """The client of a new platform, whose tenant is ``acme-1``."""
        found = Client(self.port, self.platform_token("acme-*", name))
        assert found.call("PUT", "/v1/workspaces/acme-1", {}).status in (200, 201)
        return found


def clean(folder: Path, **more: str) -> dict[str, str]:
    """An environment with a home of its own, its database in it, and nothing of the host's."""
    dropped = ("AWS_", "JACKFIELD_", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {
        **kept,
        "JACKFIELD_HOME": str(folder),
        "JACKFIELD_PIN": "0",
        "AWS_EC2_METADATA_DISABLED": "true",
        **more,
    }


@contextlib.contextmanager
def standing(
    folder: Path,
    settings: ServerSettings = SETTINGS,
    *,
    clock: Clock | None = None,
    setup: Callable[[ServerContext], object] = lambda _host: None,
    plugins: tuple[object, ...] = (),
    components: Components | None = None,
    around: Callable[[ServerContext, Any], Any] = lambda _host, app: app,
    **more: str,
) -> Iterator[Stand]:
    """Serve from a thread until left, with its first sweep done; ``more`` goes into its
    environment, and what ``around`` makes of the application is served.
    """
    environment = clean(folder / "home", **more)
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        plugged(*make_echo(folder / "plugs")),
        mock.patch.object(routing, "compile_path", _compiled_path),
    ):
        host = ServerContext(settings, environment, clock, plugins)
        setup(host)
        dapr = () if components is None else (functools.partial(dapr_routes, components),)
        found = config(replace(settings, host="127.0.0.1"))
        found.app, found.factory = around(host, build_app(host, mounts(*dapr))), False
        server, swept = uvicorn.Server(found), threading.Event()
        host.sweeps["the stand learns of the first sweep's end"] = swept.set
        with _running(server, settings):
            assert swept.wait(_START), "the server did not sweep"
            yield Stand(host, server.servers[0].sockets[0].getsockname()[1], folder)


@contextlib.contextmanager
def _running(server: uvicorn.Server, settings: ServerSettings) -> Iterator[None]:
    ready = threading.Event()
    startup = server.startup

    async def started(sockets: Any = None) -> None:
        await startup(sockets)
        ready.set()

    with mock.patch.object(server, "startup", started):
        thread = threading.Thread(target=server.run, name="test-server", daemon=True)
        thread.start()
        assert ready.wait(_START), "the server did not start"
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(_START)
            assert not thread.is_alive(), "the server did not stop"


def mint(folder: Path, scope: Scope = "manage", workspace: str = "default", **more: str) -> str:
    """A token in the database of a home."""
    from jackfield.kernel.clock import SystemClock

    with Storage(None, clean(folder, **more), SystemClock()) as storage:
        if workspace != "default":
            Workspaces(storage.database, storage.vault, SystemClock()).create(workspace)
        return Tokens(storage.database, storage.vault, workspace, SystemClock()).create(scope).text


@dataclass
class Process:
    """``jackfield serve`` as a process of its own; with workers, those are its children."""

    process: subprocess.Popen[str]
    port: int
    folder: Path
    token: str
    host: str = "127.0.0.1"

    @property
    def client(self) -> Client:
        """A client that may do everything."""
        return Client(self.port, self.token, host=self.host)

    def rss(self) -> int:
        """Bytes of memory that the process has now."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return (
            int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1])
            * 1024
        )

    def connections(self) -> int:
        """How many connections of callers the process has open: those that only the system still
        winds up belong to no process.
        """
        lines = (
            Path(f"/proc/{self.process.pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]
        )
        found = [line.split() for line in lines]
        listening = "0A"
        return sum(
            item[1].endswith(f":{self.port:04X}") and item[3] != listening and item[9] != "0"
            for item in found
        )

    def children(self) -> list[int]:
        """The workers' process ids: those of its children that serve."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        found = [int(item) for item in path.read_text(encoding="ascii").split()]
        return [pid for pid in found if b"spawn_main" in _command(pid)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@contextlib.contextmanager
def process(
    folder: Path,
    *options: str,
    paths: tuple[str, ...] = (),
    settings: Mapping[str, Any] | None = None,
    before: Sequence[str] = (),
    **more: str,
) -> Iterator[Process]:
    """``jackfield serve --port 0`` with the echo connector, stopped by SIGTERM; with other
    ``settings``, what that command runs. ``before`` is a command that runs it.
    """
    home = folder / "home"
    token = mint(home, "manage", "default", **more)
    environment = clean(
        home, PYTHONPATH=os.pathsep.join([*make_echo(folder / "plugs"), *paths]), **more
    )
    command = [sys.executable, "-m", "jackfield", "serve", "--port", "0", *options]
    if settings is not None:
        command = [sys.executable, "-c", _SERVE, repr(dict(settings))]
    with (folder / "stderr").open("wb", buffering=0) as log:
        running = subprocess.Popen(
            [*before, *command],
            env=environment,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert running.stderr is not None
        line = ""
        try:
            for line in running.stderr:
                log.write(line.encode())
                found = _LISTENS.search(line)
                if found:
                    break
            else:
                raise AssertionError(f"the server ended: {line}")
            drain = threading.Thread(
                target=_copied, args=(running.stderr, folder / "log"), daemon=True
            )
            drain.start()
            started = Process(running, int(found[2]), folder, token, found[1])
            _wait_until_ready(started)
            yield started
        finally:
            running.send_signal(signal.SIGTERM)
            try:
                running.wait(30)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
            running.stderr.close()


def _copied(source: Any, path: Path) -> None:
    with path.open("w", encoding="utf-8") as log, contextlib.suppress(ValueError):
        for line in source:
            log.write(line)
            log.flush()


_START = 300.0
"""Seconds that a start may take: beside other programs at load 30 one took more than 60."""


def _wait_until_ready(started: Process) -> None:
    """The listener takes connections before the application is there: the first answer comes when
    it is. A busy machine may refuse once.
    """
    client, pause, until = (
        replace(started.client, timeout=_START),
        threading.Event(),
        time.monotonic() + _START,
    )
    while (found := client.get("/readyz")).status != 200:
        assert time.monotonic() < until, found.json
        pause.wait(0.1)


def ends_told(client: Client, type: str = "invocation.finished") -> Counter[str]:
    """Count the events of a type by invocation."""
    found: Counter[str] = Counter()
    after = ""
    while True:
        page = client.get(f"/v1/events?types={type}&limit=200{after}").json
        found.update(item["subject"] for item in page["items"])
        after = f"&after={page['nextCursor']}"
        if not page["items"]:
            return found
