"""Database, worker and receiver of callbacks for the last steps of the tour."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
import tempfile
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from jackfield import Jackfield
from jackfield_aws_ses_simulator.embedded import EmbeddedAws
from jackfield_aws_ses_simulator.stage import EXAMPLES

_WITHIN = 60.0


class Receiver:
    """Receiver of callbacks on loopback, which stores the last request."""

    def __init__(self) -> None:
        self.came = threading.Event()
        self.headers: Mapping[str, str] = {}
        self.body = b"{}"
        self.url = ""

    def verifies(self, secret: str) -> bool:
        """Return whether the request is signed with a secret, as Standard Webhooks specifies."""
        signed = (
            f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode()
            + self.body
        )
        digest = hmac.digest(b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256)
        return hmac.compare_digest(
            "v1," + b64encode(digest).decode(), self.headers["webhook-signature"]
        )

    @property
    def event(self) -> dict[str, Any]:
        """The received event; empty if none arrived."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(frozen=True, slots=True)
class Place:
    """Folder with a database, and the environment of commands that use it."""

    folder: Path
    url: str
    environment: Mapping[str, str]

    def opened(self) -> Jackfield:
        """Open a runtime with the database and the examples' connections."""
        return Jackfield(
            connections=[EXAMPLES / "connections.yaml"],
            database_url=self.url,
            environment=self.environment,
        )

    def run(self, *words: str) -> Any:
        """Run a command of jackfield, and return the JSON that it prints."""
        command = [sys.executable, "-m", "jackfield", *words]
        done = subprocess.run(  # noqa: S603 (the tour's own words)
            command, env=self.environment, capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    def work_until_told(self, receiver: Receiver) -> None:
        """Run a worker until the receiver has a request, or for a minute."""
        worker = subprocess.Popen(
            [sys.executable, "-m", "jackfield", "worker"],
            env=self.environment,
            stderr=subprocess.DEVNULL,
        )
        try:
            receiver.came.wait(_WITHIN)
        finally:
            worker.terminate()
            worker.wait()


@contextmanager
def own_place(aws: EmbeddedAws) -> Iterator[Place]:
    """Yield a place with an empty folder and a database that does not exist yet."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'jackfield.db'}"
        places = {
            "JACKFIELD_HOME": folder,
            "JACKFIELD_DATABASE_URL": url,
            "JACKFIELD_CONNECTIONS": str(EXAMPLES / "connections.yaml"),
        }
        yield Place(Path(folder), url, {**os.environ, **places, **aws.environment()})


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Yield a receiver of callbacks that runs until the block ends."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.body = self.rfile.read(int(self.headers["content-length"]))
            receiver.headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(204)
            self.end_headers()
            receiver.came.set()

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing: the tour shows the requests."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}/"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield receiver
        finally:
            server.shutdown()
