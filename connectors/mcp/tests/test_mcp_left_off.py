"""A keyword that cannot be kept costs itself, and never the tool: it is left off with a note, as
the server judges anyway.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from jackfield.kernel.errors import JackfieldError
from jackfield_mcp.schemas import Schemas, Unfit, schemas_of
from mcp_rig import ToolServer, call, generate, said, serving, stage, tool

ANY: dict[str, Any] = {}
TEXT = {"type": "string"}
HEADER_TWICE = {
    "type": "object",
    "properties": {name: {"type": "string", "x-mcp-header": "H"} for name in "ab"},
}
"""A schema that cannot be kept: it says of two inputs that the same header field repeats them."""


def _made(**schema: Any) -> Schemas:
    return schemas_of(tool(inputSchema={"type": "object", **schema}), "a")


def _property(**schema: Any) -> tuple[Any, tuple[str, ...]]:
    """What becomes of a schema of one input, and the notes without its place."""
    found = _made(properties={"x": schema})
    return found.inputs["properties"]["x"], tuple(
        note.removeprefix("/inputSchema/properties/x") for note in found.notes
    )


LEFT_OFF: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a pattern of JavaScript": ({**TEXT, "pattern": r"^[\w-.]+$"}, TEXT, "/pattern: the pattern"),
    "a pattern of .NET": ({**TEXT, "pattern": "(?<n>a)(?(n)b|c)"}, TEXT, "/pattern"),
    "no pattern": ({**TEXT, "pattern": "("}, TEXT, "/pattern"),
    "a pattern that is none": ({**TEXT, "pattern": ["a"]}, TEXT, "/pattern"),
    "required of draft 3": ({**TEXT, "required": True}, TEXT, "/required"),
    "required of no names": (
        {"type": "object", "required": ["a", 1, "a"]},
        {"type": "object", "required": ["a"]},
        "/required",
    ),
    "a bound that is none": ({"maximum": "much"}, ANY, "/maximum"),
    "a negative length": ({"minLength": -1}, ANY, "/minLength"),
    "half a length": ({"maxItems": 1.5}, ANY, "/maxItems"),
    "a divisor of nothing": ({"multipleOf": 0}, ANY, "/multipleOf"),
    "an object as bound": ({"minimum": {"value": 1}}, ANY, "/minimum"),
    "an unknown type": ({"type": "poem"}, ANY, "/type"),
    "an unknown type beside others": ({"type": ["string", "poem"]}, ANY, "/type"),
    "a type that is none": ({"type": {"is": "string"}}, ANY, "/type"),
    "any type": ({"type": "any"}, ANY, "/type"),
    "an empty choice": ({"enum": []}, ANY, "/enum: is an empty list"),
    "a choice that is none": ({"enum": {"a": 1}}, ANY, "/enum"),
    "null for a text": ({**TEXT, "default": None}, TEXT, "/default: its own schema refuses it"),
    "a default of no choice": ({"enum": ["a"], "default": "b"}, {"enum": ["a"]}, "/default"),
    "a default that is too short": (
        {**TEXT, "minLength": 1, "default": ""},
        {**TEXT, "minLength": 1},
        "/default",
    ),
    "a text for a list": ({"type": "array", "default": ""}, {"type": "array"}, "/default"),
    "a default without what is required": (
        {"required": ["a"], "default": {}},
        {"required": ["a"]},
        "/default",
    ),
    "a default deeper inside": (
        {"properties": {"": {**TEXT, "default": 1}}},
        {"properties": {"": TEXT}},
        "/properties//default",
    ),
    "a default of an alternative": (
        {"anyOf": [{**TEXT, "default": 1}]},
        {"anyOf": [TEXT]},
        "/anyOf/0/default",
    ),
    "no alternatives": ({"anyOf": []}, ANY, "/anyOf"),
    "alternatives that are none": ({"oneOf": {"type": "string"}}, ANY, "/oneOf"),
    "items that are none": ({"type": "array", "items": "string"}, {"type": "array"}, "/items"),
    "a part that is none": (
        {"properties": {"a": "string", "b": TEXT}},
        {"properties": {"a": {}, "b": TEXT}},
        "/properties/a",
    ),
    "properties that are none": ({"properties": ["a"]}, ANY, "/properties"),
    "an alternative that is none": ({"anyOf": [TEXT, "x"]}, {"anyOf": [TEXT, {}]}, "/anyOf/1"),
    "a reference to the web": ({"$ref": "http://169.254.169.254/x"}, ANY, "/$ref: the reference"),
    "a reference to a file": ({"$ref": "file:///etc/passwd"}, ANY, "/$ref"),
    "a reference to nowhere": ({"$ref": "#/$defs/absent"}, ANY, "/$ref"),
    "a reference to an absent item": ({"$ref": "#/allOf/7"}, ANY, "/$ref"),
    "a reference to a very late item": ({"$ref": f"#/allOf/{'9' * 5000}"}, ANY, "/$ref"),
    "a reference that is none": ({"$ref": 1}, ANY, "/$ref"),
    "a dynamic reference to nowhere": ({"$dynamicRef": "#x"}, ANY, "/$ref"),
    # what would refuse more without what is left off
    "the opposite of a pattern": ({"not": {"pattern": "("}}, ANY, "/not:"),
    "one of two, without a pattern": ({"oneOf": [{"pattern": "("}, {"const": 1}]}, ANY, "/oneOf:"),
    "a condition": ({"if": {"type": "poem"}, "then": {"const": 1}}, {"then": {"const": 1}}, "/if:"),
    "at most some": (
        {"contains": {"pattern": "("}, "maxContains": 1},
        {"maxContains": 1},
        "/contains:",
    ),
    "at least none": ({"contains": TEXT, "minContains": "none"}, ANY, "/contains:"),
    "names by a pattern": (
        {"patternProperties": {"(": TEXT}, "additionalProperties": False},
        {"patternProperties": {}},
        "/additional",
    ),
    "patterns that are none": (
        {"patternProperties": "x", "additionalProperties": False},
        ANY,
        "/additionalProperties:",
    ),
    "a tuple that is none": ({"prefixItems": "x", "items": False}, ANY, "/items:"),
    "the rest": (
        {"allOf": [{"$ref": "#/nowhere"}], "unevaluatedProperties": False},
        {"allOf": [{}]},
        "/unevaluatedProperties:",
    ),
}


@pytest.mark.parametrize("name", LEFT_OFF)
def test_a_keyword_costs_itself(name: str) -> None:
    """It is left off, with a note that names its place; nothing that is kept refuses more than the
    server does.
    """
    given, kept, note = LEFT_OFF[name]
    found, notes = _property(**given)
    assert found == kept
    assert any(one.startswith(note) for one in notes), notes


ABSENT: dict[str, dict[str, Any]] = {
    name: {name: None}
    for name in (
        "type",
        "required",
        "properties",
        "items",
        "enum",
        "examples",
        "anyOf",
        "pattern",
        "minimum",
        "maxLength",
        "$ref",
        "format",
        "title",
        "description",
        "uniqueItems",
        "additionalProperties",
        "not",
        "patternProperties",
        "dependentRequired",
    )
}


@pytest.mark.parametrize("name", ABSENT)
def test_null_is_absent(name: str) -> None:
    """As Go and PHP write what was left out: there is nothing to note."""
    assert _property(**ABSENT[name]) == ({}, ())


def test_null_as_a_value() -> None:
    """Where null is a value, it stays; a part or an alternative that is null is none."""
    assert _property(const=None, default=None, enum=[None]) == (
        {"const": None, "default": None, "enum": [None]},
        (),
    )
    assert _property(properties={"a": None}, anyOf=[None, TEXT]) == (
        {"properties": {"a": {}}, "anyOf": [TEXT]},
        (),
    )


@pytest.mark.parametrize(
    "name",
    ["properties", "items", "patternProperties", "additionalProperties", "dependentRequired"],
)
def test_an_empty_list_as_an_empty_object(name: str) -> None:
    """As PHP writes one."""
    assert _property(**{name: []}) == ({name: {}}, ())


MENDED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "numbers as texts": ({"maxLength": "10", "minimum": "1.5"}, {"maxLength": 10, "minimum": 1.5}),
    "a count with a fraction of nothing": ({"maxLength": 10.0}, {"maxLength": 10}),
    "types of other languages": ({"type": ["int", "bool"]}, {"type": ["integer", "boolean"]}),
    "a type twice": ({"type": ["string", "string"]}, {"type": ["string"]}),
}


@pytest.mark.parametrize("name", MENDED)
def test_slips_are_mended(name: str) -> None:
    """What can only mean one thing is taken as that."""
    given, kept = MENDED[name]
    assert _property(**given) == (kept, ())


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"text": {**TEXT, "maxLength": 3}, "x": {"$ref": "#/properties/text"}}},
        {
            "properties": {"x": {"$ref": "#/$defs/a/properties/b"}},
            "$defs": {"a": {"properties": {"b": {"maxLength": 3}}}},
        },
        {
            "properties": {
                "x": {"$ref": "#/properties/rows/items/0"},
                "rows": {"items": [{"maxLength": 3}]},
            }
        },
        {"properties": {"x": {"$ref": "#/properties/a~1b%20c"}, "a/b c": {"maxLength": 3}}},
        {"properties": {"x": {"$ref": "#/properties/%61"}, "a": {"maxLength": 3}}},
        {
            "properties": {"x": {"$ref": "#short"}},
            "$defs": {"a": {"$anchor": "short", "maxLength": 3}},
        },
        {
            "properties": {"x": {"$ref": "#short"}},
            "definitions": {"a": {"$id": "#short", "maxLength": 3}},
        },
        {
            "properties": {"x": {"$dynamicRef": "#short"}},
            "$defs": {"a b/c": {"$dynamicAnchor": "short", "maxLength": 3}},
        },
        {
            "properties": {"x": {"$ref": "short.json"}},
            "$defs": {"a": {"$id": "short.json", "maxLength": 3}},
        },
        {
            "$id": "https://example.com/s",
            "properties": {"x": {"$ref": "https://example.com/s#/$defs/a"}},
            "$defs": {"a": {"maxLength": 3}},
        },
        {
            "properties": {"x": {"$ref": "#/$defs/a"}},
            "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"maxLength": 3}},
        },
        {
            "properties": {"x": {"anyOf": [{"$ref": "#/allOf/0/properties/y"}]}},
            "allOf": [{"properties": {"y": {"maxLength": 3}}}],
        },
    ],
)
def test_a_reference_to_any_place(tmp_path: Path, schema: dict[str, Any]) -> None:
    """What it leads to is lifted out, wherever that stands, and judges the input."""
    assert _made(**schema).notes == ()
    server = ToolServer(tool(inputSchema={"type": "object", **schema}))
    with stage(tmp_path, server) as jackfield:
        refused = call(jackfield, inputs={"x": "long"})
        assert (refused.error.code, refused.error.details[0].path) == ("invalid_input", "/x")
        assert (call(jackfield, inputs={"x": "abc"}).status, server.count("tools/call")) == (
            "succeeded",
            1,
        )


def test_a_reference_to_the_whole(tmp_path: Path) -> None:
    """A tree refers to itself, in older words too."""
    schema = {
        "type": "object",
        "properties": {"text": {"maxLength": 3}, "below": {"$recursiveRef": "#"}},
    }
    with stage(tmp_path, ToolServer(tool(inputSchema=schema))) as jackfield:
        assert (
            call(jackfield, inputs={"below": {"below": {"text": "long"}}}).error.details[0].path
            == "/below/below/text"
        )


def test_a_circle_is_opened() -> None:
    """References that lead back to themselves without a step into the value judge nothing."""
    found = _made(
        **{
            "$ref": "#/$defs/a",
            "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}},
        }
    )
    assert found.definitions["a.in.a"] == {}
    assert found.notes == (
        "/inputSchema/$defs/a: its references lead back to it without a step into the value",
    )


@pytest.mark.parametrize(
    "schema",
    [
        {},
        [],
        True,
        "true",
        "null",
        "{}",
        {"properties": {"text": TEXT}},
        {"type": None},
        {"type": ["object", "null"]},
        None,
    ],
)
def test_a_root_without_its_type(tmp_path: Path, schema: object) -> None:
    """Arguments are an object whether the schema says so or not; without a schema they are any.
    There is nothing to note.
    """
    server = ToolServer(tool(inputSchema=schema))
    with stage(tmp_path, server) as jackfield:
        assert (call(jackfield).status, server.count("tools/call")) == ("succeeded", 1)
    assert schemas_of(server.tools[0], "a").notes == ()


def test_an_absent_schema(tmp_path: Path) -> None:
    """A tool without one takes any arguments."""
    server = ToolServer({"name": "add_note"})
    with stage(tmp_path, server) as jackfield:
        assert (call(jackfield).status, server.requests[-1][0]["params"]["arguments"]) == (
            "succeeded",
            {"text": "hello"},
        )


@pytest.mark.parametrize("spaces", ["", " \n"])
def test_a_schema_as_text(tmp_path: Path, spaces: str) -> None:
    """Its JSON judges as the schema itself would."""
    schema = {
        "type": "object",
        "properties": {"text": {**TEXT, "maxLength": 3}},
        "required": ["text"],
    }
    server = ToolServer(
        tool(
            inputSchema=spaces + json.dumps(schema),
            outputSchema=json.dumps({"type": "object", "required": ["n"]}),
        )
    )
    server.on_call = lambda talk: talk.result(said("done", structuredContent={"n": 1}))
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).error.details[0].path == "/text"
        assert call(jackfield, inputs={"text": "abc"}).output["structuredContent"] == {"n": 1}
    assert schemas_of(server.tools[0], "a").notes == ()


@pytest.mark.parametrize(
    "schema",
    [
        False,
        "x",
        "",
        "[1]",
        5,
        ["a"],
        {"type": "array", "items": TEXT},
        {"type": "string", "minLength": 2},
        {"type": "null"},
        {"type": "poem"},
        {"type": ["array", "null"]},
        {"type": 5},
    ],
)
def test_a_schema_that_admits_no_object(tmp_path: Path, schema: object) -> None:
    """It costs itself, with a note: the server judges the arguments, which are always an object."""
    server = ToolServer(tool(inputSchema=schema))
    with stage(tmp_path, server) as jackfield:
        assert (call(jackfield).status, server.requests[-1][0]["params"]["arguments"]) == (
            "succeeded",
            {"text": "hello"},
        )
    report = json.loads((tmp_path / "made/mcp.report.json").read_bytes())
    assert report["leftOut"] == []
    assert [row["notes"][-1].partition(":")[0] for row in report["leftOff"]] in (
        ["/inputSchema"],
        ["/inputSchema/type"],
    )


def test_a_large_schema_as_text() -> None:
    """It is bounded as any schema is."""
    deep = '{"properties":{"a":' * 70 + "{}" + "}}" * 70
    with pytest.raises(Unfit, match="nested more than 64 levels"):
        schemas_of(tool(inputSchema=deep), "a")


@pytest.mark.parametrize(
    "schema",
    [
        "x",
        [],
        {"type": "poem", "required": None},
        {"$ref": "#/absent"},
        {"properties": {"n": {"pattern": "("}}},
    ],
)
def test_outputs(tmp_path: Path, schema: object) -> None:
    """What a tool returns is described as far as it can be."""
    server = ToolServer(tool(outputSchema=schema))
    server.on_call = lambda talk: talk.result(said("done", structuredContent={"n": "1"}))
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).output["structuredContent"] == {"n": "1"}


def test_notes_are_bounded() -> None:
    """Those of one tool are at most 20 and a number, each on one short line without hidden
    characters.
    """
    found = _made(
        properties={f"p{number}\u202e\n{'x' * 500}": {"type": "poem"} for number in range(100)}
    )
    assert (len(found.notes), found.notes[-1]) == (21, "and 80 more")
    assert all(note.isprintable() and len(note) <= 300 for note in found.notes)


def test_references_that_repeat_too_much(tmp_path: Path) -> None:
    """Parts that contain one another, each of which is referred to, do not multiply."""
    schema: dict[str, Any] = {"type": "array"}
    for _ in range(26):
        schema = {
            "type": "object",
            "properties": {"a": schema, **{f"b{number}": {} for number in range(100)}},
        }
    places = ["#/properties/deep" + "/properties/a" * number for number in range(26)]
    tools = tool(
        inputSchema={
            "type": "object",
            "properties": {"deep": schema, "all": {"anyOf": [{"$ref": one} for one in places]}},
        }
    )
    with serving(ToolServer(tool(), {**tools, "name": "bomb"})) as server:
        assert [row["key"] for row in generate(tmp_path, server.url)["actions"]] == ["addNote"]
    assert (
        "that its references repeat"
        in json.loads((tmp_path / "made/mcp.report.json").read_bytes())["leftOut"][0]["reason"]
    )


def test_the_report_says_what_is_missing(tmp_path: Path) -> None:
    """The project's report and its manifest have the notes; the others are kept as they are."""
    odd = tool(
        "odd",
        inputSchema={"type": "object", "properties": {"x": {"type": "string", "pattern": "("}}},
    )
    with serving(ToolServer(tool(), odd, tool("none", inputSchema=HEADER_TWICE))) as server:
        manifest = generate(tmp_path, server.url)
    report = json.loads((tmp_path / "made/mcp.report.json").read_bytes())
    notes = ["/inputSchema/properties/x/pattern: the pattern '(' is of another dialect"]
    assert report["leftOff"] == [{"tool": "odd", "notes": notes}]
    assert {row["key"]: row["mcp"].get("notes") for row in manifest["actions"]} == {
        "addNote": None,
        "odd": notes,
    }
    assert [row["tool"] for row in report["leftOut"]] == ["none"]


@pytest.mark.parametrize("row", ["add_note", 5, True, [], ["a"], {}])
def test_a_row_that_is_no_tool(tmp_path: Path, row: object) -> None:
    """It costs itself, and the report says so; the tools beside it are called."""
    server = ToolServer(legacy=True)
    server.tools = [tool(), row]  # type: ignore[list-item]
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).status == "succeeded"
    report = json.loads(next((tmp_path / "made").rglob("mcp.report.json")).read_bytes())
    assert (report["tools"], report["leftOut"]) == (2, [{"tool": "", "reason": "it has no name"}])


@pytest.mark.parametrize(
    "tools", [[], [tool("a", inputSchema=HEADER_TWICE), tool("b", description="x" * 200_000)]]
)
def test_no_tool_is_left(tmp_path: Path, tools: list[Any]) -> None:
    """The reasons come first."""
    server = ToolServer()
    server.tools = tools
    with serving(server), pytest.raises(JackfieldError) as caught:
        generate(tmp_path, server.url)
    if not tools:
        assert caught.value.message == "the server lists no tools"
        return
    assert (
        "none of the server's 2 tools can be used: 'a' is left out: it names the header field"
        in caught.value.message
    )
    assert [one.message[:16] for one in caught.value.details] == [
        "'a' is left out:",
        "'b' is left out:",
    ]


@pytest.mark.parametrize(
    ("schema", "default"),
    [
        (TEXT, "a"),
        ({"type": ["string", "null"]}, None),
        ({"anyOf": [TEXT, {"type": "null"}]}, None),
        ({"type": "number"}, 1),
        ({}, None),
        ({"properties": {"default": TEXT}}, {"default": "a"}),
    ],
)
def test_a_default_that_fits(schema: dict[str, Any], default: Any) -> None:
    """It stays."""
    assert _property(**schema, default=default) == ({**schema, "default": default}, ())


@pytest.mark.parametrize("beside", [True, False])
def test_a_default_of_a_reference(beside: bool) -> None:
    """What it leads to judges it, where it stands beside the reference and where it stands
    there.
    """
    wrong = {"default": 5}
    properties = {"x": {"$ref": "#/$defs/N", **(wrong if beside else {})}}
    found = _made(properties=properties, **{"$defs": {"N": {**TEXT, **({} if beside else wrong)}}})
    assert (found.inputs["properties"]["x"], [*found.definitions.values()]) == (
        {"$ref": "#/$defs/a.in.N"},
        [TEXT],
    )
    assert found.notes == (
        (
            f"/inputSchema/{'properties/x' if beside else '$defs/N'}/default: its own schema "
            "refuses it"
        ),
    )


def test_many_defaults_of_references_cost_little() -> None:
    """Each is judged with all definitions: those behind the first hundred are left off."""
    definitions = {f"d{number}": {**TEXT, "description": "x" * 1_000} for number in range(40)}
    properties = {f"p{number}": {"$ref": "#/$defs/d1", "default": "a"} for number in range(1_500)}
    properties |= {f"q{number}": {"$ref": f"#/$defs/d{number}"} for number in range(40)}
    began = time.process_time()
    found = _made(properties=properties, **{"$defs": definitions})
    assert time.process_time() - began < 1
    assert sum("default" in one for one in found.inputs["properties"].values()) == 100


def test_a_call_without_what_has_an_unfit_default(tmp_path: Path) -> None:
    """The server fills it in, as it does for every client."""
    properties = {"text": TEXT, "to": {**TEXT, "default": None}}
    server = ToolServer(
        tool(inputSchema={"type": "object", "properties": properties, "required": ["text"]})
    )
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).status == "succeeded"
    assert server.requests[-1][0]["params"]["arguments"] == {"text": "hello"}


@pytest.mark.parametrize(
    ("required", "is_open"), [(["x", "y"], True), (["x"], False), (["y"], True), ([], False)]
)
def test_an_input_that_is_required_and_not_described(required: list[str], is_open: bool) -> None:
    """It can be given."""
    assert (
        _made(properties={"x": TEXT}, required=required).inputs["additionalProperties"] is is_open
    )
