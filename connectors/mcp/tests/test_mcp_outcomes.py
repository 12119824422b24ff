"""Each row of the table of outcomes (docs/reference/mcp-connectors.md): its code, and how often the
tool was called for it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock
from mcp_rig import Talk, ToolServer, call, generate, installed, said, serving, stage, tool

READS = ("--trust", "annotations")
READ: dict[str, Any] = {"annotations": {"readOnlyHint": True}}
REFUSED = ("rejected", "rejected", 1, 1)
"""Codes of a read and of a write, and the requests that each sends."""
UNCLEAR = ("unavailable", "in_doubt", 6, 1)
Answer = Callable[[Talk], object]
Row = tuple[Answer, str, str, int, int]


def _status(status: int, **headers: str) -> Answer:
    return lambda talk: talk.json({"error": "no"}, status, **headers)


def _error(code: Any, status: int = 200, **more: Any) -> Answer:
    return lambda talk: talk.error(code, status=status, **more)


def _both(talk: Talk) -> None:
    talk.json(
        {
            "jsonrpc": "2.0",
            "id": talk.message["id"],
            "result": said("x"),
            "error": {"code": -1, "message": "x"},
        }
    )


def _asks(talk: Talk) -> None:
    page = {
        "mode": "url",
        "message": "Sign in",
        "url": "https://sign-in.example.com/x",
        "elicitationId": "1",
    }
    talk.result(
        {
            "resultType": "input_required",
            "inputRequests": {"q": {"method": "elicitation/create", "params": page}},
        }
    )


ROWS: dict[str, Row] = {
    "401": (_status(401), "unauthenticated", "unauthenticated", 1, 1),
    "403": (_status(403), "forbidden", "forbidden", 1, 1),
    "asks a person": (_asks, "forbidden", "forbidden", 1, 1),
    "asks by an error": (
        _error(-32042, data={"elicitations": [{"url": "https://sign-in.example.com/"}]}),
        "forbidden",
        "forbidden",
        1,
        1,
    ),
    **{
        f"error {code}": (_error(code), *REFUSED)
        for code in (-32700, -32600, -32601, -32602, -32021)
    },
    **{
        f"error {code}, a status": (_error(code), *REFUSED)
        for code in (400, 404, 409, 422, 451, "400")
    },
    **{
        f"error {code}, an unclear status": (_error(code), *UNCLEAR)
        for code in (200, 302, 408, 425, 499, 500, 503)
    },
    "error 401, a status": (_error(401), "unauthenticated", "unauthenticated", 1, 1),
    "error 403, a status": (_error(403), "forbidden", "forbidden", 1, 1),
    "unknown method, by its status": (_error(-32601, 404), *REFUSED),
    "capability missing, by its status": (_error(-32021, 400), *REFUSED),
    **{
        f"status {status}": (_status(status), *REFUSED) for status in (400, 404, 405, 409, 410, 422)
    },
    **{
        f"redirect {status}": (_status(status, Location="http://127.0.0.1:9/mcp"), *REFUSED)
        for status in (301, 307, 308)
    },
    "tool reports an error": (
        lambda talk: talk.result(said("no such note", isError=True)),
        *REFUSED,
    ),
    **{f"error {code}": (_error(code), *UNCLEAR) for code in (-32603, -32000, -32099, 7)},
    **{f"status {status}": (_status(status), *UNCLEAR) for status in (500, 502, 504)},
    "hangs up": (lambda talk: talk.hang_up(), *UNCLEAR),
    "no JSON": (lambda talk: talk.json(b"<html>"), *UNCLEAR),
    "another media type": (lambda talk: talk.json(b"<html>", Content_Type="text/html"), *UNCLEAR),
    "wrong id": (
        lambda talk: talk.json({"jsonrpc": "2.0", "id": "other", "result": said("x")}),
        *UNCLEAR,
    ),
    "result and error": (_both, *UNCLEAR),
    "neither": (lambda talk: talk.json({"jsonrpc": "2.0", "id": talk.message["id"]}), *UNCLEAR),
    "unknown result": (lambda talk: talk.result({"resultType": "poem"}), *UNCLEAR),
    "too large": (lambda talk: talk.json(b" " * 34_000_000), "unavailable", "in_doubt", 1, 1),
    "stream ends early": (lambda talk: talk.stream(b": hello\n\n"), *UNCLEAR),
    "stream is cut": (lambda talk: talk.stream(b"data: {", ends=False), *UNCLEAR),
}


@pytest.mark.parametrize("name", ROWS)
def test_outcomes(tmp_path: Path, name: str) -> None:
    """A write is sent once, and is in doubt unless the server has refused it; a read is repeated
    unless the server has refused it.
    """
    answer, of_read, of_write, reads, writes = ROWS[name]
    server = ToolServer(tool(), tool("look", **READ))
    server.on_call = answer
    found = []
    with stage(tmp_path, server, *READS, clock=FakeClock()) as jackfield:
        for action in ("look", "addNote"):
            sent = server.count("tools/call")
            error = call(jackfield, action, timeoutSeconds=300).error
            found.append((error.code, server.count("tools/call") - sent))
    assert found == [(of_read, reads), (of_write, writes)]


def test_nothing_sent(tmp_path: Path) -> None:
    """A server that is gone leaves nothing in doubt, and a write is tried again, too."""
    with serving(server := ToolServer()):
        generate(tmp_path, server.url)
    listed = len(server.requests)
    clock = FakeClock()
    with installed(tmp_path, clock=clock) as jackfield:
        result = call(jackfield, timeoutSeconds=300)
    assert (result.error.code, result.error.retryable, len(server.requests), len(clock.slept)) == (
        "unavailable",
        True,
        listed,
        5,
    )


@pytest.mark.parametrize("status", [403, 401])
@pytest.mark.parametrize("name", ['error="insufficient_scope"', "Error=insufficient_scope"])
def test_scopes_that_are_missing(tmp_path: Path, status: int, name: str) -> None:
    """A challenge for more scopes is told with the scopes, and the way to get them."""
    server = ToolServer()
    server.on_call = _status(status, WWW_Authenticate=f'Bearer {name}, scope="notes:write"')
    with stage(tmp_path, server) as jackfield:
        error = call(jackfield).error
    assert (error.code, "notes:write" in error.details[0].message, server.count("tools/call")) == (
        "forbidden",
        True,
        1,
    )
    assert "Connect it again" in error.hint


@pytest.mark.parametrize("name", ["asks a person", "asks by an error"])
def test_the_way_out_of_a_question(tmp_path: Path, name: str) -> None:
    """The hint names the host of the page where a person can go on."""
    server = ToolServer()
    server.on_call = ROWS[name][0]
    with stage(tmp_path, server) as jackfield:
        assert "sign-in.example.com" in call(jackfield).error.hint


def test_throttles_are_waited_for(tmp_path: Path) -> None:
    """A throttled write is sent again, since it was refused; what is throttled for ever says so."""
    server, clock = ToolServer(), FakeClock()
    server.on_call = lambda talk: (
        talk.json({}, 429) if server.count("tools/call") == 1 else talk.result(said("done"))
    )
    with stage(tmp_path, server, clock=clock) as jackfield:
        assert (call(jackfield).status, server.count("tools/call")) == ("succeeded", 2)
        server.on_call = _status(429)
        result = call(jackfield, timeoutSeconds=60)
    assert (result.error.code, server.count("tools/call")) == (
        "rate_limited",
        2 + result.meta.attempts,
    )
    assert result.meta.attempts > 1


def test_session_that_ended(tmp_path: Path) -> None:
    """A session that the server has forgotten is begun anew, and the write is sent once more: it
    was refused. Twice is too often.
    """
    server = ToolServer(legacy=True)
    server.sessions = set()
    with stage(tmp_path, server) as jackfield:
        call(jackfield)
        server.sessions.clear()
        assert (call(jackfield).status, server.count("tools/call")) == ("succeeded", 3)
        server.on_call = _status(404)
        assert (call(jackfield).error.code, server.count("tools/call")) == ("rejected", 5)
    assert server.count("notifications/initialized") == server.count("initialize")


@pytest.mark.parametrize("code", [-32022, -32020])
def test_what_is_sent_once_more(tmp_path: Path, code: int) -> None:
    """A revision, or a header field, that the server refuses: negotiated or listed anew, and the
    write is sent once more, not twice.
    """
    server = ToolServer()
    asks = "server/discover" if code == -32022 else "tools/list"
    server.on_call = lambda talk: (
        talk.error(code, status=400)
        if server.count("tools/call") == 1
        else talk.result(said("done"))
    )
    with stage(tmp_path, server) as jackfield:
        before = server.count(asks)
        assert (
            call(jackfield).status,
            server.count("tools/call"),
            server.count(asks) - before,
        ) == ("succeeded", 2, 2)
        server.on_call = _error(code, 400)
        assert (call(jackfield).error.code, server.count("tools/call")) == ("rejected", 4)


def test_a_second_answer(tmp_path: Path) -> None:
    """The first one counts, and the connection serves no further call: what is left in it belongs
    to no request.
    """
    server, ports = ToolServer(), []

    def answer(talk: Talk) -> None:
        ports.append(talk.client_address[1])
        talk.stream(talk.answered(said("first")), talk.answered(said("second")))

    server.on_call = answer
    with stage(tmp_path, server) as jackfield:
        found = [call(jackfield).output["content"][0]["text"] for _ in range(3)]
    assert (found, len(set(ports))) == (["first"] * 3, 3)


def test_output_that_breaks_its_schema(tmp_path: Path) -> None:
    """An output that is not as the server has described it is a warning."""
    schema = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}
    server = ToolServer(tool(outputSchema=schema))
    server.on_call = lambda talk: talk.result(said("done", structuredContent={"id": "one"}))
    with stage(tmp_path, server) as jackfield:
        result = call(jackfield)
    assert (result.status, bool(result.meta.warnings), server.count("tools/call")) == (
        "succeeded",
        True,
        1,
    )


@pytest.mark.parametrize("code", [429, "429", 429.0])
def test_a_limit_in_the_code_of_an_error(tmp_path: Path, code: Any) -> None:
    """Nothing was done: the call is made again once the server's wait is over."""
    server, clock = ToolServer(), FakeClock()
    limited = _error(code, data={"retry_after": 30})
    server.on_call = lambda talk: (
        limited(talk) if server.count("tools/call") == 1 else talk.result(said("done"))
    )
    with stage(tmp_path, server, clock=clock) as jackfield:
        assert call(jackfield, timeoutSeconds=300).status == "succeeded"
    assert (server.count("tools/call"), max(clock.slept) >= 30) == (2, True)
