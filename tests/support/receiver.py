"""A receiver of webhooks on loopback: it answers as it is told, and keeps what it got."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from quiet_server import serving


@dataclass(frozen=True)
class Got:
    """One request: its headers in lower case, and its body."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)

    @property
    def id(self) -> str:
        """The event's id."""
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """``answer`` gives the status, header fields and body for a request, or writes to its socket itself and gives None."""

    url: str = ""
    got: list[Got] = field(default_factory=list)
    answer: Callable[[Any], tuple[int, Mapping[str, str], bytes] | None] = lambda _handler: (204, {}, b"")
    came: threading.Condition = field(default_factory=threading.Condition)

    def says(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer with this from now on. Underscores in header names are dashes."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = lambda _handler: (status, fields, body)

    def wait(self, count: int, seconds: float = 60.0) -> list[Got]:
        """What it got, once there is so much."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.got) >= count, seconds), len(self.got)
            return list(self.got)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that takes everything."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with receiver.came:
                receiver.got.append(Got({name.lower(): value for name, value in self.headers.items()}, body))
                receiver.came.notify_all()
            found = receiver.answer(self)
            if found is None:
                return
            status, fields, text = found
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text)), **fields}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

    with serving(Handler) as address:
        receiver.url = f"{address}/hook"
        yield receiver
