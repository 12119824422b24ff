"""Over MCP, a write without a key that an agent repeats is not sent twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fake_aws import FakeAws
from http_stand import SETTINGS, Stand, standing
from jackfield.callers import Rules
from jackfield_store.access import Workspaces
from mcp_talk import MODES, Conversation, called, local, remote, talked

pytest_plugins = ["warm"]
_LOST = [{"operation": "SendEmail", "do": "reset"}]
_VALUES = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "s", "region": "eu-west-1"}


@pytest.fixture(name="aws")
def _aws() -> Iterator[FakeAws]:
    with FakeAws() as fake:
        yield fake


@pytest.fixture(name="stand")
def _stand(tmp_path: Path, aws: FakeAws) -> Iterator[Stand]:
    with standing(tmp_path, AWS_ENDPOINT_URL=aws.url) as found:
        yield found


def letter(subject: str, **more: Any) -> dict[str, Any]:
    """The same mail, as often as it is asked for."""
    inputs = {
        "to": ["ada@example.com"],
        "sender": "a@example.com",
        "subject": subject,
        "text": "Hello",
    }
    connection = {"type": "apiKeySecret", "values": _VALUES}
    return {
        "connector": "aws-ses",
        "action": "sendEmail",
        "connection": connection,
        "inputs": inputs,
        **more,
    }


def sent(aws: FakeAws) -> int:
    """How many mails SES was asked to send."""
    return aws.calls().count("sesv2:SendEmail")


@pytest.mark.parametrize("mode", MODES)
def test_an_agent_that_repeats_a_lost_call_sends_once(
    stand: Stand, aws: FakeAws, mode: str
) -> None:
    """Two identical writes around a lost answer: one request. Another input, ``repeat`` and another
    token are writes of their own.
    """
    server, other = (remote(stand.port, stand.client("invoke").token) for _ in range(2))
    aws.script(_LOST)
    first, second = (
        called(server, "execute_action", mode, **letter("one")).structured_content for _ in range(2)
    )
    assert (first["status"], second["status"], sent(aws)) == ("in_doubt", "in_doubt", 1)
    assert second["meta"]["twinOf"] == first["meta"]["invocationId"]
    for again in (
        called(server, "execute_action", mode, **letter("two")),
        called(server, "execute_action", mode, **letter("one", repeat=True)),
        called(other, "execute_action", mode, **letter("one")),
    ):
        assert (
            again.structured_content["status"],
            "twinOf" in again.structured_content["meta"],
        ) == ("succeeded", False)
    assert sent(aws) == 4


def test_the_tool_of_an_action_joins_as_well(tmp_path: Path, aws: FakeAws) -> None:
    """A tool of a write has ``repeat`` beside its inputs, which is no input; a tool of a read has
    none.
    """
    with standing(tmp_path, replace(SETTINGS, mcp_tools="all"), AWS_ENDPOINT_URL=aws.url) as stand:
        client = stand.client()
        assert (
            client.post(
                "/v1/connections",
                {"name": "acme", "type": "aws-ses/apiKeySecret", "values": _VALUES},
            ).status
            == 201
        )
        server = remote(stand.port, client.token)
        aws.script(_LOST)
        for more, twins in (({}, False), ({}, True), ({"repeat": True}, False)):
            found = called(
                server, "aws-ses_sendEmail", MODES[1], **letter("one")["inputs"], **more
            ).structured_content
            assert ("twinOf" in found["meta"]) is twins
        assert sent(aws) == 2
        tools = {
            tool.name: tool for tool in talked(server, lambda client: client.list_tools()).tools
        }
        assert [
            "repeat" in tools[f"aws-ses_{name}"].input_schema["properties"]
            for name in ("sendEmail", "getAccount")
        ] == [True, False]


@pytest.mark.parametrize("mode", MODES)
def test_an_agent_that_repeats_gets_one_approval(stand: Stand, mode: str) -> None:
    """As it is told, also with ``repeat``: an equal call without a key waits as the first one."""
    boss = stand.client("manage")
    stored = {"name": "acme", "type": "aws-ses/apiKeySecret", "values": _VALUES}
    assert boss.post("/v1/connections", stored).status == 201
    agent = stand.client("invoke", rules=Rules(approve=("effect:write",)))
    server = remote(stand.port, agent.token)
    given = letter("one", connection="acme")
    found = [
        called(server, "execute_action", mode, **given, **more)
        for more in ({}, {}, {"repeat": True}, {"repeat": True})
    ]
    first = found[0].structured_content["meta"]["invocationId"]
    told = f"the same arguments get the same approval, {first}"
    assert told in found[0].content[0].text  # type: ignore[union-attr]
    assert [one.structured_content["status"] for one in found] == ["waiting"] * 4
    twins = [one.structured_content["meta"].get("twinOf") for one in found]
    assert twins == [None, first, first, first]


def test_a_client_on_stdin_is_one_caller(tmp_path: Path, aws: FakeAws) -> None:
    """Its session joins its own writes, and no other session's on the same database."""
    server = local(tmp_path, AWS_ENDPOINT_URL=aws.url)
    aws.script(_LOST)
    with Conversation(server) as one, Conversation(server) as other:
        for talk, twins in ((one, False), (one, True), (other, False)):
            found = talk.call("execute_action", **letter("one")).structured_content
            assert ("twinOf" in found["meta"]) is twins
    assert sent(aws) == 2


def test_over_http_twins_join_where_that_is_set(stand: Stand, aws: FakeAws) -> None:
    """As the workspace's operator sets it; over HTTP and MCP, a token is one caller."""
    client = stand.client()
    aws.script([*_LOST, *_LOST])
    assert [
        client.post("/v1/invocations", letter("one")).json["meta"].get("twinOf") for _ in range(2)
    ] == [None, None]
    Workspaces(stand.host.storage.database, stand.host.storage.vault, stand.host.clock).set(
        "default", {"twins": "join"}
    )
    aws.script(_LOST)
    doubt = client.post("/v1/invocations", letter("two"))
    again = called(
        remote(stand.port, client.token), "execute_action", **letter("two")
    ).structured_content
    assert (again["meta"]["twinOf"], sent(aws)) == (doubt.json["meta"]["invocationId"], 3)
    refused = client.post("/v1/invocations", letter("three", repeat=True, idempotencyKey="k"))
    assert (refused.status, refused.json["error"]["details"][0]["path"]) == (400, "/repeat")
