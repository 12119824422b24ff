"""Calls that wait for a person over HTTP and MCP: 202 and where to look, and who may decide."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.shell.pages.console_client import placed, token

from http_stand import Client, Stand, say, standing
from jackfield.callers import Rules
from jackfield_store.access import Workspaces
from mcp_talk import MODES, Server, called, remote

RULE = {"rules": {"approve": ["echo/post"]}}


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server whose workspace lets what is posted wait, and that works its queue."""
    with standing(tmp_path_factory.mktemp("approvals")) as found:
        Workspaces(found.host.storage.database, found.host.storage.vault, found.host.clock).set(
            "default", RULE
        )
        manager = found.client()
        assert (
            manager.post(
                "/v1/connections",
                {"name": "hall", "type": "echo/token", "values": {"token": "t-4711"}},
            ).status
            == 201
        )
        yield found


@pytest.fixture(name="caller", scope="module")
def _caller(stand: Stand) -> Client:
    return stand.client("invoke")


@pytest.fixture(name="approver", scope="module")
def _approver(stand: Stand) -> Client:
    return stand.client("approve")


def ended(stand: Stand, client: Client, identifier: str) -> dict[str, Any]:
    """The entry of an invocation, once it has ended."""
    stand.host.runtime("default").wait(identifier, 60.0)
    return dict(client.get(f"/v1/invocations/{identifier}").json)


@pytest.mark.parametrize("prefer", [{}, {"Prefer": "respond-async"}], ids=["direct", "queued"])
def test_a_call_is_answered_before_it_is_made(
    stand: Stand, caller: Client, approver: Client, prefer: dict[str, str]
) -> None:
    """202 with a Result and its place; who approves sees it and decides, and a worker makes the
    call.
    """
    found = caller.post(
        "/v1/invocations",
        {**say("post", "hall", text="x"), "idempotencyKey": f"order-{len(prefer)}"},
        **{name.replace("-", "_"): value for name, value in prefer.items()},
    )
    assert (found.status, found.json["status"], "output" in found.json) == (
        202,
        "waiting",
        False,
    ), found.body
    identifier = found.json["meta"]["invocationId"]
    place = f"/v1/invocations/{identifier}"
    assert (found.headers["location"], caller.get(place).json["status"]) == (place, "waiting")
    assert [
        one["invocationId"] for one in caller.get("/v1/invocations?status=waiting").json["items"]
    ] == [identifier]
    assert [one["id"] for one in approver.get("/v1/approvals?status=waiting").json["items"]] == [
        identifier
    ]
    shown = approver.get(f"/v1/approvals/{identifier}").json
    assert (shown["status"], shown["inputs"]) == (
        "waiting",
        {"text": "x", "times": 1, "loud": False, "reveal": False},
    )
    assert shown["idempotencyKey"] == f"order-{len(prefer)}"
    decided = approver.post(f"/v1/approvals/{identifier}:approve", {"why": "it is fine"})
    assert (decided.status, decided.json["status"], decided.json["why"]) == (
        200,
        "approved",
        "it is fine",
    )
    assert ended(stand, caller, identifier)["status"] == "succeeded"
    again = approver.post(f"/v1/approvals/{identifier}:approve", {})
    assert again.status == 409


@pytest.mark.parametrize(
    "header",
    [{}, {"Content_Type": "application/x-www-form-urlencoded"}],
    ids=["no type", "a form's type"],
)
@pytest.mark.parametrize(("step", "ends"), [("approve", "approved"), ("decline", "declined")])
def test_a_decision_needs_no_body(
    caller: Client, approver: Client, step: str, ends: str, header: dict[str, str]
) -> None:
    """Neither a reason nor a digest is needed, and no type for a body that is empty."""
    text = f"no body: {step} {len(header)}"
    identifier = caller.post("/v1/invocations", say("post", "hall", text=text)).json["meta"][
        "invocationId"
    ]
    decided = approver.call(
        "POST", f"/v1/approvals/{identifier}:{step}", b"" if header else None, **header
    )
    assert (decided.status, decided.json["status"]) == (200, ends), decided.body


@pytest.mark.parametrize("mode", MODES)
def test_an_agent_reads_what_became_of_a_call_that_waited(
    stand: Stand, approver: Client, mode: str
) -> None:
    """The answer to the call says how: until the decision its status, then its Result, selected
    from as an output is.
    """
    agent = stand.client("invoke")
    server = remote(agent.port, agent.token)
    found = called(server, "execute_action", mode, **say("post", "hall", text=f"later {mode}"))
    identifier = json.loads(found.content[-1].text)["meta"]["invocationId"]  # type: ignore[union-attr]
    assert "read_result" in found.content[0].text  # type: ignore[union-attr]
    assert _read(server, mode, invocation=identifier)["status"] == "waiting"
    approver.call("POST", f"/v1/approvals/{identifier}:approve")
    ended(stand, agent, identifier)
    result = _read(server, mode, invocation=identifier)
    assert (result["status"], result["output"]["text"]) == ("succeeded", f"later {mode}")
    assert _read(server, mode, invocation=identifier, select="output.text") == f"later {mode}"


def test_an_agent_is_told_why_its_call_was_declined(stand: Stand, approver: Client) -> None:
    """In the words of the person who declined it."""
    agent = stand.client("invoke")
    server = remote(agent.port, agent.token)
    identifier = called(
        server, "execute_action", **say("post", "hall", text="no")
    ).structured_content["meta"]["invocationId"]
    approver.post(f"/v1/approvals/{identifier}:decline", {"why": "the customer has left"})
    result = _read(server, MODES[0], invocation=identifier)
    assert result["status"] == "failed"
    assert "the customer has left" in result["error"]["message"]


def test_nobody_reads_the_invocation_of_another_over_mcp(stand: Stand, caller: Client) -> None:
    """That of another token, and none at all, are answered alike; one of both members is needed."""
    identifier = caller.post("/v1/invocations", say("post", "hall", text="mine")).json["meta"][
        "invocationId"
    ]
    other = stand.client("invoke")
    server = remote(other.port, other.token)
    texts = set()
    for asked in (identifier, "01991c8e-7a8a-7c6e-8d1e-0f4f3a2b1c0d", "x", "../x"):
        error = called(server, "read_result", invocation=asked).structured_content["error"]
        assert error["code"] == "not_found"
        texts.add(error["message"].replace(asked, "ID"))
    assert len(texts) == 1
    for given in ({}, {"file": "x", "invocation": identifier}):
        assert (
            called(server, "read_result", **given).structured_content["error"]["details"][0]["path"]
            == "/file"
        )


def _read(server: Server, mode: str, **asked: Any) -> Any:
    answer = called(server, "read_result", mode, **asked)
    assert not answer.is_error, answer.content
    body = answer.structured_content or json.loads(answer.content[0].text)  # type: ignore[union-attr]
    return json.loads(body["text"])


@pytest.mark.parametrize(("step", "ends"), [("approve", "approved"), ("decline", "declined")])
def test_a_digest_that_is_sent_has_to_match(
    caller: Client, approver: Client, step: str, ends: str
) -> None:
    """Of a call with another digest nothing is decided: it still waits, for the digest that was
    shown.
    """
    identifier = caller.post("/v1/invocations", say("post", "hall", text=step)).json["meta"][
        "invocationId"
    ]
    path = f"/v1/approvals/{identifier}"
    refused = approver.post(f"{path}:{step}", {"digest": "0" * 64})
    assert (refused.status, refused.json["code"]) == (412, "version_conflict")
    shown = approver.get(path).json
    assert shown["status"] == "waiting"
    assert approver.post(f"{path}:{step}", {"digest": ""}).status == 412
    assert approver.post(f"{path}:{step}", {"digest": 5}).status == 400
    assert approver.post(f"{path}:{step}", {"digest": shown["digest"]}).json["status"] == ends


def test_only_the_scope_approve_decides(stand: Stand, caller: Client, approver: Client) -> None:
    """Neither a token that manages nor the caller; a GET decides nothing; another workspace's
    approver finds nothing.
    """
    Workspaces(stand.host.storage.database, stand.host.storage.vault, stand.host.clock).create(
        "other"
    )
    identifier = caller.post("/v1/invocations", say("post", "hall", text="y")).json["meta"][
        "invocationId"
    ]
    path = f"/v1/approvals/{identifier}"
    manager, stranger = stand.client("manage"), stand.client("approve", "other")
    for client, status in ((manager, 403), (caller, 403), (stranger, 404)):
        found = [
            client.get(path),
            client.post(f"{path}:approve", {}),
            client.post(f"{path}:decline", {}),
        ]
        assert [reply.status for reply in found] == [status] * 3
    assert approver.get(f"{path}:approve").status in (404, 405)
    assert approver.post("/v1/invocations", say("post", "hall", text="z")).status == 403
    declined = approver.post(f"{path}:decline", {"why": "not now"})
    assert (declined.status, declined.json["status"]) == (200, "declined")
    entry = ended(stand, caller, identifier)
    assert (entry["status"], entry["error"]["code"], "not now" in entry["error"]["message"]) == (
        "failed",
        "cancelled",
        True,
    )
    log = manager.get("/v1/audit").json["items"]
    (noted,) = [
        one for one in log if one["event"] == "approval.declined" and identifier in one["object"]
    ]
    assert "not now" in json.dumps(noted)
    types = [one["type"] for one in manager.get("/v1/events?types=approval.*").json["items"]]
    assert {"approval.requested", "approval.declined"} <= {*types}


def test_a_token_gives_nobody_the_right_to_approve(stand: Stand) -> None:
    """Over HTTP, no token of the scope ``approve`` is created, by whoever; a rule ``approve`` may
    be given to a token.
    """
    manager = stand.client("manage approve")
    for scope in ("approve", "manage approve"):
        assert manager.post("/v1/tokens", {"scope": scope}).status == 403
    made = manager.post("/v1/tokens", {"scope": "invoke", "rules": {"approve": ["*"]}})
    assert (made.status, made.json["rules"]["approve"]) == (201, ["*"])
    assert made.json["createdBy"].startswith("token:")
    ruled = stand.client("manage", rules=Rules(approve=("echo/say",)))
    assert ruled.post("/v1/tokens", {"scope": "invoke"}).status == 403
    found = ruled.post("/v1/invocations", say("say", "hall", text="x"))
    assert (found.status, found.json["status"]) == (202, "waiting")


def test_batches_and_streams_wait_too(caller: Client) -> None:
    """A line of a batch that waits says so, and so does the end of a stream."""
    batch = caller.post(
        "/v1/invocations:batch", [say("post", "hall", text="1"), say("say", "hall", text="2")]
    )
    assert [line["status"] for line in batch.json] == ["waiting", "queued"]
    stream = caller.post(
        "/v1/invocations", say("post", "hall", text="s"), Accept="text/event-stream"
    )
    assert b'"waiting"' in stream.body


@pytest.mark.parametrize("mode", MODES)
def test_an_agent_is_told_that_a_person_decides(stand: Stand, mode: str) -> None:
    """It is no error; the same arguments get the same approval, so that asking again asks nobody
    twice.
    """
    server = remote(stand.port, stand.client("invoke").token)
    first, again = (
        called(server, "execute_action", mode, **say("post", "hall", text=f"mcp {mode}"))
        for _ in range(2)
    )
    assert (first.is_error, first.structured_content["status"]) == (False, "waiting")
    assert "a person has to approve it first" in str(first.content)
    assert (
        first.structured_content["meta"]["approval"] == again.structured_content["meta"]["approval"]
    )


def test_the_console_shows_what_would_be_sent_and_decides_by_post(tmp_path: Path) -> None:
    """Who holds the scope decides on the page of the invocation; who does not is told which scope
    that needs.
    """
    with placed(tmp_path) as place:
        Workspaces(place.host.storage.database, place.host.storage.vault, place.host.clock).set(
            "default", RULE
        )
        runtime = place.host.runtime("default")
        runtime.connections.add("hall", "echo/token", {"token": "t-4711"})
        found = [
            runtime.invoke(say("post", "hall", text=f"mail <{number}>")).meta.invocation_id
            for number in range(2)
        ]
        reader, approver = (place.signed_in(token(place, scope)) for scope in ("invoke", "approve"))
        page = f"/invocations/{found[0]}"
        assert "Deciding requires the scope approve" in reader.get(page).words
        assert reader.change(page, f"{page}/approval", **{"as": "approved"}).status == 403
        assert all(
            text in approver.get(page).words
            for text in ("mail <0>", "If the answer is lost report it", "Time limit in seconds 60")
        )
        assert (
            approver.change(page, f"{page}/approval", **{"as": "approved", "why": "fine"}).status
            == 303
        )
        assert (
            approver.change(page, f"{page}/approval", **{"as": "declined"})
            .headers["location"]
            .endswith("done=closed")
        )
        other = f"/invocations/{found[1]}"
        assert approver.change(other, f"{other}/approval", **{"as": "declined"}).status == 303
        assert [row["status"] for row in runtime.approvals.list()[0]] == ["declined", "approved"]


def test_the_audit_log_says_what_was_asked_for(
    stand: Stand, caller: Client, approver: Client
) -> None:
    """And not what somebody has written to the row of a call, which is cancelled; it is still
    shown.
    """
    identifier = caller.post("/v1/invocations", say("post", "hall", text="t")).json["meta"][
        "invocationId"
    ]
    statement = (
        "UPDATE invocations SET action = 'say', effect = 'read', connection = NULL WHERE id = :id"
    )
    stand.host.storage.database.record(
        lambda transaction: transaction.change(statement, {"id": identifier})
    )
    assert approver.get(f"/v1/approvals/{identifier}").status == 409
    noted = [
        one
        for one in stand.client("manage").get("/v1/audit").json["items"]
        if identifier in one["object"]
    ]
    assert [
        (one["event"], one["details"]["action"], one["details"]["connection"]) for one in noted
    ] == [("approval.cancelled", "post", "hall")]
    found = caller.get(f"/v1/invocations/{identifier}")
    assert (found.status, found.json["status"], found.json["error"]["code"]) == (
        200,
        "failed",
        "cancelled",
    )


def test_schedules_obey_the_rule(stand: Stand, caller: Client, approver: Client) -> None:
    """A slot's invocation waits; it runs once it is approved."""
    manager = stand.client("manage")
    body = {"name": "nightly", "every": "24h", "invocation": say("post", "hall", text="slot")}
    assert manager.post("/v1/schedules", body).status == 201
    found = manager.post("/v1/schedules/nightly:run", {})
    assert (found.status, found.json["status"]) == (202, "waiting")
    identifier = found.json["meta"]["invocationId"]
    assert approver.post(f"/v1/approvals/{identifier}:approve", {}).status == 200
    assert ended(stand, caller, identifier)["status"] == "succeeded"
