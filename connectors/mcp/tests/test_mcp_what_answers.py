"""What is an answer: a message with the request's ID, and a result or an error. Whatever else comes
is none, and null is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock
from jackfield_mcp.pins import pin_of
from mcp_rig import Talk, ToolServer, call, said, stage, tool

Events = Callable[[str], list[bytes]]
OTHER = said("of another")
IDS: tuple[object, ...] = (1, "other", 1.5, True, [], {}, None)
VALUES: tuple[object, ...] = (None, 1, "text", True, [], [1, None])


def _event(value: object, *, name: str | None = None) -> bytes:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return (b"" if name is None else f"event: {name}\n".encode()) + b"data: " + data + b"\n\n"


def _framed(identifier: object, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identifier, **more}


def _answers(method: str, answer: Callable[[Talk], object]) -> Callable[[Talk], bool]:
    def before(talk: Talk) -> bool:
        is_asked: bool = talk.message["method"] == method
        if is_asked:
            answer(talk)
        return is_asked

    return before


BEFORE: dict[str, Events] = {
    "event of another type": lambda _: [_event(b"ping", name="ping")],
    "event of another type that is an answer": lambda ours: [
        _event(_framed(ours, result=OTHER), name="debug")
    ],
    "event of another type that asks": lambda _: [
        _event(_framed("p", method="ping"), name="debug")
    ],
    "unnamed event that is no JSON": lambda _: [_event(b"ping"), _event(b"[DONE]"), _event(b"{")],
    "message that is no JSON": lambda _: [_event(b"keep-alive", name="message")],
    "heartbeat": lambda _: [_event({"type": "heartbeat"}), _event({})],
    "heartbeat with our ID": lambda ours: [_event({"type": "ack", "id": ours, "result": OTHER})],
    "values": lambda _: [_event(one) for one in VALUES],
    "neither": lambda ours: [_event(_framed(ours)), _event(_framed(ours, result=None, error=None))],
    "answers to others": lambda _: [_event(_framed(one, result=OTHER)) for one in IDS],
    "errors of others": lambda _: [
        _event(_framed(one, error={"code": -32600, "message": "no"})) for one in IDS
    ],
    "request with our ID": lambda ours: [_event(_framed(ours, method="ping"))],
    "batch of notifications": lambda _: [
        _event([{"jsonrpc": "2.0", "method": "notifications/message", "params": None}] * 3)
    ],
    "comments and empty events": lambda _: [
        b": hello\n\n",
        b"event: ping\n\n",
        b"event: ping\ndata\n\n",
        b"id: 1\ndata:\n\n",
    ],
}


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("name", BEFORE)
def test_what_stands_before_an_answer(tmp_path: Path, name: str, answered: bool) -> None:
    """It is passed over; without an answer behind it, the write is in doubt. The tool is called
    once.
    """
    server = ToolServer(legacy=True)

    def answer(talk: Talk) -> None:
        talk.stream(
            *BEFORE[name](talk.message["id"]), *([talk.answered(said("done"))] if answered else [])
        )

    server.on_call = answer
    with stage(tmp_path, server) as jackfield:
        result = call(jackfield)
    assert (result.status, server.count("tools/call")) == (
        "succeeded" if answered else "in_doubt",
        1,
    )
    assert not answered or result.output["content"][0]["text"] == "done"


@pytest.mark.parametrize("method", ["initialize", "server/discover", "tools/list"])
def test_what_stands_before_other_answers(tmp_path: Path, method: str) -> None:
    """It is passed over in each reader: those of the handshake and of the list, too."""
    server = ToolServer(legacy=method != "server/discover")
    about: dict[str, Any] = {
        "capabilities": {"tools": {}},
        "protocolVersion": "2025-11-25",
        "supportedVersions": ["2026-07-28"],
    }

    def before(talk: Talk) -> bool:
        if talk.message["method"] != method:
            return False
        talk.stream(
            _event(b"ping", name="ping"),
            _event({"type": "heartbeat"}),
            talk.answered({"tools": server.tools, **about}),
        )
        return True

    server.before = before
    with stage(tmp_path, server) as jackfield:
        assert (call(jackfield).status, server.count("tools/call")) == ("succeeded", 1)


def test_a_handshake_without_an_answer(tmp_path: Path) -> None:
    """A stream that ends before it leaves the server unavailable; nothing was called."""
    server = ToolServer(legacy=True)
    with stage(tmp_path, server, clock=FakeClock()) as jackfield:
        server.before = _answers("initialize", lambda talk: talk.stream(_event({})))
        assert (call(jackfield, timeoutSeconds=300).error.code, server.count("tools/call")) == (
            "unavailable",
            0,
        )


def test_heartbeats_count(tmp_path: Path) -> None:
    """At most 10,000 messages stand before an answer, whatever they are."""
    server = ToolServer()
    beats = _event(b"ping", name="ping") * 10_001
    server.on_call = lambda talk: talk.stream(beats, talk.answered(said("done")))
    with stage(tmp_path, server) as jackfield:
        result = call(jackfield)
    assert (result.status, "10,000 other messages" in result.error.message) == ("in_doubt", True)


def test_a_batch_counts_by_its_messages(tmp_path: Path) -> None:
    """A batch of more than 10,000 messages is no way around that."""
    server = ToolServer()
    server.on_call = lambda talk: talk.stream(_event([{}] * 10_001), talk.answered(said("done")))
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).status == "in_doubt"


DONE = [{"type": "text", "text": "done"}]
NULLS: dict[str, dict[str, Any]] = {
    "error": {"error": None, "method": None, "params": None},
    "members of a result": {
        "result": dict.fromkeys(("resultType", "isError", "structuredContent", "_meta"))
        | {"content": DONE}
    },
    "members of a part": {
        "result": {"content": [{**DONE[0], "annotations": None, "mimeType": None, "_meta": None}]}
    },
}


@pytest.mark.parametrize("way", ["json", "stream", "batch", "batch on a stream"])
@pytest.mark.parametrize("name", NULLS)
def test_null_is_left_out(tmp_path: Path, name: str, way: str) -> None:
    """A null member is an absent one, in an answer and in what is in it, over each way that an
    answer comes.
    """
    server = ToolServer(legacy=True)

    def answer(talk: Talk) -> None:
        found: Any = {**_framed(talk.message["id"], result=said("done")), **NULLS[name]}
        found = (
            [{"jsonrpc": "2.0", "method": "notifications/message"}, found]
            if "batch" in way
            else found
        )
        talk.stream(_event(found)) if "stream" in way else talk.json(found)

    server.on_call = answer
    with stage(tmp_path, server) as jackfield:
        result = call(jackfield)
    assert (result.status, server.count("tools/call"), result.meta.warnings) == ("succeeded", 1, ())
    assert result.output == {"content": DONE}


@pytest.mark.parametrize("way", ["json", "stream"])
def test_null_beside_an_error(tmp_path: Path, way: str) -> None:
    """An error beside a result that is null is the answer."""
    server = ToolServer(legacy=True)

    def answer(talk: Talk) -> None:
        error = {"code": -32602, "message": "no such note", "data": None}
        found = _framed(talk.message["id"], result=None, error=error)
        talk.stream(_event(found)) if way == "stream" else talk.json(found)

    server.on_call = answer
    with stage(tmp_path, server) as jackfield:
        assert (call(jackfield).error.code, server.count("tools/call")) == ("rejected", 1)


@pytest.mark.parametrize(
    ("content", "parts", "warns"),
    [
        (None, [], False),
        ([], [], False),
        ([None], [], False),
        ([None, *DONE], DONE, False),
        ("done", DONE, True),
        (DONE[0], DONE, True),
    ],
)
def test_content_that_is_no_list(
    tmp_path: Path, content: object, parts: list[Any], warns: bool
) -> None:
    """The server has answered: null is an empty list, and one part or a text is a list of one, with
    a warning.
    """
    server = ToolServer()
    server.on_call = lambda talk: talk.result({"content": content})
    with stage(tmp_path, server) as jackfield:
        result = call(jackfield)
    assert (result.status, result.output, bool(result.meta.warnings)) == (
        "succeeded",
        {"content": parts},
        warns,
    )


@pytest.mark.parametrize("way", ["json", "stream"])
def test_a_result_that_is_an_empty_list(tmp_path: Path, way: str) -> None:
    """PHP writes an empty object so: the server has answered. No other list is a result."""
    server = ToolServer(legacy=True)
    rows: list[Any] = []

    def answer(talk: Talk) -> None:
        found = _framed(talk.message["id"], result=rows)
        talk.stream(_event(found)) if way == "stream" else talk.json(found)

    server.on_call = answer
    with stage(tmp_path, server) as jackfield:
        empty = call(jackfield)
        rows.append(DONE[0])
        assert (empty.status, empty.output, call(jackfield).status) == (
            "succeeded",
            {"content": []},
            "in_doubt",
        )


@pytest.mark.parametrize("content", [1, True, ["done", 1], [[]]])
def test_content_that_is_none(tmp_path: Path, content: object) -> None:
    """Content of which nobody knows what it is leaves the write in doubt."""
    server = ToolServer()
    server.on_call = lambda talk: talk.result({"content": content})
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).status == "in_doubt"


def test_null_lists_of_resources(tmp_path: Path) -> None:
    """Lists that are null are empty, and what a row has as null it has not."""
    server = ToolServer()
    server.capabilities["resources"] = {}
    row = {"uri": "a:1", "name": "one", "title": None, "mimeType": None, "size": None}
    answers: dict[str, Any] = {
        "resources/list": {"resources": None, "nextCursor": None},
        "resources/read": {"contents": None},
    }
    server.on_other = lambda talk: talk.result(answers[talk.message["method"]])
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield, "listResources", inputs={}).output == {"resources": []}
        assert call(jackfield, "readResource", inputs={"uri": "a:1"}).output == {"contents": []}
        answers = {
            "resources/list": {"resources": [row]},
            "resources/read": {"contents": [{**row, "text": "x", "blob": None}]},
        }
        listed = call(jackfield, "listResources", inputs={})
        assert (listed.output, listed.meta.warnings) == (
            {"resources": [{"uri": "a:1", "name": "one"}]},
            (),
        )
        read = call(jackfield, "readResource", inputs={"uri": "a:1"})
        assert (read.output, read.meta.warnings) == (
            {"contents": [{"uri": "a:1", "name": "one", "text": "x"}]},
            (),
        )


def test_a_list_of_tools_that_is_null(tmp_path: Path) -> None:
    """It is empty: an accepted tool is gone, and nothing is called."""
    server = ToolServer()
    with stage(tmp_path, server) as jackfield:
        server.before = _answers(
            "tools/list", lambda talk: talk.result({"tools": None, "ttlMs": None})
        )
        error = call(jackfield).error
    assert (error.code, "no longer has the tool" in error.message, server.count("tools/call")) == (
        "not_allowed",
        True,
        0,
    )


def test_null_members_of_a_tool(tmp_path: Path) -> None:
    """They are not part of its digest: a server that begins to write them, or no longer does, has
    the same tool.
    """
    nulls: dict[str, Any] = dict.fromkeys(
        ("title", "outputSchema", "annotations", "execution", "icons", "_meta")
    )
    assert pin_of(tool(**nulls)) == pin_of(tool())
    server = ToolServer()
    with stage(tmp_path, server) as jackfield:
        server.tools[0] |= nulls
        assert call(jackfield).status == "succeeded"
