"""Webhooks that connectors of the shelf register at providers: with a secret that nobody enters,
and removed with their subscription.
"""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from http_stand import Client, Stand, standing
from jackfield.connector import Hook, scheme_of
from jackfield.testing import Answer, Provider, Request
from jackfield_http.pointers import find
from jackfield_market.testing.registrations import declared_step, sent_body
from jackfield_openapi.shelf.services import read_shelf
from jackfield_service.shell.process.settings import ServerSettings
from plugboard import plugged
from shelved import SHELF, manifest_of, put, shelve
from waiting import until

Json = dict[str, Any]

_SETTINGS = ServerSettings(port=0, guesses=0.0, stop_within=5.0, public_url="https://hooks.example")
_TRIGGERS = [
    (service.key, name)
    for service in read_shelf(SHELF)
    for name, about in service.about.get("triggers", {}).items()
    if "register" in about["http"] and "secret" not in about["http"].get("challenge", {})
]
_FOREIGN = "https://elsewhere.example/hook"


def _secret(scheme: str) -> str:
    text = "made-by-the-provider-4711"
    return f"whsec_{b64encode(text.encode()).decode()}" if scheme == "svix" else text


@dataclass
class Far:
    """A provider that keeps webhooks, one of somebody else among them; ``about`` is how the
    connector registers.
    """

    about: Mapping[str, Any]
    secret: str
    is_mute: bool = False
    """True if it does not say what it has made."""
    kept: dict[str, Json] = field(default_factory=dict)
    sent: Json = field(default_factory=dict)
    """The request for a new one."""

    def __post_init__(self) -> None:
        """Keep the webhook of somebody else."""
        self.kept["7"] = self._named({}, "7")
        put(self.kept["7"], self.about["list"]["url"], _FOREIGN)

    def __call__(self, _number: int, request: Request) -> Any:
        """Answer a request."""
        step = declared_step(self.about, request)
        if step is None:
            return Answer(
                {"data": {"viewer": _account(), "shop": _account()}}
                if "graphql" in request.path
                else _account()
            )
        name, identifier = step[0], unquote(step[1])
        if name == "list":
            return Answer(self._listed())
        if name in ("create", "update"):
            answer = self._kept(identifier, sent_body(request))
            return Answer({} if self.is_mute else answer, 201)
        if identifier not in self.kept:
            return Answer(
                {"errors": [{"message": "gone"}]} if "graphql" in request.path else {},
                200 if "graphql" in request.path else 404,
            )
        if name == "tell":
            told: Json = {}
            put(told, self.about["secret"], self.secret)
            return Answer(told)
        del self.kept[identifier]
        return Answer({"data": {}})

    def _kept(self, identifier: str, body: Json) -> Json:
        """Keep what a request asks for; return its answer, in which a new one has its ID and its
        secret.
        """
        self.sent = self.sent if identifier in self.kept else body
        name = identifier if identifier in self.kept else "8"
        inner = (
            next(iter(body.values()))
            if len(body) == 1 and isinstance(next(iter(body.values())), dict)
            else body
        )
        self.kept[name] = self._named({**self.kept.get(name, {}), **inner}, name)
        if isinstance(url := find(body, self._places["hookUrl"]), str):
            put(self.kept[name], self.about["list"]["url"], url)
        answer: Json = {**body}
        put(
            answer,
            self.about.get("id", self.about["list"]["id"]),
            f"https://api.example/{name}" if self._is_address else name,
        )
        if "secret" in self.about and "tell" not in self.about:
            put(answer, self.about["secret"], self.secret)
        return answer

    @property
    def _places(self) -> Json:
        """Places of the values in the request for a new one."""
        members = self.about["create"]["body"]["members"]
        return {
            one: place if place.startswith("/") else f"/{place}" for one, place in members.items()
        }

    def _listed(self) -> Any:
        found: Any = [*self.kept.values()]
        for name in reversed(self.about["list"].get("items", "").split("/")[1:]):
            found = {name: found}
        return found

    def _named(self, item: Json, name: str) -> Json:
        put(
            item,
            self.about["list"]["id"],
            f"https://api.example/{name}" if self._is_address else name,
        )
        return item

    @property
    def _is_address(self) -> bool:
        return bool(self.about["list"]["id"] == "/uri")

    def urls(self) -> Iterator[Any]:
        """Yield the URLs of the webhooks."""
        for one in self.kept.values():
            yield find(one, self.about["list"]["url"])


def _account() -> Json:
    """Return an account that names itself wherever a connection test may look."""
    names = dict.fromkeys(
        (
            "id",
            "uri",
            "email",
            "ID",
            "Name",
            "uuid",
            "name",
            "username",
            "user_id",
            "display_name",
            "companyName",
        ),
        "4711",
    )
    one = {
        **names,
        "sys": {"id": "4711"},
        "workspace_id": "4711",
        "settings": {},
        "environment": {"site_url": "https://shop.example"},
    }
    return {
        **one,
        "resource": one,
        "user": one,
        "data": [one],
        "meta": {"pagination": {"has_more": False}},
    }


def _asked(
    about: Mapping[str, Any], create: Mapping[str, Any], inputs: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Yield the places of the request for a new webhook, and what they must have: inputs, and what
    is fixed.
    """
    given = {**about.get("fixed", {}), **inputs}
    for name, place in create["body"]["members"].items():
        if name in given:
            yield place if place.startswith("/") else f"/{place}", given[name]


@contextmanager
def _subscribed(folder: Path, key: str, row: Json, far: Far) -> Iterator[Stand]:
    """Run a server with a connection to ``far``, and the subscription ``it`` to a trigger over
    it.
    """
    manifest = json.loads(json.dumps(manifest_of(key)))
    with Provider(far) as provider:
        for server in manifest["servers"]:
            server.pop("variables", None)
            server["url"] = provider.url
        with plugged(shelve(folder / "shelf", manifest)), standing(folder, _SETTINGS) as stand:
            client = stand.client()
            entered = next(one for one in manifest["connectionTypes"] if "authorizes" not in one)
            values = dict.fromkeys(entered["schema"].get("required", ()), "key-of-the-account-4711")
            values |= (
                {"server": provider.url} if "server" in entered["schema"]["properties"] else {}
            )
            made = client.post(
                "/v1/connections",
                {"name": "far", "type": f"{key}/{entered['key']}", "values": values},
            )
            assert made.status == 201, made.body
            about = {
                "name": "it",
                "trigger": f"{key}/{row['key']}",
                "connection": "far",
                "inputs": row["examples"][0].get("inputs", {}),
            }
            made = client.post("/v1/subscriptions", about)
            assert made.status == 201, made.body
            yield stand


def _trigger(key: str, name: str) -> tuple[Json, Far]:
    """Return a trigger of the shelf, and its provider."""
    row = deepcopy(next(one for one in manifest_of(key)["triggers"] if one["key"] == name))
    return row, Far(row["http"]["register"], _secret(row["webhook"]["signature"]["scheme"]))


@pytest.mark.parametrize(("key", "name"), _TRIGGERS, ids=[key for key, _ in _TRIGGERS])
def test_a_webhook_registers_itself(tmp_path: Path, key: str, name: str) -> None:
    """It is made with a secret that nobody enters, what the provider signs by it is an event, and
    it goes with its subscription.
    """
    row, far = _trigger(key, name)
    example, signature, create = (
        row["examples"][0],
        row["webhook"]["signature"],
        far.about["create"],
    )
    if signature.get("time", "").startswith("/"):  # a signed time must be of now
        for one in (example["request"]["body"], *example["events"]):
            one[signature["time"][1:]] = int(time.time() * 1000)
    with _subscribed(tmp_path, key, row, far) as stand:
        client = stand.client()
        until(lambda: client.get("/v1/subscriptions/it").json["status"] == "active")
        url = client.get("/v1/subscriptions/it").json["url"]
        assert [*far.urls()] == [_FOREIGN, url]
        place = create["body"]["members"].get("hookSecret", "")
        asked = dict(_asked(far.about, create, example.get("inputs", {})))
        assert {place: find(far.sent, place) for place in asked} == asked
        entered = example.get("inputs", {}).get("signingSecret")
        secret = (
            far.secret
            if "secret" in far.about
            else entered or find(far.sent, place if place.startswith("/") else f"/{place}")
        )
        body = json.dumps(example["request"]["body"]).encode()

        def told(text: str) -> int:
            headers = scheme_of(signature).sign(
                body, Hook(url, text, None, {"secret": text}), time.time()
            )
            given = {
                one.replace("-", "_"): value
                for one, value in {**example["request"].get("headers", {}), **headers}.items()
            }
            return int(Client(stand.port).call("POST", urlsplit(url).path, body, **given).status)

        assert [told(secret), told(_secret(signature["scheme"]).replace("m", "n"))] == [200, 401]
        events = [
            one
            for one in client.get("/v1/events?limit=200").json["items"]
            if one["subject"] == "it"
        ]
        assert [one["data"]["payload"] for one in events] == example["events"]
        assert client.post("/v1/subscriptions/it:disable").status == 200
        until(lambda: [*far.urls()] == [_FOREIGN])


@pytest.mark.parametrize(("key", "name"), [("attio", "changes"), ("clickup", "changes")])
def test_an_answer_that_names_no_webhook_is_no_registration(
    tmp_path: Path, key: str, name: str
) -> None:
    """Without its ID, or the secret that it was to tell, nothing could be verified or removed: the
    subscription says so.
    """
    row, far = _trigger(key, name)
    far.is_mute = True
    with _subscribed(tmp_path, key, row, far) as stand:
        client = stand.client()
        until(
            lambda: (
                "names no registration"
                in (client.get("/v1/subscriptions/it").json.get("reason") or "")
            )
        )
