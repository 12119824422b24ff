"""A provider for tests of hosts that embed jackfield: it answers all methods, and can be asked to wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from quiet_server import serving

SECRET = "tok-4711-very-secret-value"


@dataclass
class Provider:
    """``paths`` are those that were asked for; a request of ``/slow`` is answered once ``go`` is set, ``came`` is set when one arrives."""

    url: str = ""
    paths: list[str] = field(default_factory=list)
    came: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def connection(self, url: str | None = None) -> dict[str, Any]:
        """A connection to it."""
        return {"connections": {"m": {"type": "http/bearer", "values": {"server": url or self.url, "token": SECRET}}}}


def request(path: str = "/", method: str = "POST", **members: Any) -> dict[str, Any]:
    """An invocation of it."""
    return {"connector": "http", "action": "request", "connection": "m", "inputs": {"url": path, "method": method}, **members}


@contextmanager
def providing() -> Iterator[Provider]:
    """A provider on loopback."""
    found = Provider()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            found.paths.append(self.path)
            if "slow" in self.path:
                found.came.set()
                found.go.wait(30)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST  # noqa: N815 (http.server's name)

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

    with serving(Handler) as found.url:
        try:
            yield found
        finally:
            found.go.set()
