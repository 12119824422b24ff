"""The step of the tour that queues a call, and has its end sent to a receiver: with a database and a worker of its own."""

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
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from jackfield import Jackfield
from jackfield_aws_ses.demo.stage import EXAMPLES, Report, Stage, faults

_EXAMPLE = "list-identities.json"
_WITHIN = 60.0


class Receiver:
    """A receiver of callbacks on loopback, which keeps the first request."""

    def __init__(self) -> None:
        self.came = threading.Event()
        self.headers: Mapping[str, str] = {}
        self.body = b"{}"
        self.url = ""

    def verifies(self, secret: str) -> bool:
        """Return whether the request is signed with a secret, as Standard Webhooks say."""
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        digest = hmac.digest(b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256)
        return hmac.compare_digest("v1," + b64encode(digest).decode(), self.headers["webhook-signature"])


def told(stage: Stage) -> Report:
    """Queue an example for a worker, and wait until its end has arrived."""
    with tempfile.TemporaryDirectory() as folder, _receiving() as receiver:
        url = f"sqlite:///{Path(folder) / 'jackfield.db'}"
        places = {"JACKFIELD_HOME": folder, "JACKFIELD_DATABASE_URL": url, "JACKFIELD_CONNECTIONS": str(EXAMPLES / "connections.yaml")}
        environment = {**os.environ, **places, **stage.aws.environment()}
        with Jackfield(connections=[EXAMPLES / "connections.yaml"], database_url=url, environment=environment) as jackfield:
            identifier = jackfield.enqueue((EXAMPLES / _EXAMPLE).read_text(encoding="utf-8"))
        made = _added(receiver.url, environment)
        worker = subprocess.Popen([sys.executable, "-m", "jackfield", "worker"], env=environment, stderr=subprocess.DEVNULL)
        try:
            receiver.came.wait(_WITHIN)
        finally:
            worker.terminate()
            worker.wait()
        event: dict[str, Any] = json.loads(receiver.body)
    queued, callback = {"invocationId": identifier, "status": "queued"}, {"id": made["id"], "url": receiver.url}
    return Report(
        (("queued", queued), ("callback", callback), ("event", event)),
        faults=faults(
            {
                "the end arrived": event.get("type") == "invocation.finished",
                "it is that of the call": event.get("data", {}).get("subject") == identifier,
                "the signature is right": bool(receiver.headers) and receiver.verifies(made["secret"]),
            }
        ),
    )


def _added(url: str, environment: Mapping[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "jackfield", "callbacks", "add", url, "--types", "invocation.finished", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@contextmanager
def _receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.body = self.rfile.read(int(self.headers["content-length"]))
            receiver.headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(204)
            self.end_headers()
            receiver.came.set()

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing: the tour shows what came."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}/"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield receiver
        finally:
            server.shutdown()
