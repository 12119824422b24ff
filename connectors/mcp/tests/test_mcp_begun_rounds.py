"""Calls that a server had begun before it asked a person: a later round that fails in any way
leaves a doubt, and nothing is sent again.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock
from mcp_rig import Answers, Talk, ToolServer, call, generate, installed, said, serving, tool

Json = dict[str, Any]
FORM = {
    "mode": "form",
    "message": "Delete all?",
    "requestedSchema": {"type": "object", "properties": {}},
}
ASKED = {
    "resultType": "input_required",
    "inputRequests": {"q": {"method": "elicitation/create", "params": FORM}},
    "requestState": "s-1",
}
LOG = {
    "jsonrpc": "2.0",
    "method": "notifications/message",
    "params": {"level": "info", "data": "note 1 of 2 was written"},
}
ENDS: dict[str, Callable[[Talk], object]] = {
    "the parameters": lambda talk: talk.error(-32602, "too long"),
    "the tool": lambda talk: talk.error(-32602, "Unknown tool: add_note"),
    "the token": lambda talk: talk.error(-32602, "Unrecognized key: _meta.progressToken"),
    "the revision": lambda talk: talk.error(-32022, "no", data={"supported": ["2025-11-25"]}),
    "the same revision": lambda talk: talk.error(-32022, "no", data={"supported": ["2026-07-28"]}),
    "the header": lambda talk: talk.error(-32020, "Header mismatch"),
    "a person's page": lambda talk: talk.error(-32042, "Open the page"),
    "the limit, as a code": lambda talk: talk.error(429, "Too many requests"),
    "the limit": lambda talk: talk.json(b"", 429, Retry_After="1"),
    "the sign-in": lambda talk: talk.json(b"", 401),
    "the permission": lambda talk: talk.json(b"", 403),
    "another address": lambda talk: talk.json(b"", 307, Location="/x"),
    "the session": lambda talk: talk.json(b"", 404),
    "the time": lambda talk: talk.json(b"", 408),
    "for now": lambda talk: talk.json(b"", 503, Retry_After="1"),
}
"""Answers to a later round, after which a call that the server had not begun has failed, or is sent
again.
"""


def _event(message: Json) -> bytes:
    return b"data: " + json.dumps(message).encode() + b"\n\n"


def _progress(talk: Talk) -> Json:
    token = talk.message["params"].get("_meta", {}).get("progressToken", 0)
    return {
        "jsonrpc": "2.0",
        "method": "notifications/progress",
        "params": {"progressToken": token, "progress": 1},
    }


BEGUN: dict[str, Callable[[Talk], Json]] = {
    "a log": lambda _talk: LOG,
    "progress": _progress,
    "a question": lambda _talk: {
        "jsonrpc": "2.0",
        "id": "q1",
        "method": "elicitation/create",
        "params": FORM,
    },
}


def _asks(talk: Talk, before: str = "a log") -> None:
    talk.stream(_event(BEGUN[before](talk)), talk.answered(ASKED))


def _run(
    folder: Path,
    rounds: Callable[[Talk, int], object],
    *options: str,
    action: str = "addNote",
    answers: Json | None = None,
    **more: Any,
) -> tuple[Any, int]:
    """Call a tool of a server, whose answer to each round is ``rounds``; the result, and how often
    the call was sent.
    """
    server, sent = (
        ToolServer(tool(), tool("look", annotations={"readOnlyHint": True}), **more),
        list[Talk](),
    )

    def on_call(talk: Talk) -> None:
        sent.append(talk)
        rounds(talk, len(sent))

    server.on_call = on_call
    with serving(server):
        generate(folder, server.url, *options)
        with installed(folder, answers=Answers(answers), clock=FakeClock()) as jackfield:
            return call(jackfield, action, follow=lambda _told: None), len(sent)


@pytest.mark.parametrize(
    ("before", "end"),
    [(before, end) for before in BEGUN for end in ENDS if before == "a log" or end == "the limit"],
)
def test_a_later_round_is_refused(tmp_path: Path, before: str, end: str) -> None:
    """The refusal is no proof that nothing was done: an earlier round had begun."""
    found, sent = _run(
        tmp_path, lambda talk, number: ENDS[end](talk) if number > 1 else _asks(talk, before)
    )
    assert (found.status, sent) == ("in_doubt", 2)


@pytest.mark.parametrize("end", ["the parameters", "the limit", "the session", "a person's page"])
def test_a_later_round_of_an_older_server(tmp_path: Path, end: str) -> None:
    """It is the same in a session, which is not begun anew for the call."""
    found, sent = _run(
        tmp_path, lambda talk, number: ENDS[end](talk) if number > 1 else _asks(talk), legacy=True
    )
    assert (found.status, sent) == ("in_doubt", 2)


def test_a_round_in_between(tmp_path: Path) -> None:
    """The first round counts for the third one, too."""

    def rounds(talk: Talk, number: int) -> None:
        _asks(talk) if number == 1 else talk.result(ASKED) if number == 2 else talk.error(
            -32602, "too long"
        )

    found, sent = _run(tmp_path, rounds)
    assert (found.status, sent) == ("in_doubt", 3)


def test_a_later_round_is_not_sent(tmp_path: Path) -> None:
    """It is the same where nobody can be reached any more."""

    def rounds(talk: Talk, number: int) -> None:
        assert number == 1
        talk.server.socket.close()
        talk.close_connection = True
        body = _event(LOG) + talk.answered(ASKED)
        talk.json(body, Content_Type="text/event-stream", Connection="close")
        talk.connection.shutdown(socket.SHUT_WR)

    server = ToolServer()
    server.on_call = lambda talk: rounds(talk, 1)
    with serving(server):
        generate(tmp_path, server.url)
        with installed(tmp_path, answers=Answers(), clock=FakeClock()) as jackfield:
            found = call(jackfield)
    assert (found.status, server.count("tools/call")) == ("in_doubt", 1)


@pytest.mark.parametrize("legacy", [True, False])
def test_a_question_that_nobody_answers(tmp_path: Path, legacy: bool) -> None:
    """The question is told, and it is no proof that nothing was done."""
    server = ToolServer(legacy=legacy)
    server.on_call = _asks
    with serving(server):
        generate(tmp_path, server.url)
        with installed(tmp_path) as jackfield:
            found = call(jackfield)
    assert (found.status, found.error.provider.message, server.count("tools/call")) == (
        "in_doubt",
        "Delete all?",
        1,
    )


def test_questions_without_end(tmp_path: Path) -> None:
    """It is the same where the server asks too often."""
    found, sent = _run(tmp_path, lambda talk, _number: _asks(talk))
    assert (found.status, sent) == ("in_doubt", 10)


@pytest.mark.parametrize("answer", ["accept", "decline"])
def test_a_later_round_that_ends(tmp_path: Path, answer: str) -> None:
    """A result is one, and a tool's own error is told as it is."""

    def rounds(talk: Talk, number: int) -> None:
        _asks(talk) if number == 1 else talk.result(said("done", isError=answer == "decline"))

    found, sent = _run(tmp_path, rounds, answers={"action": answer})
    assert (found.status, sent) == ("succeeded" if answer == "accept" else "failed", 2)
    assert found.error is None or found.error.code == "rejected"


def test_a_question_alone(tmp_path: Path) -> None:
    """A server that only asked had done nothing, so a refusal of the next round is one."""
    found, sent = _run(
        tmp_path,
        lambda talk, number: talk.error(-32602, "too long") if number > 1 else talk.result(ASKED),
    )
    assert (found.status, found.error.code, sent) == ("failed", "rejected", 2)


def test_a_read_in_rounds(tmp_path: Path) -> None:
    """A read changes nothing, so a refusal is told as one."""
    found, sent = _run(
        tmp_path,
        lambda talk, number: talk.error(-32602, "too long") if number > 1 else _asks(talk),
        *("--trust", "annotations"),
        action="look",
    )
    assert (found.status, found.error.code, sent) == ("failed", "rejected", 2)
