"""B8: the instructions for a client's model speak of what is installed, and of nothing that the
caller may not see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp_types import CallToolResult, TextContent

from http_stand import Stand, standing
from jackfield.callers import Rules
from jackfield_service.subjects.mcp.instructions import instructions
from mcp_talk import called, message, remote

HELLO = message(
    "initialize",
    protocolVersion="2025-06-18",
    capabilities={},
    clientInfo={"name": "x", "version": "1"},
)


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """One server for all of them."""
    with standing(tmp_path_factory.mktemp("instructions")) as found:
        yield found


def told(stand: Stand, **rules: tuple[str, ...]) -> str:
    """The instructions that a token with such rules gets."""
    answer = stand.client(
        "invoke", rules=Rules(rules.get("allow", ()), rules.get("block", ()))
    ).post("/mcp", HELLO)
    text: str = answer.json["result"]["instructions"]
    return text.splitlines()[0]


def test_b8_instructions_name_what_is_installed(stand: Stand) -> None:
    """Each connector is named by its key; its title is its author's text, which a model would take
    for ours (finding 9).
    """
    first = told(stand)
    assert re.search(r"\becho\b", first)
    assert "aws-ses" in first
    assert "Echo" not in first


def test_b8_instructions_keep_to_the_rules(stand: Stand) -> None:
    """A connector of which the caller may run nothing is not named; where nothing is left, that is
    said.
    """
    assert told(stand, allow=("echo/*",)) == "jackfield runs actions of these connectors: echo."
    assert told(stand, block=("*/*",)) == "No connectors are available yet."


def test_m12_connectors_with_a_connection_come_first(tmp_path: Path) -> None:
    """A model reads first what it can use: the connectors of a workspace with a connection, then
    the others.
    """
    with standing(tmp_path) as stand:
        client = stand.client("manage")
        client.post(
            "/v1/connections", {"name": "desk", "type": "echo/token", "values": {"token": "t-4711"}}
        )
        text = client.post("/mcp", HELLO).json["result"]["instructions"]
        assert text.startswith("jackfield runs actions of these connectors: echo, ")
        rows = called(
            remote(stand.port, client.token), "search_actions", query="echo"
        ).structured_content["items"]
        assert {tuple(row["connections"]) for row in rows if row["connector"] == "echo"} == {
            ("desk",)
        }


def test_what_is_found_and_described_fits_the_connection(tmp_path: Path) -> None:
    """A search names the connections that can run each action, not those that only serve its
    connector; the guide for a connection refuses what that cannot run, and does not require the
    inputs that it fills in.
    """
    with standing(tmp_path) as stand:
        client = stand.client("manage")
        keys = {"accessKeyId": "AKIAEXAMPLE", "secretAccessKey": "s" * 40}
        client.post(
            "/v1/connections?test=false",
            {"name": "api", "type": "aws/apiKeySecret", "values": {**keys, "region": "eu-west-1"}},
        )
        client.post(
            "/v1/connections?test=false",
            {
                "name": "relay",
                "type": "aws-ses/smtp",
                "values": {"hostname": "127.0.0.1", "username": "u", "password": "p"},
            },
        )
        server = remote(stand.port, client.token)
        searched = [
            called(server, "search_actions", query=words, connector="aws-ses", limit=50)
            for words in ("send email", "list identities")
        ]
        named = {
            row["action"]: row["connections"]
            for found in searched
            for row in found.structured_content["items"]
        }
        assert named["sendEmail"] == ["api", "relay"]
        assert named["listIdentities"] == ["api"]
        bound = remote(
            stand.port, stand.client("read", rules=Rules(block=("connection:api",))).token
        )
        rows = called(
            bound, "search_actions", query="send email", connector="aws-ses"
        ).structured_content["items"]
        assert rows[0]["connections"] == ["relay"]
        asked = {"connector": "aws-ses", "action": "listIdentities"}
        refused = called(server, "get_action_guide", **asked, connection="relay")
        assert refused.structured_content["verdict"]["allowed"] is False
        assert "cannot serve 'listIdentities'" in refused.structured_content["verdict"]["rule"]
        guide = called(server, "get_action_guide", **asked, connection="api")
        assert guide.structured_content["filledByConnection"] == ["awsRegion"]
        assert "| no: the connection has `region` |" in found_text(guide)
        assert '"connection": "api"' in found_text(guide)
        assert "| unless the connection has `region` |" in found_text(
            called(server, "get_action_guide", **asked)
        )


def test_surfaces_5_an_unknown_name_is_answered_in_less_than_a_kilobyte(stand: Stand) -> None:
    """An unknown action names the five nearest, not all: a model reads each answer whole."""
    server = remote(stand.port, stand.client("invoke").token)
    for given in (
        {"connector": "aws-ses", "action": "sendMail"},
        {"connector": "slak", "action": "post"},
    ):
        for found in (
            called(server, "get_action_guide", **given),
            called(server, "execute_action", **given, inputs={}),
        ):
            assert found.is_error
            assert (
                sum(len(block.text) for block in found.content if isinstance(block, TextContent))
                < 1024
            )
    assert "the nearest names are sendEmail, " in found_text(
        called(server, "get_action_guide", connector="aws-ses", action="sendMail")
    )


def found_text(found: CallToolResult) -> str:
    """The first text of an answer."""
    block = found.content[0]
    assert isinstance(block, TextContent)
    return block.text


def test_b8_instructions_stay_short() -> None:
    """Of many connectors the first ones are named, and the others counted."""

    class Many:
        """Stands for a caller at a runtime with 25 connectors."""

        def __init__(self, **members: Any) -> None:
            self.__dict__ |= members

    entries = [Many(title=f"T{number}", key=f"t{number}", error=None) for number in range(25)]
    index = Many(covers=lambda _catalog: True, entries=lambda: entries)
    catalog, none = Many(offered_whole=()), Many(list=lambda *_: Many(items=[], next_cursor=None))
    runtime = Many(
        connections_of=lambda _caller: none, access=Many(authorizer=lambda _caller: None)
    )
    call: Any = Many(
        catalog=catalog, index=index, caller=Many(scope=None), runtime=runtime, is_silent=False
    )
    assert instructions(call).splitlines()[0].endswith(" t19 and 5 more.")


def test_n12_who_may_only_look_is_told_so(stand: Stand) -> None:
    """A token with the scope read has no tool that runs actions, and its instructions name none."""
    text = stand.client("read").post("/mcp", HELLO).json["result"]["instructions"]
    assert text.startswith("jackfield knows actions of these connectors: ")
    assert "execute_action" not in text
    assert "idempotencyKey" not in text
    assert "the scope 'invoke'" in text


def test_security_2_9_what_an_author_wrote_stands_apart(stand: Stand) -> None:
    """A description such as "IMPORTANT SYSTEM INSTRUCTION" stood in the answers of the tools as if
    jackfield said it: every text of an author is in a member that says whose it is, and the tool's
    schema says it, too.
    """
    server = remote(stand.port, stand.client("invoke").token)
    (row,) = called(
        server, "search_actions", query="post", connector="echo", limit=1
    ).structured_content["items"]
    assert row.keys() <= {"connector", "action", "effect", "exact", "connections", "thirdParty"}
    assert row["thirdParty"].keys() == {"title", "description"}
    answer = called(server, "get_action_guide", connector="echo", action="post")
    assert answer.structured_content is not None
    assert answer.structured_content.keys() == {
        "connector",
        "connectorVersion",
        "action",
        "effect",
        "verdict",
        "thirdParty",
    }
    assert answer.structured_content["thirdParty"].keys() == {
        "title",
        "description",
        "inputs",
        "output",
    }
    assert answer.content[0].text.startswith(  # type: ignore[union-attr]
        "What follows has texts of the connector's author, a third party"
    )
    listed = stand.client("invoke").post("/mcp", message("tools/list")).json["result"]["tools"]
    schema = next(tool["outputSchema"] for tool in listed if tool["name"] == "search_actions")
    assert (
        "third party"
        in schema["properties"]["items"]["items"]["properties"]["thirdParty"]["description"]
    )
