"""A policy service on loopback: Open Policy Agent's ``POST /v1/data/{path}`` with ``{"input": …}``,
answered with ``{"result": …}``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks.webhooks import Webhook

from jackfield_market.testing.loopback_provider import Answer, Provider, Request

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

    def answer(_number: int, request: Request) -> Answer:
        assert request.path == "/v1/data/jackfield/decision"
        Webhook(SECRET).verify(request.body, dict(request.headers))
        question = request.json()
        assert [*question] == ["input"]
        policy.asked.append(question["input"])
        if policy.gate is not None:
            policy.gate.wait(10)
        decided = {} if policy.body is not None else {"result": policy.decide(question["input"])}
        return Answer(decided, policy.status, content=policy.body)

    with Provider(answer, keeps=True) as far:
        policy.url = f"{far.url}/v1/data/jackfield/decision"
        try:
            yield policy
        finally:
            if policy.gate is not None:
                policy.gate.set()
