"""What crosses the wire: JSON answers, broken messages, versions, headers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from http_stand import Client, Stand, say, standing
from mcp_talk import call_of, message

MODERN = {"Mcp_Protocol_Version": "2026-07-28"}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """One server for all of them."""
    with standing(tmp_path_factory.mktemp("wire")) as found:
        yield found


@pytest.fixture(scope="module")
def client(stand: Stand) -> Client:
    """May do everything."""
    return stand.client()


@pytest.mark.parametrize("headers", [{}, MODERN], ids=["handshake", "2026-07-28"])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b'{"method": "initialize"', -32700),
        (b'["notifications/cancelled"]', None),
        (b"[]", None),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', None),
        (b'"ping"', None),
        (b'{"id": 1, "method": "ping"}', None),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}', None),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 5}', None),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}', None),
    ],
)
def test_a_broken_message_is_400(
    client: Client, headers: dict[str, str], body: bytes, code: int | None
) -> None:
    """What is no JSON, or no JSON-RPC, is an error of JSON-RPC with the status 400, and nothing
    ran.
    """
    answer = client.post("/mcp", body, Content_Type="application/json", **headers)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    error = answer.json["error"]
    assert code in (None, error["code"])
    assert error["code"] in (-32700, -32600, -32602)


@pytest.mark.parametrize("headers", [{}, MODERN], ids=["handshake", "2026-07-28"])
def test_a_broken_message_is_not_quoted(client: Client, headers: dict[str, str]) -> None:
    """It may hold a secret, and whoever reads the answer need not be who wrote it."""
    for broken in (
        {"params": {"token": "sesame-4711"}},
        ["sesame-4711"],
        {"jsonrpc": "2.0", "id": {"a": "sesame-4711"}, "method": "ping"},
    ):
        answer = client.post("/mcp", broken, **headers)
        assert b"sesame" not in answer.body, answer.body
        assert b"pydantic" not in answer.body, answer.body


@pytest.mark.parametrize("headers", [{}, MODERN], ids=["handshake", "2026-07-28"])
@pytest.mark.parametrize("depth", [150, 400, 900])
def test_what_is_nested_deeply_is_refused_in_words(
    client: Client, headers: dict[str, str], depth: int
) -> None:
    """However deep it is, no bug of ours comes of it."""
    data: dict[str, Any] = {}
    for _ in range(depth):
        data = {"a": data}
    answer = client.post(
        "/mcp",
        message(
            "tools/call",
            name="execute_action",
            arguments={"connector": "echo", "action": "say", "inputs": data},
        ),
        **headers,
    )
    assert b"unexpected" not in answer.body, answer.body[:300]


def test_a_whole_number_may_have_a_point(client: Client) -> None:
    """2.0 is an integer, as JSON Schema has it."""
    for tool in ("search_actions", "list_connections"):
        assert (
            "unexpected"
            not in client.post(
                "/mcp", message("tools/call", name=tool, arguments={"limit": 2.0})
            ).body.decode()
        )


def test_unknown_methods_and_params_are_errors(client: Client) -> None:
    """A method that is none, and parameters that are not the method's, are told in the protocol's
    words.
    """
    assert client.post("/mcp", message("no/such")).json["error"]["code"] == -32601
    some: tuple[Any, ...] = (
        {},
        {"name": 5},
        {"name": "search_actions", "arguments": []},
        {"name": "search_actions", "arguments": "x"},
    )
    for params in some:
        assert client.post("/mcp", message("tools/call", **params)).json["error"]["code"] == -32602
    assert (
        client.post("/mcp", {**message("tools/list"), "params": {"cursor": 5}}).json["error"][
            "code"
        ]
        == -32602
    )


def test_there_is_nothing_to_subscribe_to(client: Client) -> None:
    """The one method whose answer would be a stream is not served, and is answered at once."""
    body = message("subscriptions/listen", _meta=META, notifications={})
    answer = client.post(
        "/mcp",
        body,
        **MODERN,
        Mcp_Method="subscriptions/listen",
        Accept="application/json, text/event-stream",
    )
    assert (answer.headers["content-type"], answer.json["error"]["code"]) == (
        "application/json",
        -32601,
    )


def test_a_notification_is_taken(client: Client) -> None:
    """202 and nothing in it, whatever it says."""
    for method in ("notifications/initialized", "notifications/cancelled", "notifications/unknown"):
        answer = client.post("/mcp", message(method, None))
        assert (answer.status, answer.body) == (202, b"")
    some: tuple[Any, ...] = ({}, {"requestId": {}}, {"requestId": True}, {"requestId": 9})
    for params in some:
        assert (
            client.post(
                "/mcp", message("notifications/cancelled", None, **params), Mcp_Session_Id="a" * 32
            ).status
            == 202
        )


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_other_methods_are_405(client: Client, method: str) -> None:
    """There are no sessions to end and no streams to listen to."""
    answer = client.call(method, "/mcp", Accept="text/event-stream")
    assert (answer.status, answer.headers["allow"], answer.headers["content-type"]) == (
        405,
        "POST",
        "application/problem+json",
    )


def test_answers_are_json_and_named(client: Client) -> None:
    """No streams: one JSON document, with the request's id in its header and the message's in
    it.
    """
    answer = client.post("/mcp", message("ping", "a-1"), X_Request_Id="mine-1")
    assert (answer.status, answer.headers["content-type"], answer.headers["x-request-id"]) == (
        200,
        "application/json",
        "mine-1",
    )
    assert answer.json == {"jsonrpc": "2.0", "id": "a-1", "result": {}}


@pytest.mark.parametrize("headers", [{}, {"Mcp_Protocol_Version": "2025-11-25"}])
def test_who_takes_streams_only_gets_one(client: Client, headers: dict[str, str]) -> None:
    """Some clients name no other type: the answer is the one event. An error by its status is JSON,
    and a notification has no answer.
    """
    for asked in (message("ping"), call_of("search_actions", query="say"), call_of("nothing")):
        answer = client.post("/mcp", asked, Accept="Text/event-stream; q=0.9", **headers)
        assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (
            200,
            "text/event-stream",
        )
        name, data, end = answer.body.split(b"\n", 2)
        assert (name, json.loads(data.removeprefix(b"data: "))["id"], end) == (
            b"event: message",
            1,
            b"\n",
        )
    hello = message(
        "initialize",
        protocolVersion="2025-06-18",
        capabilities={},
        clientInfo={"name": "x", "version": "1"},
    )
    assert "mcp-session-id" in client.post("/mcp", hello, Accept="text/event-stream").headers
    assert client.post("/mcp", message("ping"), Accept="text/html").status == 406
    assert (
        client.post("/mcp", {"jsonrpc": "1.0"}, Accept="text/event-stream").headers["content-type"]
        == "application/json"
    )
    assert (
        client.post(
            "/mcp", message("notifications/initialized", None), Accept="text/event-stream"
        ).status
        == 202
    )
    assert client.post("/mcp", message("ping"), Accept="").status == 200  # as without it


@pytest.mark.parametrize(
    "lines",
    [
        ("text/event-stream", "application/json"),
        ("application/json", "text/event-stream"),
        ("text/html", "application/json"),
        ("", "text/plain", "*/*"),
        ("text/event-stream;q=0", "application/json"),
        ("text/event-stream",) * 2 + ("application/*;q=0.1",),
    ],
)
@pytest.mark.parametrize("asked", [message("ping"), call_of("list_connections")])
def test_accept_on_several_lines(
    client: Client, lines: tuple[str, ...], asked: dict[str, Any]
) -> None:
    """They are one list, whatever their order."""
    given = [("Accept", line) for line in lines]
    found = httpx.post(
        f"http://127.0.0.1:{client.port}/mcp",
        json=asked,
        headers=[("Authorization", f"Bearer {client.token}"), *given],
        trust_env=False,
    )
    assert (found.status_code, found.headers["content-type"], found.json()["id"]) == (
        200,
        "application/json",
        1,
    )


@pytest.mark.parametrize("kind", ["text/plain", "application/xml"])
def test_what_does_not_say_json_is_415(client: Client, kind: str) -> None:
    """As everywhere in the API."""
    assert client.post("/mcp", b"{}", Content_Type=kind).status == 415


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "application/vnd.x+json", "APPLICATION/JSON"]
)
def test_all_kinds_of_json_are_json(client: Client, kind: str) -> None:
    """The body's type is judged as everywhere in the API; a handshake that fails is a failure, and
    names no session.
    """
    assert (
        client.post("/mcp", json.dumps(message("ping")).encode(), Content_Type=kind).json["result"]
        == {}
    )
    assert (
        client.post("/mcp", json.dumps(message("initialize")).encode(), Content_Type=kind).json[
            "error"
        ]["code"]
        == -32602
    )


def test_numbers_that_are_none_are_faults(client: Client) -> None:
    """Python's NaN is no JSON: told with its place."""
    body = json.dumps(
        call_of("execute_action", **say("say", text="x", data={"n": float("nan")}))
    ).encode()
    found = client.post("/mcp", body, Mcp_Protocol_Version="2025-11-25").json["result"]
    assert found["structuredContent"]["error"]["details"][0]["path"] == "/data/n"


def test_the_handshake_names_a_session(client: Client) -> None:
    """An older client gets an id to say with each request, by which its cancellations are told
    apart; nothing is kept for it.
    """
    hello = message(
        "initialize",
        protocolVersion="2025-06-18",
        capabilities={},
        clientInfo={"name": "x", "version": "1"},
    )
    first, second = client.post("/mcp", hello), client.post("/mcp", hello)
    assert first.json["result"]["protocolVersion"] == "2025-06-18"
    assert first.headers["mcp-session-id"] != second.headers["mcp-session-id"]
    assert "search_actions" in first.json["result"]["instructions"]
    assert client.post("/mcp", message("ping"), Mcp_Session_Id="f" * 32).status == 200
    assert "mcp-session-id" not in client.post("/mcp", message("initialize")).headers


@pytest.mark.parametrize("method", ["ping", "initialize", "tools/call", "notifications/cancelled"])
def test_a_request_of_two_sessions_is_refused(client: Client, method: str) -> None:
    """A cancellation would find the wrong call. A session that a proxy has written twice is one."""
    one, other = "a" * 32, "b" * 32
    asked = message(method, None if method.startswith("notifications/") else 1)
    for sessions in (f"{one}, {other}", f"{one},x", f"{one},"):
        answer = client.post("/mcp", asked, Mcp_Session_Id=sessions)
        assert (answer.status, "more than one session" in answer.json["detail"]) == (400, True)
    assert (
        "more than one"
        not in client.post("/mcp", asked, Mcp_Session_Id=f"{one}, {one}").body.decode()
    )


def test_a_version_that_is_not_known_is_refused(client: Client) -> None:
    """The error names the versions that are."""
    version = "2031-01-01"
    body = message("tools/list", _meta={**META, "io.modelcontextprotocol/protocolVersion": version})
    answer = client.post("/mcp", body, Mcp_Protocol_Version=version, Mcp_Method="tools/list")
    assert answer.status == 400
    assert answer.json["error"]["data"]["supported"] == ["2026-07-28"]


@pytest.mark.parametrize(
    ("version", "structured"),
    [("2024-11-05", False), ("2025-03-26", False), ("2025-06-18", True), ("2025-11-25", True)],
)
def test_clients_without_structured_content_get_all_of_it_as_text(
    client: Client, version: str, structured: bool
) -> None:
    """The text is the whole Result where the version has nothing else, and a few words where it
    has.
    """
    body = call_of("execute_action", **say("say", text="x" * 2000))
    found = client.post("/mcp", body, Mcp_Protocol_Version=version).json["result"]
    text = found["content"][0]["text"]
    assert ("structuredContent" in found) is structured
    assert (len(text) < 200) if structured else (json.loads(text)["output"]["text"] == "x" * 2000)
    looked = client.post(
        "/mcp",
        call_of("search_actions", query="post", connector="echo"),
        Mcp_Protocol_Version=version,
    ).json["result"]
    text = looked["content"][0]["text"]
    assert (
        (text == 'echo.post (write), titled by its author "Post a Note"')
        if structured
        else (json.loads(text)["items"][0]["action"] == "post")
    )
    refused = client.post(
        "/mcp", call_of("search_actions", limit=0), Mcp_Protocol_Version=version
    ).json["result"]
    assert refused["isError"]
    assert "/limit" in refused["content"][0]["text"]


def modern(tool: str, **arguments: Any) -> dict[str, Any]:
    """A call as clients of 2026-07-28 send it."""
    body = call_of(tool, **arguments)
    return {**body, "params": {**body["params"], "_meta": META}}


def test_what_is_no_unicode_is_a_fault(client: Client) -> None:
    """A lone surrogate in an input is told with its place, or is no JSON to the older protocol's
    reader.
    """
    given = say("say", text="x", data={"odd": "\ud800"})
    newer = client.post(
        "/mcp",
        modern("execute_action", **given),
        **MODERN,
        Mcp_Method="tools/call",
        Mcp_Name="execute_action",
    )
    assert newer.json["result"]["structuredContent"]["error"]["details"][0]["path"] == "/data/odd"
    older = client.post("/mcp", json.dumps(call_of("execute_action", **given)).encode())
    assert (older.status, older.json["error"]["code"]) == (400, -32700)


def test_large_numbers_come_back(client: Client) -> None:
    """Integers over 64 bits and fractions are what they were."""
    data = {"large": 2**70, "small": -(2**70), "fraction": 0.1, "none": None}
    body = modern("execute_action", **say("say", text="x", data=data))
    answer = client.post("/mcp", body, **MODERN, Mcp_Method="tools/call", Mcp_Name="execute_action")
    assert answer.json["result"]["structuredContent"]["output"]["inputs"]["data"] == data


def test_compressed_where_the_client_takes_it(client: Client) -> None:
    """A long list of tools is compressed as other answers are."""
    answer = client.post("/mcp", message("tools/list"), Accept_Encoding="gzip")
    assert answer.headers["content-encoding"] == "gzip"
