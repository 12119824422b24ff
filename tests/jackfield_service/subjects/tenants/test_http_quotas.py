"""Quotas on effects over HTTP: set by a platform and with a token, met by each way in, with the
time of the next span.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from http_stand import Client, Stand, say
from jackfield.callers.actor import Actor
from jackfield_store.access.platform_tokens import PlatformTokens
from mcp_talk import call_of
from replies import Reply
from waiting import until

_NUMBERS = count()
ONE: dict[str, Any] = {"count": 1, "per": "month", "of": {"effect": "write", "action": "echo/*"}}


@pytest.fixture
def workspace(stand: Stand) -> tuple[Client, Client]:
    """A platform's client, which allows one write, and one of its new workspace, whose connection
    is ``hall``.
    """
    return made(stand, ONE)


def made(stand: Stand, *quotas: dict[str, Any]) -> tuple[Client, Client]:
    """Make a workspace with these quotas."""
    storage, name = stand.host.storage, f"quo-{next(_NUMBERS)}"
    token = PlatformTokens(
        storage.database, storage.vault, stand.host.clock, Actor("cli", "ada")
    ).create("quo-*", "The Shop")
    platform = Client(stand.port, token.text)
    assert platform.call("PUT", f"/v1/workspaces/{name}", {}).status == 201
    changed = platform.call("PATCH", f"/v1/workspaces/{name}", {"quotas": [*quotas]})
    assert (changed.status, changed.json["quotas"]) == (200, [*quotas])
    client = stand.client(workspace=name)
    values = {"name": "hall", "type": "echo/token", "values": {"token": "secret-4711"}}
    assert client.post("/v1/connections?test=false", values).status == 201
    return platform, client


def refused(reply: Reply) -> bool:
    """Whether a request was refused by name, until a time."""
    body = reply.body.decode()
    return (
        "quota_exceeded" in body
        and "the quota of 1 of effect:write & echo/* per month is used up until" in body
    )


WAYS: dict[str, Callable[[Client], Reply]] = {
    "plain": lambda client: client.post("/v1/invocations", say("post", "hall", text="x")),
    "with a key": lambda client: client.post(
        "/v1/invocations", say("post", "hall", text="x"), Idempotency_Key=f"k-{next(_NUMBERS)}"
    ),
    "MCP": lambda client: client.post(
        "/mcp",
        call_of(
            "execute_action",
            connector="echo",
            action="post",
            connection="hall",
            inputs={"text": "x"},
        ),
    ),
}


@pytest.mark.parametrize("entry", WAYS)
def test_each_way_meets_the_quota(workspace: tuple[Client, Client], entry: str) -> None:
    """The second write is refused, and recorded as such; reads go on."""
    _, client = workspace
    assert not refused(WAYS[entry](client))
    second = WAYS[entry](client)
    assert refused(second)
    if entry != "MCP":
        assert second.status == 503
        assert 0 < int(second.headers["retry-after"]) <= 31 * 86_400
    assert client.post("/v1/invocations", say("say", "hall", text="x")).status == 200
    items = client.get("/v1/invocations?errorCode=quota_exceeded").json["items"]
    assert len(items) == 1


def test_a_queued_call_waits_for_the_next_span(workspace: tuple[Client, Client]) -> None:
    """A worker runs the first one and puts the second off, which neither fails nor is lost."""
    _, client = workspace
    paths = [
        client.post(
            "/v1/invocations", say("post", "hall", text="x"), Prefer="respond-async"
        ).headers["location"]
        for _ in range(2)
    ]
    until(lambda: any(client.get(path).json["status"] == "succeeded" for path in paths))
    assert sorted(client.get(path).json["status"] for path in paths) == ["queued", "succeeded"]
    assert refused(WAYS["plain"](client))


def test_a_token_has_quotas_of_its_own(stand: Stand, workspace: tuple[Client, Client]) -> None:
    """They count its calls alone, are shown, and keep it from making another token."""
    _, client = workspace
    token = client.post(
        "/v1/tokens",
        {"scope": "manage", "quotas": [{"count": 1, "per": "month", "of": {"effect": "read"}}]},
    )
    assert (token.status, token.json["quotas"], token.json["rules"]) == (
        201,
        [{"count": 1, "per": "month", "of": {"effect": "read"}}],
        {"allow": [], "block": []},
    )
    bound = Client(stand.port, token.json["token"])
    assert [
        bound.post("/v1/invocations", say("say", "hall", text="x")).status for _ in range(2)
    ] == [200, 503]
    assert client.post("/v1/invocations", say("say", "hall", text="x")).status == 200
    assert bound.post("/v1/tokens", {"scope": "read"}).status == 403
    wrong = client.post("/v1/tokens", {"scope": "read", "quotas": [{"count": 1, "per": "aeon"}]})
    assert (wrong.status, [fault["path"] for fault in wrong.json["details"]]) == (
        400,
        ["/quotas/0/per"],
    )


def test_what_a_token_queues_counts_for_the_token(stand: Stand) -> None:
    """Whichever process runs it: a batch, too, of which the others wait."""
    _, client = made(stand)
    bound = Client(
        stand.port, client.post("/v1/tokens", {"scope": "invoke", "quotas": [ONE]}).json["token"]
    )
    rows = bound.post(
        "/v1/invocations:batch", [say("post", "hall", text=str(number)) for number in range(3)]
    ).json
    paths = [f"/v1/invocations/{row['invocationId']}" for row in rows]
    until(lambda: any(client.get(path).json["status"] == "succeeded" for path in paths))
    assert sorted(client.get(path).json["status"] for path in paths) == [
        "queued",
        "queued",
        "succeeded",
    ]
    reply = bound.post("/v1/invocations", say("post", "hall", text="x"))
    assert (reply.status, "per month of this token is used up until" in reply.body.decode()) == (
        503,
        True,
    )
    assert client.post("/v1/invocations", say("post", "hall", text="x")).status == 200


def test_a_connection_has_quotas(workspace: tuple[Client, Client]) -> None:
    """They are made with it, shown, kept when values are replaced, and replaced themselves; what is
    no quota is refused at its place.
    """
    _, client = workspace
    new = {
        "name": "attic",
        "type": "echo/token",
        "values": {"token": "secret-4711"},
        "quotas": [{"count": 1, "per": "month"}],
    }
    added = client.post("/v1/connections?test=false", new)
    assert (added.status, added.json["quotas"]) == (201, new["quotas"])
    assert [
        client.post("/v1/invocations", say("say", "attic", text="x")).status for _ in range(2)
    ] == [200, 503]
    path, values = "/v1/connections/attic", client.get("/v1/connections/attic").json["values"]
    for body, expected in (
        ({"values": values}, new["quotas"]),
        (
            {"values": values, "quotas": [{"count": 3, "per": "month"}]},
            [{"count": 3, "per": "month"}],
        ),
        ({"values": values, "quotas": []}, None),
    ):
        changed = client.call("PUT", f"{path}?test=false", body)
        assert (changed.status, changed.json.get("quotas")) == (200, expected)
    wrong = client.call(
        "PUT", f"{path}?test=false", {"values": values, "quotas": [{"count": 1, "per": "aeon"}]}
    )
    assert (wrong.status, [fault["path"] for fault in wrong.json["details"]]) == (
        400,
        ["/quotas/0/per"],
    )
    assert (
        client.post("/v1/connections?test=false", {**new, "name": "barn", "quotas": 5}).status
        == 400
    )
    assert client.get("/v1/connections/barn").status == 404
