"""A policy service on loopback: Open Policy Agent's ``POST /v1/data/{path}`` with ``{"input": …}``, answered with ``{"result": …}``."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from standardwebhooks.webhooks import Webhook

from quiet_server import serving

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ALLOW: dict[str, Any] = {"allow": True}


@dataclass
class Policy:
    """Decisions of the service; ``asked`` are the questions, each with a valid signature."""

    decide: Callable[[dict[str, Any]], Any] = lambda _question: ALLOW
    asked: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    body: bytes | None = None
    gate: threading.Event | None = None
    url: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which a process asks it."""
        return {"JACKFIELD_POLICY_URL": self.url, "JACKFIELD_POLICY_SECRET": SECRET}

    def hooks(self) -> list[str]:
        """What was asked for."""
        return [question["hook"] for question in self.asked]


@contextmanager
def policy_service() -> Iterator[Policy]:
    """A service that allows everything until ``decide`` says otherwise."""
    policy = Policy()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/v1/data/jackfield/decision"
            Webhook(SECRET).verify(body, dict(self.headers))
            question = json.loads(body)
            assert [*question] == ["input"]
            policy.asked.append(question["input"])
            if policy.gate is not None:
                policy.gate.wait(10)
            answer = json.dumps({"result": policy.decide(question["input"])}).encode() if policy.body is None else policy.body
            self.send_response(policy.status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            with suppress(OSError):  # who asked has left
                self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with serving(Handler) as address:
        policy.url = f"{address}/v1/data/jackfield/decision"
        try:
            yield policy
        finally:
            if policy.gate is not None:
                policy.gate.set()
