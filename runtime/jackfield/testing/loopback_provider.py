"""A scripted loopback provider: it answers, refuses, resets or hangs at request N, and records the requests."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

HANG: Literal["hang"] = "hang"
RESET: Literal["reset"] = "reset"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Request:
    """Request received by the provider."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def changes(self) -> bool:
        """True if the HTTP method may change something."""
        return self.method not in SAFE


@dataclass(frozen=True)
class Answer:
    """Response with a JSON body, or with raw ``content``. ``missing`` octets are announced in addition, but never sent."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    missing: int = 0


Script = Callable[[int, Request], "Answer | Literal['hang', 'reset']"]
"""Maps a request's number (from 1) and the request to what happens."""


class Provider:
    """Provider; a context manager. ``requests`` are all requests received."""

    def __init__(self, script: Script) -> None:
        self.requests: list[Request] = []
        self._script = script
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def play(self, request: Request) -> Answer | None:
        """Record a request and return its answer; None if the connection is to be reset."""
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
        found = self._script(number, request)
        if isinstance(found, Answer):
            return found
        if found == HANG:
            self._over.wait()
        return None


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Handler of one request per connection."""

        def handle_one_request(self) -> None:
            """Read the request, play the script and send the answer."""
            self.close_connection = True
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = provider.play(Request(self.command, self.path, dict(self.headers.items()), body))
            if found is None:  # send a reset rather than an orderly close
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            content = json.dumps(found.body).encode() if found.content is None else found.content
            self.send_response(found.status)
            for name, value in {"Content-Type": "application/json", "Connection": "close", **found.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content) + found.missing))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    return Handler
