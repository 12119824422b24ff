"""Generation from an MCP server: tools become actions, and what a hostile server sends stays
harmless.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from jackfield.kernel.errors import JackfieldError
from jackfield_mcp.command import command
from jackfield_mcp.conversion import Choices, Converted, converted
from jackfield_mcp.live import LIVE
from jackfield_mcp.messages import MODERN, Session
from jackfield_mcp.naming import connector_key, keys_of
from jackfield_mcp.overlays import check_overlay
from jackfield_mcp.project import read_overlay
from jackfield_mcp.schemas import Unfit, schemas_of
from mcp_rig import ToolServer, call, generate, serving, stage, tool
from waiting import until

pytest_plugins = ["warm"]


def made(*tools: dict[str, Any], **choices: Any) -> Converted:
    """A connector of some tools."""
    return converted(
        tools,
        Session(MODERN),
        Choices("notes", "https://notes.example.com/mcp", **choices),
        ["anonymous"],
    )


def test_keys() -> None:
    """Keys are words in camelCase, of the second of two that would be equal with a number; locked
    ones stay.
    """
    names = ["admin.tools.list", "get_user", "getUser", "2fa-check", "größe", "HTTPGet"]
    assert list(keys_of(names, {}).values())[:4] == [
        "adminToolsList",
        "getUser",
        "getUser2",
        "n2FaCheck",
    ]
    assert keys_of(names, {})["größe"].startswith("tool")
    assert keys_of(["getUser", "get_user"], {"get_user": "getUser"}) == {
        "get_user": "getUser",
        "getUser": "getUser2",
    }


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://mcp.linear.app/mcp", "linear"),
        ("https://notes.example.com/", "example"),
        ("http://127.0.0.1:80/", "mcp-server"),
    ],
)
def test_connector_keys(url: str, key: str) -> None:
    """A connector is named by its server's host, never by what the server calls itself."""
    assert connector_key(url) == key


def test_older_drafts() -> None:
    """Schemas of draft-07 and draft-04 mean the same in 2020-12."""
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "http://evil.example.com/x",
        "type": "object",
        "definitions": {
            "Point": {
                "type": "array",
                "items": [{"type": "number"}, {"type": "number"}],
                "additionalItems": False,
            }
        },
        "properties": {
            "at": {"$ref": "#/definitions/Point", "description": "ignored"},
            "size": {"minimum": 0, "exclusiveMinimum": True},
        },
        "dependencies": {"at": ["size"]},
    }
    found = schemas_of(tool(inputSchema=schema), "move")
    assert found.inputs == {
        "type": "object",
        "additionalProperties": False,
        "dependentRequired": {"at": ["size"]},
        "properties": {"at": {"$ref": "#/$defs/move.in.Point"}, "size": {"exclusiveMinimum": 0}},
    }
    assert found.definitions["move.in.Point"] == {
        "type": "array",
        "prefixItems": [{"type": "number"}] * 2,
        "items": False,
    }


def test_marks_of_ours_are_left_out() -> None:
    """A server cannot have an input filled from a value of the connection, such as its token."""
    schema = {
        "type": "object",
        "properties": {"note": {"type": "string", "x-jackfield": {"fromConnection": "token"}}},
    }
    assert "x-jackfield" not in json.dumps(schemas_of(tool(inputSchema=schema), "a").inputs)


def _deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return {"type": "object", "properties": {"a": schema}}


TURNED = {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}
BOMBS: dict[str, dict[str, Any]] = {
    "too large": tool(description="x" * 200_000),
    "many properties": tool(
        inputSchema={"type": "object", "properties": {f"p{n}": {} for n in range(5_000)}}
    ),
    "wide": tool(inputSchema={"type": "object", "anyOf": [{"const": n} for n in range(20_000)]}),
    "deep": tool(inputSchema=_deep(200)),
    "a circle of opposites": tool(
        inputSchema={"type": "object", "$ref": "#/$defs/a", "$defs": TURNED}
    ),
    "a chain": tool(
        inputSchema={
            "$ref": "#/$defs/0",
            "$defs": {f"{n}": {"$ref": f"#/$defs/{n + 1}"} for n in range(2000)},
        }
    ),
    "header": tool(
        inputSchema={
            "type": "object",
            "properties": {"a": {"type": "string", "x-mcp-header": "A\r\nB"}},
        }
    ),
    "header in a list": tool(
        inputSchema={
            "type": "object",
            "properties": {"a": {"items": {"type": "string", "x-mcp-header": "A"}}},
        }
    ),
    "header twice": tool(
        inputSchema={
            "type": "object",
            "properties": {name: {"type": "string", "x-mcp-header": "Same"} for name in ("a", "b")},
        }
    ),
    "deep as text": tool(inputSchema=json.dumps(_deep(200))),
    "wide as text": tool(
        inputSchema=json.dumps({"type": "object", "anyOf": [{"const": n} for n in range(8_000)]})
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str) -> None:
    """A tool that cannot be used is left out at once, with its reason; the others stay."""
    began = time.process_time()
    found = made({**BOMBS[name], "name": "bomb"}, tool())
    assert time.process_time() - began < 1
    assert [row["tool"] for row in found.report["leftOut"]] == ["bomb"]
    assert [row["key"] for row in found.manifest["actions"]] == ["addNote"]
    assert min(_seconds_until_unfit(BOMBS[name]) for _ in range(3)) < 0.05


def _seconds_until_unfit(bomb: dict[str, Any]) -> float:
    began = time.process_time()
    with pytest.raises(Unfit):
        schemas_of(bomb, "a")
    return time.process_time() - began


def test_recursion_is_kept() -> None:
    """A schema may refer to itself where each step goes into the value."""
    schema = {
        "type": "object",
        "properties": {"tree": {"$ref": "#/$defs/Tree"}},
        "$defs": {"Tree": {"items": {"$ref": "#/$defs/Tree"}}},
    }
    assert schemas_of(tool(inputSchema=schema), "a").definitions == {
        "a.in.Tree": {"items": {"$ref": "#/$defs/a.in.Tree"}}
    }


def test_slow_pattern(tmp_path: Path) -> None:
    """A pattern that takes others for ever is judged in time."""
    schema = {"type": "object", "properties": {"text": {"type": "string", "pattern": "^(a+)+$"}}}
    with stage(tmp_path, ToolServer(tool(inputSchema=schema))) as jackfield:
        began = time.process_time()
        assert call(jackfield, inputs={"text": "a" * 50_000 + "b"}).error.code == "invalid_input"
        assert time.process_time() - began < 2


def test_effects() -> None:
    """Without trust, a server's annotations change nothing; with it, they give the effect, and the
    overlay beats both.
    """
    read, repeatable = (
        tool("a", annotations={"readOnlyHint": True}),
        tool("b", annotations={"idempotentHint": True}),
    )
    assert [row["effect"] for row in made(read, repeatable).manifest["actions"]] == [
        "write",
        "write",
    ]
    assert [row["effect"] for row in made(read, repeatable, trusts=True).manifest["actions"]] == [
        "read",
        "idempotent",
    ]
    overlaid = made(read, trusts=True, overlay={"a": {"effect": "write"}})
    assert overlaid.manifest["actions"][0]["effect"] == "write"


def test_names_that_collide() -> None:
    """Of two tools with the same name, only the first is kept: a later one must not stand for
    it.
    """
    found = made(tool(), tool(description="Another."), tool(""), {"inputSchema": {}})
    assert [row["description"] for row in found.manifest["actions"]] == ["Add a note."]
    assert len(found.report["leftOut"]) == 3


def test_hidden_characters() -> None:
    """Control, bidirectional, zero-width and tag characters are stripped from texts, and
    reported.
    """
    hidden = "Add\u202e a\u200b note\x1b[2J\U000e0041."
    found = made(tool(description=hidden, title=hidden))
    row = found.manifest["actions"][0]
    assert (row["description"], row["title"]) == ("Add a note[2J.", "Add a note[2J.")
    assert found.report["hiddenCharacters"] == ["addNote"]


def test_many_tools() -> None:
    """Two thousand tools are converted in seconds."""
    tools = [tool(f"tool_{number}", description="x" * 1_500) for number in range(2_000)]
    began = time.process_time()
    assert len(made(*tools).manifest["actions"]) == 2_000
    assert time.process_time() - began < 6


@pytest.mark.usefixtures("warm_python")
def test_names_of_the_server_pass_the_check(tmp_path: Path) -> None:
    """A tool's inputs keep their names, and the connector has a grade."""
    schema = {"type": "object", "properties": {"source_timezone": {"type": "string"}}}
    with serving(ToolServer(tool(inputSchema=schema))) as server:
        generate(tmp_path, server.url)
    words = [str(Path(sys.executable).with_name("jackfield")), "check", "made"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)["grade"]) == (0, "bronze")


_SILVER = """actions:
  addNote:
    inputs: {text: {description: Text of the note.}}
  countNotes:
    examples: [{title: Count, inputs: {text: x}, output: {structuredContent: {count: 2}, content: [{type: text, text: "2"}]}}]
"""


@pytest.mark.usefixtures("warm_python")
def test_a_described_server_becomes_a_silver_connector(tmp_path: Path) -> None:
    """Examples are made from the schemas, or are the overlay's; the overlay describes inputs that
    the server does not.
    """
    described = {
        "type": "object",
        "required": ["text"],
        "properties": {"text": {"type": "string", "description": "Which."}},
    }
    counted = {
        "type": "object",
        "required": ["count"],
        "properties": {"count": {"type": "integer"}},
    }
    tools = (
        tool(),
        tool("count_notes", inputSchema=described, outputSchema=counted),
        tool("sum_notes", inputSchema=described, outputSchema=counted),
    )
    with serving(ToolServer(*tools)) as server:
        generate(tmp_path, server.url)
        (tmp_path / "made" / "overlay.yaml").write_text(_SILVER)
        manifest = generate(tmp_path, server.url)
    shown = {row["key"]: row["examples"][0]["result"]["output"] for row in manifest["actions"]}
    assert shown["countNotes"]["structuredContent"] == {"count": 2}
    assert shown["sumNotes"]["content"] == [
        {"type": "text", "text": json.dumps(shown["sumNotes"]["structuredContent"])}
    ]
    (tmp_path / "made" / "LICENSE").write_text("Apache-2.0")
    words = [
        str(Path(sys.executable).with_name("jackfield")),
        "check",
        "made",
        "--at-least",
        "silver",
    ]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def _overlaid(said: dict[str, Any]) -> Converted:
    check_overlay("addNote", said)
    return made(tool(), overlay={"addNote": said})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"inputs": {"absent": {"title": "x"}}}, "which the tool does not have"),
        ({"inputs": {"text": {"type": "integer"}}}, "more than words"),
        ({"inputs": {"text": {"title": 1}}}, "no texts"),
        ({"examples": [{"title": "x"}]}, "without title, inputs and output"),
        ({"examples": [{"title": "x", "inputs": [], "output": {}}]}, "no object"),
    ],
)
def test_an_overlay_changes_words_of_inputs_alone(said: dict[str, Any], words: str) -> None:
    """What a tool takes stays as it was accepted; examples have the parts of an example."""
    with pytest.raises(JackfieldError, match=words):
        _overlaid(said)


def test_files_are_stable(tmp_path: Path) -> None:
    """The same tools give the same bytes, in any order; '--check' writes nothing and tells."""
    server = ToolServer(tool("a"), tool("b"))
    with serving(server):
        generate(tmp_path, server.url)
        server.tools.reverse()
        again = [server.url, "--key", "notes", "--out", str(tmp_path / "made"), "--check", "--json"]
        assert command(again) == 0
        server.tools[0]["description"] = "Something else."
        assert command(again) == 1
        assert command([*again[:-2], "--json"]) == 0


def test_pages_of_a_list(tmp_path: Path) -> None:
    """A list is read page by page; one that goes in circles is refused."""
    server = ToolServer()

    def before(talk: Any) -> bool:
        if talk.message["method"] != "tools/list":
            return False
        cursor = talk.message.get("params", {}).get("cursor", "0")
        more = {"nextCursor": "x" if circular else str(int(cursor) + 1)} if cursor != "2" else {}
        talk.result({"tools": [tool(f"tool_{cursor}")], **more})
        return True

    server.before, circular = before, False
    with serving(server):
        assert [row["key"] for row in generate(tmp_path, server.url)["actions"]] == [
            "tool0",
            "tool1",
            "tool2",
        ]
        circular = True
        with pytest.raises(JackfieldError, match="circles"):
            generate(tmp_path, server.url)


def test_no_connection_is_left_open(tmp_path: Path) -> None:
    """Generating, and describing a live server, close what they have opened."""
    with serving(ToolServer()) as server:
        generate(tmp_path, server.url)
        LIVE.described("mcp.notes", server.url)
        until(lambda: not server.place.open)
    assert server.count("tools/list") == 2


def test_stdio_is_refused() -> None:
    """A server over stdio is refused, with the way out."""
    with pytest.raises(JackfieldError) as caught:
        command(["npx @modelcontextprotocol/server-everything"])
    assert "bridge" in str(caught.value.hint)


def test_sign_in_for_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that wants a token says how to give it; the token is in no file."""
    server = ToolServer()

    def before(talk: Any) -> bool:
        if talk.headers.get("Authorization") == "Bearer t0ken-4711":
            return False
        talk.json({}, 401)
        return True

    server.before = before
    with serving(server):
        with pytest.raises(JackfieldError) as caught:
            generate(tmp_path, server.url)
        assert "--token-env" in str(caught.value.hint)
        monkeypatch.setenv("NOTES_TOKEN", "t0ken-4711")
        manifest = generate(tmp_path, server.url, "--token-env", "NOTES_TOKEN")
    assert manifest["connectionTypes"][0]["key"] == "bearer"
    assert not [
        path
        for path in (tmp_path / "made").rglob("*")
        if path.is_file() and b"t0ken-4711" in path.read_bytes()
    ]


@pytest.mark.parametrize(
    "text",
    [
        "actions: [a",
        "actions: 3",
        "actions: {a: {effect: poem}}",
        "actions: {a: {colour: red}}",
        "- a",
    ],
)
def test_overlays_that_say_nothing(tmp_path: Path, text: str) -> None:
    """An overlay that cannot be read, or says something unknown, is refused."""
    (tmp_path / "overlay.yaml").write_text(text)
    with pytest.raises(JackfieldError):
        read_overlay(tmp_path / "overlay.yaml")
