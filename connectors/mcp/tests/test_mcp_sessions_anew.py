"""Sessions that a server no longer knows, as after a restart: they are begun anew, whatever the
server says so by.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock
from mcp_rig import Talk, ToolServer, call, said, stage, tool

Answer = Callable[[Talk], object]
Json = dict[str, Any]
_OUTSIDE = ("initialize", "server/discover")


def _status(status: int, body: bytes = b"", **headers: str) -> Answer:
    return lambda talk: talk.json(body, status, **headers)


def _error(code: int, words: str, status: int = 200) -> Answer:
    return lambda talk: talk.error(code, words, status)


def _unnamed(code: int, words: str, status: int = 200) -> Answer:
    return lambda talk: talk.json(
        {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": words, "data": None}},
        status,
    )


def _sent(talk: Talk, identifier: str, code: int, words: str) -> None:
    talk.json({"jsonrpc": "2.0", "id": identifier, "error": {"code": code, "message": words}})


def _on_stream(code: int, words: str, *, named: bool = True) -> Answer:
    def answer(talk: Talk) -> None:
        error = {
            "jsonrpc": "2.0",
            "id": talk.message["id"] if named else None,
            "error": {"code": code, "message": words},
        }
        talk.stream(
            b": hello\n\n", b"event: message\ndata: " + json.dumps(error).encode() + b"\n\n"
        )

    return answer


GONE: dict[str, Answer] = {
    "404": _status(404),
    "404 in HTML": _status(404, b"<html>", Content_Type="text/html"),
    "404, unnamed": _unnamed(-32001, "Session not found", 404),
    "404, of the Python SDK": _unnamed(-32600, "Session not found", 404),
    "400 as text": _status(400, b"Invalid session ID", Content_Type="text/plain"),
    "400, of the TypeScript SDK": _unnamed(
        -32000, "Bad Request: No valid session ID provided", 400
    ),
    "400, not initialized": _error(-32000, "Bad Request: Server not initialized", 400),
    "410": _status(410),
    "410, as an error": _unnamed(-32001, "Gone", 410),
    "403 by its words": _error(-32000, "Forbidden: invalid session", 403),
    "401 by its words": _error(-32001, "Session expired", 401),
    "422 by its words": _unnamed(-32600, "Unexpected message: Session not found", 422),
    "409 by its text": _status(409, b"Session not found\n", Content_Type="text/plain"),
    "401 by its text": _status(401, b"Invalid session ID", Content_Type="text/plain"),
    "405 by its text": _status(405, b"No valid session", Content_Type="text/plain; charset=utf-8"),
}
"""Answers by which nothing was done: a status that refuses, and is of an ended session or names
one.
"""
BY_CODE: dict[str, tuple[Answer, str]] = {
    "400": (_status(400), "failed"),
    "400, of a gateway": (_status(400, b'{"error": "unknown upstream"}'), "failed"),
    "-32001": (_error(-32001, "Session not found"), "in_doubt"),
    "-32001, unnamed": (_unnamed(-32001, "Session 7f3a not found"), "in_doubt"),
    "-32001 on a stream": (_on_stream(-32001, "Session not found"), "in_doubt"),
    "-32001 in a batch": (
        lambda talk: talk.json(
            [
                {
                    "jsonrpc": "2.0",
                    "id": talk.message["id"],
                    "error": {"code": -32001, "message": "Session has expired"},
                }
            ]
        ),
        "in_doubt",
    ),
    "-32000": (_error(-32000, "Bad Request: No valid session ID provided"), "in_doubt"),
    "-32000, the field": (
        _error(-32000, "Bad Request: Mcp-Session-Id header is required"),
        "in_doubt",
    ),
    "-32000, with more words": (
        _error(-32000, "Session expired while saving the note"),
        "in_doubt",
    ),
    "-32600": (_error(-32600, "Invalid Request"), "failed"),
    "-32600 by its words": (_error(-32600, "Invalid session"), "failed"),
    "-32600 on a stream": (_on_stream(-32600, "Invalid Request"), "failed"),
    "-32002, not initialized": (_error(-32002, "Server not initialized"), "in_doubt"),
    "-32600, to no request": (
        lambda talk: _sent(talk, "server-error", -32600, "Session not found"),
        "failed",
    ),
    "-32001, to no request": (
        lambda talk: _sent(talk, "", -32001, "Session not found"),
        "in_doubt",
    ),
    "-32602, of the Python SDK": (_error(-32602, "Invalid request parameters"), "failed"),
    "-32602, before initialization": (
        _error(-32602, "Received request before initialization was complete"),
        "failed",
    ),
}
"""Answers by whose words or code the session may have ended, which does not prove that a write may
be sent again; its status.
"""
DOUBTFUL: dict[str, Answer] = {
    "-32000": _error(-32000, "Connection closed"),
    "-32001": _error(-32001, "Request timed out"),
    "-32000 of a tool": _error(-32000, "The upload's login session expired"),
    "500 by its words": _error(-32603, "Session not found", 500),
    "502 by its code": _error(-32000, "Not connected", 502),
    "unnamed on a stream": _on_stream(-32001, "Session not found", named=False),
}
"""Answers by which nobody knows what was done."""
KEPT: dict[str, tuple[Answer, str]] = {
    "-32602": (_error(-32602, "text is too long"), "failed"),
    "-32602 of the arguments": (
        _error(-32602, "Invalid request parameters: text is too long"),
        "failed",
    ),
    "-32602 with 400": (_error(-32602, "sessionId is missing", 400), "failed"),
    "-32601 with 404": (_error(-32601, "no such method", 404), "failed"),
    "-32603": (_error(-32603, "internal"), "in_doubt"),
    "409": (_status(409), "failed"),
    "409 by another text": (
        _status(
            409, b"The note was changed in another session: not found", Content_Type="text/plain"
        ),
        "failed",
    ),
    "409 in HTML": (_status(409, b"<p>Session not found", Content_Type="text/html"), "failed"),
    "500": (_status(500), "in_doubt"),
    "the tool's error": (
        lambda talk: talk.result(said("Session not found", isError=True)),
        "failed",
    ),
}
"""Answers that say nothing of the session."""


def _server() -> ToolServer:
    server = ToolServer(tool(), tool("look", annotations={"readOnlyHint": True}), legacy=True)
    server.sessions = set()
    return server


def _restarts(server: ToolServer, answer: Answer) -> None:
    """Forget the sessions, and refuse them by ``answer``."""
    known = server.sessions
    assert known is not None
    known.clear()

    def before(talk: Talk) -> bool:
        is_stale = (
            talk.message.get("method") not in _OUTSIDE
            and talk.headers.get("Mcp-Session-Id") not in known
        )
        if is_stale:
            talk.json(b"", 405) if talk.message["method"] == "GET" else answer(talk)
        return is_stale

    server.before = before


@pytest.mark.parametrize("action", ["addNote", "look"])
@pytest.mark.parametrize("name", GONE)
def test_a_refusal_begins_the_session_anew(tmp_path: Path, name: str, action: str) -> None:
    """The call that is refused is sent once more, in a new session, which serves the next ones."""
    server = _server()
    with stage(tmp_path, server, "--trust", "annotations") as jackfield:
        call(jackfield)
        for _ in range(2):
            _restarts(server, GONE[name])
            sent, begun = server.count("tools/call"), server.count("initialize")
            found = [call(jackfield, action).status for _ in range(3)]
            assert (found, server.count("tools/call") - sent) == (["succeeded"] * 3, 4)
            assert server.count("initialize") - begun == 1


@pytest.mark.parametrize("name", BY_CODE)
def test_words_repeat_no_write(tmp_path: Path, name: str) -> None:
    """A write is sent once, and the next call has a new session. A read is repeated in it."""
    answer, status = BY_CODE[name]
    server = _server()
    with stage(tmp_path, server, "--trust", "annotations") as jackfield:
        call(jackfield)
        _restarts(server, answer)
        sent = server.count("tools/call")
        assert [call(jackfield).status for _ in range(3)] == [status, "succeeded", "succeeded"]
        assert server.count("tools/call") - sent == 3
        _restarts(server, answer)
        assert (call(jackfield, "look").status, server.count("tools/call") - sent) == (
            "succeeded",
            5,
        )


@pytest.mark.parametrize(
    "name", [*BY_CODE, "404", "400, of the TypeScript SDK", "401 by its words"]
)
def test_a_server_that_gave_no_id_is_not_sent_it_again(tmp_path: Path, name: str) -> None:
    """The words are about a session of the tool's own."""
    server = ToolServer(legacy=True)
    with stage(tmp_path, server) as jackfield:
        server.on_call = BY_CODE[name][0] if name in BY_CODE else GONE[name]
        assert call(jackfield).status in {"failed", "in_doubt"}
        assert server.count("tools/call") == 1


@pytest.mark.parametrize("name", DOUBTFUL)
def test_a_doubt_begins_the_session_anew(tmp_path: Path, name: str) -> None:
    """A write that may have been carried out is not sent again; the next call has a new session. A
    read is repeated in it.
    """
    server = _server()
    with stage(tmp_path, server, "--trust", "annotations", clock=FakeClock()) as jackfield:
        call(jackfield)
        _restarts(server, DOUBTFUL[name])
        sent = server.count("tools/call")
        assert [call(jackfield).status for _ in range(3)] == ["in_doubt", "succeeded", "succeeded"]
        assert server.count("tools/call") - sent == 3
        _restarts(server, DOUBTFUL[name])
        assert (call(jackfield, "look").status, server.count("tools/call") - sent) == (
            "succeeded",
            5,
        )


@pytest.mark.parametrize("name", KEPT)
def test_other_failures_keep_the_session(tmp_path: Path, name: str) -> None:
    """What is about the call, and not about its session, costs no other one, and the write is sent
    once.
    """
    server = _server()
    answer, status = KEPT[name]
    with stage(tmp_path, server) as jackfield:
        call(jackfield)
        server.on_call = answer
        sent, begun = server.count("tools/call"), server.count("initialize")
        assert (
            call(jackfield).status,
            server.count("tools/call") - sent,
            server.count("initialize") - begun,
        ) == (status, 1, 0)


BROKEN: dict[str, Answer] = {
    "500": _error(-32603, "Error handling POST request", 500),
    "500 in words": _status(500, b"Internal Server Error", Content_Type="text/plain"),
    "502": _status(502),
    "nothing": lambda talk: talk.hang_up(),
    "a stream without an answer": lambda talk: talk.stream(b": hello\n\n"),
    "a stream that is cut": lambda talk: talk.stream(b": hello\n\n", ends=False),
    "an empty body": _status(200),
    # until it is left
    "silence": lambda talk: talk.stream(b": hello\n\n", waits=lambda: talk.rfile.read(1)),
}
"""Answers of a session that has crashed at a server which still knows its ID."""


@pytest.mark.parametrize("action", ["addNote", "look"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_session_that_has_crashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, action: str
) -> None:
    """A write in it is in doubt, once: the next call tries the session first, and begins another
    one. A read is repeated there.
    """
    monkeypatch.setattr("jackfield_mcp.client.PROBE_WITHIN", 0.5)
    server = _server()
    with stage(tmp_path, server, "--trust", "annotations") as jackfield:
        call(jackfield)
        crashed = set(server.sessions or ())
        server.before = lambda talk: (
            talk.headers.get("Mcp-Session-Id") in crashed and (BROKEN[name](talk), True)[1]
        )
        sent, begun = server.count("tools/call"), server.count("initialize")
        found = [
            call(jackfield, action, timeoutSeconds=20 if action == "look" else 1).status
            for _ in range(3)
        ]
        assert found == ["succeeded" if action == "look" else "in_doubt", "succeeded", "succeeded"]
        assert (server.count("tools/call") - sent, server.count("initialize") - begun) == (
            4 if action == "look" else 3,
            1,
        )


@pytest.mark.parametrize(
    "ping",
    [
        lambda talk: talk.result({}),
        lambda talk: talk.error(-32601, "Method not found"),
        _status(405),
    ],
)
def test_a_session_that_has_not(tmp_path: Path, ping: Answer) -> None:
    """One that answers, be it by a refusal, stays, and is tried once."""
    server, is_down = _server(), [True]
    server.before = lambda talk: talk.message.get("method") == "ping" and (ping(talk), True)[1]
    server.on_call = lambda talk: talk.hang_up() if is_down else talk.result(said("done"))
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).status == "in_doubt"
        is_down.clear()
        assert [call(jackfield).status for _ in range(3)] == ["succeeded"] * 3
    assert (server.count("ping"), server.count("tools/call")) == (1, 4)
    assert len(server.sessions or ()) == 2  # that of the generation, too


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "rejected"),
        (404, "rejected"),
        (410, "rejected"),
        (403, "forbidden"),
        (401, "unauthenticated"),
    ],
)
def test_what_a_new_session_does_not_change(tmp_path: Path, status: int, code: str) -> None:
    """It is the error that it was, after one more request at most, and the session stays for the
    next call.
    """
    server = _server()
    with stage(tmp_path, server) as jackfield:
        call(jackfield)
        server.on_call = _error(-32000, "Session not found", status)
        sent, begun = server.count("tools/call"), server.count("initialize")
        assert (call(jackfield).error.code, server.count("tools/call") - sent) == (code, 2)
        server.on_call = lambda talk: talk.result(said("done"))
        assert (call(jackfield).status, server.count("initialize") - begun) == ("succeeded", 1)


def test_a_session_that_ends_before_the_list(tmp_path: Path) -> None:
    """If the list has to be read first, that begins the session anew, and the call is sent once, in
    the new one.
    """
    server, clock = _server(), FakeClock()
    with stage(tmp_path, server, clock=clock) as jackfield:
        call(jackfield)
        _restarts(server, DOUBTFUL["-32001"])
        clock.advance(4000)
        sent = server.count("tools/call")
        assert (call(jackfield).status, server.count("tools/call") - sent) == ("succeeded", 1)


def test_a_server_without_session_ids(tmp_path: Path) -> None:
    """One that wants to be initialized again after a restart says so by words only: the next call
    begins with that.
    """
    server = ToolServer(legacy=True)
    is_ready: list[Any] = []

    def before(talk: Talk) -> bool:
        method = talk.message["method"]
        if method == "initialize":
            is_ready.append(1)
        if method in _OUTSIDE or is_ready:
            return False
        talk.error(-32000, "Server not initialized", 400)
        return True

    server.before = before
    with stage(tmp_path, server) as jackfield:
        call(jackfield)
        is_ready.clear()
        sent = server.count("tools/call")
        assert [call(jackfield).status for _ in range(2)] == ["failed", "succeeded"]
        assert server.count("tools/call") - sent == 2
