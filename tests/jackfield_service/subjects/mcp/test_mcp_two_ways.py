"""Calls of tools are answered without the SDK's transport: a client cannot tell that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any
from unittest import mock

import pytest
from mcp.server import streamable_http_manager

from http_stand import Client, Stand, say, standing
from jackfield.invocation import Result
from jackfield.kernel.exact import Exact
from jackfield_service.shell.requests.json_response import dumps
from jackfield_service.subjects.mcp import stateless_http
from jackfield_service.subjects.mcp.tool_call import tool_call
from jackfield_service.subjects.mcp.tool_results import answered
from mcp_talk import call_of, message
from replies import Reply

VERSIONS = (None, "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28")
_VOLATILE = re.compile(r'(\\*")(invocationId|durationMs)\1:(\\*"[^"]*"|[0-9.]+)')
DIGITS = "3.1415926535897932384626433832795028842"
_LENGTH = re.compile(r"of [0-9,]+ characters")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """May do everything, at a server with one tool per action."""
    with standing(tmp_path_factory.mktemp("ways")) as stand:
        found = stand.client()
        assert (
            found.post(
                "/v1/connections",
                {"name": "hall", "type": "echo/token", "values": {"token": "t-4711"}},
            ).status
            == 201
        )
        yield found


@pytest.fixture
def managers(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The session managers of the SDK that are made."""
    made: list[object] = []
    init = streamable_http_manager.StreamableHTTPSessionManager.__init__

    def noted(self: Any, *given: Any, **named: Any) -> None:
        made.append(self)
        init(self, *given, **named)

    monkeypatch.setattr(streamable_http_manager.StreamableHTTPSessionManager, "__init__", noted)
    return made


def sent(client: Client, version: str | None, body: dict[str, Any], **headers: str) -> Reply:
    """The answer to a message of a client that speaks a version."""
    if version is None:
        return client.post("/mcp", body, **headers)
    more = {"Mcp-Protocol-Version": version}
    if version == VERSIONS[-1]:
        meta = {
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        body = {
            **body,
            "params": {**body["params"], "_meta": {**meta, **body["params"].get("_meta", {})}},
        }
        more |= {"Mcp-Method": body["method"], "Mcp-Name": str(body["params"].get("name"))}
    return client.post("/mcp", body, **{**more, **headers})


def told(reply: Reply) -> tuple[int, str, Any]:
    """What an answer says, without what differs between any two."""
    kind = reply.headers.get("content-type", "")
    if not reply.body:
        return reply.status, kind, None
    # a client that takes streams alone gets one event
    data = reply.body.partition(b"\ndata: ")[2] or reply.body
    text = _VOLATILE.sub(
        r"\1\2\1:0", json.dumps(json.loads(data), sort_keys=True, separators=(",", ":"))
    )
    return reply.status, kind, json.loads(_LENGTH.sub("", text))


BODIES: list[dict[str, Any]] = [
    call_of("execute_action", 1, **say("say", "hall", text="héllo")),
    call_of(
        "execute_action",
        0,
        **say("sayLater", "hall", text="x", data={"none": None, "list": [None, 1.5, {}]}),
    ),
    call_of("execute_action", 3, **say("say", "hall", text=5)),
    call_of("execute_action", 4, **say("say", "nowhere", text="x")),
    call_of("execute_action", 5, **say("say", "hall", text="x" * 39_000)),
    call_of("execute_action", 6),
    call_of("search_actions", 7, query="say"),
    call_of("search_actions", 8, cursor="nowhere"),
    call_of("get_action_guide", 9, connector="echo", action="say"),
    call_of("list_connections", 10),
    call_of("no_such_tool", 11),
    message("tools/call", 12, name="list_connections"),
    message("tools/call", 13, name=5, arguments={}),
    message("tools/call", 14, name="list_connections", arguments=[]),
    message("tools/call", 15, arguments={}),
    {**message("tools/call", 16, name="list_connections", arguments={}), "id": "text"},
    {**message("tools/call", 17, name="list_connections", arguments={}), "id": True},
    {**message("tools/call", 18, name="list_connections", arguments={}), "id": 1.5},
    message(
        "tools/call", 19, name="list_connections", arguments={}, _meta={"progressToken": "p-1"}
    ),
    message("tools/call", 20, name="list_connections", arguments={}, _meta={"progressToken": []}),
]
HEADERS = [
    {"Accept": "text/event-stream"},
    {"Accept": "application/json;q=0.5, text/*"},
    {"Mcp-Method": "tools/list"},
    {"Mcp-Name": "x"},
]


def differing(
    client: Client, asked: Iterable[tuple[str | None, dict[str, Any], dict[str, str]]]
) -> list[Any]:
    """The requests to which we answer otherwise than the SDK, with both answers."""
    found = []
    for version, body, headers in asked:
        ours = told(sent(client, version, body, **headers))
        with mock.patch.object(stateless_http, "tool_call", return_value=None):
            theirs = told(sent(client, version, body, **headers))
        found += [] if ours == theirs else [(version, body, headers, ours, theirs)]
    return found


def test_both_ways_answer_alike(client: Client) -> None:
    """Status, headers and message are the SDK's, for every version of the protocol."""
    assert (
        differing(client, [(version, body, {}) for version, body in product(VERSIONS, BODIES)])
        == []
    )


@pytest.mark.parametrize("version", VERSIONS[:-1])
def test_numbers_have_all_digits(version: str | None) -> None:
    """Those of the arguments are the action's; those of its output are in structured content, and
    in the text beside it.
    """
    text = json.dumps(call_of("execute_action", 1, **say("say", "hall", data=["NUMBER"]))).replace(
        '"NUMBER"', DIGITS
    )
    asked = tool_call(
        [] if version is None else [(b"mcp-protocol-version", version.encode())], text.encode()
    )
    assert asked is not None
    (number,) = asked.params["arguments"]["inputs"]["data"]
    assert (type(number), number.text) == (Exact, DIGITS)
    output = {"n": number, "lone": "\ud800"}
    found = answered(
        Result.from_json({"status": "succeeded", "output": output, "meta": {"invocationId": "i"}}),
        structured=True,
    )
    assert DIGITS in dumps(found.structured_content).decode()
    assert DIGITS in str(found.content)


def test_headers_mean_the_same(client: Client) -> None:
    """What the SDK refuses for its headers is refused."""
    assert (
        differing(
            client,
            [
                (version, call_of("list_connections", 1), more)
                for version, more in product(VERSIONS, HEADERS)
            ],
        )
        == []
    )


def test_only_calls_of_tools_go_past_the_sdk(client: Client, managers: list[object]) -> None:
    """A call makes no session of the SDK; a list does."""
    for version in VERSIONS:
        assert sent(client, version, call_of("list_connections", 1)).status == 200
    assert managers == []
    assert sent(client, VERSIONS[-1], message("tools/list", 1)).status == 200
    assert len(managers) == 1


def test_a_bug_is_an_error_of_the_protocol(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception is hidden from the client in the same way."""

    def broken(*_: object) -> None:
        raise ValueError("not for callers")

    client = stand.client()
    monkeypatch.setattr(stand.host.metrics, "note", broken)
    body = call_of("execute_action", 1, **say("say", text="x"))
    for version in VERSIONS:
        ours = sent(client, version, body)
        with monkeypatch.context() as patch:
            patch.setattr(stateless_http, "tool_call", lambda *_: None)
            theirs = sent(client, version, body)
        assert told(ours) == told(theirs)
        assert ours.json["error"]["message"] == "an unexpected error"


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server whose metrics may break."""
    with standing(tmp_path_factory.mktemp("bug")) as found:
        yield found
