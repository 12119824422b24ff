"""What a server speaks: the question that older ones do not know decides nothing, and neither do
their other habits at the beginning.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jackfield.kernel.errors import JackfieldError
from mcp_rig import Talk, ToolServer, call, generate, said, serving, stage, tool

Answer = Callable[[Talk], object]
_ASKED = "server/discover"


def _status(status: int, body: bytes = b"", **headers: str) -> Answer:
    return lambda talk: talk.json(body, status, **headers)


def _error(code: int, status: int = 200) -> Answer:
    return lambda talk: talk.error(code, "no", status)


def _framed(**more: Any) -> Answer:
    return lambda talk: talk.json({"jsonrpc": "2.0", "id": talk.message["id"], **more})


def _hung_up(talk: Talk) -> None:
    talk.hang_up()


OLDER: dict[str, Answer] = {
    "500": _status(500),
    "500 in HTML": _status(500, b"<h1>Oops", Content_Type="text/html"),
    "502": _status(502),
    "503": _status(503),
    "504": _status(504),
    "400": _status(400),
    "404": _status(404),
    "405": _status(405),
    "406": _status(406),
    "415": _status(415),
    "422": _status(422, b'{"detail": [{"loc": ["body", "method"], "msg": "unexpected value"}]}'),
    "501": _status(501),
    "-32603": _error(-32603),
    "-32603 with 400": _error(-32603, 400),
    "-32603 with 500": _error(-32603, 500),
    "-32601": _error(-32601),
    "-32000": _error(-32000),
    "-32000 with 503": _error(-32000, 503),
    "0": _error(0),
    "202": _status(202),
    "204": _status(204),
    "empty": _status(200),
    "HTML": _status(200, b"<html>Welcome", Content_Type="text/html"),
    "an object": _status(200, b"{}"),
    "a list": _status(200, b"[]"),
    "null": _status(200, b"null"),
    "text": _status(200, b"ok"),
    "null result": _framed(result=None),
    "empty result": _framed(result={}),
    "no list of revisions": _framed(result={"supportedVersions": "2026-07-28"}),
    "other revisions": _framed(result={"supportedVersions": ["2025-11-25"]}),
    "another ID": lambda talk: talk.json({"jsonrpc": "2.0", "id": None, "result": {}}),
    "a stream without an answer": lambda talk: talk.stream(b": hello\n\n"),
    "a stream that is cut": lambda talk: talk.stream(b": hello\n\n", ends=False),
    "no answer at all": _hung_up,
    "its list of tools": _framed(result={"tools": []}),
}
"""Answers to the question by servers that do not know it."""


def _once(answer: Answer, method: str = _ASKED) -> Callable[[Talk], bool]:
    def before(talk: Talk) -> bool:
        is_asked: bool = talk.message.get("method") == method
        if is_asked:
            answer(talk)
        return is_asked

    return before


@pytest.mark.parametrize("name", OLDER)
def test_an_older_server_is_begun_with(tmp_path: Path, name: str) -> None:
    """Whatever it answers to the question, the session begins as it did before there was that
    question.
    """
    server = ToolServer(legacy=True)
    server.before = _once(OLDER[name])
    with stage(tmp_path, server) as jackfield:
        assert (call(jackfield).status, server.count("tools/call")) == ("succeeded", 1)


@contextmanager
def _silent(server: ToolServer, answer: Answer | None = None) -> Iterator[None]:
    """Have a server answer the question only when ``initialize`` was asked for, or the block
    ends.
    """
    over = threading.Event()

    def before(talk: Talk) -> bool:
        method = talk.message.get("method")
        if method == "initialize" and answer is not None:
            over.set()
            answer(talk)
            return True
        if method == _ASKED and not over.is_set():
            over.wait(60)
            talk.hang_up()
            return True
        return False

    server.before = before
    try:
        yield
    finally:
        over.set()


def test_a_server_that_never_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question has some seconds of its own. What was found out stays: a session that ends costs
    no other question.
    """
    monkeypatch.setattr("jackfield_mcp.client.PROBE_WITHIN", 0.05)
    server = ToolServer(legacy=True)
    server.sessions = set()
    with stage(tmp_path, server) as jackfield, _silent(server):
        asked = server.count(_ASKED)
        assert call(jackfield).status == "succeeded"
        assert server.count(_ASKED) - asked == 1
        for _ in range(3):
            server.sessions.clear()
            assert call(jackfield).status == "succeeded"
        assert server.count(_ASKED) - asked == 1


def test_a_notification_that_is_never_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that begins a session has some seconds of its own, too; the session goes on without
    its answer.
    """
    monkeypatch.setattr("jackfield_mcp.client.PROBE_WITHIN", 0.05)
    server, over = ToolServer(legacy=True), threading.Event()
    server.on_other = lambda _talk: over.wait(60)
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).status == "succeeded"
        over.set()
    assert server.count("notifications/initialized") == 2


@pytest.mark.parametrize(
    "answer", [_error(-32601), _error(-32601, 404), _error(-32022, 400), _status(400)]
)
def test_a_modern_server_that_is_slow_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    """One that refuses to begin a session is asked again, for as long as the call has."""
    server = ToolServer()
    with stage(tmp_path, server) as jackfield, _silent(server, answer):
        monkeypatch.setattr("jackfield_mcp.client.PROBE_WITHIN", 0.05)
        assert (call(jackfield).status, server.count("tools/call")) == ("succeeded", 1)


def test_a_server_that_is_replaced(tmp_path: Path) -> None:
    """One of the older revisions that speaks the modern one alone after a restart is asked anew."""
    server = ToolServer(legacy=True)
    server.sessions = set()
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).status == "succeeded"
        server.is_legacy, server.sessions = False, None
        known = server.count("initialize")

        def before(talk: Talk) -> bool:
            is_old = (
                talk.message["method"] == "initialize"
                or talk.headers["MCP-Protocol-Version"] != "2026-07-28"
            )
            if is_old:
                talk.error(
                    -32022, "Unsupported protocol version", 400, data={"supported": ["2026-07-28"]}
                )
            return is_old

        server.before = before
        assert [call(jackfield).status for _ in range(2)] == ["succeeded"] * 2
        assert server.count("initialize") - known == 1


DECISIVE: dict[str, tuple[Answer, str]] = {
    "401": (_status(401), "unauthenticated"),
    "403": (_status(403), "forbidden"),
    "429": (_status(429), "rate_limited"),
    "-32021": (_error(-32021, 400), "rejected"),
    "-32020": (_error(-32020, 400), "rejected"),
}


@pytest.mark.parametrize("name", DECISIVE)
def test_what_decides(tmp_path: Path, name: str) -> None:
    """A sign-in, a limit and the codes of a modern server are told, and no session is begun."""
    answer, code = DECISIVE[name]
    server = ToolServer(legacy=True)
    server.before = _once(answer)
    with serving(server), pytest.raises(JackfieldError) as caught:
        generate(tmp_path, server.url)
    assert (caught.value.code, server.count("initialize")) == (code, 0)


FAILS: dict[str, tuple[Answer, Answer, str]] = {
    "both": (_status(500), _error(-32603), "the server failed: no"),
    "no session is begun": (
        _status(500),
        lambda talk: talk.error(-32602, "clientInfo is too new", 400),
        "clientInfo is too new",
    ),
    "a modern one that fails": (_status(503), _error(-32601), "status 503"),
}


@pytest.mark.parametrize("name", FAILS)
def test_whose_error_is_told(tmp_path: Path, name: str) -> None:
    """It is that of the session's beginning; of a server that has no such request, that of the
    question.
    """
    probe, begun, words = FAILS[name]
    server = ToolServer(legacy=True)
    server.before = lambda talk: _once(probe)(talk) or _once(begun, "initialize")(talk)
    with serving(server), pytest.raises(JackfieldError) as caught:
        generate(tmp_path, server.url)
    assert words in caught.value.message


@pytest.mark.parametrize("status", [200, 204, 400, 404, 405, 500])
def test_an_answer_to_what_wants_none(tmp_path: Path, status: int) -> None:
    """What a server answers to the news that the session has begun changes nothing."""
    server = ToolServer(legacy=True)
    server.before = _once(_status(status), "notifications/initialized")
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).status == "succeeded"


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("2024-11-05", ""),
        ("2026-07-28", "has no 'initialize'"),
        ("2023-01-01", "not known"),
        (None, "not known"),
    ],
)
def test_revisions(tmp_path: Path, version: str | None, words: str) -> None:
    """The oldest one is spoken; another one is named."""
    server = ToolServer(legacy=True)
    server.before = _once(
        _framed(result={"protocolVersion": version, "capabilities": {"tools": {}}}), "initialize"
    )
    with serving(server):
        if not words:
            assert generate(tmp_path, server.url)["mcp"]["protocolVersions"] == [version]
            return
        with pytest.raises(JackfieldError, match=words):
            generate(tmp_path, server.url)


@pytest.mark.parametrize("status", [400, 404, 405])
@pytest.mark.parametrize("names", [True, False])
def test_the_transport_of_2024(tmp_path: Path, status: int, names: bool) -> None:
    """A server of HTTP+SSE is told by its stream, which names an address first; another stream is
    none.
    """
    server = ToolServer(legacy=True)

    def before(talk: Talk) -> bool:
        if talk.message["method"] == "GET":
            talk.stream(
                b"event: endpoint\ndata: /messages?sessionId=1\n\n" if names else b"data: {}\n\n"
            )
        else:
            talk.json(b"", status)
        return True

    server.before = before
    with serving(server), pytest.raises(JackfieldError) as caught:
        generate(tmp_path, server.url)
    assert ("HTTP+SSE" in caught.value.message, caught.value.code) == (names, "rejected")


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("/mcp/", "{origin}/mcp/."),
        ("mcp/v2?token=s-4711", "{origin}/mcp/v2."),
        ("{origin}/other#part", "{origin}/other."),
        ("http://127.0.0.1:9/mcp", "another one."),
        ("http://[", "another one."),
    ],
)
def test_a_redirect_is_told(tmp_path: Path, place: str, told: str) -> None:
    """The address is, if it is of the same origin; nothing is sent there."""
    server = ToolServer(legacy=True)
    origin = server.url.removesuffix("/mcp")
    target = place.replace("{origin}", origin)

    def before(talk: Talk) -> bool:
        talk.json(b"", 307, Location=target)
        return True

    server.before = before
    with serving(server), pytest.raises(JackfieldError) as caught:
        generate(tmp_path, server.url)
    assert str(caught.value.hint).endswith(f"it redirects to {told.replace('{origin}', origin)}")
    assert {message["path"] for message, _ in server.requests if "path" in message} == set()


def _pages(pages: dict[object, Any]) -> Callable[[Talk], bool]:
    def before(talk: Talk) -> bool:
        if talk.message["method"] != "tools/list":
            return False
        found = pages[talk.message.get("params", {}).get("cursor")]
        found(talk) if callable(found) else talk.result(found)
        return True

    return before


ONE, TWO = tool("one"), tool("two")
LISTS: dict[str, tuple[dict[object, Any], list[str]]] = {
    "null": ({None: {"tools": [ONE], "nextCursor": None}}, ["one"]),
    "empty, and refused": ({None: {"tools": [ONE], "nextCursor": ""}, "": _error(-32602)}, ["one"]),
    "empty, and an internal error": (
        {None: {"tools": [ONE], "nextCursor": ""}, "": _error(-32603)},
        ["one"],
    ),
    "empty, and back": (
        {None: {"tools": [ONE], "nextCursor": ""}, "": {"tools": [ONE], "nextCursor": ""}},
        ["one"],
    ),
    "empty, and nothing": (
        {None: {"tools": [ONE], "nextCursor": ""}, "": {"tools": None}},
        ["one"],
    ),
    "empty, and on": (
        {None: {"tools": [ONE], "nextCursor": ""}, "": {"tools": [TWO]}},
        ["one", "two"],
    ),
    "empty, and on, and empty": (
        {None: {"tools": [ONE], "nextCursor": ""}, "": {"tools": [TWO], "nextCursor": ""}},
        ["one", "two"],
    ),
    "empty at the end": (
        {
            None: {"tools": [ONE], "nextCursor": "2"},
            "2": {"tools": [TWO], "nextCursor": ""},
            "": {"tools": [ONE], "nextCursor": "2"},
        },
        ["one", "two"],
    ),
    "a number": ({None: {"tools": [ONE], "nextCursor": 2}, 2: {"tools": [TWO]}}, ["one", "two"]),
    "a zero": ({None: {"tools": [ONE], "nextCursor": 0}, 0: {"tools": [TWO]}}, ["one", "two"]),
    "a fraction": (
        {None: {"tools": [ONE], "nextCursor": 1.5}, 1.5: {"tools": [TWO]}},
        ["one", "two"],
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_ends_of_lists(tmp_path: Path, name: str) -> None:
    """Null ends a list, an empty cursor that leads nowhere too; one of another type is sent back as
    it came.
    """
    pages, keys = LISTS[name]
    server = ToolServer(legacy=True)
    server.before = _pages(pages)
    with serving(server):
        assert [row["key"] for row in generate(tmp_path, server.url)["actions"]] == keys


@pytest.mark.parametrize("cursor", ["x", 2, {"page": 2}])
def test_a_list_in_circles(tmp_path: Path, cursor: object) -> None:
    """A cursor that comes again is an error, whatever it is."""
    server = ToolServer(legacy=True)

    def before(talk: Talk) -> bool:
        if talk.message["method"] != "tools/list":
            return False
        talk.result({"tools": [tool(f"tool_{server.count('tools/list')}")], "nextCursor": cursor})
        return True

    server.before = before
    with serving(server), pytest.raises(JackfieldError, match="circles"):
        generate(tmp_path, server.url)


def test_a_list_that_fails_behind_an_empty_cursor(tmp_path: Path) -> None:
    """A failure of the way there is no end: what is missing would count as gone."""
    server = ToolServer(legacy=True)
    server.before = _pages({None: {"tools": [ONE], "nextCursor": ""}, "": _status(503)})
    with serving(server), pytest.raises(JackfieldError) as caught:
        generate(tmp_path, server.url)
    assert caught.value.code == "unavailable"


def test_resources_by_numbers(tmp_path: Path) -> None:
    """The list of resources is followed by such a cursor, too."""
    server = ToolServer(legacy=True)
    server.capabilities["resources"] = {}
    pages: dict[object, Any] = {
        None: {"resources": [{"uri": "a:1"}], "nextCursor": 2},
        2: {"resources": [{"uri": "a:2"}]},
    }
    server.on_other = lambda talk: (
        talk.result(
            pages[talk.message["params"].get("cursor")]
            if talk.message.get("params")
            else pages[None]
        )
        if talk.message["method"] == "resources/list"
        else talk.json(b"", 202)
    )
    server.on_call = lambda talk: talk.result(said("done"))
    with stage(tmp_path, server) as jackfield:
        found = call(jackfield, "listResources", inputs={"fetchAll": True})
        assert (found.unwrap()["resources"], found.meta.complete) == (
            [{"uri": "a:1"}, {"uri": "a:2"}],
            True,
        )
        first = call(jackfield, "listResources", inputs={})
        assert call(jackfield, "listResources", inputs=dict(first.meta.next)).unwrap()[
            "resources"
        ] == [{"uri": "a:2"}]
