"""Bodies of refusals in the forms of answers: the reason is told in the server's words, short and
without markup.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcp_rig import Talk, ToolServer, call, said, stage, tool

LONG = "The text is longer than the three characters that a note may have."


def _error(talk: Talk, code: int = -32602) -> bytes:
    return json.dumps(
        {"jsonrpc": "2.0", "id": talk.message["id"], "error": {"code": code, "message": LONG}}
    ).encode()


FORMS: dict[str, tuple[Callable[[Talk], bytes], str]] = {
    "an event": (
        lambda talk: b"event: message\ndata: " + _error(talk) + b"\n\n",
        "text/event-stream",
    ),
    "an event behind others": (
        lambda talk: (
            (
                b": hi\n\nid: 1\ndata:\n\ndata: ping\n\ndata: "
                b'{"jsonrpc":"2.0","method":"ping"}\n\ndata: '
            )
            + _error(talk)
            + b"\n\n"
        ),
        "text/event-stream; charset=utf-8",
    ),
    "an event without its end": (lambda talk: b"data: " + _error(talk), "text/event-stream"),
    "an event by another name": (
        lambda talk: b"event: error\ndata: " + _error(talk) + b"\n\n",
        "application/json",
    ),
    "a batch": (lambda talk: b"[" + _error(talk) + b"]", "application/json"),
    "a batch as an event": (lambda talk: b"data: [" + _error(talk) + b"]\n\n", "text/event-stream"),
    "a text as an event": (lambda _: f"data: {LONG}\n\n".encode(), "text/event-stream"),
    "a text": (lambda _: LONG.encode(), "text/plain"),
    "a page": (
        lambda _: (
            "<!DOCTYPE html><html><head><title>Error</title><style>p "
            f"{{}}</style></head><body><h1>Error</h1><pre>{LONG}</pre>"
            f"<script>alert('x')</script></body></html>".encode()
        ),
        "text/html; charset=utf-8",
    ),
    "a page of no type": (lambda _: f"<html><body>{LONG}".encode(), ""),
    "a page in pieces": (
        lambda _: (
            f"<html><p>{LONG.replace(' ', '</p> <p>', 1).replace('may', '<b>may</b>')}".encode()
        ),
        "text/html",
    ),
}
STATUSES = {400: "failed", 422: "failed", 500: "in_doubt", 503: "in_doubt"}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("name", FORMS)
def test_the_reason_is_told(tmp_path: Path, name: str, status: int) -> None:
    """Whatever form it is in; whether something was done is said by the status."""
    body, media = FORMS[name]
    server = ToolServer(legacy=True)
    server.on_call = lambda talk: talk.json(body(talk), status, Content_Type=media)
    with stage(tmp_path, server) as jackfield:
        result = call(jackfield)
    assert (result.status, server.count("tools/call")) == (STATUSES[status], 1)
    assert LONG in result.error.message, result.error.message
    assert LONG in result.error.provider.message
    assert not {"<", ">", "data:", "alert"} & {*result.error.message.split()}


PAGES = {
    "long": (
        "<html><title>Bad</title>" + "<p>word</p><p>again and again</p>" * 5_000,
        "Bad word again and again",
    ),
    "of nothing": ("<html><script>x</script></html>", ""),
    "of hidden characters": ("<html>sor\u202e\u200bry</html>", "sorry"),
    "of unclosed marks": ("<html>" + "<!-- <![ <" * 20_000, ""),
    "of unclosed elements": ("<html>" + "<a href='" * 20_000, ""),
    "of scripts that do not end": ("<html>no<script>" + "</" * 50_000, "no"),
}


@pytest.mark.parametrize("name", PAGES)
def test_pages(tmp_path: Path, name: str) -> None:
    """What is told of one is at most 200 characters, on one line, and read at once."""
    page, words = PAGES[name]
    server = ToolServer(legacy=True)
    server.on_call = lambda talk: talk.json(
        page.encode(), 400, Content_Type="text/html; charset=utf-8"
    )
    with stage(tmp_path, server) as jackfield:
        error = call(jackfield, timeoutSeconds=20).error
    told = error.provider.message or ""
    assert (error.code, len(told) <= 200, told.isprintable() or not told) == (
        "rejected",
        True,
        True,
    )
    assert told.startswith(f'a page that says "{words}' if words else ""), told


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500])
@pytest.mark.parametrize("media", ["application/json", "text/event-stream"])
def test_a_result_with_the_status_of_a_failure(tmp_path: Path, status: int, media: str) -> None:
    """The tool may have run: it is neither a success nor refused."""
    server = ToolServer(legacy=True)

    def answer(talk: Talk) -> None:
        body: Any = json.dumps(
            {"jsonrpc": "2.0", "id": talk.message["id"], "result": said("done")}
        ).encode()
        talk.json(
            b"data: " + body + b"\n\n" if "event" in media else body, status, Content_Type=media
        )

    server.on_call = answer
    with stage(tmp_path, server) as jackfield:
        assert (call(jackfield).status, server.count("tools/call")) == ("in_doubt", 1)


@pytest.mark.parametrize(
    ("status", "advised"),
    [(404, True), (405, True), (410, True), (409, False), (412, False), (423, False)],
)
def test_the_url_is_to_be_checked(tmp_path: Path, status: int, advised: bool) -> None:
    """Where a status may be that of a wrong URL, and nowhere else."""
    server = ToolServer(legacy=True)
    server.on_call = lambda talk: talk.json({"message": LONG}, status)
    with stage(tmp_path, server) as jackfield:
        error = call(jackfield).error
        assert (error.code, "Check the server's URL" in error.hint) == ("rejected", advised)


def _says(code: int, words: str) -> Callable[[Talk], object]:
    return lambda talk: talk.error(code, words)


GONE: dict[str, Callable[[Talk], object]] = {
    "unknown": _says(-32602, "Unknown tool: add_note"),
    "not found": _says(-32602, "Tool 'add_note' not found"),
    "does not exist": _says(-32601, "The tool add_note does not exist"),
    "with a code before": lambda talk: talk.result(
        said("MCP error -32602: Tool add_note not found", isError=True)
    ),
    "as a result": lambda talk: talk.result(said("Unknown tool: add_note", isError=True)),
}


@pytest.mark.parametrize("name", GONE)
def test_a_tool_that_was_renamed(tmp_path: Path, name: str) -> None:
    """The hint says to list the tools again, as the next call does, which is not sent."""
    server = ToolServer(legacy=True)
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).status == "succeeded"
        server.tools, server.on_call = [tool("create_note")], GONE[name]
        error = call(jackfield).error
        assert error.code == "rejected"
        assert error.hint.startswith("List the server's tools again")
        assert (call(jackfield).error.code, server.count("tools/call")) == ("not_allowed", 2)


@pytest.mark.parametrize(
    "words",
    ["Unknown tool: hammer", "Tool hammer not found", "add_note: the tool shed was not found"],
)
def test_another_tool_that_is_not_found(tmp_path: Path, words: str) -> None:
    """It is a matter of the call's."""
    server = ToolServer(legacy=True)
    server.on_call = lambda talk: talk.result(said(words, isError=True))
    with stage(tmp_path, server) as jackfield:
        assert "List the server's tools again" not in call(jackfield).error.hint


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("/mcp/?key=k-4711", "redirects to http://127.0.0.1:{port}/mcp/"),
        ("https://sign-in.example.com/?next=/mcp", "redirects to another address"),
    ],
)
@pytest.mark.parametrize("status", [300, 302, 303, 305])
def test_a_redirect_that_leaves_a_doubt(
    tmp_path: Path, status: int, location: str, words: str
) -> None:
    """Its address is told as other redirects' are: within the server, and without its query."""
    server = ToolServer(legacy=True)
    server.on_call = lambda talk: talk.json(b"", status, Location=location)
    with stage(tmp_path, server) as jackfield:
        error = call(jackfield).error
    assert (error.code, server.count("tools/call")) == ("in_doubt", 1)
    assert words.format(port=server.place.server_port) in error.message
    assert ("k-4711" in error.message, "sign-in" in error.message) == (False, False)
