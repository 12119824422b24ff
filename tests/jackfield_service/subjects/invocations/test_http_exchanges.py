"""``GET /v1/invocations/{id}/exchanges``: who may see what was sent, and who may ask for a
trace.
"""

from __future__ import annotations

import pytest

from http_stand import Client, Stand, say
from jackfield.callers import Rules


@pytest.fixture(scope="module")
def client(stand: Stand) -> Client:
    """May do everything."""
    return stand.client()


def failed(client: Client) -> str:
    """A call that was sent and failed, by means that cannot be seen."""
    found = client.post(
        "/v1/invocations", say("post", text="x", fault={"name": "exchanged", "kind": "reset"})
    ).json
    assert found["status"] == "in_doubt", found
    return str(found["meta"]["invocationId"])


def test_a_driver_that_cannot_be_seen_is_named(client: Client) -> None:
    """Of a client with means of its own nothing is captured, and the answer says so."""
    identifier = failed(client)
    reply = client.get(f"/v1/invocations/{identifier}/exchanges")
    assert (reply.status, reply.json) == (
        200,
        {"invocationId": identifier, "captured": False, "dropped": 0, "exchanges": []},
    )


def test_what_succeeded_has_none(client: Client) -> None:
    """Nothing is kept of a success: 404, with what would be."""
    found = client.invoke("say", text="x").json
    reply = client.get(f"/v1/invocations/{found['meta']['invocationId']}/exchanges")
    assert reply.status == 404
    assert "'trace'" in reply.json["hint"]


def test_only_manage_sees_them(stand: Stand, client: Client) -> None:
    """A token that may run, and one that may see, gets 403; another workspace's and what rules hide
    is 404.
    """
    path = f"/v1/invocations/{failed(client)}/exchanges"
    assert [stand.client(scope).get(path).status for scope in ("read", "invoke")] == [403, 403]
    assert stand.client(rules=Rules(allow=("echo/say",))).get(path).status == 404


def test_a_trace_needs_the_scope_manage(stand: Stand, client: Client) -> None:
    """``trace`` with a token of the scope ``invoke`` is refused before anything is sent, also where
    an equal call was allowed before.
    """
    given = say("post", text="x")
    assert client.post("/v1/invocations", given).json["status"] == "succeeded"
    other = stand.client("invoke")
    assert other.post("/v1/invocations", given).json["status"] == "succeeded"
    refused = other.post("/v1/invocations", {**given, "trace": True})
    assert (refused.status, refused.json["error"]["code"]) == (403, "not_allowed")
    assert refused.json["error"]["details"][0]["path"] == "/trace"
    assert refused.json["meta"]["attempts"] == 0
    assert client.post("/v1/invocations", {**given, "trace": True}).json["status"] == "succeeded"


def test_a_queued_trace_needs_it_too(stand: Stand) -> None:
    """The queue takes no trace of a token that may not ask for it."""
    connection = {"name": "exchanged", "type": "echo/token", "values": {"token": "t-4711"}}
    assert stand.client().post("/v1/connections", connection).status == 201
    given = {**say("say", "exchanged", text="x"), "trace": True}
    refused = stand.client("invoke").post("/v1/invocations", given, Prefer="respond-async")
    assert (refused.status, refused.json["error"]["code"]) == (403, "not_allowed")
