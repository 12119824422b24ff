"""Calls that a server had begun, as its messages before the answer prove: no refusal is believed
then, and nothing is sent again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock
from mcp_rig import Answers, Talk, ToolServer, call, generate, installed, said, serving, stage, tool

Json = dict[str, Any]


def _note(method: str, **params: Any) -> Json:
    return {"jsonrpc": "2.0", "method": f"notifications/{method}", "params": params}


def _progress(talk: Talk) -> Json:
    token = talk.message["params"].get("_meta", {}).get("progressToken", 0)
    return _note("progress", progressToken=token, progress=1, total=2)


BEGUN: dict[str, Callable[[Talk], Json]] = {
    "a log": lambda _talk: _note("message", level="info", data="note 1 of 2 was written"),
    "progress": _progress,
    "a question": lambda _talk: {"jsonrpc": "2.0", "id": 9, "method": "roots/list"},
    "a list that changed": lambda _talk: _note("tools/list_changed"),
    "an unknown notification": lambda _talk: _note("x/began"),
    "an error of no request": lambda _talk: {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -32603, "message": "retrying"},
    },
}
IDLE: dict[str, Callable[[Talk], Json]] = {
    "a ping": lambda _talk: {"jsonrpc": "2.0", "id": 9, "method": "ping"},
    "a heartbeat": lambda _talk: {"type": "heartbeat"},
    "an answer to another request": lambda _talk: {"jsonrpc": "2.0", "id": 9, "result": {}},
    "an error of another request": lambda _talk: {
        "jsonrpc": "2.0",
        "id": 9,
        "error": {"code": -32603, "message": "no"},
    },
}
"""Messages that say nothing of the call."""
AGAIN: dict[str, tuple[int, str]] = {
    "the session": (-32001, "Session not found"),
    "the session, refused": (-32600, "Session not found"),
    "an expired session": (-32000, "Session expired"),
    "the revision": (-32022, "Unsupported protocol version"),
    "the header": (-32020, "Header mismatch"),
    "the token": (-32602, "Unrecognized key: _meta.progressToken"),
    "the sign-in": (401, "Unauthorized"),
    "the limit": (429, "Too many requests"),
}
"""Errors after which a call that the server had not begun is sent again, or may be."""
REFUSED: dict[str, tuple[int, str]] = {
    "the message": (-32700, "Parse error"),
    "the request": (-32600, "Invalid request"),
    "the method": (-32601, "Method not found"),
    "the parameters": (-32602, "The second note is too long"),
    "the tool": (-32602, "Unknown tool: add_note"),
    "the capabilities": (-32021, "Elicitation is required"),
    "the permission": (403, "Forbidden"),
    "the note": (404, "Not found"),
    "a person's page": (-32042, "Open the page"),
}
"""Errors that are refusals of a call that the server had not begun."""
ERRORS = AGAIN | REFUSED
PAIRS = [
    (before, error)
    for before in BEGUN
    for error in ERRORS
    if before == "a log" or error in ("the session", "the parameters")
]
STATUSES = [301, 400, 401, 403, 404, 409, 410, 422, 429, 501]


def _event(message: Json) -> bytes:
    return b"data: " + json.dumps(message).encode() + b"\n\n"


def _error(talk: Talk, error: str) -> Json:
    code, words = ERRORS[error]
    return {"jsonrpc": "2.0", "id": talk.message["id"], "error": {"code": code, "message": words}}


def _begins(talk: Talk, before: str, error: str) -> tuple[Json, Json]:
    return (BEGUN | IDLE)[before](talk), _error(talk, error)


def _server() -> ToolServer:
    server = ToolServer(tool(), tool("look", annotations={"readOnlyHint": True}), legacy=True)
    server.sessions = set()
    return server


@pytest.mark.parametrize(("before", "error"), PAIRS)
def test_a_call_that_had_begun_is_sent_once(tmp_path: Path, before: str, error: str) -> None:
    """A message before the error proves that the server had begun the call: its outcome is in
    doubt.
    """
    server = _server()
    server.on_call = lambda talk: talk.stream(*map(_event, _begins(talk, before, error)))
    with stage(tmp_path, server, clock=FakeClock()) as jackfield:
        found = call(jackfield, follow=lambda _told: None)
        assert (found.status, server.count("tools/call")) == ("in_doubt", 1)


@pytest.mark.parametrize("before", IDLE)
@pytest.mark.parametrize("error", ["the parameters", "the permission"])
def test_a_call_that_had_not_begun(tmp_path: Path, before: str, error: str) -> None:
    """A sign of life proves nothing of the kind: the refusal is one."""
    server = _server()
    server.on_call = lambda talk: talk.stream(*map(_event, _begins(talk, before, error)))
    with stage(tmp_path, server, clock=FakeClock()) as jackfield:
        assert (call(jackfield).status, server.count("tools/call")) == ("failed", 1)


@pytest.mark.parametrize("form", ["a batch", "lines", "events as JSON"])
@pytest.mark.parametrize("error", ERRORS)
def test_messages_that_come_together(tmp_path: Path, error: str, form: str) -> None:
    """It is the same if the messages come as one body."""
    server = _server()

    def answer(talk: Talk) -> None:
        rows = _begins(talk, "a log", error)
        joined = (
            b"".join(map(_event, rows))
            if form == "events as JSON"
            else b"\n".join(json.dumps(row).encode() for row in rows)
        )
        talk.json([*rows] if form == "a batch" else joined)

    server.on_call = answer
    with stage(tmp_path, server, clock=FakeClock()) as jackfield:
        assert (call(jackfield).status, server.count("tools/call")) == ("in_doubt", 1)


@pytest.mark.parametrize("error", ERRORS)
def test_a_resumed_stream_had_begun(tmp_path: Path, error: str) -> None:
    """It is the same if the error comes on the rest of a stream that was cut."""
    server, asked = _server(), list[Talk]()

    def on_call(talk: Talk) -> None:
        asked.append(talk)
        talk.stream(b"id: e0\nretry: 10\ndata:\n\n", ends=False)

    def before(talk: Talk) -> bool:
        is_rest = talk.message["method"] == "GET" and talk.headers.get("Last-Event-ID") is not None
        if is_rest:
            talk.stream(_event(_error(asked[0], error)))
        return is_rest

    server.on_call, server.before = on_call, before
    with stage(tmp_path, server, clock=FakeClock()) as jackfield:
        assert (call(jackfield).status, server.count("tools/call")) == ("in_doubt", 1)


BODIES: dict[str, tuple[Callable[[list[Json]], bytes], str]] = {
    "a batch": (lambda rows: json.dumps(rows).encode(), "application/json"),
    "a log alone": (lambda rows: json.dumps(rows[0]).encode(), "application/json"),
    "a log as text": (lambda rows: json.dumps(rows[0]).encode(), "text/plain"),
    "a log behind a mark": (
        lambda rows: b"\xef\xbb\xbf" + json.dumps(rows[0]).encode(),
        "application/json",
    ),
    "lines": (
        lambda rows: b"\n".join(json.dumps(row).encode() for row in rows),
        "application/json",
    ),
    "lines as lines": (
        lambda rows: b"\r\n".join(json.dumps(row).encode() for row in rows),
        "application/x-ndjson",
    ),
    "lines behind a mark": (
        lambda rows: b"\xef\xbb\xbf" + b"\n".join(json.dumps(row).encode() for row in rows),
        "text/plain",
    ),
}
"""Bodies of refusals by status that tell of work."""


@pytest.mark.parametrize("form", BODIES)
@pytest.mark.parametrize("status", STATUSES)
def test_work_in_the_body_of_a_refusal(tmp_path: Path, status: int, form: str) -> None:
    """A refusal by status is judged by the messages in its body, however they are written."""
    server = _server()
    made, media = BODIES[form]
    server.on_call = lambda talk: talk.json(
        made([*_begins(talk, "a log", "the session")]), status, Content_Type=media
    )
    with stage(tmp_path, server, clock=FakeClock()) as jackfield:
        assert (call(jackfield).status, server.count("tools/call")) == ("in_doubt", 1)


@pytest.mark.parametrize(
    "body",
    [
        {"method": "POST", "path": "/mcp", "error": "Not Found"},
        {"jsonrpc": "2.0", "id": 9, "method": "ping"},
        [{"error": "Not Found"}],
    ],
)
def test_no_work_in_the_body_of_a_refusal(tmp_path: Path, body: Any) -> None:
    """Bodies without such a message leave no doubt: a framework's error names the method of
    HTTP.
    """
    server = _server()
    server.on_call = lambda talk: talk.json(body, 422)
    with stage(tmp_path, server, clock=FakeClock()) as jackfield:
        assert (call(jackfield).status, server.count("tools/call")) == ("failed", 1)


@pytest.mark.parametrize("form", ["a stream", "a stream that is cut"])
@pytest.mark.parametrize("status", STATUSES)
def test_a_status_after_work(tmp_path: Path, status: int, form: str) -> None:
    """A refusal by status is judged by the messages in its body, and by none where a stream cannot
    be read to its end.
    """
    server = _server()

    def answer(talk: Talk) -> None:
        rows = _begins(talk, "a log", "the session")
        body = b"".join(map(_event, rows))
        length = str(len(body) + (9 if form == "a stream that is cut" else 0))
        talk.json(body, status, Content_Type="text/event-stream", Content_Length=length)
        talk.close_connection = True

    server.on_call = answer
    with stage(tmp_path, server, clock=FakeClock()) as jackfield:
        assert (call(jackfield).status, server.count("tools/call")) == ("in_doubt", 1)


@pytest.mark.parametrize("status", [404, 410])
def test_a_stream_of_nothing(tmp_path: Path, status: int) -> None:
    """A stale session that is refused by an empty stream, or by an error alone, is begun anew."""
    for body in (
        b"",
        b": hi\n\n",
        b"data: ping\n\n",
        (
            b'data: {"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not '
            b'found"}}\n\n'
        ),
    ):
        server, sent = _server(), list[int]()

        def answer(talk: Talk, body: bytes = body, sent: list[int] = sent) -> None:
            sent.append(1)
            talk.json(body, status, Content_Type="text/event-stream") if len(
                sent
            ) == 1 else talk.result(said("done"))

        server.on_call = answer
        with stage(tmp_path / str(len(body)), server) as jackfield:
            assert (call(jackfield).status, len(sent)) == ("succeeded", 2)


def test_a_tool_that_reports_an_error(tmp_path: Path) -> None:
    """Its own error is told as it is, after whatever it reported: the overlay says what it
    means.
    """
    server = _server()
    server.on_call = lambda talk: talk.stream(
        _event(_progress(talk)), talk.answered(said("too long", isError=True))
    )
    with stage(tmp_path, server) as jackfield:
        assert (call(jackfield).error.code, server.count("tools/call")) == ("rejected", 1)


@pytest.mark.parametrize("error", ["the request", "the parameters", "the permission"])
def test_a_read_that_had_begun(tmp_path: Path, error: str) -> None:
    """It changes nothing, so the refusal is told as one."""
    server = _server()
    server.on_call = lambda talk: talk.stream(*map(_event, _begins(talk, "a log", error)))
    with stage(tmp_path, server, "--trust", "annotations", clock=FakeClock()) as jackfield:
        assert call(jackfield, "look").status == "failed"


class OwnStream:
    """Server that says something on the session's own stream within a call, and then refuses the
    call by a status.
    """

    def __init__(self, server: ToolServer, status: int, says: Callable[[Talk], Json]) -> None:
        self._status, self._says, self._server = status, says, server
        self._asked = list[Talk]()
        self._called, self._heard = threading.Event(), threading.Event()
        server.before, server.on_call = self.before, self.on_call

    def before(self, talk: Talk) -> bool:
        """Open the stream; note the reply to the ping behind the message, by which the client has
        read both.
        """
        if talk.message.get("id") == "behind":
            self._heard.set()
        if talk.message.get("method") != "GET":
            return False
        talk.stream(b": open\n\n", waits=lambda: self._say(talk))
        return True

    def on_call(self, talk: Talk) -> None:
        """Refuse the first call once the client has read the message."""
        self._asked.append(talk)
        if len(self._asked) > 1:
            talk.result(said("done"))
            return
        self._called.set()
        assert self._heard.wait(10)
        talk.json(b"", self._status)

    def _say(self, talk: Talk) -> None:
        if not self._called.wait(10):
            return
        for row in (
            self._says(self._asked[0]),
            {"jsonrpc": "2.0", "id": "behind", "method": "ping"},
        ):
            piece = _event(row)
            talk.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            talk.wfile.flush()


ON_OWN_STREAM: dict[str, tuple[Callable[[Talk], Json], bool]] = {
    "its progress": (_progress, True),
    "its result": (
        lambda talk: {"jsonrpc": "2.0", "id": talk.message["id"], "result": said("done")},
        True,
    ),
    "a question": (
        lambda _talk: {
            "jsonrpc": "2.0",
            "id": 9,
            "method": "elicitation/create",
            "params": {"message": "sure?"},
        },
        True,
    ),
    "the progress of another call": (
        lambda _talk: _note("progress", progressToken=9, progress=1),
        False,
    ),
    "a log": (BEGUN["a log"], False),
    "a list that changed": (BEGUN["a list that changed"], False),
}
"""Messages on a session's own stream, which has those of all requests, and whether they prove that
the call had begun.
"""


@pytest.mark.parametrize("status", [404, 410, 400, 500])
@pytest.mark.parametrize("name", ON_OWN_STREAM)
def test_what_the_own_stream_said(tmp_path: Path, name: str, status: int) -> None:
    """What was seen there counts for the call, too."""
    server = _server()
    says, is_begun = ON_OWN_STREAM[name]
    with serving(server):
        generate(tmp_path, server.url)
        OwnStream(server, status, says)
        with installed(tmp_path, answers=Answers()) as jackfield:
            found = call(jackfield, follow=lambda _told: None, timeoutSeconds=30)
    wanted = {404: ("succeeded", 2), 410: ("succeeded", 2), 400: ("failed", 1)}.get(
        status, ("in_doubt", 1)
    )
    assert (found.status, server.count("tools/call")) == (("in_doubt", 1) if is_begun else wanted)


def test_what_the_own_stream_says_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is another connection, so what was sent on it before the refusal may come after that."""
    monkeypatch.setattr("jackfield_mcp.exchange._LAG", 60.0)
    server, refused, calls = _server(), threading.Event(), list[Talk]()

    def before(talk: Talk) -> bool:
        if talk.message.get("method") != "GET":
            return False
        talk.stream(b": open\n\n", waits=lambda: _say_late(talk))
        return True

    def _say_late(talk: Talk) -> None:
        if refused.wait(10):
            piece = _event(_progress(calls[0]))
            talk.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            talk.wfile.flush()

    def on_call(talk: Talk) -> None:
        calls.append(talk)
        talk.json(b"", 404)
        refused.set()

    with serving(server):
        generate(tmp_path, server.url)
        server.before, server.on_call = before, on_call
        with installed(tmp_path, answers=Answers()) as jackfield:
            found = call(jackfield, follow=lambda _told: None, timeoutSeconds=30)
    assert (found.status, len(calls)) == ("in_doubt", 1)
