"""Answers that are whole, in another form than the protocol's: a write is done once, and is in no
doubt.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcp_rig import Talk, ToolServer, call, said, stage, tool

Form = Callable[[dict[str, Any]], tuple[bytes, str]]
JSON, EVENTS = "application/json", "text/event-stream"


def _json(made: dict[str, Any]) -> bytes:
    return json.dumps(made).encode()


def _data(made: dict[str, Any]) -> bytes:
    return b"data: " + _json(made) + b"\n\n"


def _without(made: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in made.items() if key != name}


FORMS: dict[str, Form] = {
    "without jsonrpc": lambda made: (_json(_without(made, "jsonrpc")), JSON),
    "without jsonrpc, as an event": lambda made: (_data(_without(made, "jsonrpc")), EVENTS),
    "jsonrpc as a number": lambda made: (_json({**made, "jsonrpc": 2.0}), JSON),
    "events called JSON": lambda made: (b"event: message\n" + _data(made), JSON),
    "events called text": lambda made: (b": hello\n\n" + _data(made), "text/plain"),
    "JSON called events": lambda made: (_json(made), EVENTS),
    "JSON in lines called events": lambda made: (json.dumps(made, indent=1).encode(), EVENTS),
    "no empty line at the end": lambda made: (_data(made)[:-1], EVENTS),
    "no end of the last line": lambda made: (_data(made)[:-2], EVENTS),
    "a message in each line": lambda made: (
        b'{"jsonrpc":"2.0","method":"notifications/message"}\n' + _json(made) + b"\n",
        JSON,
    ),
    "a line against scripts before it": lambda made: (b")]}'\n" + _json(made), JSON),
    "a zero byte behind it": lambda made: (_json(made) + b"\r\n\0", JSON),
    "UTF-8 called otherwise": lambda made: (
        json.dumps(made, ensure_ascii=False).encode(),
        JSON + "; charset=iso-8859-1",
    ),
    "in a charset of its own": lambda made: (
        json.dumps(made, ensure_ascii=False).encode("latin-1"),
        JSON + "; charset=iso-8859-1",
    ),
}


def _answering(form: Form, result: Any) -> Callable[[Talk], None]:
    def answer(talk: Talk) -> None:
        body, media = form({"jsonrpc": "2.0", "id": talk.message["id"], "result": result})
        talk.json(body, 200, Content_Type=media)

    return answer


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("legacy", [True, False])
def test_a_whole_answer(tmp_path: Path, form: Form, legacy: bool) -> None:
    """What has the call's ID, and a result, is its answer."""
    server = ToolServer(legacy=legacy)
    server.on_call = _answering(form, said("dön"))
    with stage(tmp_path, server) as jackfield:
        found = call(jackfield)
    assert (found.status, server.count("tools/call")) == ("succeeded", 1)
    assert found.unwrap()["content"][0]["text"] == "dön"


@pytest.mark.parametrize("media", [JSON, EVENTS, "text/plain"])
def test_bytes_of_no_charset(tmp_path: Path, media: str) -> None:
    """What is not UTF-8, and does not say what it is, is an answer none the less: characters are
    lost, and a warning says so.
    """
    server = ToolServer()

    def form(made: dict[str, Any]) -> tuple[bytes, str]:
        body = json.dumps(made, ensure_ascii=False).encode("latin-1")
        return (b"data: " + body + b"\n\n" if media == EVENTS else body), media

    server.on_call = _answering(form, said("dön"))
    with stage(tmp_path, server) as jackfield:
        found = call(jackfield)
    assert (found.status, server.count("tools/call")) == ("succeeded", 1)
    assert found.unwrap()["content"][0]["text"] == "d\ufffdn"
    assert ["not UTF-8" in one["message"] for one in found.meta.warnings] == [True]


@pytest.mark.parametrize(
    "form",
    [lambda made: (_null(made), JSON), lambda made: (b"data: " + _null(made) + b"\n\n", EVENTS)],
)
def test_a_result_of_null(tmp_path: Path, form: Form) -> None:
    """A function without a value has answered."""
    server = ToolServer()
    server.on_call = _answering(form, {})
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).unwrap() == {"content": []}


def _null(made: dict[str, Any]) -> bytes:
    return _json({**made, "result": None})


@pytest.mark.parametrize("media", [JSON, EVENTS])
def test_numbers_that_json_has_not(tmp_path: Path, media: str) -> None:
    """Python writes them: they are null, and a warning says so. Texts that only look like them
    stay.
    """
    server = ToolServer(tool(outputSchema={"type": "object"}))

    def answer(talk: Talk) -> None:
        mean = {
            "mean": float("nan"),
            "least": float("-inf"),
            "count": 3,
            "text": 'a "NaN", -Infinity',
        }
        made = _json(
            {
                "jsonrpc": "2.0",
                "id": talk.message["id"],
                "result": said("NaN", structuredContent=mean),
            }
        )
        talk.json(made if media == JSON else b"data: " + made + b"\n\n", 200, Content_Type=media)

    server.on_call = answer
    with stage(tmp_path, server) as jackfield:
        found = call(jackfield)
    assert found.unwrap()["structuredContent"] == {
        "mean": None,
        "least": None,
        "count": 3,
        "text": 'a "NaN", -Infinity',
    }
    assert "NaN" in found.to_json()["meta"]["warnings"][0]["message"]


@pytest.mark.parametrize(
    "body",
    [
        lambda made: _json(made)[:-3],
        lambda made: _data(made)[:-5],
        lambda made: _json({**made, "id": "another"}),
        lambda made: _json(_without(made, "result")),
        lambda made: b'"' + _json(made) + b'"',
        lambda _made: b"done",
    ],
)
@pytest.mark.parametrize("media", [JSON, EVENTS, "text/plain"])
def test_what_is_no_whole_answer(
    tmp_path: Path, body: Callable[[dict[str, Any]], bytes], media: str
) -> None:
    """The call is in doubt."""
    server = ToolServer()
    server.on_call = _answering(lambda made: (body(made), media), said("done"))
    with stage(tmp_path, server) as jackfield:
        assert (call(jackfield).status, server.count("tools/call")) == ("in_doubt", 1)


@pytest.mark.parametrize("kind", ["input_required", "partial", "task", 5])
@pytest.mark.parametrize(
    "content", [said("done"), {"structuredContent": {"done": True}}, {"content": []}]
)
def test_a_type_in_a_revision_without_types(
    tmp_path: Path, kind: object, content: dict[str, Any]
) -> None:
    """With sessions, a result with content is the tool's, whatever else it says."""
    server = ToolServer(legacy=True)
    server.on_call = lambda talk: talk.result({**content, "resultType": kind})
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).status == "succeeded"


@pytest.mark.parametrize("content", [{}, {"content": [], "inputRequests": {}}])
def test_a_question_in_a_revision_without_types(tmp_path: Path, content: dict[str, Any]) -> None:
    """Without content, or with the questions, it is no result."""
    server = ToolServer(legacy=True)
    server.on_call = lambda talk: talk.result({**content, "resultType": "input_required"})
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).error.code == "forbidden"
