"""Questions of an MCP server go on to the person behind our own client, as forms; the call goes on
with the answer, and is made once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock
from http_stand import Client, Stand, standing
from mcp_rig import Answers, Talk, ToolServer, said, serving
from mcp_tasks import modern
from plugboard import provided

KEY = "mcp.notes"
WITH_FORMS: dict[str, Any] = {"elicitation": {"form": {}}}
SURE = {
    "type": "object",
    "properties": {"sure": {"type": "boolean"}, "name": {"type": "string", "default": "Ada"}},
}
_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"


def question(name: str = "sure", message: str = "Delete\u200b all?") -> dict[str, Any]:
    """A result that asks."""
    params = {"mode": "form", "message": message, "requestedSchema": SURE}
    return {
        "resultType": "input_required",
        "inputRequests": {name: {"method": "elicitation/create", "params": params}},
        "requestState": "s",
    }


@dataclass
class Scene:
    """A server of jackfield's, the MCP server that it has as a connector, and a client."""

    stand: Stand
    notes: ToolServer
    client: Client
    clock: FakeClock
    done: list[Any] = field(default_factory=list)
    """Answers with which the tool did its work."""

    def asks(self, talk: Talk) -> None:
        """Do the work for who is sure."""
        given = talk.message["params"].get("inputResponses")
        if given is None:
            talk.result(question())
            return
        self.done.append(given["sure"])
        talk.result(said("done"))

    def call(
        self, client: Client | None = None, offers: Any = None, text: str = "hello", **more: Any
    ) -> Any:
        """Result of a call, or the error."""
        arguments = {
            "connector": KEY,
            "action": "addNote",
            "connection": "main",
            "inputs": {"text": text},
        }
        offers = WITH_FORMS if offers is None else offers
        found = modern(
            client or self.client,
            "tools/call",
            offers,
            name="execute_action",
            arguments=arguments,
            **more,
        ).json
        return found.get("result", found.get("error"))

    def answered(
        self, asked: Any, action: str = "accept", client: Client | None = None, **more: Any
    ) -> Any:
        """Result of the call that brings an answer."""
        names = list(asked["inputRequests"])
        given = {
            name: {"action": action, **({"content": {"sure": True}} if action == "accept" else {})}
            for name in names
        }
        return self.call(client, inputResponses=given, requestState=asked["requestState"], **more)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Whose server asks."""
    clock = FakeClock()
    with serving(ToolServer()) as notes, standing(tmp_path, clock=clock) as stand:
        yield made(stand, notes, clock)


def made(stand: Stand, notes: ToolServer, clock: FakeClock) -> Scene:
    """A scene with the connector and a connection."""
    client = stand.client()
    assert client.post("/v1/mcp-servers", {"name": "notes", "url": notes.url}).status == 201
    assert (
        client.post(
            "/v1/connections", {"name": "main", "type": f"{KEY}/anonymous", "values": {}}
        ).status
        == 201
    )
    found = Scene(stand, notes, client, clock)
    notes.on_call = found.asks
    return found


def test_a_form_is_answered(scene: Scene) -> None:
    """The client gets the form, with who asks; the server gets the answer, with the form's
    defaults, and does its work once.
    """
    asked = scene.call()
    (request,) = asked["inputRequests"].values()
    assert (asked["resultType"], request["method"], request["params"]["requestedSchema"]) == (
        "input_required",
        "elicitation/create",
        SURE,
    )
    assert request["params"]["message"] == f"{KEY} asks: Delete all?"
    assert scene.done == []
    assert scene.answered(asked)["structuredContent"]["status"] == "succeeded"
    assert scene.done == [{"action": "accept", "content": {"sure": True, "name": "Ada"}}]
    entries = scene.client.get("/v1/invocations").json["items"]
    assert [entry["status"] for entry in entries] == ["succeeded", "failed"]


def test_what_is_hidden_in_a_form_is_seen(scene: Scene) -> None:
    """Words of a form have escapes; names and values stay, and the message names them and words of
    mixed alphabets.
    """
    hostile = {
        "type": "object",
        "properties": {
            "title": {"type": "string", "title": "To\u202eeman", "description": "a\u200bb"},
            "k\u2066ey": {
                "type": "string",
                "enum": ["y\u200bes", "no"],
                "enumNames": ["Y\u00ades", "No"],
            },
        },
    }
    asked = question(message="Pay p\u0430ypal?")
    asked["inputRequests"]["sure"]["params"]["requestedSchema"] = hostile
    scene.notes.on_call = lambda talk: talk.result(asked)
    (request,) = scene.call()["inputRequests"].values()
    fields = request["params"]["requestedSchema"]["properties"]
    assert fields["title"] == {
        "type": "string",
        "title": "To\\u202eeman",
        "description": "a\\u200bb",
    }
    assert fields["k\u2066ey"] == {
        "type": "string",
        "enum": ["y\u200bes", "no"],
        "enumNames": ["Y\\u00ades", "No"],
    }
    assert request["params"]["message"].splitlines() == [
        f"{KEY} asks: Pay p\u0430ypal?",
        "Its form has characters that are not seen or that reorder others: k\\u2066ey, y\\u200bes.",
        "It has words with letters of several alphabets that look alike: p\u0430ypal.",
    ]


@pytest.mark.parametrize("action", ["decline", "cancel"])
def test_a_form_is_declined(scene: Scene, action: str) -> None:
    """The server is told, and decides."""
    scene.answered(scene.call(), action)
    assert scene.done == [{"action": action}]


def test_a_key_is_for_the_call_that_is_made(scene: Scene) -> None:
    """What was asked first has failed, and frees the key; the call that was made keeps it."""
    arguments = {
        "connector": KEY,
        "action": "addNote",
        "connection": "main",
        "inputs": {"text": "x"},
        "idempotencyKey": "note-1",
    }

    def call(**more: Any) -> Any:
        return modern(
            scene.client,
            "tools/call",
            WITH_FORMS,
            name="execute_action",
            arguments=arguments,
            **more,
        ).json["result"]

    asked = call()
    given = {"sure": {"action": "accept", "content": {"sure": True}}}
    for _ in range(2):
        found = call(inputResponses=given, requestState=asked["requestState"])
        assert found["structuredContent"]["status"] == "succeeded"
    assert (found["structuredContent"]["meta"]["replayed"], len(scene.done)) == (True, 1)


def test_questions_in_rounds(scene: Scene) -> None:
    """The state has the answers of earlier rounds: the person is asked each thing once."""

    def asks(talk: Talk) -> None:
        given = talk.message["params"].get("inputResponses", {})
        if talk.message["params"].get("requestState") == "second":
            scene.done.append(given)
            talk.result(said("done"))
        elif given:
            talk.result({**question("color", "Which color?"), "requestState": "second"})
        else:
            talk.result(question())

    scene.notes.on_call = asks
    first = scene.call()
    second = scene.answered(first)
    assert (list(first["inputRequests"]), list(second["inputRequests"])) == (["sure"], ["color"])
    assert first["requestState"] != second["requestState"]
    assert scene.answered(second)["structuredContent"]["status"] == "succeeded"
    assert [list(given) for given in scene.done] == [["color"]]


def test_a_state_is_for_one_call_of_one_caller(scene: Scene) -> None:
    """Changed in a letter, with other arguments, of another caller or late: refused alike, and
    nothing is called.
    """
    asked, calls = scene.call(), scene.notes.count("tools/call")
    state = asked["requestState"]
    changed = {**asked, "requestState": state[:-1] + ("A" if state[-1] != "A" else "B")}
    refused = [
        scene.answered(changed),
        scene.answered(asked, text="other"),
        scene.answered(asked, client=scene.stand.client()),
    ]
    scene.clock.advance(1_000)
    refused.append(scene.answered(asked))
    assert ({found["code"] for found in refused}, len({found["message"] for found in refused})) == (
        {-32602},
        1,
    )
    assert (scene.done, scene.notes.count("tools/call")) == ([], calls)


@pytest.mark.parametrize(
    "given",
    [
        {"sure": {"action": "dance"}},
        {"sure": {"action": "accept", "content": {"name": "x" * 40_000}}},
    ],
)
def test_answers_of_another_shape(scene: Scene, given: Any) -> None:
    """They are an error of the protocol, and nothing is called."""
    asked, calls = scene.call(), scene.notes.count("tools/call")
    assert scene.call(inputResponses=given, requestState=asked["requestState"])["code"] == -32602
    assert scene.notes.count("tools/call") == calls


@pytest.mark.parametrize("offers", [{}, {"elicitation": {"url": {}}}])
def test_clients_without_forms(scene: Scene, offers: Any) -> None:
    """They get the refusal with its hint, as before, and the server is not told that somebody
    answers.
    """
    error = scene.call(offers=offers)["structuredContent"]["error"]
    assert (error["code"], error["provider"]["message"], bool(error["hint"])) == (
        "forbidden",
        "Delete all?",
        True,
    )
    told = [
        message["params"]["_meta"][_CAPABILITIES]
        for message, _ in scene.notes.requests
        if message["method"] == "tools/call"
    ]
    assert told == [{}]


def test_a_lost_answer_is_in_doubt(scene: Scene) -> None:
    """A write that was answered and has no result is not asked again: nobody knows what it has
    done.
    """

    def asks(talk: Talk) -> None:
        talk.hang_up() if "inputResponses" in talk.message["params"] else talk.result(question())

    scene.notes.on_call = asks
    assert scene.answered(scene.call())["structuredContent"]["status"] == "in_doubt"


def test_a_page_is_for_the_person_alone(scene: Scene) -> None:
    """Only forms go on: the hint names the host of a page."""
    page = {
        "method": "elicitation/create",
        "params": {
            "mode": "url",
            "message": "Sign in",
            "url": "https://x.example/",
            "elicitationId": "1",
        },
    }
    scene.notes.on_call = lambda talk: talk.result(
        {"resultType": "input_required", "inputRequests": {"p": page}}
    )
    error = scene.call()["structuredContent"]["error"]
    assert (error["code"], "x.example" in error["hint"]) == ("forbidden", True)


def test_servers_with_sessions_are_not_told(tmp_path: Path) -> None:
    """They ask while they go on with a call, and our client answers by a further one: their session
    has no such capability.
    """
    clock = FakeClock()
    with serving(ToolServer(legacy=True)) as notes, standing(tmp_path, clock=clock) as stand:
        scene = made(stand, notes, clock)
        notes.on_call = lambda talk: talk.result(said("done"))
        assert scene.call()["structuredContent"]["status"] == "succeeded"
        begun = [
            message["params"]["capabilities"]
            for message, _ in notes.requests
            if message["method"] == "initialize"
        ]
    assert "elicitation" not in json.dumps(begun)


def test_a_package_answers_first(tmp_path: Path) -> None:
    """What the operator's package answers, no person is asked."""
    clock = FakeClock()
    answers = Answers({"action": "accept", "content": {"sure": False}})
    answering = provided(tmp_path / "answering", "jackfield.answers", {KEY: answers.answer})
    with serving(ToolServer()) as notes, answering, standing(tmp_path, clock=clock) as stand:
        scene = made(stand, notes, clock)
        assert scene.call()["structuredContent"]["status"] == "succeeded"
    assert scene.done == [{"action": "accept", "content": {"sure": False, "name": "Ada"}}]
