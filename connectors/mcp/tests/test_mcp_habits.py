"""Habits of servers that stand in no standard and mean one thing only: they are read as that."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcp_rig import LEGACY, Talk, ToolServer, call, generate, said, serving, stage, tool


def _sent(**headers: str) -> Callable[[Talk], object]:
    """Answer with a result under other header fields."""

    def answer(talk: Talk) -> None:
        body = json.dumps(
            {"jsonrpc": "2.0", "id": talk.message["id"], "result": said("done")}
        ).encode()
        talk.json(body, int(headers.pop("status", "200")), **headers)

    return answer


ANSWERS: dict[str, tuple[Callable[[Talk], object], str]] = {
    "JSON as text": (_sent(Content_Type="text/plain; charset=utf-8"), "succeeded"),
    "JSON as a page": (_sent(Content_Type="text/html"), "succeeded"),
    "JSON as bytes": (_sent(Content_Type="application/octet-stream"), "succeeded"),
    "JSON without a type": (_sent(Content_Type=""), "succeeded"),
    "created": (_sent(status="201"), "succeeded"),
    "accepted, with the answer": (_sent(status="202"), "succeeded"),
    "a page": (lambda talk: talk.json(b"<html>", 200, Content_Type="text/html"), "in_doubt"),
    "an error as text": (lambda talk: talk.result(said("no", isError="true")), "failed"),
    "no error as text": (lambda talk: talk.result(said("done", isError="false")), "succeeded"),
    "a code as text": (lambda talk: talk.error("-32602", "no"), "failed"),  # type: ignore[arg-type]
    "a code as text, with 400": (lambda talk: talk.error("-32602", "no", 400), "failed"),  # type: ignore[arg-type]
    "a code in words": (lambda talk: talk.error("INVALID", "no"), "in_doubt"),  # type: ignore[arg-type]
    "parts without a type": (
        lambda talk: talk.result({"content": [{"text": "done"}]}),
        "succeeded",
    ),
    "a text as content": (lambda talk: talk.result({"content": "done"}), "succeeded"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers(tmp_path: Path, name: str) -> None:
    """What has the request's ID and a result is the answer, whatever it is sent as; the tool is
    called once.
    """
    answer, status = ANSWERS[name]
    server = ToolServer(legacy=True)
    server.on_call = answer
    with stage(tmp_path, server) as jackfield:
        assert (call(jackfield).status, server.count("tools/call")) == (status, 1)


def test_an_empty_session_id(tmp_path: Path) -> None:
    """It is none, and is not sent back."""
    server = ToolServer(legacy=True)

    def before(talk: Talk) -> bool:
        if talk.message["method"] != "initialize":
            return False
        result = {"protocolVersion": LEGACY, "capabilities": None, "serverInfo": None}
        talk.json(
            {"jsonrpc": "2.0", "id": talk.message["id"], "result": result}, 200, Mcp_Session_Id=""
        )
        return True

    server.before = before
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).status == "succeeded"
    assert not [headers for _, headers in server.requests if "Mcp-Session-Id" in headers]


def test_types_in_capital_letters(tmp_path: Path) -> None:
    """As schemas for Gemini have them: they judge as the others do."""
    schema: dict[str, Any] = {
        "type": "OBJECT",
        "properties": {"text": {"type": "STRING"}, "n": {"type": ["Integer", "NULL"]}},
    }
    server = ToolServer(tool(inputSchema=schema))
    with stage(tmp_path, server) as jackfield:
        assert [
            row.path for row in call(jackfield, inputs={"text": 1, "n": "x"}).error.details
        ] == ["/text", "/n"]
        assert call(jackfield, inputs={"text": "x", "n": None}).status == "succeeded"


@pytest.mark.parametrize(
    "more",
    [
        {"annotations": []},
        {"annotations": "read"},
        {"title": 5},
        {"description": ["a"]},
        {"execution": None},
    ],
)
def test_odd_members_of_a_tool(tmp_path: Path, more: dict[str, Any]) -> None:
    """They cost themselves."""
    with serving(ToolServer(tool(**more))) as server:
        assert [row["key"] for row in generate(tmp_path, server.url)["actions"]] == ["addNote"]
