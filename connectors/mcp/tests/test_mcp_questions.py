"""Questions that a server asks a person within a call: refused with the way out, or answered by a
package; nothing is done twice.
"""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from mcp_rig import Answers, Talk, ToolServer, call, generate, installed, said, serving, tool
from plugboard import provided

SCHEMA = {
    "type": "object",
    "properties": {"sure": {"type": "boolean"}, "name": {"type": "string", "default": "Ada"}},
}
FORM = {"mode": "form", "message": "Delete\u200b all?", "requestedSchema": SCHEMA}
PAGE = {
    "mode": "url",
    "message": "Sign in",
    "url": "https://sign-in.example.com/x",
    "elicitationId": "1",
}
ACCEPTED = {"action": "accept", "content": {"sure": True}}


def asked(
    params: Any, method: str = "elicitation/create", state: str | None = "s-1"
) -> dict[str, Any]:
    """A result that asks."""
    found = {
        "resultType": "input_required",
        "inputRequests": {"q": {"method": method, "params": params}},
    }
    return found if state is None else {**found, "requestState": state}


def modern(params: Any, **more: Any) -> ToolServer:
    """A server of 2026-07-28 that asks once."""
    server = ToolServer()
    server.on_call = lambda talk: talk.result(
        said("done") if "inputResponses" in talk.message["params"] else asked(params, **more)
    )
    return server


def run(folder: Path, server: ToolServer, answers: Answers | None = None, **more: Any) -> Any:
    """Call the tool once."""
    with serving(server):
        generate(folder, server.url)
        with installed(folder, answers=answers) as jackfield:
            return call(jackfield, **more)


def test_nobody_answers(tmp_path: Path) -> None:
    """The call is refused: nothing was done. The question is in the error, and the hint names the
    ways to answer it.
    """
    server = modern(FORM)
    error = run(tmp_path, server).error
    assert (error.code, error.provider.message, server.count("tools/call")) == (
        "forbidden",
        "Delete all?",
        1,
    )
    assert "package that answers" in error.hint
    assert "elicitation" not in json.dumps([message for message, _ in server.requests])


@pytest.mark.parametrize("state", ["s-1", None])
def test_a_package_answers(tmp_path: Path, state: str | None) -> None:
    """The call is sent again with its answers, the same state and another id; defaults of the form
    fill in what the package leaves out.
    """
    server, answers = modern(FORM, state=state), Answers(ACCEPTED)
    assert run(tmp_path, server, answers).status == "succeeded"
    (first, _), (second, _) = [
        one for one in server.requests if one[0].get("method") == "tools/call"
    ]
    assert second["params"]["inputResponses"] == {
        "q": {"action": "accept", "content": {"sure": True, "name": "Ada"}}
    }
    assert second["params"].get("requestState") == state
    assert (first["id"] != second["id"], first["params"]["arguments"]) == (
        True,
        second["params"]["arguments"],
    )
    assert first["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] == {
        "elicitation": {"form": {}}
    }
    (question,) = answers.asked
    assert (question["connector"], question["connection"], question["message"]) == (
        "notes",
        "main",
        "Delete all?",
    )
    assert (question["schema"], bool(question["invocationId"])) == (SCHEMA, True)


def test_a_question_in_rounds(tmp_path: Path) -> None:
    """A server may ask again, but not for ever."""
    server = ToolServer()
    server.on_call = lambda talk: talk.result(asked(FORM))
    error = run(tmp_path, server, Answers(ACCEPTED)).error
    assert (error.code, server.count("tools/call")) == ("forbidden", 10)


def test_the_answer_is_lost(tmp_path: Path) -> None:
    """A write that was answered and whose result is lost is in doubt, like any other; it is not
    sent again.
    """
    server = modern(FORM)
    answer = server.on_call
    server.on_call = lambda talk: (
        talk.hang_up() if "inputResponses" in talk.message["params"] else answer(talk)
    )
    assert run(tmp_path, server, Answers(ACCEPTED)).status == "in_doubt"
    assert server.count("tools/call") == 2


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"action": "dance"},
        {"action": "accept", "content": {"other": 1}},
        {"action": "accept", "content": 7},
    ],
)
def test_answers_that_do_not_fit(tmp_path: Path, answer: dict[str, Any]) -> None:
    """The server is told that nobody has answered."""
    server = modern(FORM)
    assert run(tmp_path, server, Answers(answer)).status == "succeeded"
    assert server.requests[-1][0]["params"]["inputResponses"] == {"q": {"action": "cancel"}}


@pytest.mark.parametrize("action", ["decline", "cancel"])
def test_a_package_declines(tmp_path: Path, action: str) -> None:
    """The server is told."""
    server = modern(FORM)
    run(tmp_path, server, Answers({"action": action}))
    assert server.requests[-1][0]["params"]["inputResponses"] == {"q": {"action": action}}


@pytest.mark.parametrize(
    ("params", "method"),
    [
        (PAGE, "elicitation/create"),
        ({}, "sampling/createMessage"),
        ({}, "roots/list"),
        ("x", "elicitation/create"),
        ({"message": "no schema"}, "elicitation/create"),
        ({**FORM, "requestedSchema": {"properties": [1]}}, "elicitation/create"),
    ],
)
def test_what_no_package_is_asked(tmp_path: Path, params: Any, method: str) -> None:
    """Pages at addresses, models, files and questions that make no sense are nobody's to answer."""
    server, answers = modern(params, method=method), Answers(ACCEPTED)
    error = run(tmp_path, server, answers).error
    assert (error.code, server.count("tools/call"), answers.asked) == ("forbidden", 1, [])
    assert ("sign-in.example.com" in error.hint) is (params == PAGE)


def legacy(params: Any) -> tuple[ToolServer, list[Any]]:
    """A server of 2025-11-25 that asks on the stream of the call; the list gets what it was
    answered.
    """
    server, replies = ToolServer(legacy=True), []

    def answer(talk: Talk) -> None:
        question = {"jsonrpc": "2.0", "id": "q1", "method": "elicitation/create", "params": params}
        talk.stream(
            b"data: " + json.dumps(question).encode() + b"\n\n", talk.answered(said("done"))
        )

    def other(talk: Talk) -> bool:
        if talk.message.get("id") != "q1":
            return False
        replies.append(talk.message)
        talk.json(b"", 202)
        return True

    server.on_call, server.before = answer, other
    return server, replies


@pytest.mark.parametrize(("params", "answered"), [(FORM, True), (PAGE, False)])
def test_a_question_on_the_stream(tmp_path: Path, params: Any, answered: bool) -> None:
    """A legacy server asks while the call goes on, and is answered there; the capability is
    declared at the handshake.
    """
    server, replies = legacy(params)
    assert run(tmp_path, server, Answers(ACCEPTED)).status == "succeeded"
    found = replies[0].get("result")
    assert found == (
        {"action": "accept", "content": {"sure": True, "name": "Ada"}} if answered else None
    )
    shaken = [
        message["params"]["capabilities"]
        for message, _ in server.requests
        if message.get("method") == "initialize"
    ]
    assert shaken[-1] == {"elicitation": {"form": {}}}


def test_a_question_on_the_stream_that_nobody_answers(tmp_path: Path) -> None:
    """The server is told that the client has no such method, and goes on."""
    server, replies = legacy(FORM)
    assert run(tmp_path, server).status == "succeeded"
    assert replies[0]["error"]["code"] == -32601


@pytest.mark.parametrize("ends", [True, False])
def test_a_question_beside_the_call(tmp_path: Path, ends: bool) -> None:
    """A legacy server with sessions may ask on its own stream, which is listened to while the call
    goes on, and closed with it.
    """
    server, replies, asked_for, left = ToolServer(legacy=True), [], Event(), Event()
    server.sessions = set()

    def answer(talk: Talk) -> None:
        asked_for.wait(60)
        talk.result(said("done"))

    def other(talk: Talk) -> bool:
        if talk.message.get("id") == "q1":
            replies.append(talk.message)
            talk.json(b"", 202)
            asked_for.set()
        elif talk.message.get("method") == "GET":
            question = {
                "jsonrpc": "2.0",
                "id": "q1",
                "method": "elicitation/create",
                "params": FORM,
            }
            event = b"data: " + json.dumps(question).encode() + b"\n\n"
            talk.stream(event, ends=ends, waits=tuple if ends else lambda: talk.rfile.read(1))
            left.set()
        else:
            return False
        return True

    server.on_call, server.before = answer, other
    assert run(tmp_path, server, Answers(ACCEPTED)).status == "succeeded"
    assert replies[0]["result"]["action"] == "accept"
    assert left.wait(60)


def test_a_server_without_a_stream_of_its_own(tmp_path: Path) -> None:
    """Is called like any other."""
    server = ToolServer(legacy=True)
    server.sessions = set()
    assert run(tmp_path, server, Answers(ACCEPTED)).status == "succeeded"
    assert server.count("GET") == 1


def hiding(*, legacy: bool) -> ToolServer:
    """A server that lists a tool to clients alone that declare that they can be asked: by session,
    or by request.
    """
    server, known = ToolServer(tool(), tool("ask_first"), legacy=legacy), dict[str, Any]()
    server.sessions = set() if legacy else None

    def before(talk: Talk) -> bool:
        message, sessions = talk.message, server.sessions or set()
        if message.get("method") == "initialize":
            had = {*sessions}
            server.initialized(talk)
            known.update(
                dict.fromkeys((server.sessions or set()) - had, message["params"]["capabilities"])
            )
            return True
        if message.get("method") not in ("tools/list", "tools/call"):
            return False
        meta = message["params"].get("_meta", {}) if "params" in message else {}
        offers = (
            known.get(talk.headers.get("Mcp-Session-Id", ""), {})
            if legacy
            else meta["io.modelcontextprotocol/clientCapabilities"]
        )
        if message["method"] == "tools/list":
            talk.result({"tools": server.tools if "elicitation" in offers else server.tools[:1]})
        elif message["params"]["name"] == "ask_first" and "elicitation" not in offers:
            talk.error(-32602, "unknown tool")
        else:
            return False
        return True

    server.before = before
    return server


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("tested", [True, False])
def test_a_tool_for_clients_that_can_be_asked(tmp_path: Path, legacy: bool, tested: bool) -> None:
    """Where a package answers, it is generated, listed and called, also after a test of the
    connection, which has no answer of its own.
    """
    server = hiding(legacy=legacy)
    with (
        serving(server),
        provided(tmp_path / "answering", "jackfield.answers", {"notes": Answers(ACCEPTED).answer}),
    ):
        manifest = generate(tmp_path, server.url)
        with installed(tmp_path, database=f"sqlite:///{tmp_path}/j.db") as jackfield:
            if tested:
                assert jackfield.connections.test("main")["status"] == "ok"
            assert call(jackfield, "askFirst").status == "succeeded"
    assert [row["key"] for row in manifest["actions"]] == ["addNote", "askFirst"]


@pytest.mark.parametrize("legacy", [True, False])
def test_a_tool_for_clients_that_can_be_asked_where_nobody_answers(
    tmp_path: Path, legacy: bool
) -> None:
    """The capability is not declared, and there is no such tool: it would ask in vain."""
    server = hiding(legacy=legacy)
    with serving(server):
        assert [row["key"] for row in generate(tmp_path, server.url)["actions"]] == ["addNote"]


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ({"elicitation": {}}, "package that answers"),
        ({"sampling": {}}, "own client: it has sampling"),
        ({}, None),
        ("x", None),
    ],
)
def test_a_server_that_wants_more_of_its_clients(
    tmp_path: Path, wanted: Any, hint: str | None
) -> None:
    """The call is refused, and the hint says what to do."""
    server = ToolServer()
    server.on_call = lambda talk: talk.error(
        -32021, "missing", 400, data={"requiredCapabilities": wanted}
    )
    error = run(tmp_path, server).error
    assert (error.code, server.count("tools/call")) == ("rejected", 1)
    assert hint in error.hint if hint else "answers" not in (error.hint or "")
