"""From a schema to a form: which control a member gets, and that no schema is too much."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackfield_service.shell.pages.layout.form_schema import form_schema

ROOT = Path(__file__).resolve().parents[4]
FILE = {
    "anyOf": [
        {"type": "string"},
        {"type": "object", "properties": {"data": {"type": "string"}}, "required": ["data"]},
    ]
}


def kinds(schema: dict[str, Any], **given: Any) -> dict[str, str]:
    """The kind of control of each member, in the order in which they are shown."""
    form = form_schema(schema, **given)
    placed = sorted(form["properties"].items(), key=lambda item: item[1]["propertyOrder"])
    return {name: member["options"]["kind"] for name, member in placed}


def member(schema: dict[str, Any]) -> dict[str, Any]:
    """What the form is told of a member."""
    found: dict[str, Any] = form_schema({"type": "object", "properties": {"one": schema}})[
        "properties"
    ]["one"]
    return found


def test_the_form_of_an_email() -> None:
    """Sending an email has the controls that people expect, in the author's order; what is seldom
    needed is behind the rest.
    """
    manifest = json.loads(
        (ROOT / "connectors/aws-ses/jackfield_aws_ses/connector.json").read_text(encoding="utf-8")
    )
    inputs = next(
        action["inputs"] for action in manifest["actions"] if action["key"] == "sendEmail"
    )
    found = kinds(inputs)
    assert list(found)[:4] == ["awsRegion", "to", "sender", "subject"]
    wanted = {
        "awsRegion": "text",
        "to": "list",
        "sender": "text",
        "text": "textarea",
        "attachments": "files",
        "tags": "pairs",
    }
    assert {name: found[name] for name in wanted} == wanted
    options = {name: item["options"] for name, item in form_schema(inputs)["properties"].items()}
    assert (options["awsRegion"]["optionsFrom"], options["awsRegion"]["fromConnection"]) == (
        "awsRegions",
        "region",
    )
    assert [name for name, item in options.items() if item["required"]] == [
        "awsRegion",
        "sender",
        "subject",
    ]
    assert {name for name, item in options.items() if item["more"]} >= {
        "cc",
        "bcc",
        "replyTo",
        "tags",
        "headers",
        "returnPath",
    }


_POINT = {"type": "object", "properties": {"x": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, "text"),
        ({"type": ["null", "string"]}, "text"),
        ({"type": "string", "writeOnly": True}, "password"),
        ({"type": "string", "format": "password"}, "password"),
        ({"type": "string", "x-jackfield": {"multiline": True}}, "textarea"),
        ({"type": "integer"}, "integer"),
        ({"type": "number"}, "number"),
        ({"type": "boolean"}, "boolean"),
        ({"enum": ["a", 1, None]}, "choice"),
        ({"const": "a"}, "choice"),
        ({"type": "array", "items": {"type": "integer"}}, "list"),
        ({"type": "array", "items": {"enum": ["a"]}}, "choices"),
        ({"type": "array", "items": {"anyOf": [{"type": "string"}, _POINT]}}, "list"),
        ({"type": "array", "items": _POINT}, "items"),
        ({"type": "array", "items": {"type": "array", "items": {"type": "string"}}}, "items"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "pairs"),
        ({"type": "object", "additionalProperties": _POINT}, "entries"),
        ({"anyOf": [_POINT, {"type": "integer"}]}, "union"),
        ({"anyOf": [FILE, {"type": ["object", "array"]}]}, "union"),
        ({"anyOf": [{"type": "string"}, {"type": ["object", "array"]}]}, "mixed"),
        (
            {"oneOf": [_POINT, {"type": "object", "properties": {"y": {}}}, {"type": "null"}]},
            "union",
        ),
        ({"oneOf": [_POINT, {"type": "null"}]}, "object"),
        ({"anyOf": [_POINT, {"type": "string", "enum": [""]}]}, "object"),
        ({"type": "array"}, "json"),
        ({"type": "object"}, "json"),
        ({"type": "object", "additionalProperties": True}, "json"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "pairs"),
        ({"type": "object", "additionalProperties": FILE}, "files"),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, "object"),
        (
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"key": {"type": "string"}, "value": FILE},
                },
            },
            "files",
        ),
        (
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"key": {"type": "string"}, "value": {"type": "string"}},
                },
            },
            "pairs",
        ),
        (FILE, "file"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text"),
        ({"anyOf": [{"enum": ["now"]}, {"type": "integer"}]}, "integer"),
        ({"anyOf": [{"enum": ["small", "large"]}, {"type": "string"}]}, "text"),
        ({"anyOf": [{"enum": ["auto"]}, {"type": "boolean"}]}, "choice"),
        ({"anyOf": [{"enum": ["auto"]}, {"type": "object"}]}, "mixed"),
        ({"type": "string", "properties": {"x": {"type": "string"}}}, "text"),
        ({"oneOf": [{"type": "object"}, {"type": "boolean"}]}, "boolean"),
        ({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}, "list"),
        ({}, "json"),
        (True, "json"),
        ({"$ref": "#/nowhere"}, "json"),
        ({"$ref": "https://example.com/schema"}, "json"),
    ],
)
def test_each_schema_has_a_control(schema: Any, kind: str) -> None:
    """A member's control follows from its schema; what has no control of its own is written as
    JSON.
    """
    assert member(schema)["options"]["kind"] == kind


def test_choices_beside_other_values_leave_these() -> None:
    """The end of a trial is 'now', which is suggested, or a time; 'public' is yes or no, however
    the API writes it.
    """
    end = member({"anyOf": [{"type": "string", "enum": ["now"]}, {"type": "integer"}]})["options"]
    assert (end["kind"], end["suggested"]) == ("integer", ["now"])
    public = member(
        {"oneOf": [{"type": "boolean"}, {"type": "string", "enum": ["true", "false"]}]}
    )["options"]
    assert (public["kind"], public["choices"]) == ("choice", [True, False])
    assert member({"anyOf": [{"enum": ["auto"]}, {"type": "boolean"}, {"const": "off"}]})[
        "options"
    ]["choices"] == [
        True,
        False,
        "auto",
        "off",
    ]


def test_required_fields_come_first_and_seldom_ones_last() -> None:
    """`title` is above `assignee`; what is deprecated or for pages is behind 'More fields'; an
    author's order stands.
    """
    old = {"type": "string", "deprecated": True}
    schema: dict[str, Any] = {
        "type": "object",
        "required": ["title"],
        "properties": {
            "assignee": old,
            "nextToken": {"type": "string"},
            "labels": {"type": "string"},
            "title": {"type": "string"},
        },
    }
    form = form_schema(schema, seldom=["nextToken", "title"])["properties"]
    assert [
        name for name, _ in sorted(form.items(), key=lambda item: item[1]["propertyOrder"])
    ] == [
        "title",
        "labels",
        "assignee",
        "nextToken",
    ]
    assert [name for name, field in form.items() if field["options"]["more"]] == [
        "assignee",
        "nextToken",
    ]
    schema["properties"]["labels"]["x-jackfield"] = {"order": 1}
    assert next(iter(form_schema(schema)["properties"])) == "labels"


def test_rows_and_forms_have_fields_of_their_own() -> None:
    """The fields of an item, of a map's member and of each form of a value are those of its schema,
    under its title.
    """
    items = member({"type": "array", "items": {**_POINT, "title": "Point"}, "title": "Points"})
    assert (items["title"], items["options"]["part"]["title"]) == ("Points", "Point")
    assert items["options"]["part"]["properties"]["x"]["options"]["kind"] == "integer"
    assert (
        member({"type": "object", "additionalProperties": _POINT})["options"]["part"]["title"]
        == "One"
    )
    forms = member({"anyOf": [_POINT, {"type": "integer"}, {"type": "null"}]})["options"]["forms"]
    assert [form["title"] for form in forms] == ["With x", "Whole number"]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("at", "At"),
        ("bigId", "Big ID"),
        ("queue_url2", "Queue URL 2"),
        ("HTTPSProxy", "HTTPS Proxy"),
        ("_", "_"),
        ("@type", "@type"),
    ],
)
def test_a_member_without_a_title_is_called_by_the_words_of_its_name(name: str, title: str) -> None:
    """Fields of members with and without titles look alike; what is no name of a program stays as
    it is.
    """
    assert (
        form_schema({"type": "object", "properties": {name: {"type": "string"}}})["properties"][
            name
        ]["title"]
        == title
    )


def test_a_schema_with_very_many_fields_ends_as_json() -> None:
    """A form has about a thousand fields, also of rows that can be added; what is nested beyond
    them is written as JSON.
    """
    wide = {
        "type": "object",
        "properties": {f"m{number}": {"type": "string"} for number in range(400)},
    }
    form = kinds(
        {
            "type": "object",
            "properties": {name: {"type": "array", "items": wide} for name in "abcdef"},
        }
    )
    assert form == dict.fromkeys("abc", "items") | dict.fromkeys("def", "json")


def test_references_are_followed() -> None:
    """Definitions are looked up, titles beside a reference win, and a circle ends as JSON."""
    schema = {
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/text", "title": "Mine"},
            "b": {"$ref": "#/$defs/node"},
            "c": {"$ref": "#/$defs/loop"},
        },
        "$defs": {
            "text": {"type": "string", "title": "Theirs"},
            "node": {"type": "object", "properties": {"child": {"$ref": "#/$defs/node"}}},
            "loop": {"$ref": "#/$defs/loop"},
        },
    }
    assert kinds(schema) == {"a": "text", "b": "object", "c": "json"}
    form = form_schema(schema)["properties"]
    assert form["a"]["title"] == "Mine"
    assert json.dumps(form).count('"json"') == 2


def test_what_the_author_says_is_told() -> None:
    """Defaults, examples and descriptions reach the form; a description's Markdown is made
    harmless.
    """
    found = member(
        {
            "type": "integer",
            "default": 3,
            "description": "See [docs](https://example.com) <b>now</b> [x](javascript:alert)",
        }
    )
    assert found["options"]["placeholder"] == "3 by default"
    assert 'href="https://example.com"' in found["options"]["hint"]
    assert "<b>" not in found["options"]["hint"]
    assert 'href="javascript' not in found["options"]["hint"]
    assert (
        member({"type": "string", "examples": ["eu-west-1"]})["options"]["placeholder"]
        == "for example eu-west-1"
    )
    assert member({"type": "boolean", "default": True})["options"]["default"] is True
    labels = {"type": "array", "items": {"type": "string", "x-jackfield": {"options": "labels"}}}
    assert member(labels)["options"]["optionsFrom"] == "labels"  # choices for each of its values


def test_hidden_fields_are_not_offered() -> None:
    """A field that is accepted for compatibility only has no control, unless it has a value, which
    would be lost.
    """
    schema = {
        "type": "object",
        "properties": {
            "one": {"type": "string"},
            "old": {"type": "string", "x-jackfield": {"hidden": True}},
        },
    }
    assert [*form_schema(schema)["properties"]] == ["one"]
    assert [*form_schema(schema, given=["old"])["properties"]] == ["one", "old"]


def test_secrets_that_are_kept() -> None:
    """A secret that is there is not asked for again, and what only the runtime sets cannot be
    typed.
    """
    schema = {
        "type": "object",
        "required": ["key"],
        "properties": {"key": {"type": "string", "writeOnly": True}, "id": {"type": "string"}},
    }
    form = form_schema(schema, stored=["key"], fixed=["id"])["properties"]
    assert (form["key"]["options"]["required"], form["id"]["options"]["kind"]) == (False, "fixed")
    assert "Stored" in form["key"]["options"]["placeholder"]


WORDS = st.sampled_from(["string", "object", "array", "integer", "null", "nonsense"])
SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    st.booleans()
    | st.fixed_dictionaries(
        {},
        optional={
            "type": WORDS | st.lists(WORDS, max_size=2),
            "enum": st.lists(st.integers()),
            "title": st.text(),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": WORDS,
            "items": inner,
            "additionalProperties": inner,
            "properties": st.dictionaries(st.text(max_size=4), inner, max_size=3),
            "anyOf": st.lists(inner, max_size=3),
            "$ref": st.sampled_from(["#", "#/properties", "#/properties/a", "#/$defs/x", "other"]),
        },
    ),
    max_leaves=12,
)


@settings(deadline=None)  # the machine may be busy
@given(st.dictionaries(st.text(max_size=4), SCHEMAS, max_size=4))
def test_no_schema_is_too_much(properties: dict[str, Any]) -> None:
    """Any schema at all makes a form, whose controls the page knows."""
    form = form_schema({"type": "object", "properties": properties})
    known = {
        "text",
        "textarea",
        "password",
        "integer",
        "number",
        "json",
        "choice",
        "boolean",
        "list",
        "pairs",
        "files",
        "file",
        "object",
    }
    assert {item["options"]["kind"] for item in form["properties"].values()} <= known | {
        "items",
        "entries",
        "union",
        "choices",
        "mixed",
    }
    assert form["properties"].keys() == properties.keys()
