"""Webhooks that connectors of the shelf register at providers: with a secret of ours, and removed with their subscription."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
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


@dataclass(frozen=True)
class Kind:
    """How a provider keeps webhooks: ``url`` and ``secret`` are members of one, ``signed`` makes the header field of a request."""

    key: str
    inputs: dict[str, str]
    url: str
    secret: str
    body: dict[str, Any]
    event: str
    signed: Callable[[str, bytes], dict[str, str]]
    asked: dict[str, Any]
    """Members that a registration has beside them."""


def _of_woocommerce(secret: str, body: bytes) -> dict[str, str]:
    return {"X_WC_Webhook_Signature": b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()}


_KINDS = [
    Kind(
        "woocommerce",
        {"topic": "order.created"},
        "delivery_url",
        "secret",
        {"id": 4711, "status": "processing"},
        "woocommerce.told",
        _of_woocommerce,
        {"topic": "order.created", "status": "active"},
    ),
    Kind(
        "gitlab",
        {"id": "acme/site"},
        "url",
        "token",
        {"object_kind": "issue"},
        "gitlab.issue",
        lambda secret, _body: {"X_Gitlab_Token": secret},
        {"push_events": True, "issues_events": True},
    ),
]


@dataclass
class Far:
    """A provider that keeps webhooks, one of somebody else among them."""

    kind: Kind
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __call__(self, _number: int, request: Request) -> Any:
        """Answer a request."""
        path = urlsplit(request.path).path
        identifier = path.rpartition("/")[2]
        if "hooks" not in path:
            return Answer({"id": 1, "username": "ada", "environment": {"site_url": "https://shop.example"}, "settings": {}})
        if request.method == "DELETE":
            return Answer({}, 200 if self.kept.pop(identifier, None) else 404)
        if request.method == "GET":
            return Answer([*self.kept.values()])
        identifier = "8" if request.method == "POST" else identifier
        self.kept[identifier] = {**self.kept.get(identifier, {}), **request.json(), "id": int(identifier)}
        return Answer({name: value for name, value in self.kept[identifier].items() if name != self.kind.secret}, 201)


@pytest.mark.parametrize("kind", _KINDS, ids=[one.key for one in _KINDS])
def test_a_webhook_registers_itself(tmp_path: Path, kind: Kind) -> None:
    """It is made with a secret that nobody enters, what the provider signs by it is an event, and it goes with its subscription."""
    foreign = {"id": 7, kind.url: "https://elsewhere.example/hook"}
    far = Far(kind, {"7": foreign})
    with plugged(shelve(tmp_path / "shelf", manifest_of(kind.key))), standing(tmp_path, _SETTINGS) as stand, Provider(far) as provider:
        client = stand.client()
        entered = next(one for one in manifest_of(kind.key)["connectionTypes"] if "authorizes" not in one)
        values = {**dict.fromkeys(entered["schema"]["required"], "key-of-the-account-4711"), "server": provider.url}
        made = client.post("/v1/connections", {"name": "far", "type": f"{kind.key}/{entered['key']}", "values": values})
        assert made.status == 201, made.body
        about = {"name": "changes", "trigger": f"{kind.key}/changes", "connection": "far", "inputs": kind.inputs}
        assert client.post("/v1/subscriptions", about).status == 201
        until(lambda: client.get("/v1/subscriptions/changes").json["status"] == "active")
        url = client.get("/v1/subscriptions/changes").json["url"]
        hook = far.kept["8"]
        assert hook[kind.url] == url
        assert kind.asked.items() <= hook.items()
        body = json.dumps(kind.body).encode()

        def told(secret: str) -> int:
            return int(Client(stand.port).call("POST", urlsplit(url).path, body, **kind.signed(secret, body)).status)

        assert [told(secret) for secret in (hook[kind.secret], "another secret")] == [200, 401]
        events = [one for one in client.get("/v1/events?limit=200").json["items"] if one["subject"] == "changes"]
        assert [one["type"] for one in events] == [kind.event]
        assert client.post("/v1/subscriptions/changes:disable").status == 200
        until(lambda: far.kept == {"7": foreign})
