"""Servers that are loose with the protocol: what they mean is taken where it is plain, and never
for a success where it says an error.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcp_rig import LEGACY, Talk, ToolServer, call, generate, said, serving, stage, tool

OLDER = "2025-06-18"
WORDS = "the project has no room"


def _about(**more: Any) -> dict[str, Any]:
    return {
        "protocolVersion": LEGACY,
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "notes", "version": "1"},
        **more,
    }


def _answers(server: ToolServer, method: str, answer: Callable[[Talk], object]) -> None:
    def before(talk: Talk) -> bool:
        is_asked: bool = talk.message["method"] == method
        if is_asked:
            answer(talk)
        return is_asked

    server.before = before


LISTED = {"supported": [OLDER, "2025-03-26"], "requested": LEGACY}
REFUSALS: dict[str, Callable[[Talk], object]] = {
    "a text with its revisions": lambda talk: talk.json(
        f"Bad Request: Unsupported protocol version (supported versions: {OLDER}, 2025-03-26)".encode(),
        400,
        Content_Type="text/plain",
    ),
    "a text without them": lambda talk: talk.json(
        b"unsupported protocol version", 400, Content_Type="text/plain"
    ),
    "data": lambda talk: talk.error(-32602, "Unsupported protocol version", data=LISTED),
    "data with 400": lambda talk: talk.error(
        -32602, "Unsupported protocol version", 400, data=LISTED
    ),
    "an error in words": lambda talk: talk.error(
        -32000, f"Bad Request: Unsupported protocol version: {LEGACY}", 400
    ),
    "the code of newer servers": lambda talk: talk.error(
        -32022, "Unsupported protocol version", 400, data=LISTED
    ),
    "a member's name": lambda talk: talk.error(
        -32602, "Invalid params: /protocolVersion must be one of the known values"
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_revision_that_is_refused(tmp_path: Path, name: str) -> None:
    """A server that does not answer with its own revision is asked for an older one."""
    server = ToolServer(legacy=True)

    def answer(talk: Talk) -> None:
        version = talk.message["params"]["protocolVersion"]
        if version == OLDER:
            talk.result(_about(protocolVersion=OLDER))
        else:
            REFUSALS[name](talk)

    _answers(server, "initialize", answer)
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).status == "succeeded"
    sent = [
        headers["MCP-Protocol-Version"]
        for message, headers in server.requests
        if message["method"] == "tools/call"
    ]
    assert sent == [OLDER]


@pytest.mark.parametrize("code", [-32602, -32022])
def test_no_revision_that_is_known(tmp_path: Path, code: int) -> None:
    """A server that speaks none of them is named with its words, and asked no more than once for
    each.
    """
    server = ToolServer(legacy=True)
    _answers(
        server,
        "initialize",
        lambda talk: talk.error(
            code, "Unsupported protocol version", data={"supported": ["2031-01-01"]}
        ),
    )
    with serving(server), pytest.raises(Exception, match="Unsupported protocol version"):
        generate(tmp_path, server.url)
    assert server.count("initialize") <= 4


@pytest.mark.parametrize("legacy", [False, True])
def test_a_server_that_requires_parameters(tmp_path: Path, legacy: bool) -> None:
    """Each request has them, though they may be empty."""
    server = ToolServer(legacy=legacy)

    def before(talk: Talk) -> bool:
        lacks = "id" in talk.message and not isinstance(talk.message.get("params"), dict)
        if lacks:
            talk.error(-32602, "Invalid params: missing")
        return lacks

    server.before = before
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).status == "succeeded"


@pytest.mark.parametrize(
    ("field", "is_known"), [("a-1, a-1", True), ("a-1,a-1,a-1", True), ("a-1, b-2", False)]
)
def test_a_session_id_twice(tmp_path: Path, field: str, is_known: bool) -> None:
    """A proxy that repeats a header field repeats the same ID; two IDs are none of them."""
    server = ToolServer(legacy=True)

    def before(talk: Talk) -> bool:
        method = talk.message["method"]
        if method == "initialize":
            talk.json(
                {"jsonrpc": "2.0", "id": talk.message["id"], "result": _about()},
                Mcp_Session_Id=field,
            )
        elif method == "server/discover" or talk.headers.get("Mcp-Session-Id") == "a-1":
            return False
        else:
            talk.json(b"", 404)
        return True

    server.before = before
    with serving(server):
        if is_known:
            assert generate(tmp_path, server.url)["actions"]
        else:
            with pytest.raises(Exception, match="404"):
                generate(tmp_path, server.url)


@pytest.mark.parametrize(
    "words",
    [
        "Session terminated",
        "The session has been closed",
        "session abc has ended",
        "MCP session is closed",
    ],
)
def test_a_session_that_was_ended(tmp_path: Path, words: str) -> None:
    """In other words, too: the next call begins a new one."""
    server = ToolServer(legacy=True)
    server.sessions, over = set(), [False]

    def before(talk: Talk) -> bool:
        over[0] = over[0] and talk.message["method"] != "initialize"
        if over[0] and talk.message["method"] == "tools/call":
            talk.json({"error": words}, 500)
        return over[0] and talk.message["method"] == "tools/call"

    server.before = before
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield, inputs={"text": "1"}).status == "succeeded"
        over[0] = True
        assert [call(jackfield, inputs={"text": text}).status for text in "23"] == [
            "in_doubt",
            "succeeded",
        ]


@pytest.mark.parametrize("code", [-32000, -32001, -32603])
def test_a_session_of_the_tool_itself(tmp_path: Path, code: int) -> None:
    """Its browser's session, say, was closed in the middle of the call: the call may have done
    something, and is not sent again.
    """
    server = ToolServer(legacy=True)
    server.sessions = set()
    server.on_call = lambda talk: talk.error(
        code, "Protocol error: Session closed. Most likely the page has been closed."
    )
    with stage(tmp_path, server) as jackfield:
        assert (call(jackfield).status, server.count("tools/call")) == ("in_doubt", 1)


WRAPPED: dict[str, Any] = {"content": [{"type": "text", "text": WORDS}], "isError": True}
_BESIDE: tuple[tuple[str, Any], ...] = (
    ("success", False),
    ("ok", False),
    ("status", "Error"),
    ("status", "failed"),
    ("statusCode", 502),
    ("errors", ["x"]),
    ("failed", True),
)
FAILURES: dict[str, tuple[dict[str, Any], str]] = {
    "an error instead of content": ({"error": {"code": 5, "message": WORDS}}, "in_doubt"),
    "words instead of content": ({"error": WORDS}, "in_doubt"),
    "an error beside content": (
        {"content": [{"type": "text", "text": "x"}], "error": WORDS},
        "in_doubt",
    ),
    "an error beside structured content": ({"structuredContent": {}, "error": [WORDS]}, "in_doubt"),
    **{
        f"{name} {value!r} beside content": (
            {"content": WRAPPED["content"], name: value},
            "in_doubt",
        )
        for name, value in _BESIDE
    },
    "success beside structured content": (
        {"structuredContent": {}, "success": False, "reason": WORDS},
        "in_doubt",
    ),
    "a result in structured content": ({"content": [], "structuredContent": WRAPPED}, "in_doubt"),
    "a result in a member of it": (
        {"content": [], "structuredContent": {"result": WRAPPED}},
        "in_doubt",
    ),
    "a result in a member alone": ({"result": WRAPPED}, "in_doubt"),
    "a result as a part": ({"content": [WRAPPED]}, "in_doubt"),
    "a result as text": ({"content": [{"type": "text", "text": json.dumps(WRAPPED)}]}, "in_doubt"),
    "the flag in a part": (
        {"content": [{"type": "text", "text": WORDS, "isError": True}]},
        "in_doubt",
    ),
    "a task that nobody has asked for": (
        {"task": {"taskId": "t-1", "status": "working", "statusMessage": WORDS}},
        "in_doubt",
    ),
    "words as the flag": ({"content": [], "isError": WORDS}, "failed"),
    "an object as the flag": (
        {"content": [{"type": "text", "text": WORDS}], "isError": {"code": 5}},
        "failed",
    ),
    "another number as the flag": (
        {"content": [{"type": "text", "text": WORDS}], "isError": 2},
        "failed",
    ),
    "a flag in capital letters": (
        {"content": [{"type": "text", "text": WORDS}], "isError": "True"},
        "failed",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_an_error_within_a_result(tmp_path: Path, name: str) -> None:
    """It is never told as a success; where the protocol has no such member, nobody knows what was
    done.
    """
    result, status = FAILURES[name]
    server = ToolServer(legacy=True)
    server.on_call = lambda talk: talk.result(result)
    with stage(tmp_path, server) as jackfield:
        found = call(jackfield)
    assert (found.status, server.count("tools/call")) == (status, 1)
    assert WORDS in found.error.message or "a task" in name
    # the member that says so
    assert " beside content" not in name or "error beside" in name or '{"' in found.error.message


_FALSY: tuple[Any, ...] = (False, "", 0, [], {})
_FALSY_FLAGS: tuple[Any, ...] = ("False", "no", "", 0, [], {}, "NULL ")
OWN = {"rows": [1], "text": "done"}
ITEMS = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
DATA = {"success": False, "status": "failed", "errors": [1], "content": [], "isError": False}
"""What a tool tells of something else than its call."""
FLAGGED = [{"type": "text", "text": '{"isError": true}'}]
_FINE: tuple[tuple[str, Any], ...] = (
    ("success", True),
    ("status", "ok"),
    ("statusCode", 200),
    ("errors", []),
    ("failed", False),
    ("ok", None),
)
SUCCESSES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    **{
        f"the flag {flag!r}": ({"content": ITEMS, "isError": flag}, {"content": ITEMS})
        for flag in _FALSY_FLAGS
    },
    **{
        f"the error {error!r}": ({"content": ITEMS, "error": error}, {"content": ITEMS})
        for error in _FALSY
    },
    **{
        f"{name} {value!r} beside content": ({"content": ITEMS, name: value}, {"content": ITEMS})
        for name, value in _FINE
    },
    "data of a failure": (
        {"content": ITEMS, "structuredContent": DATA},
        {"content": ITEMS, "structuredContent": DATA},
    ),
    "words of a failure": ({"content": FLAGGED}, {"content": FLAGGED}),
    "a list with holes": ({"content": {"1": ITEMS[0], "4": ITEMS[1]}}, {"content": ITEMS}),
    "members of its own": (
        {**OWN, "_meta": {}, "isError": False},
        {"structuredContent": OWN, "content": []},
    ),
    "the first revision's result": (
        {"toolResult": {"n": 5}},
        {"structuredContent": {"n": 5}, "content": []},
    ),
}


@pytest.mark.parametrize("name", SUCCESSES)
def test_a_loose_success(tmp_path: Path, name: str) -> None:
    """It is one, with all that the server has told."""
    result, output = SUCCESSES[name]
    server = ToolServer(legacy=True)
    server.on_call = lambda talk: talk.result(result)
    with stage(tmp_path, server) as jackfield:
        found = call(jackfield)
    assert (found.status, found.output, server.count("tools/call")) == ("succeeded", output, 1)
    assert bool(found.meta.warnings) is (name == "members of its own")


@pytest.mark.parametrize("message", [{"text": WORDS}, [WORDS], [{"loc": ["text"], "msg": WORDS}]])
def test_words_that_are_no_text(tmp_path: Path, message: object) -> None:
    """The message of an error is told whatever it is made of."""
    server = ToolServer(legacy=True)
    server.on_call = lambda talk: talk.error(-32602, message)  # type: ignore[arg-type]
    with stage(tmp_path, server) as jackfield:
        found = call(jackfield)
    assert (found.error.code, WORDS in found.error.message) == ("rejected", True)


@pytest.mark.parametrize("error", _FALSY)
def test_an_error_without_content_beside_a_result(tmp_path: Path, error: object) -> None:
    """It is none, as other languages write it; beside no result it is one."""
    server = ToolServer(legacy=True)
    with stage(tmp_path, server) as jackfield:
        for more, status in (
            ({"result": said("done")}, "succeeded"),
            ({"result": None}, "in_doubt"),
            ({}, "in_doubt"),
        ):
            server.on_call = lambda talk, more=more: talk.json(
                {"jsonrpc": "2.0", "id": talk.message["id"], "error": error, **more}
            )  # type: ignore[misc]
            assert call(jackfield).status == status


@pytest.mark.parametrize("streams", [False, True])
def test_an_answer_that_is_encoded_twice(tmp_path: Path, streams: bool) -> None:
    """A text of JSON is the answer, if it has the request's ID."""
    server = ToolServer(legacy=True)

    def answer(talk: Talk) -> None:
        inner = {
            "jsonrpc": "2.0",
            "id": talk.message["id"] + (talk.message["params"]["arguments"]["text"] == "other"),
            "result": said("done"),
        }
        body = json.dumps(json.dumps(inner)).encode()
        talk.stream(b"data: " + body + b"\n\n") if streams else talk.json(body)

    server.on_call = answer
    with stage(tmp_path, server) as jackfield:
        assert [call(jackfield, inputs={"text": text}).status for text in ("own", "other")] == [
            "succeeded",
            "in_doubt",
        ]


LISTS: dict[str, Any] = {
    "by name": {
        "add_note": {"inputSchema": {"type": "object"}},
        "odd": {"name": "own", "inputSchema": {"type": "object"}},
    },
    "with holes": {"1": tool(), "4": tool("own")},
}


@pytest.mark.parametrize("name", LISTS)
def test_tools_that_are_no_list(tmp_path: Path, name: str) -> None:
    """An object of tools is their list; a tool's own name counts."""
    server = ToolServer(legacy=True)
    _answers(server, "tools/list", lambda talk: talk.result({"tools": LISTS[name]}))
    with stage(tmp_path, server) as jackfield:
        assert [call(jackfield, action).status for action in ("addNote", "own")] == [
            "succeeded",
            "succeeded",
        ]


@pytest.mark.parametrize("cursor", [None, False, [], {}])
def test_a_cursor_that_is_left_out(tmp_path: Path, cursor: object) -> None:
    """In the forms of other languages: the list has ended."""
    server = ToolServer(legacy=True)

    def answer(talk: Talk) -> None:
        if "cursor" in talk.message.get("params", {}):
            talk.error(-32602, "Invalid cursor")
        else:
            talk.result({"tools": server.tools, "nextCursor": cursor})

    _answers(server, "tools/list", answer)
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).status == "succeeded"


@pytest.mark.parametrize(
    "contents", [{"uri": "a:1", "text": "x"}, {"0": {"uri": "a:1", "text": "x"}}]
)
def test_contents_that_are_no_list(tmp_path: Path, contents: dict[str, Any]) -> None:
    """One part of a resource is a list of one."""
    server = ToolServer(legacy=True)
    server.capabilities["resources"] = {}
    server.on_other = lambda talk: (
        talk.result({"contents": contents})
        if talk.message["method"] == "resources/read"
        else talk.json(b"", 202)
    )
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield, "readResource", inputs={"uri": "a:1"}).output == {
            "contents": [{"uri": "a:1", "text": "x"}]
        }
