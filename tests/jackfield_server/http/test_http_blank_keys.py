"""Blanks are no idempotency key, and a time outside of the years 1 to 9999 is none, whichever way a call comes in: nothing is stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from http_stand import Stand, say, standing
from jackfield.kernel.errors import InvalidInvocation
from mcp_talk import call_of

BAD: dict[str, tuple[str, str]] = {
    "a blank": ("idempotencyKey", " "), "blanks": ("idempotencyKey", "   "), "a tab": ("idempotencyKey", "\t"),
    "nothing": ("idempotencyKey", ""), "no-break space": ("idempotencyKey", "\u00a0"), "zero-width space": ("idempotencyKey", "\u200b"),
    "BOM": ("idempotencyKey", "\ufeff"),
    "year 0": ("notBefore", "0000-01-01T00:00:00Z"), "before year 1": ("notBefore", "0001-01-01T00:00:00+01:00"),
    "after year 9999": ("notAfter", "9999-12-31T23:59:59-01:00"), "year 10000": ("notAfter", "10000-01-01T00:00:00Z"),
}  # fmt: skip
Call = dict[str, Any]


@pytest.fixture(name="stand", scope="module")
def _stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with standing(tmp_path_factory.mktemp("blank")) as found:
        yield found


def paths(body: Any) -> set[str]:
    """The places of the faults of an answer: a problem, or a Result."""
    return {item["path"] for item in body.get("error", body)["details"]}


def queued(stand: Stand, call: Call) -> set[str]:
    """In Python, into the queue."""
    with pytest.raises(InvalidInvocation) as found:
        stand.host.runtime("default").enqueue(call)
    return {item.path for item in found.value.details}


def called(stand: Stand, call: Call) -> set[str]:
    """In Python, at once."""
    error = stand.host.runtime("default").invoke(call).error
    return set() if error is None else {item.path for item in error.details}


def over_mcp(stand: Stand, call: Call) -> set[str]:
    """By a tool over MCP."""
    found = stand.client().post("/mcp", call_of("execute_action", **call)).json
    return paths(json.loads(found["result"]["content"][-1]["text"]))


def in_batch(stand: Stand, call: Call) -> set[str]:
    """As a line of a batch."""
    found = stand.client().post("/v1/invocations:batch", json.dumps(call).encode(), Content_Type="application/x-ndjson")
    return paths(json.loads(found.body.splitlines()[0]))


WAYS: dict[str, Callable[[Stand, Call], set[str]]] = {
    "library": called,
    "queue": queued,
    "HTTP": lambda stand, call: paths(stand.client().post("/v1/invocations", call).json),
    "HTTP, queued": lambda stand, call: paths(stand.client().post("/v1/invocations", call, Prefer="respond-async").json),
    "batch": in_batch,
    "MCP": over_mcp,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("bad", BAD)
def test_it_is_refused_and_not_stored(stand: Stand, way: str, bad: str) -> None:
    """The fault is at the member, and no call with it is in the journal."""
    name, value = BAD[bad]
    assert f"/{name}" in WAYS[way](stand, {**say("post", text="x"), name: value})
    rows = stand.client().get("/v1/invocations").json["items"]
    assert not [row for row in rows if row.get(name)]


@pytest.mark.parametrize("seconds", [3_153_600_001, 10**12, 10**18, 10**400])
def test_a_token_that_outlives_the_year_9999_is_not_made(stand: Stand, seconds: int) -> None:
    """Its life in seconds is bounded as every span is."""
    answer = stand.client().post("/v1/tokens", {"name": "eternal", "scope": "read", "expiresIn": seconds})
    assert (answer.status, "'expiresIn'" in answer.json["detail"]) == (400, True)
    assert "eternal" not in [row["name"] for row in stand.client().get("/v1/tokens").json["items"]]


TIMES = ["0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "10000-01-01T00:00:00Z"]
STORED: dict[str, tuple[str, Call]] = {
    "/at": ("/v1/schedules", {"name": "s", "invocation": {"connector": "echo", "action": "say", "inputs": {"text": "x"}}}),
    "/expiresAt": ("/v1/tokens", {"name": "t", "scope": "read"}),
}


@pytest.mark.parametrize("at", TIMES)
@pytest.mark.parametrize("member", STORED)
def test_a_time_that_nobody_could_show_is_not_stored(stand: Stand, member: str, at: str) -> None:
    """Of a schedule and of a token: refused at the member, and the list has none of it."""
    path, body = STORED[member]
    answer = stand.client().post(path, {**body, member[1:]: at})
    assert (answer.status in (400, 422), paths(answer.json)) == (True, {member}), answer.json
    assert body["name"] not in [row["name"] for row in stand.client().get(path).json["items"]]
