"""``PATCH /v1/subscriptions/{name}``: what it starts and its inputs change; its URL and its secret,
which a provider has, stay.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from http_stand import Client, Stand
from shell import Shell

pytest_plugins = ["shell_fixture", "postgres", "operating"]

THEN: dict[str, Any] = {
    "connector": "echo",
    "action": "say",
    "connection": "hall",
    "inputs": {"text": "one"},
}


@pytest.fixture
def hook(client: Client) -> str:
    """The name of a webhook that starts a call."""
    client.post(
        "/v1/connections?test=false",
        {"name": "hall", "type": "echo/token", "values": {"token": "t-4711"}},
    )
    name = f"hook-{uuid.uuid4().hex}"
    made = client.post(
        "/v1/subscriptions", {"name": name, "trigger": "http/webhook", "inputs": {}, "then": THEN}
    )
    assert made.status == 201, made.body
    return name


def test_url_and_secret_stay(client: Client, hook: str) -> None:
    """What events start is replaced, then taken away; the URL is the same throughout; the audit log
    names the members, with their values before and after, but inputs by name only.
    """
    before = client.get(f"/v1/subscriptions/{hook}").json
    other = {**THEN, "inputs": {"text": "two"}}
    changed = client.call("PATCH", f"/v1/subscriptions/{hook}", {"then": other})
    assert changed.status == 200, changed.body
    assert (changed.json["url"], changed.json["then"]) == (before["url"], other)
    assert "secret" not in changed.json
    inputs = client.call("PATCH", f"/v1/subscriptions/{hook}", {"inputs": {}, "then": None}).json
    assert (inputs["url"], "then" in inputs, inputs["inputs"]) == (before["url"], False, {})
    (latest, *_) = client.get(
        f"/v1/audit?event=subscription.changed&object=subscription:{hook}"
    ).json["items"]
    told = {
        "then/action": "say",
        "then/connection": "hall",
        "then/connector": "echo",
        "then/inputs/text": "***",
    }
    assert latest["details"] == {
        "members": ["inputs", "then"],
        "before": told,
        "after": dict.fromkeys(told),
    }


def test_a_name_is_free_once_it_is_removed(client: Client, hook: str) -> None:
    """Another subscription takes the name at once, while a process still removes the first one at
    its provider.
    """
    body = {"name": hook, "trigger": "http/webhook", "inputs": {}, "then": THEN}
    first = client.get(f"/v1/subscriptions/{hook}").json
    for _ in range(3):
        assert client.call("DELETE", f"/v1/subscriptions/{hook}").status == 204
        made = client.post("/v1/subscriptions", body)
        assert (made.status, made.json["name"]) == (201, hook), made.body
    assert made.json["url"] != first["url"]
    assert [one["name"] for one in client.get("/v1/subscriptions?limit=200").json["items"]].count(
        hook
    ) == 1
    assert client.post("/v1/subscriptions", body).status == 409


@pytest.mark.parametrize(
    "path", ["/v1/schedules", "/v1/subscriptions", "/v1/callbacks", "/v1/connections"]
)
def test_a_body_that_is_not_json_is_called_a_body(client: Client, path: str) -> None:
    """Only bodies that are invocations are called so."""
    for sent, said in (
        (b'{"name": ', "the body is not JSON: "),
        (b"", "the body is not JSON: it is empty"),
    ):
        answer = client.post(path, sent, Content_Type="application/json")
        assert (
            answer.status,
            answer.json["detail"].startswith(said),
            "invocation" in answer.json.get("hint", ""),
        ) == (400, True, False), answer.body


def test_it_has_the_rights_of_who_changed_it(stand: Stand, client: Client, hook: str) -> None:
    """Otherwise a token could have its calls made with the rights of another."""
    other = stand.client()
    assert (
        client.get(f"/v1/subscriptions/{hook}").json["runsAs"]["token"]
        != (
            other.call("PATCH", f"/v1/subscriptions/{hook}", {"then": THEN}).json["runsAs"]["token"]
        )
    )


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"every": 60}, "/every"),
        ({"name": "x"}, "/name"),
        ({"then": {"connector": "echo", "action": "nothing"}}, ""),
        ({"inputs": {"burn": 1}}, "/inputs"),
        ({"inputs": []}, "/inputs"),
    ],
)
def test_what_is_no_change_is_refused(
    client: Client, hook: str, body: dict[str, Any], place: str
) -> None:
    """A webhook has no interval; a name stays; what events start is checked as in a new
    subscription.
    """
    before = given(client, hook)
    refused = client.call("PATCH", f"/v1/subscriptions/{hook}", body)
    assert refused.status in (400, 404, 422)
    assert not place or place in str(refused.json) or place.strip("/") in str(refused.json)
    assert given(client, hook) == before


def given(client: Client, hook: str) -> dict[str, Any]:
    """Return a subscription without what the server's loop finds out about it meanwhile."""
    shown: dict[str, Any] = client.get(f"/v1/subscriptions/{hook}").json
    return {
        name: value for name, value in shown.items() if name not in ("status", "reason", "hint")
    }


def test_what_is_not_there_is_not_found(client: Client) -> None:
    """As everywhere."""
    assert client.call("PATCH", "/v1/subscriptions/nowhere", {"then": None}).status == 404


def test_the_command_line_changes_the_same(
    operator: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``subscriptions update``: what events start, and the interval; inputs that a provider has
    registered stay.
    """
    monkeypatch.setenv("JACKFIELD_PUBLIC_URL", "https://hooks.example")
    values = json.dumps({"token": "s3cret"})
    assert (
        operator.run(
            "connections",
            "add",
            "room",
            "--type",
            "echo/token",
            "--values",
            "-",
            "--no-test",
            stdin=values,
        ).code
        == 0
    )
    made = operator.run(
        "subscriptions", "add", "one", "--trigger", "echo/posted", "--connection", "room"
    ).json
    assert (
        operator.run(
            "subscriptions",
            "add",
            "two",
            "--trigger",
            "echo/notes",
            "--connection",
            "room",
            "--every",
            "2m",
        ).code
        == 0
    )
    assert operator.run("subscriptions", "update", "two", "--every", "5m").json["every"] == 300
    start = {"connector": "echo", "action": "say", "connection": "room", "inputs": {"text": "x"}}
    changed = operator.run(
        "subscriptions", "update", "one", "--then", "-", stdin=json.dumps(start)
    ).json
    assert (changed["then"], changed["url"]) == (start, made["url"])
    assert (
        "then"
        not in operator.run("subscriptions", "update", "one", "--then", "-", stdin="null").json
    )
    assert (
        operator.run("subscriptions", "update", "one", "word=lunch").json["error"]["details"][0][
            "path"
        ]
        == "/inputs"
    )
