"""Examples and grades of generated connectors, and what regeneration keeps: through the command
line.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jackfield.cli.main import main
from jackfield_openapi.conversion import Choices, converted
from openapi_rig import document, generate, operation

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")

_ITEM = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string", "minLength": 1}, "size": {"type": "integer"}},
}
_KEY = {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}


def _body(**more: Any) -> dict[str, Any]:
    return {
        "required": True,
        "description": "The item.",
        "content": {"application/json": {"schema": _ITEM, **more}},
    }


def _examples(**about: Any) -> list[dict[str, Any]]:
    source = document({"/items/{id}": {"post": operation(operationId="addItem", **about)}})
    found: list[dict[str, Any]] = converted(source, Choices()).manifest["actions"][0]["examples"]
    return found


def test_examples_come_from_the_document() -> None:
    """Examples of parameters, bodies and responses are used; a list shows one item."""
    parameters = [
        {
            "name": "id",
            "in": "path",
            "required": True,
            "example": "i-1",
            "schema": {"type": "string"},
        }
    ]
    response = {
        "description": "",
        "content": {
            "application/json": {"schema": {"type": "object"}, "example": {"tags": [1, 2, 3]}}
        },
    }
    example = _examples(
        parameters=parameters,
        requestBody=_body(example={"name": "bolt"}),
        responses={"200": response},
    )[0]
    assert example["invocation"]["inputs"] == {"id": "i-1", "name": "bolt"}
    assert example["result"]["output"] == {"tags": [1]}


def test_examples_that_do_not_fit_are_made() -> None:
    """An example that breaks its own schema is not used; minimal values of the schema stand in for
    it.
    """
    example = _examples(requestBody=_body(example={"nam": 1}))[0]
    assert example["invocation"]["inputs"] == {"id": "text", "name": "text"}


def test_an_example_of_a_schema_that_breaks_it_is_not_used() -> None:
    """Where the document's schema has an example that it refuses itself, a minimal value stands in
    for it.
    """
    schema = {
        "type": "object",
        "required": ["a"],
        "properties": {"a": {"type": "integer"}},
        "example": {"b": 1},
    }
    response = {"description": "", "content": {"application/json": {"schema": schema}}}
    assert _examples(requestBody=_body(), responses={"200": response})[0]["result"]["output"] == {
        "a": 1
    }


def test_what_has_no_example_is_reported() -> None:
    """An action that no short value fits has no example, and the report says so with the place."""
    parameters = [
        {
            "name": "q",
            "in": "query",
            "required": True,
            "schema": {"type": "string", "pattern": "^(?=z).{7}$"},
        }
    ]
    made = converted(document({"/a": {"get": operation(parameters=parameters)}}), Choices())
    assert made.manifest["actions"][0]["examples"] == []
    assert [note.at for note in made.report if note.cause == "no example"] == ["/paths/~1a/get"]


def test_a_described_document_becomes_a_silver_connector(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a document describes what it has, and has a read that tests connections, 'jackfield
    check' grades silver.
    """
    about = {
        "name": "limit",
        "in": "query",
        "description": "How many.",
        "schema": {"type": "integer", "minimum": 1},
    }
    item = {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "Which.",
        "schema": {"type": "string"},
    }
    paths = {
        "/items": {
            "get": operation(operationId="listItems", summary="List items", parameters=[about])
        },
        "/items/{id}": {
            "put": operation(
                operationId="putItem", summary="Put an item", parameters=[item], requestBody=_body()
            )
        },
    }
    source = document(paths, components={"securitySchemes": _KEY}, security=[{"key": []}])
    source["info"]["license"] = {"name": "MIT License"}
    manifest = generate(tmp_path, source)
    assert manifest["connectionTypes"][0]["http"]["probe"] == "/items"
    capsys.readouterr()
    assert main(["check", str(tmp_path / "made"), "--at-least", "silver", "--json"]) == 0, (
        capsys.readouterr().out
    )


def test_what_a_document_demands_costs_no_bronze(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An API key in the query, a list below a member, and an operation by HEAD leave a generated
    connector bronze: its own tests pass.
    """
    pages = [
        {"name": name, "in": "query", "schema": {"type": "integer", "default": 1}}
        for name in ("page", "page_size")
    ]
    items = {
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"type": "object"}}},
    }
    schema = {"type": "object", "properties": {"_embedded": items, "page": {"type": "integer"}}}
    responses = {"200": {"description": "", "content": {"application/json": {"schema": schema}}}}
    paths = {
        "/items": {
            "get": operation(parameters=pages, responses=responses),
            "head": {"responses": {"200": {"description": ""}}},
        }
    }
    key = {"key": {"type": "apiKey", "in": "query", "name": "key"}}
    manifest = generate(
        tmp_path, document(paths, components={"securitySchemes": key}, security=[{"key": []}])
    )
    assert manifest["actions"][0]["pagination"]["items"] == "/_embedded/items"
    capsys.readouterr()
    main(["check", str(tmp_path / "made"), "--json"])
    report = json.loads(capsys.readouterr().out)
    failed = {rule["name"] for rule in report["rules"] if rule["passed"] is False}
    assert (
        report["grade"],
        failed & {"secrets-stay-inside", "paging-names-exist", "deadlines-are-kept"},
    ) == ("bronze", set())


def test_without_credentials_none_can_be_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A connection test of an API that asks for no credentials cannot tell good ones from bad ones,
    which costs no grade.
    """
    item = {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "Which.",
        "schema": {"type": "string"},
    }
    source = document(
        {
            "/items/{id}": {
                "get": operation(operationId="getItem", summary="Get an item", parameters=[item])
            }
        }
    )
    source["info"]["license"] = {"name": "MIT"}
    generate(tmp_path, source)
    capsys.readouterr()
    assert main(["check", str(tmp_path / "made"), "--at-least", "silver", "--json"]) == 0, (
        capsys.readouterr().out
    )


def test_regeneration_keeps_curation_and_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A new version of the document keeps the overlay's titles, locked keys and the author's files;
    '--check' lists what would change.
    """
    (tmp_path / "made").mkdir()
    actions = [{"target": "$.paths['/b'].get", "update": {"x-jackfield": {"title": "Curated"}}}]
    overlay = {"overlay": "1.0.0", "info": {"title": "x", "version": "1"}, "actions": actions}
    (tmp_path / "made/overlay.json").write_text(json.dumps(overlay))
    generate(tmp_path, document({"/b": {"get": operation(operationId="list")}}))
    (tmp_path / "made/README.md").write_text("Mine.")
    first = {path: path.read_bytes() for path in (tmp_path / "made").rglob("*") if path.is_file()}
    generate(tmp_path, document({"/b": {"get": operation(operationId="list")}}))
    assert {
        path: path.read_bytes() for path in (tmp_path / "made").rglob("*") if path.is_file()
    } == first
    new = document(
        {
            "/a": {"get": operation(operationId="List")},
            "/b": {"get": operation(operationId="list", deprecated=True)},
        }
    )
    (tmp_path / "openapi.json").write_text(json.dumps(new))
    capsys.readouterr()
    assert (
        main(
            [
                "generate",
                "openapi",
                str(tmp_path / "openapi.json"),
                "--out",
                str(tmp_path / "made"),
                "--check",
                "--json",
            ]
        )
        == 1
    )
    said = json.loads(capsys.readouterr().out)
    assert said["difference"] == {"added": ["list2"], "removed": [], "changed": ["list"]}
    assert set(said["files"]) == {
        "jackfield_acme/connector.json",
        "openapi.lock.json",
        "openapi.report.json",
    }
    assert converted(new, Choices()).manifest["actions"][1]["title"] == "List 2 (deprecated)"
    found = generate(tmp_path, new)
    assert [(action["key"], action["title"]) for action in found["actions"]] == [
        ("list2", "List 2"),
        ("list", "Curated"),
    ]
    assert (tmp_path / "made/README.md").read_text() == "Mine."


def test_nothing_is_dropped_silently(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What becomes no part of the connector is in the report with its JSON Pointer, and '--strict'
    fails.
    """
    xml = {"required": True, "content": {"application/xml": {"schema": _ITEM}}}
    callback = operation(operationId="ask", callbacks={"done": {}})
    (tmp_path / "openapi.json").write_text(
        json.dumps(document({"/x": {"post": operation(requestBody=xml)}, "/c": {"post": callback}}))
    )
    out = ["--out", str(tmp_path / "made"), "--json"]
    assert main(["generate", "openapi", str(tmp_path / "openapi.json"), *out, "--strict"]) == 1
    notes = json.loads((tmp_path / "made/openapi.report.json").read_bytes())["notes"]
    assert {(note["kind"], note["at"]) for note in notes} >= {
        ("left_out", "/paths/~1x/post"),
        ("lossy", "/paths/~1c/post/callbacks"),
    }
