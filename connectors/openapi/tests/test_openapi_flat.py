"""Members of a request's body as inputs: by default where no names clash, by an overlay, and the
old form that stays accepted.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jackfield.catalog import Catalog
from jackfield.connector import InvalidInput
from jackfield.manifest.manifest import Manifest
from jackfield.testing import Answer, Provider
from jackfield_market.manifest_changes import compare
from jackfield_store.journal import Queue
from jackfield_store.runtime import Jackfield
from openapi_rig import document, generate, installed, operation
from plugboard import declare, plugged

_MEMBERS = {
    "type": "object",
    "required": ["id", "due-on"],
    "properties": {
        "id": {"type": "string"},
        "due-on": {"type": "string"},
        "size": {"type": "integer", "minimum": 1},
    },
}


def _flat(
    required: bool,
    *,
    media: str = "application/json",
    schema: Any = None,
    flatten: bool | None = True,
) -> dict[str, Any]:
    """A document of one operation whose body is flattened, with the overlay's word about it."""
    body = {
        "required": required,
        "content": {media: {"schema": schema or {"$ref": "#/components/schemas/Task"}}},
    }
    parameters = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    said = {} if flatten is None else {"x-jackfield": {"flatten": flatten}}
    put = operation(operationId="putTask", parameters=parameters, requestBody=body, **said)
    return document({"/tasks/{id}": {"put": put}}, components={"schemas": {"Task": _MEMBERS}})


def _put(tmp_path: Path, source: dict[str, Any], inputs: dict[str, Any]) -> tuple[Any, list[Any]]:
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    folder.mkdir()
    manifest = generate(folder, source)
    with (
        Provider([Answer({})]) as provider,
        installed(folder, manifest, {"server": provider.url}) as jackfield,
    ):
        return jackfield.invoke(
            {"connector": "acme", "action": "putTask", "connection": "main", "inputs": inputs}
        ), provider.requests


@pytest.mark.parametrize("media", ["application/json", "application/x-www-form-urlencoded"])
def test_a_body_can_be_flattened(tmp_path: Path, media: str) -> None:
    """Members of a body are inputs, faults are at the input, and a name that a parameter has gets
    an ending.
    """
    refused, _ = _put(tmp_path, _flat(True, media=media), {"id": "7", "idBody": "b", "size": 0})
    assert {detail.path for detail in refused.error.details} == {"/dueOn", "/size"}
    result, requests = _put(
        tmp_path, _flat(True, media=media), {"id": "7", "idBody": "b", "dueOn": "now"}
    )
    assert (result.status, requests[0].path) == ("succeeded", "/tasks/7")
    assert requests[0].body in (b'{"id":"b","due-on":"now"}', b"id=b&due-on=now")


def test_members_of_an_optional_body_belong_together(tmp_path: Path) -> None:
    """Without any member no body is sent; with one the required members have to be there."""
    result, requests = _put(tmp_path, _flat(False), {"id": "7"})
    assert (result.status, requests[0].body, "Content-Type" in requests[0].headers) == (
        "succeeded",
        b"",
        False,
    )
    refused, requests = _put(tmp_path, _flat(False), {"id": "7", "size": 2})
    assert (refused.error.code, requests) == ("invalid_input", [])


def test_files_of_a_flattened_form(tmp_path: Path) -> None:
    """A file is an input of its own, and a fault is at it."""
    schema = {
        "type": "object",
        "properties": {"scan": {"type": "string", "format": "binary"}, "note": {"type": "string"}},
    }
    source = _flat(True, media="multipart/form-data", schema=schema)
    refused, _ = _put(tmp_path, source, {"id": "7", "scan": {"data": "?"}})
    assert [detail.path for detail in refused.error.details] == ["/scan"]
    _, requests = _put(tmp_path, source, {"id": "7", "scan": {"data": "AAE="}, "note": "x"})
    assert (b"\x00\x01" in requests[0].body, b'name="note"' in requests[0].body) == (True, True)


@pytest.mark.parametrize(
    "schema", [{"type": "array", "items": {}}, {"anyOf": [_MEMBERS, {"type": "object"}]}]
)
def test_other_bodies_are_not_flattened(tmp_path: Path, schema: dict[str, Any]) -> None:
    """A body that is no object of named members alone stays one input, and the report says so."""
    manifest = generate(tmp_path, _flat(True, schema=schema))
    assert "body" in manifest["actions"][0]["inputs"]["properties"]
    notes = json.loads((tmp_path / "made/openapi.report.json").read_bytes())["notes"]
    assert "body not flattened" in [note["cause"] for note in notes]


_ISSUE = {
    "type": "object",
    "required": ["title"],
    "properties": {
        "title": {"type": "string"},
        "body": {"type": ["string", "null"]},
        "due_on": {"type": "string"},
    },
}


def test_members_are_inputs_unless_the_overlay_says_otherwise(tmp_path: Path) -> None:
    """`invoke acme putTask id=7 title=Bug` needs no `body`; `flatten: false` keeps it, and only
    flat manifests are of version 2.
    """
    manifest = generate(tmp_path, _flat(True, schema=_ISSUE, flatten=None))
    action = manifest["actions"][0]
    assert (manifest["manifestVersion"], list(action["inputs"]["properties"])) == (
        2,
        ["id", "title", "body", "dueOn"],
    )
    assert action["inputs"]["required"] == ["id", "title"]
    manifest = generate(tmp_path, _flat(True, schema=_ISSUE, flatten=False))
    assert (manifest["manifestVersion"], list(manifest["actions"][0]["inputs"]["properties"])) == (
        1,
        ["id", "body"],
    )


@pytest.mark.parametrize("required", [True, False])
def test_becoming_flat_breaks_nobody(tmp_path: Path, required: bool) -> None:
    """`jackfield diff` asks for no greater step: what callers gave as `body` is still accepted. A
    member that is gone does break them.
    """
    old, new, less = (tmp_path / name for name in ("old", "new", "less"))
    for folder in (old, new, less):
        folder.mkdir()
    before = Manifest.from_json(generate(old, _flat(required, schema=_ISSUE, flatten=False)))
    after = generate(new, _flat(required, schema=_ISSUE, flatten=None))
    assert compare(before, Manifest.from_json(after)).level == "additive"
    without = {**_ISSUE, "properties": {"title": {"type": "string"}}}
    found = compare(
        before, Manifest.from_json(generate(less, _flat(required, schema=without, flatten=None)))
    )
    broken = [change.reason for change in found.changes if change.level == "breaking"]
    assert broken == [
        f"'{name}' is removed: callers that send it are refused" for name in ("body", "due_on")
    ]


@pytest.mark.parametrize(
    "schema", [_MEMBERS, {"type": "object", "properties": {"due_on": {}, "dueOn": {}}}]
)
def test_a_body_whose_names_clash_stays_one_input(tmp_path: Path, schema: dict[str, Any]) -> None:
    """A member with the name of a parameter, or of another member, keeps the body together; the
    report names it.
    """
    manifest = generate(tmp_path, _flat(True, schema=schema, flatten=None))
    assert (manifest["manifestVersion"], list(manifest["actions"][0]["inputs"]["properties"])) == (
        1,
        ["id", "body"],
    )
    notes = json.loads((tmp_path / "made/openapi.report.json").read_bytes())["notes"]
    assert [note["kind"] for note in notes if note["cause"] == "body not flattened"] == ["assumed"]


@pytest.mark.parametrize(
    "inputs",
    [
        {"id": "7", "title": "Bug", "body": "It fails.", "dueOn": "now"},
        {"id": "7", "body": {"title": "Bug", "body": "It fails.", "due_on": "now"}},
        {"id": "7", "body": {"title": "Bug", "body": "It fails."}, "dueOn": "now"},
        {"id": "7", "title": "Bug", "body": "It fails.", "due_on": "now"},
    ],
)
def test_the_form_of_version_1_is_accepted(tmp_path: Path, inputs: dict[str, Any]) -> None:
    """An object `body` is what it was before the inputs became flat, and the provider's own names
    are understood.
    """
    result, requests = _put(tmp_path, _flat(True, schema=_ISSUE, flatten=None), inputs)
    assert (result.status, result.error) == ("succeeded", None)
    assert json.loads(requests[0].body) == {"title": "Bug", "body": "It fails.", "due_on": "now"}


_TWICE = "'title' is given twice: here and as the input 'title'; omit one of them"


@pytest.mark.parametrize(
    ("inputs", "faults"),
    [
        ({"title": "x", "body": {"title": "y"}}, [("/body/title", _TWICE)]),
        (
            {"body": {"title": "x", "id": "8"}},
            [("/body/id", "'id' is not a member of the request's body")],
        ),
        (
            {"body": {"titel": "x"}},
            [
                (
                    "/body/titel",
                    "'titel' is not a member of the request's body; did you mean 'title'?",
                )
            ],
        ),
        ({"body": {"due_on": "now"}}, [("/title", "'title' is missing")]),
        (
            {"title": "x", "due_on": "a", "dueOn": "b"},
            [("/due_on", "'due_on' is not an input; did you mean 'dueOn'?")],
        ),
        ({"title": "x", "body": 7}, [("/body", "must be a string or null, not a number")]),
    ],
)
def test_a_mixture_of_both_forms_is_explained(
    tmp_path: Path, inputs: dict[str, Any], faults: list[tuple[str, str]]
) -> None:
    """What is given twice, or is no member, is named where it is; a parameter cannot be set through
    `body`.
    """
    result, requests = _put(
        tmp_path, _flat(True, schema=_ISSUE, flatten=None), {"id": "7", **inputs}
    )
    assert ([(fault.path, fault.message) for fault in result.error.details], requests) == (
        faults,
        [],
    )


def test_a_body_that_is_an_object_by_itself_is_not_taken_apart(tmp_path: Path) -> None:
    """A member named `body` that takes an object is given as such."""
    schema = {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "body": {"type": "object", "properties": {"title": {}}},
        },
    }
    result, requests = _put(
        tmp_path, _flat(True, schema=schema, flatten=None), {"id": "7", "body": {"title": "x"}}
    )
    assert (result.status, json.loads(requests[0].body)) == ("succeeded", {"body": {"title": "x"}})


def test_a_queued_invocation_of_version_1_is_run(tmp_path: Path) -> None:
    """What is queued in the form of version 1 is checked before it is, with faults where the caller
    gave them, and is sent by version 2.
    """
    key = generate(tmp_path, _flat(True, schema=_ISSUE, flatten=None))["key"]
    declare(
        tmp_path / "made", "jackfield-acme", "jackfield.connectors", {key: "jackfield_acme:http"}
    )
    url = f"sqlite:///{tmp_path / 'acme.db'}"
    with plugged(tmp_path / "made"), Provider([Answer({})]) as provider:
        connections = [
            {
                "connections": {
                    "main": {"type": "acme/anonymous", "values": {"server": provider.url}}
                }
            }
        ]
        with Jackfield(
            connections=connections, catalog=Catalog.installed(), database_url=url
        ) as jackfield:
            call = {
                "connector": key,
                "action": "putTask",
                "connection": "main",
                "inputs": {"id": "7", "body": {"due_on": 5}},
            }
            with pytest.raises(InvalidInput) as refused:
                jackfield.enqueue(call)
            identifier = jackfield.enqueue(
                {**call, "inputs": {"id": "7", "body": {"title": "Bug"}}}
            )
            (claimed,) = Queue(jackfield.storage.database).claim(5)
            result = jackfield.run(claimed)
    assert {fault.path for fault in refused.value.details} == {"/title", "/body/due_on"}
    assert (result.status, result.meta.invocation_id, provider.requests[0].body) == (
        "succeeded",
        identifier,
        b'{"title":"Bug"}',
    )
