"""``PATCH /v1/subscriptions/{name}``: what it starts and its inputs change; its URL and its secret, which a provider has, stay."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from http_stand import Client, Stand

THEN: dict[str, Any] = {"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "one"}}


@pytest.fixture
def hook(client: Client) -> str:
    """The name of a webhook that starts a call."""
    client.post("/v1/connections?test=false", {"name": "hall", "type": "echo/token", "values": {"token": "t-4711"}})
    name = f"hook-{uuid.uuid4().hex}"
    made = client.post("/v1/subscriptions", {"name": name, "trigger": "http/webhook", "inputs": {}, "then": THEN})
    assert made.status == 201, made.body
    return name


def test_url_and_secret_stay(client: Client, hook: str) -> None:
    """What events start is replaced, then taken away; the URL is the same throughout; the audit log names the members."""
    before = client.get(f"/v1/subscriptions/{hook}").json
    other = {**THEN, "inputs": {"text": "two"}}
    changed = client.call("PATCH", f"/v1/subscriptions/{hook}", {"then": other})
    assert changed.status == 200, changed.body
    assert (changed.json["url"], changed.json["then"]) == (before["url"], other)
    assert "secret" not in changed.json
    inputs = client.call("PATCH", f"/v1/subscriptions/{hook}", {"inputs": {}, "then": None}).json
    assert (inputs["url"], "then" in inputs, inputs["inputs"]) == (before["url"], False, {})
    (latest, *_) = client.get(f"/v1/audit?event=subscription.changed&object=subscription:{hook}").json["items"]
    assert latest["details"] == {"members": ["inputs", "then"]}


def test_it_has_the_rights_of_who_changed_it(stand: Stand, client: Client, hook: str) -> None:
    """Otherwise a token could have its calls made with the rights of another."""
    other = stand.client()
    assert (
        client.get(f"/v1/subscriptions/{hook}").json["runsAs"]["token"]
        != (other.call("PATCH", f"/v1/subscriptions/{hook}", {"then": THEN}).json["runsAs"]["token"])
    )


@pytest.mark.parametrize(("body", "place"), [
    ({"every": 60}, "/every"), ({"name": "x"}, "/name"), ({"then": {"connector": "echo", "action": "nothing"}}, ""),
    ({"inputs": {"burn": 1}}, "/inputs"), ({"inputs": []}, "/inputs"),
])  # fmt: skip
def test_what_is_no_change_is_refused(client: Client, hook: str, body: dict[str, Any], place: str) -> None:
    """A webhook has no interval; a name stays; what events start is checked as in a new subscription."""
    before = client.get(f"/v1/subscriptions/{hook}").json
    refused = client.call("PATCH", f"/v1/subscriptions/{hook}", body)
    assert refused.status in (400, 404, 422)
    assert not place or place in str(refused.json) or place.strip("/") in str(refused.json)
    assert client.get(f"/v1/subscriptions/{hook}").json == before


def test_what_is_not_there_is_not_found(client: Client) -> None:
    """As everywhere."""
    assert client.call("PATCH", "/v1/subscriptions/nowhere", {"then": None}).status == 404
