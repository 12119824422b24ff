"""Asana's handshake: the secret comes while the registration is made, is sent back, and is learnt
once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from http_stand import Client, standing
from jackfield.testing import Answer, Provider, Request
from jackfield_service.shell.process.settings import ServerSettings
from plugboard import plugged
from shelved import manifest_of, shelve
from waiting import until

_SETTINGS = ServerSettings(port=0, guesses=0.0, stop_within=5.0, public_url="https://hooks.example")
_EVENT = {
    "user": {"gid": "12"},
    "created_at": "2030-01-01T00:00:00.000Z",
    "action": "added",
    "resource": {"gid": "1337"},
}


@dataclass
class Asana:
    """Asana: it keeps webhooks, and checks the target of each while it is made."""

    port: int = 0
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    answers: list[tuple[int, str]] = field(default_factory=list)
    fails: int = 0
    """Registrations that fail once the handshake was answered."""

    def __call__(self, _number: int, request: Request) -> Any:
        """Answer a request."""
        path = urlsplit(request.path).path
        if path.startswith("/users/me"):
            return Answer({"data": {"gid": "12", "name": "Ada", "email": "ada@example.com"}})
        identifier = path.rpartition("/")[2]
        if request.method == "DELETE":
            return Answer({"data": {}}, 200 if self.kept.pop(identifier, None) else 404)
        if request.method == "GET":
            return Answer(
                {"data": [*self.kept.values()] if path == "/webhooks" else self.kept[identifier]}
            )
        return self._made(request.json()["data"])

    def _made(self, about: dict[str, Any]) -> Any:
        secret = hashlib.sha256(f"secret {len(self.secrets)}".encode()).hexdigest()
        self.secrets.append(secret)
        reply = Client(self.port).call(
            "POST", urlsplit(about["target"]).path, b"{}", X_Hook_Secret=secret
        )
        self.answers.append((reply.status, reply.headers.get("x-hook-secret", "")))
        if self.answers[-1] != (200, secret):
            return Answer({"errors": [{"message": "the target did not answer the handshake"}]}, 400)
        if self.fails:
            self.fails -= 1
            return Answer({"errors": [{"message": "try again"}]}, 500)
        made = {
            "gid": str(len(self.secrets)),
            "target": about["target"],
            "resource": {"gid": about["resource"]},
        }
        self.kept[made["gid"]] = made
        return Answer({"data": made}, 201)

    def tells(self, path: str, secret: str, body: bytes) -> int:
        """Send events; return the status of the answer."""
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return int(Client(self.port).call("POST", path, body, X_Hook_Signature=signature).status)


@pytest.fixture(name="asana")
def _asana(tmp_path: Any) -> Iterator[tuple[Asana, Client]]:
    with (
        plugged(shelve(tmp_path / "shelf", manifest_of("asana"))),
        standing(tmp_path, _SETTINGS) as stand,
    ):
        found = Asana(stand.port)
        with Provider(found) as provider:
            values = {"token": "token-of-ada-4711", "server": provider.url}
            made = stand.client().post(
                "/v1/connections", {"name": "ada", "type": "asana/token", "values": values}
            )
            assert (made.status, made.json["status"]) == (201, "ok"), made.body
            yield found, stand.client()


def test_the_secret_is_learnt_once(asana: tuple[Asana, Client]) -> None:
    """It is sent back and verifies events; whoever sends another one gets 401; made anew, a
    registration has another secret.
    """
    found, client = asana
    about = {
        "name": "tasks",
        "trigger": "asana/changes",
        "connection": "ada",
        "inputs": {"workspace": "1", "resource": "4711"},
    }
    assert client.post("/v1/subscriptions", about).status == 201
    until(lambda: client.get("/v1/subscriptions/tasks").json["status"] == "active")
    path = urlsplit(client.get("/v1/subscriptions/tasks").json["url"]).path
    assert found.answers == [(200, found.secrets[0])]
    body = json.dumps({"events": [_EVENT]}).encode()
    assert [found.tells(path, secret, body) for secret in (found.secrets[0], "another secret")] == [
        200,
        401,
    ]
    assert found.tells(path, found.secrets[0], b'{"events": []}') == 200
    other = Client(found.port).call("POST", path, b"{}", X_Hook_Secret="s" * 32)
    assert (other.status, "x-hook-secret" in other.headers) == (401, False)
    assert found.tells(path, "s" * 32, body) == 401
    events = [
        one for one in client.get("/v1/events?limit=200").json["items"] if one["subject"] == "tasks"
    ]
    assert [one["type"] for one in events] == ["asana.added"]
    assert not any(
        secret in json.dumps(client.get(place).json)
        for secret in found.secrets
        for place in ("/v1/events", "/v1/subscriptions/tasks")
    )
    assert client.post("/v1/subscriptions/tasks:disable").status == 200
    until(lambda: not found.kept)
    assert client.post("/v1/subscriptions/tasks:enable").status == 200
    until(lambda: client.get("/v1/subscriptions/tasks").json["status"] == "active")
    assert len(found.secrets) == 2
    assert [found.tells(path, secret, body + b" ") for secret in found.secrets] == [401, 200]


def test_a_registration_that_failed_is_made_anew(asana: tuple[Asana, Client]) -> None:
    """Its secret was learnt and is of no use: it is forgotten before the next handshake, and one
    registration is left.
    """
    found, client = asana
    found.fails = 1
    about = {
        "name": "again",
        "trigger": "asana/changes",
        "connection": "ada",
        "inputs": {"workspace": "1", "resource": "4711"},
    }
    assert client.post("/v1/subscriptions", about).status == 201
    until(lambda: client.get("/v1/subscriptions/again").json["status"] == "active")
    path = urlsplit(client.get("/v1/subscriptions/again").json["url"]).path
    assert (len(found.kept), [status for status, _ in found.answers]) == (1, [200, 200])
    body = json.dumps({"events": [_EVENT]}).encode()
    assert [found.tells(path, secret, body) for secret in found.secrets] == [401, 200]
