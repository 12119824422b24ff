"""What is wrong with a message is told by member and reason, over HTTP and stdio; null is an absent
option, and ``/mcp/`` is served.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from http_stand import SETTINGS, Client, Stand, say, standing
from mcp_talk import Lines, call_of, message

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """One server for all of them."""
    with standing(tmp_path_factory.mktemp("envelope"), replace(SETTINGS, mcp_tools="all")) as found:
        yield found


@pytest.fixture(scope="module")
def client(stand: Stand) -> Client:
    """May do everything."""
    found = stand.client()
    assert (
        found.post(
            "/v1/connections", {"name": "hall", "type": "echo/token", "values": {"token": "t-4711"}}
        ).status
        == 201
    )
    return found


IDS: dict[str, tuple[Any, Any, str]] = {
    "null": (None, None, "null"),
    "a fraction": (1.5, None, "a fraction"),
    "a whole number with a point": (1.0, 1, "a fraction"),
    "an object": ({"a": 1}, None, "an object"),
    "a list": ([], None, "a list"),
    "true": (True, None, "true or false"),
}
"""IDs that are none, the one of the answer, and the reason."""


@pytest.mark.parametrize("method", ["tools/list", "ping", "initialize", "tools/call", "no/such"])
@pytest.mark.parametrize("name", IDS)
def test_an_id_that_is_none_over_http(client: Client, name: str, method: str) -> None:
    """It is that of a request, which gets its error: its client would wait for ever."""
    given, known, reason = IDS[name]
    answer = client.post("/mcp", {"jsonrpc": "2.0", "id": given, "method": method})
    error = {
        "code": -32600,
        "message": f"the member 'id' must be a text or a whole number, not {reason}",
    }
    assert (answer.status, answer.json) == (400, {"jsonrpc": "2.0", "id": known, "error": error})


def test_an_id_that_is_none_over_stdio(tmp_path: Path) -> None:
    """So it is there; a byte order mark is passed over, and a notification with null is one."""
    rows = [{"jsonrpc": "2.0", "id": given, "method": "ping"} for given, _, _ in IDS.values()]
    broken = [
        [1],
        5,
        {"jsonrpc": "2.0", "id": 7, "method": 5},
        {"jsonrpc": "2.0", "id": 8, "method": "ping", "params": [1]},
    ]
    lines = [
        json.dumps(row)
        for row in [
            *rows,
            *broken,
            {"jsonrpc": "2.0", "id": None, "method": "notifications/initialized"},
        ]
    ]
    with Lines(tmp_path) as client:
        for line in [
            *lines,
            "\ufeff" + json.dumps({"jsonrpc": "2.0", "id": "last", "method": "ping"}),
        ]:
            client.say(line.encode())
        answers = [client.hear() for _ in range(len(lines))]
    assert [row["id"] for row in answers[:-1]] == [known for _, known, _ in IDS.values()] + [
        None,
        None,
        7,
        8,
    ]
    assert all(
        reason in row["error"]["message"]
        for row, (_, _, reason) in zip(answers, IDS.values(), strict=False)
    )
    assert [row["error"]["message"].partition(": ")[2] for row in answers[len(IDS) : -1]] == [
        "it is a list, and must be one object",
        "it is a number, and must be one object",
        "the member 'method' must be a text, not a number",
        "the member 'params' must be an object, not a list",
    ]
    assert answers[-1] == {"jsonrpc": "2.0", "id": "last", "result": {}}


def test_a_notification_with_null_as_id(client: Client) -> None:
    """Typed clients write one."""
    answer = client.post(
        "/mcp", {"jsonrpc": "2.0", "id": None, "method": "notifications/initialized"}
    )
    assert (answer.status, answer.body) == (202, b"")


TOKEN = "params/_meta/progressToken"
PARAMS: dict[str, tuple[str, Any, str]] = {
    "arguments as text": (
        "tools/call",
        {"name": "search_actions", "arguments": "{}"},
        "params/arguments must be an object",
    ),
    "arguments as list": (
        "tools/call",
        {"name": "search_actions", "arguments": []},
        "params/arguments must be an object",
    ),
    "no name": ("tools/call", {"arguments": {}}, "params/name is missing"),
    "a number as name": ("tools/call", {"name": 5}, "params/name must be a text"),
    "a number as cursor": ("tools/list", {"cursor": 5}, "params/cursor must be a text"),
    "no URI": ("resources/read", {}, "params/uri is missing"),
    "a fraction as progress token": (
        "tools/list",
        {"_meta": {"progressToken": 1.5}},
        "params/_meta/progressToken must be a text or a whole number",
    ),
    "an object as progress token": (
        "ping",
        {"_meta": {"progressToken": {}}},
        "params/_meta/progressToken must be a text or a whole number",
    ),
    "a bad task": (
        "tools/call",
        {"name": "search_actions", "task": 5},
        "params/task must be an object",
    ),
}


@pytest.mark.parametrize("name", PARAMS)
def test_parameters(client: Client, name: str) -> None:
    """What is not valid is named, with the reason, and not quoted."""
    method, params, words = PARAMS[name]
    error = client.post("/mcp", message(method, **params), Mcp_Protocol_Version="2025-11-25").json[
        "error"
    ]
    assert (error["code"], error["message"]) == (-32602, f"Invalid request parameters: {words}")


def test_a_revision_that_is_none(client: Client) -> None:
    """The header field is named, and what is known here."""
    answer = client.post("/mcp", message("tools/list"), Mcp_Protocol_Version="bogus")
    error = answer.json["error"]
    assert (answer.status, error["code"], error["data"]["requested"]) == (400, -32022, "bogus")
    assert "the header field MCP-Protocol-Version has 'bogus'" in error["message"]
    assert {"2025-11-25", "2026-07-28"} <= {*error["data"]["supported"]}


@pytest.mark.parametrize("field", ["2025-11-25, 2025-11-25", "2025-11-25,2025-11-25", "", " ", ","])
def test_a_revision_that_a_proxy_has_repeated(client: Client, field: str) -> None:
    """It counts once; an empty field is none."""
    answer = client.post("/mcp", message("tools/list"), Mcp_Protocol_Version=field)
    assert (answer.status, "tools" in answer.json["result"]) == (200, True)


def test_two_revisions(client: Client) -> None:
    """They are no revision, and nothing is run."""
    answer = client.post(
        "/mcp",
        call_of("execute_action", **say("say", text="x")),
        Mcp_Protocol_Version="2025-06-18, 2025-11-25",
    )
    assert (answer.status, answer.json["error"]["code"]) == (400, -32022)


REQUESTS = ["tools/list", "tools/call", "ping", "initialize", "resources/read", "tasks/get"]
MISSING = "the member 'id' is missing, by which its answer is known"


@pytest.mark.parametrize("method", REQUESTS)
def test_a_request_without_an_id_over_http(client: Client, method: str) -> None:
    """Its client would wait for ever: it gets an error, and nothing is run."""
    before = client.get("/v1/invocations").json["items"]
    params = {"name": "execute_action", "arguments": say("say", text="x")}
    answer = client.post(
        "/mcp",
        {"jsonrpc": "2.0", "method": method, "params": params},
        Mcp_Protocol_Version="2025-11-25",
    )
    assert (answer.status, answer.json) == (
        400,
        {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": MISSING}},
    )
    assert client.get("/v1/invocations").json["items"] == before


def test_a_request_without_an_id_over_stdio(tmp_path: Path) -> None:
    """So it is there; other messages without one are notifications, which get no answer. Null is an
    absent parameter.
    """
    rows = [
        {"jsonrpc": "2.0", "method": method}
        for method in [*REQUESTS, "notifications/made/up", "$/progress"]
    ]
    last = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "ping",
        "params": {"_meta": {"progressToken": None}, "cursor": None},
    }
    with Lines(tmp_path) as client:
        for row in [*rows, last]:
            client.say(json.dumps(row).encode())
        answers = [client.hear() for _ in range(len(REQUESTS) + 1)]
    assert [row["error"]["message"].endswith(MISSING) for row in answers[:-1]] == [True] * len(
        REQUESTS
    )
    assert answers[-1] == {"jsonrpc": "2.0", "id": 1, "result": {}}


@pytest.mark.parametrize("method", ["tools/list", "ping", "resources/list", "tools/call"])
@pytest.mark.parametrize(
    "params",
    [{"_meta": {"progressToken": None}}, {"_meta": None}, {"cursor": None, "_meta": {"x": None}}],
)
def test_null_is_an_absent_parameter(client: Client, method: str, params: dict[str, Any]) -> None:
    """Beside the arguments, too, and whatever is asked for."""
    given = (
        {"name": "search_actions", "arguments": {"query": "say"}, **params}
        if method == "tools/call"
        else params
    )
    answer = client.post("/mcp", message(method, **given), Mcp_Protocol_Version="2025-11-25")
    assert (answer.status, "result" in answer.json) == (200, True), answer.json


def test_null_in_what_is_not_json(client: Client) -> None:
    """It is refused as any such body."""
    for body in (b'{"jsonrpc": "2.0", "id": null', b"null", b"[null]", b'"null"'):
        assert client.call("POST", "/mcp", body, Content_Type="application/json").status == 400


def test_a_slash_at_the_end(client: Client) -> None:
    """The same is served there."""
    assert (
        client.post("/mcp/", message("tools/list")).json
        == client.post("/mcp", message("tools/list")).json
    )
    assert (
        b"succeeded" in client.post("/mcp/", call_of("execute_action", **say("say", text="x"))).body
    )
    assert (client.get("/mcp/").status, client.get("/mcp/").headers["allow"]) == (
        405,
        client.get("/mcp").headers["allow"],
    )


def _said(client: Client, tool: str, **arguments: Any) -> Any:
    return json.loads(
        client.post("/mcp", call_of(tool, **arguments)).json["result"]["content"][-1]["text"]
    )


def test_null_is_an_absent_option(client: Client) -> None:
    """Clients with typed models always send it; an input of an action keeps its null."""
    assert (
        not client.post(
            "/mcp",
            call_of(
                "search_actions", query="say", connector=None, effect=None, cursor=None, limit=None
            ),
        )
        .json["result"]
        .get("isError")
    )
    assert (
        not client.post("/mcp", call_of("list_connections", connector=None, cursor=None))
        .json["result"]
        .get("isError")
    )
    assert (
        not client.post("/mcp", call_of("read_events", after=None, types=None, wait=None))
        .json["result"]
        .get("isError")
    )
    options = dict.fromkeys(
        (
            "idempotencyKey",
            "timeoutSeconds",
            "notBefore",
            "dryRun",
            "repeat",
            "onDoubt",
            "context",
            "select",
        )
    )
    assert (
        _said(client, "execute_action", **say("say", text="x"), **options)["status"] == "succeeded"
    )
    assert (
        _said(client, "echo_say", text="x", idempotencyKey=None, connection=None)["status"]
        == "succeeded"
    )
    refused = _said(client, "execute_action", **say("say", text=None))["error"]
    assert [row["path"] for row in refused["details"]] == ["/text"]
    missing = _said(client, "execute_action", **{**say("say", text="x"), "action": None})["error"]
    assert [row["path"] for row in missing["details"]] == ["/action"]


@pytest.mark.parametrize("headers", [{}, {"Mcp_Protocol_Version": "2025-11-25"}])
def test_a_key_beside_the_arguments(client: Client, headers: dict[str, str]) -> None:
    """It counts where the arguments have none; two different ones are refused, and nothing is
    run.
    """

    def called(key: Any, tool: str = "execute_action", **arguments: Any) -> Any:
        given = arguments or say("post", text=f"hello {headers}")
        body = message("tools/call", name=tool, arguments=given, idempotencyKey=key)
        return json.loads(
            client.post("/mcp", body, **headers).json["result"]["content"][-1]["text"]
        )

    name = f"beside-{len(headers)}"
    assert [called(name)["meta"]["replayed"] for _ in range(2)] == [False, True]
    within = {**say("post", text=f"hello {headers}"), "idempotencyKey": name}
    assert called(name, **within)["meta"]["replayed"] is True
    error = called("another", **within)["error"]
    assert (error["code"], error["details"][0]["path"]) == ("invalid_invocation", "/idempotencyKey")
    assert called(5)["error"]["code"] == "invalid_invocation"
    assert called(None, **within)["meta"]["replayed"] is True
    assert [
        called(f"{name}-tool", "echo_post", text="x")["meta"]["replayed"] for _ in range(2)
    ] == [False, True]


@pytest.mark.parametrize("key", ["null", "None", "undefined", " NULL ", "nil"])
def test_a_key_that_is_the_text_of_none(client: Client, key: str) -> None:
    """Clients write it for what they leave out. With such a key the next equal call would be told
    as done, and never run.
    """
    within, beside = (
        {**say("post", text="x"), "idempotencyKey": key},
        message("tools/call", name="echo_post", arguments={"text": "x"}),
    )
    for asked in (
        call_of("execute_action", **within),
        call_of("echo_post", text="x", idempotencyKey=key),
    ):
        error = json.loads(client.post("/mcp", asked).json["result"]["content"][-1]["text"])[
            "error"
        ]
        assert (error["code"], [row["path"] for row in error["details"]]) == (
            "invalid_invocation",
            ["/idempotencyKey"],
        )
    beside["params"]["idempotencyKey"] = key
    assert (
        json.loads(client.post("/mcp", beside).json["result"]["content"][-1]["text"])["error"][
            "code"
        ]
        == "invalid_invocation"
    )


TWICE: dict[str, tuple[str, str]] = {
    "id": ('{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', "id"),
    "the same id": ('{"jsonrpc":"2.0","id":1,"id":1,"method":"ping"}', "id"),
    "method": ('{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}', "method"),
    "an escaped name": (
        '{"jsonrpc":"2.0","id":1,"method":"ping","m\\u0065thod":"tools/list"}',
        "method",
    ),
    "params": (
        '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{},"params":{"cursor":"x_y"}}',
        "params",
    ),
    "jsonrpc": ('{"jsonrpc":"1.0","jsonrpc":"2.0","id":1,"method":"ping"}', "jsonrpc"),
    "of a call": (
        '{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call","params":{"name":"list_connections","arguments":{}}}',
        "id",
    ),
    "of a notification": (
        '{"jsonrpc":"2.0","method":"notifications/x","method":"notifications/y"}',
        "method",
    ),
}
"""Messages with a member that occurs twice, and that member."""
_CALL = '{"jsonrpc":"2.0","id":5,"method":"tools/call","params":%s}'
_POST = '{"name":"execute_action","arguments":{"connector":"echo","action":"post","connection":"hall","inputs":%s}}'
DEEPER: dict[str, tuple[str, str]] = {
    "the tool": (
        _CALL % '{"name":"search_actions","name":"execute_action","arguments":{"query":"say"}}',
        "name",
    ),
    "the key": (
        _CALL % (_POST % '{"text":"a"},"idempotencyKey":"a","idempotencyKey":"b"'),
        "idempotencyKey",
    ),
    "an input": (_CALL % (_POST % '{"text":"a","te\\u0078t":"b"}'), "text"),
    "in a list": (_CALL % (_POST % '{"text":"a","data":[{"n":1,"n":1}]}'), "n"),
    "of another message": (
        '{"jsonrpc":"2.0","id":5,"method":"ping","params":{"_meta":{"x":1,"x":1}}}',
        "x",
    ),
}
"""Messages that have such a member in what they carry."""
_SEARCH = (
    '{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"search_actions","arguments":{"query":"id '
    '%s"}}}'
)
ONCE = [
    _SEARCH % '\\"id\\":1,\\"id\\":2',
    '{"jsonrpc":"2.0","id":5,"method":"ping","params":{"_meta":{"id":1,"method":"x","params":{"id":2}}}}',
    '{"jsonrpc":"2.0","id":5,"method":"ping","params":{"_meta":{"x":"\\u00e9"}}}',
]
"""Messages that have such names deeper, or in a text."""


@pytest.mark.parametrize("name", TWICE)
def test_a_member_that_occurs_twice(client: Client, name: str) -> None:
    """Is refused, under the message's ID if that is sure: a proxy may have read the other one."""
    body, member = TWICE[name]
    answer = client.post("/mcp", body.encode(), Content_Type="application/json")
    error = {"code": -32600, "message": f"the member '{member}' occurs twice"}
    identifier = None if member == "id" or name == "of a notification" else 1
    assert (answer.status, answer.json) == (
        400,
        {"jsonrpc": "2.0", "id": identifier, "error": error},
    )


@pytest.mark.parametrize("name", DEEPER)
def test_a_member_that_occurs_twice_deeper(client: Client, name: str) -> None:
    """It is the same, as in the HTTP API; nothing is executed."""
    body, member = DEEPER[name]
    answer = client.post("/mcp", body.encode(), Content_Type="application/json")
    error = {"code": -32600, "message": f"the member '{member}' occurs twice"}
    assert (answer.status, answer.json) == (400, {"jsonrpc": "2.0", "id": 5, "error": error})


@pytest.mark.parametrize("body", ONCE)
def test_names_that_occur_elsewhere(client: Client, body: str) -> None:
    """Are no members of the message."""
    answer = client.post("/mcp", body.encode(), Content_Type="application/json")
    assert (answer.status, answer.json["id"], "result" in answer.json) == (200, 5, True)


def test_members_that_occur_twice_over_stdio(tmp_path: Path) -> None:
    """It is the same there."""
    with Lines(tmp_path) as client:
        rows = [*TWICE.values(), *DEEPER.values()]
        for line in [*(body for body, _ in rows), ONCE[1]]:
            client.say(line.encode())
        answers = [client.hear() for _ in range(len(rows) + 1)]
    told = [
        (row["error"]["code"], row["error"]["message"].partition(": ")[2]) for row in answers[:-1]
    ]
    assert told == [(-32600, f"the member '{member}' occurs twice") for _, member in rows]
    assert answers[-1]["id"] == 5


@pytest.mark.parametrize(
    "cursor",
    ["bogus", "../", "AAAA", "a_b c", "_", "echo_", "é_a", "execute_action", "x" * 64 + "_a"],
)
def test_a_cursor_of_no_page(client: Client, cursor: str) -> None:
    """Is refused, so that a client does not take another page for the one that it wants."""
    answer = client.post("/mcp", message("tools/list", cursor=cursor))
    error = {
        "code": -32602,
        "message": "Invalid request parameters: params/cursor must be the nextCursor of a page",
    }
    assert answer.json["error"] == error


@pytest.mark.parametrize("cursor", [None, "", "echo_say", "removed_action"])
def test_a_cursor_of_a_page(client: Client, cursor: str | None) -> None:
    """Its action may be gone since; an empty one is left out."""
    assert "tools" in client.post("/mcp", message("tools/list", cursor=cursor)).json["result"]


def test_a_cursor_where_there_is_one_page(tmp_path: Path) -> None:
    """None is given there, so that any is refused."""
    with standing(tmp_path, replace(SETTINGS, mcp_tools="discovery")) as stand:
        assert (
            stand.client()
            .post("/mcp", message("tools/list", cursor="echo_say"))
            .json["error"]["code"]
            == -32602
        )
