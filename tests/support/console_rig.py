"""A server with its console in a thread, on a database of its own, with the echo connector and
Amazon SES installed.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from hosted import Hosted
from jackfield.callers import Rules
from jackfield.kernel.clock import Clock, SystemClock
from jackfield_service.shell.commands.serve import mounts
from jackfield_service.shell.http.app import build_app
from jackfield_service.shell.pages.sign_in import one_time_link
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.process.settings import ServerSettings
from plugboard import ECHO, declare, plugged

_PATIENCE = 60.0
_LAST = [0]
"""The port of the console before: a browser that knows its scripts has them compiled."""


@dataclass(frozen=True)
class Console(Hosted):
    """A console that runs: ``origin`` is its address."""

    host: ServerContext
    origin: str

    def link(self) -> str:
        """A new one-time link."""
        return one_time_link(self.host.storage, self.host.clock, self.origin)

    def token(
        self,
        scope: str,
        workspace: str = "default",
        *,
        name: str = "",
        rules: Rules | None = None,
        expires_at: float | None = None,
    ) -> str:
        """The text of a new token."""
        return self.tokens(workspace).create(scope, name, rules, expires_at).text


def _listener() -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", _LAST[0]))
    except OSError:  # it is somebody's: another console's, or of another process by now
        return socket.create_server(("127.0.0.1", 0))


@contextlib.contextmanager
def served(
    folder: Path,
    environment: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    *,
    named: bool = False,
    **settings: object,
) -> Iterator[Console]:
    """Serve until the block ends; ``folder`` holds home, database and installed connectors. A
    ``named`` server knows its own address.
    """
    site = folder / "site"
    declare(site, "jackfield-echo", "jackfield.connectors", {"echo": "jackfield_echo:connector"})
    declare(
        site,
        "jackfield-aws-ses",
        "jackfield.connectors",
        {"aws-ses": "jackfield_aws_ses:connector"},
    )
    known = {
        "JACKFIELD_HOME": str(folder / "home"),
        "JACKFIELD_DATABASE_URL": f"sqlite:///{folder / 'console.db'}",
    }
    with plugged(site, ECHO), _listener() as listener:
        port = _LAST[0] = listener.getsockname()[1]
        if named:
            settings["public_url"] = f"http://127.0.0.1:{port}"
        host = ServerContext(
            ServerSettings(port=port, **settings),  # type: ignore[arg-type]
            {**os.environ, **known, **(environment or {})},
            clock or SystemClock(),
        )
        server = uvicorn.Server(
            uvicorn.Config(
                build_app(host, mounts()),
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=2,
            )
        )
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="console", daemon=True
        )
        thread.start()
        pause = threading.Event()
        for _ in range(int(_PATIENCE * 50)):
            if server.started:
                break
            pause.wait(0.02)
        assert server.started
        try:
            yield Console(host, f"http://127.0.0.1:{port}")
        finally:
            server.should_exit = True
            thread.join(_PATIENCE)
