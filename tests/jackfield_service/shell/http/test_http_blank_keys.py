"""Blanks are no idempotency key, and a time outside of the years 1 to 9999 is none, whichever way a
call comes in: nothing is stored.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from http_stand import SETTINGS, Stand, say, standing
from jackfield.callers import LIBRARY, Caller
from jackfield.callers.actor import Actor
from jackfield.invocation import request
from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.subjects.mcp.tool_names import tool_name
from jackfield_store.recording.decisions import ApprovalSpoiled
from mcp_talk import call_of

AIRFLOW = Path(__file__).parents[4] / "hosts/airflow"
BAD: dict[str, tuple[str, str]] = {
    "a blank": ("idempotencyKey", " "),
    "blanks": ("idempotencyKey", "   "),
    "a tab": ("idempotencyKey", "\t"),
    "nothing": ("idempotencyKey", ""),
    "no-break space": ("idempotencyKey", "\u00a0"),
    "zero-width space": ("idempotencyKey", "\u200b"),
    "BOM": ("idempotencyKey", "\ufeff"),
    "year 0": ("notBefore", "0000-01-01T00:00:00Z"),
    "before year 1": ("notBefore", "0001-01-01T00:00:00+01:00"),
    "after year 9999": ("notAfter", "9999-12-31T23:59:59-01:00"),
    "year 10000": ("notAfter", "10000-01-01T00:00:00Z"),
}
Call = dict[str, Any]
AGENT = Caller("agent", "invoke", remote=True)


@pytest.fixture(name="stand", scope="module")
def _stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with standing(tmp_path_factory.mktemp("blank"), replace(SETTINGS, mcp_tools="all")) as found:
        found.host.runtime("default").connections.add(
            "hall", "echo/token", {"token": "sesame-0815"}
        )
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
    found = stand.client().post(
        "/v1/invocations:batch", json.dumps(call).encode(), Content_Type="application/x-ndjson"
    )
    return paths(json.loads(found.body.splitlines()[0]))


def by_own_tool(stand: Stand, call: Call) -> set[str]:
    """By the action's own tool over MCP."""
    given = {
        name: value
        for name, value in call.items()
        if name not in ("connector", "action", "inputs", "connection")
    }
    found = (
        stand.client()
        .post(
            "/mcp", call_of(tool_name(call["connector"], call["action"]), **call["inputs"], **given)
        )
        .json
    )
    return {
        "/" + place.rpartition("/")[2]
        for place in paths(json.loads(found["result"]["content"][-1]["text"]))
    }


def by_airflow(stand: Stand, call: Call) -> set[str]:
    """By the client of Airflow's provider, as its hook and its operator send a call."""
    sys.path.insert(0, str(AIRFLOW))
    try:
        from airflow_provider_jackfield.client import Server
    finally:
        sys.path.remove(str(AIRFLOW))
    body = {name: value for name, value in call.items() if name != "idempotencyKey"}
    given = Server(f"http://127.0.0.1:{stand.port}", stand.client().token or "").submitting(
        body, call.get("idempotencyKey")
    )
    with httpx.Client() as client:
        return paths(client.send(given).json())


def stored(stand: Stand, path: str, body: Call) -> set[str]:
    """As what a schedule or a subscription starts: each of these calls has a key and a time of its
    own.
    """
    return {"/" + place.rpartition("/")[2] for place in paths(stand.client().post(path, body).json)}


WAYS: dict[str, Callable[[Stand, Call], set[str]]] = {
    "library": called,
    "queue": queued,
    "HTTP": lambda stand, call: paths(stand.client().post("/v1/invocations", call).json),
    "HTTP, queued": lambda stand, call: paths(
        stand.client().post("/v1/invocations", call, Prefer="respond-async").json
    ),
    "batch": in_batch,
    "MCP": over_mcp,
    "its own tool over MCP": by_own_tool,
    "Airflow": by_airflow,
    "schedule": lambda stand, call: stored(
        stand, "/v1/schedules", {"name": "s", "every": "1h", "invocation": call}
    ),
    "subscription": lambda stand, call: stored(
        stand,
        "/v1/subscriptions",
        {"name": "s", "trigger": "echo/notes", "connection": "hall", "then": call},
    ),
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
    answer = stand.client().post(
        "/v1/tokens", {"name": "eternal", "scope": "read", "expiresIn": seconds}
    )
    assert (answer.status, answer.json["details"][0]["path"]) == (400, "/expiresIn")
    assert "eternal" not in [row["name"] for row in stand.client().get("/v1/tokens").json["items"]]


TIMES = [
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-01:00",
    "10000-01-01T00:00:00Z",
]
STORED: dict[str, tuple[str, Call]] = {
    "/at": (
        "/v1/schedules",
        {
            "name": "s",
            "invocation": {"connector": "echo", "action": "say", "inputs": {"text": "x"}},
        },
    ),
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


@pytest.mark.parametrize("key", ["", " ", "\t"])
def test_a_blank_header_is_no_key(stand: Stand, key: str) -> None:
    """The header is there, so a key was meant: the call is refused, at once and queued."""
    for more in ({}, {"Prefer": "respond-async"}):
        answer = stand.client().post(
            "/v1/invocations", say("post", "hall", text="x"), Idempotency_Key=key, **more
        )
        assert (answer.status, paths(answer.json)) == (400, {"/idempotencyKey"}), answer.json


def test_an_old_call_under_a_blank_key_is_listed_with_its_problem(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older version has taken it: its entry and the list say so, others are as they were, and
    nothing replays it.
    """
    client, call = stand.client(), {**say("say", "hall", text="old"), "idempotencyKey": "   "}
    with monkeypatch.context() as older:
        older.setattr(request, "_option_faults", lambda _given: iter(()))
        old = client.post("/v1/invocations", call).json["meta"]["invocationId"]
    good = client.post("/v1/invocations", {**call, "idempotencyKey": "a key"}).json["meta"][
        "invocationId"
    ]
    listed = {
        row["invocationId"]: row.get("problem", "")
        for row in client.get("/v1/invocations").json["items"]
    }
    assert ("consists of blanks" in listed[old], listed[good]) == (True, "")
    shown = client.get(f"/v1/invocations/{old}").json
    assert (shown["status"], shown["output"]["text"], shown["problem"]) == (
        "succeeded",
        "old",
        listed[old],
    )
    answer = client.post("/v1/invocations", call)
    assert (answer.status, paths(answer.json)) == (400, {"/idempotencyKey"})


def test_an_old_call_that_waits_under_a_blank_key_is_not_approved(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older version has taken it: the list of approvals shows it, and who approves it is told
    that it cannot be; it is cancelled.
    """
    stand.workspaces.create("asking")
    stand.workspaces.set("asking", {"rules": {"approve": ["echo/post"]}})
    runtime = stand.host.runtime("asking")
    runtime.connections.add("hall", "echo/token", {"token": "sesame-0815"})
    with monkeypatch.context() as older:
        older.setattr(request, "_option_faults", lambda _given: iter(()))
        old = runtime.invoke(
            {**say("post", "hall", text="old"), "idempotencyKey": "   "}, caller=AGENT
        ).meta.invocation_id
    approvals = runtime.approvals_of(LIBRARY, Actor("cli", "bob"))
    assert [row["id"] for row in approvals.list(status="waiting")[0]] == [old]
    with pytest.raises(ApprovalSpoiled, match="is not valid"):
        approvals.approve(old)
    assert approvals.show(old)["status"] == "cancelled"
