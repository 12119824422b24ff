"""What an overlay says about a connector as a whole: its headers, its error map, its connection types, and examples of its actions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jackfield.connector import InvalidInput
from jackfield.testing import Answer, Provider
from openapi_rig import document, generate, installed, operation

_ERRORS = {
    "code": "/error",
    "requestId": ["x-acme-id"],
    "failed": {"member": "/ok", "equals": False},
    "rows": [
        {"codes": ["slow_down"], "error": "rate_limited"},
        {"codes": ["no_channel"], "error": "not_found", "hint": "Look up the channel."},
        {"codes": ["fatal"], "error": "unavailable", "sent": "unknown"},
        {"status": 402, "error": "rejected"},
    ],
}


def _acme(**extension: Any) -> dict[str, Any]:
    example = {"inputs": {"body": {"text": "x"}}}
    content = {"application/json": {"schema": {"type": "object", "properties": {"text": {"type": "string"}}}}}
    shown = {"content": {"application/json": {"schema": {"type": "object"}, "examples": {"one": {"$ref": "#/components/examples/Sent"}}}}}
    post = operation(
        operationId="post",
        requestBody={"content": content},
        responses={"200": {"description": "", **shown}},
        **{"x-jackfield": {"examples": [example], "permissions": {"acme": ["post"]}}},
    )
    schemes = {"token": {"type": "http", "scheme": "bearer"}}
    components = {"securitySchemes": schemes, "examples": {"Sent": {"value": {"ok": True, "list": [1, 2, 3]}}}}
    return document({"/post": {"post": post}}, components=components, **{"x-jackfield": extension})


def test_the_manifest_has_the_curation(tmp_path: Path) -> None:
    """Texts, permissions and examples come from the overlay; an example's output is the documented one, with one item of each list."""
    about = {"setup": "Ask Ada.", "key": "acmeToken", "fields": {"token": {"title": "Bot token"}}}
    manifest = generate(tmp_path, _acme(icon="data:,x", categories=["chat"], license="MIT", connections={"token": about}))
    assert (manifest["icon"], manifest["categories"], manifest["license"]) == ("data:,x", ["chat"], "MIT")
    kind, action = manifest["connectionTypes"][0], manifest["actions"][0]
    assert (kind["key"], kind["setup"], kind["schema"]["properties"]["token"]["title"]) == ("acmeToken", "Ask Ada.", "Bot token")
    assert action["permissions"] == {"acme": ["post"]}
    example = action["examples"][0]
    assert (example["invocation"]["inputs"], example["result"]["output"]) == ({"body": {"text": "x"}}, {"ok": True, "list": [1]})


@pytest.mark.parametrize(
    ("answers", "code", "requests"),
    [
        ([Answer({"ok": False, "error": "slow_down"}, headers={"Retry-After": "0"}), Answer({"ok": True})], "succeeded", 2),
        ([Answer({"ok": False, "error": "no_channel"}, headers={"X-Acme-Id": "r-1"})], "not_found", 1),
        ([Answer({"ok": False, "error": "other"})], "rejected", 1),
        ([Answer({"ok": False, "error": "fatal"})], "in_doubt", 1),
        ([Answer({"error": "pay"}, 402)], "rejected", 1),
    ],
)
def test_an_error_map_is_data(tmp_path: Path, answers: list[Answer], code: str, requests: int) -> None:
    """A failure with status 200 is one; its code decides whether the write may be repeated, and headers go with every request."""
    manifest = generate(tmp_path, _acme(errors=_ERRORS, headers={"Acme-Version": "7"}))
    with Provider(answers) as provider, installed(tmp_path, manifest, {"token": "t", "server": provider.url}) as jackfield:
        result = jackfield.invoke({"connector": "acme", "action": "post", "connection": "main", "inputs": {"body": {"text": "x"}}})
    assert (result.error.code if result.error else result.status) == code
    assert len(provider.requests) == requests
    assert {name.lower(): value for name, value in provider.requests[0].headers.items()}["acme-version"] == "7"
    if code == "not_found":
        assert result.error is not None
        assert result.error.provider is not None
        assert (result.error.hint, result.error.provider.request_id) == ("Look up the channel.", "r-1")


@pytest.mark.parametrize(
    "extension",
    [
        {"titel": "x"},
        {"errors": {"rows": [{"codes": ["a"], "error": "oops"}]}},
        {"connections": {"token": {"fields": {"tokens": {}}}}},
        {"connections": [1]},
        {"connections": {"token": None}},
        {"connections": {"token": {"fields": {"token": "x"}}}},
        {"errors": True},
        {"errors": {"code": "error"}},
        {"errors": {"rows": [{"error": []}]}},
        {"headers": {"X-A": 1}},
        {"categories": "a"},
    ],
)
def test_a_slip_in_the_overlay_is_refused(tmp_path: Path, extension: dict[str, Any]) -> None:
    """A member, an error or a field that does not exist is named, instead of being ignored."""
    with pytest.raises(InvalidInput):
        generate(tmp_path, _acme(**extension))


_MEMBERS = {
    "type": "object",
    "required": ["id", "due-on"],
    "properties": {"id": {"type": "string"}, "due-on": {"type": "string"}, "size": {"type": "integer", "minimum": 1}},
}


def _flat(required: bool, *, media: str = "application/json", schema: Any = None) -> dict[str, Any]:
    """A document of one operation whose body is flattened."""
    body = {"required": required, "content": {media: {"schema": schema or {"$ref": "#/components/schemas/Task"}}}}
    parameters = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    put = operation(operationId="putTask", parameters=parameters, requestBody=body, **{"x-jackfield": {"flatten": True}})
    return document({"/tasks/{id}": {"put": put}}, components={"schemas": {"Task": _MEMBERS}})


def _put(tmp_path: Path, source: dict[str, Any], inputs: dict[str, Any]) -> tuple[Any, list[Any]]:
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    folder.mkdir()
    manifest = generate(folder, source)
    with Provider([Answer({})]) as provider, installed(folder, manifest, {"server": provider.url}) as jackfield:
        return jackfield.invoke({"connector": "acme", "action": "putTask", "connection": "main", "inputs": inputs}), provider.requests


@pytest.mark.parametrize("media", ["application/json", "application/x-www-form-urlencoded"])
def test_a_body_can_be_flattened(tmp_path: Path, media: str) -> None:
    """Members of a body are inputs, faults are at the input, and a name that a parameter has gets an ending."""
    refused, _ = _put(tmp_path, _flat(True, media=media), {"id": "7", "idBody": "b", "size": 0})
    assert {detail.path for detail in refused.error.details} == {"/dueOn", "/size"}
    result, requests = _put(tmp_path, _flat(True, media=media), {"id": "7", "idBody": "b", "dueOn": "now"})
    assert (result.status, requests[0].path) == ("succeeded", "/tasks/7")
    assert requests[0].body in (b'{"id":"b","due-on":"now"}', b"id=b&due-on=now")


def test_members_of_an_optional_body_belong_together(tmp_path: Path) -> None:
    """Without any member no body is sent; with one the required members have to be there."""
    result, requests = _put(tmp_path, _flat(False), {"id": "7"})
    assert (result.status, requests[0].body, "Content-Type" in requests[0].headers) == ("succeeded", b"", False)
    refused, requests = _put(tmp_path, _flat(False), {"id": "7", "size": 2})
    assert (refused.error.code, requests) == ("invalid_input", [])


def test_files_of_a_flattened_form(tmp_path: Path) -> None:
    """A file is an input of its own, and a fault is at it."""
    schema = {"type": "object", "properties": {"scan": {"type": "string", "format": "binary"}, "note": {"type": "string"}}}
    source = _flat(True, media="multipart/form-data", schema=schema)
    refused, _ = _put(tmp_path, source, {"id": "7", "scan": {"data": "?"}})
    assert [detail.path for detail in refused.error.details] == ["/scan"]
    _, requests = _put(tmp_path, source, {"id": "7", "scan": {"data": "AAE="}, "note": "x"})
    assert (b"\x00\x01" in requests[0].body, b'name="note"' in requests[0].body) == (True, True)


@pytest.mark.parametrize("schema", [{"type": "array", "items": {}}, {"anyOf": [_MEMBERS, {"type": "object"}]}])
def test_other_bodies_are_not_flattened(tmp_path: Path, schema: dict[str, Any]) -> None:
    """A body that is no object of named members alone stays one input, and the report says so."""
    manifest = generate(tmp_path, _flat(True, schema=schema))
    assert "body" in manifest["actions"][0]["inputs"]["properties"]
    notes = json.loads((tmp_path / "made/openapi.report.json").read_bytes())["notes"]
    assert "body not flattened" in [note["cause"] for note in notes]
