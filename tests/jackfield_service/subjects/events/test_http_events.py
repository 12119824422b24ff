"""``/v1/events``: what happened, by cursor, and requests that wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest

from http_stand import Client, Stand
from jackfield.callers import Rules

SAY = {"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "hello"}}


@pytest.fixture(scope="module")
def client(stand: Stand) -> Client:
    """May do everything, and has a connection ``hall``."""
    found = stand.client()
    assert (
        found.post(
            "/v1/connections", {"name": "hall", "type": "echo/token", "values": {"token": "t-4711"}}
        ).status
        == 201
    )
    return found


def queued(client: Client, **more: Any) -> str:
    """Queue an invocation; its id."""
    answer = client.post("/v1/invocations", {**SAY, **more}, Prefer="respond-async")
    assert answer.status == 202
    found: str = answer.json["invocationId"]
    return found


def finished(client: Client, identifier: str, after: str | None = None) -> Mapping[str, Any]:
    """The event of an invocation's end, waited for."""
    cursor = "" if after is None else f"&after={after}"
    while True:
        page = client.get(f"/v1/events?types=invocation.finished&wait=30{cursor}").json
        for item in page["items"]:
            if item["subject"] == identifier:
                found: Mapping[str, Any] = item
                return found
        assert page["items"]
        cursor = f"&after={page['nextCursor']}"


def test_a_platform_hears_of_the_end(client: Client) -> None:
    """It queues a call, waits once, and has the outcome with its own labels; the event can be
    looked up by its id.
    """
    cursor = client.get("/v1/events?limit=200").json["nextCursor"]
    identifier = queued(client, context={"correlationId": "order-1", "labels": {"team": "crm"}})
    event = finished(client, identifier, cursor)
    assert sorted(event) == ["cursor", "data", "id", "sequence", "subject", "timestamp", "type"]
    assert (event["data"]["status"], event["data"]["correlationId"], event["data"]["labels"]) == (
        "succeeded",
        "order-1",
        {"team": "crm"},
    )
    assert client.get(f"/v1/events/{event['id']}").json == event
    assert client.get(f"/v1/events?after={event['sequence'] - 1}&limit=1").json["items"] == [event]
    assert client.get(f"/v1/events?after={event['cursor']}").json["items"] == []


def test_a_request_waits_no_longer_than_asked(client: Client) -> None:
    """Nothing happens: the answer is empty, with a cursor to go on from; an event that comes
    meanwhile ends the wait.
    """
    cursor = client.get("/v1/events?limit=200").json["nextCursor"]
    assert client.get(f"/v1/events?after={cursor}&types=invocation.*&wait=1").json == {
        "items": [],
        "nextCursor": cursor,
    }
    later = threading.Timer(0.5, lambda: queued(client))
    later.start()
    begun = time.monotonic()
    assert (
        len(client.get(f"/v1/events?after={cursor}&types=invocation.*&wait=60").json["items"]) == 1
    )
    assert time.monotonic() - begun < 50
    later.join()


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("after=x", 400, "cursor"),
        ("after=999999", 410, "not of this database"),
        ("types=quota.hgh", 400, "no event"),
        ("wait=61", 400, "number from 0 to 60"),
        ("limit=0", 400, "number"),
        ("until=1", 400, "unknown parameter"),
    ],
)
def test_questions_that_cannot_be_answered(
    query: str, status: int, says: str, client: Client
) -> None:
    """They are refused at once, with the parameter at fault."""
    answer = client.get(f"/v1/events?{query}")
    assert (answer.status, answer.json["status"]) == (status, status)
    assert says in answer.json["detail"]


def test_a_cursor_that_is_too_old_is_gone(stand: Stand, client: Client) -> None:
    """410 names the oldest cursor; without a cursor the list begins there."""
    identifiers = [queued(client) for _ in range(2)]
    for identifier in identifiers:
        finished(client, identifier)
    database = stand.host.storage.database
    database.record(lambda transaction: transaction.change("DELETE FROM events WHERE sequence = 1"))
    database.record(lambda transaction: transaction.change("UPDATE event_heads SET purged = 1"))
    answer = client.get("/v1/events?after=0")
    assert (answer.status, answer.json["hint"]) == (
        410,
        "Go on after '1', or without a cursor: that is the oldest event kept.",
    )
    assert client.get("/v1/events").json["items"][0]["sequence"] == 2


def test_who_sees_what(stand: Stand, client: Client) -> None:
    """``read`` is enough; the audit log needs ``manage``; rules hide what they forbid; another
    workspace has nothing of it.
    """
    event = finished(client, queued(client))
    reader, bound = stand.client("read"), stand.client("manage", rules=Rules((), ("effect:read",)))
    kinds = {
        item["type"].partition(".")[0] for item in reader.get("/v1/events?limit=200").json["items"]
    }
    assert kinds == {"invocation"}
    assert "audit" in {
        item["type"].partition(".")[0] for item in client.get("/v1/events?limit=200").json["items"]
    }
    assert bound.get("/v1/events?limit=200").json["items"] == []
    assert bound.get(f"/v1/events/{event['id']}").status == 404
    assert Client(client.port).get("/v1/events").status == 401
