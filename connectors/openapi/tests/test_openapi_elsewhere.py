"""Arguments in a header field, and pages after the first on another path: how some providers pass
files and lists.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jackfield.connector import InvalidInput
from jackfield.testing import Answer, Provider
from jackfield_openapi.conversion import Choices, converted
from openapi_rig import document, generate, installed

_SCHEMA = {
    "type": "object",
    "required": ["path"],
    "properties": {"path": {"type": "string"}, "mute": {"type": "boolean"}},
}
_ARGUMENT: dict[str, Any] = {
    "name": "Acme-Arg",
    "in": "header",
    "x-jackfield": {"flatten": True},
    "content": {"application/json": {"schema": _SCHEMA}},
}
_FOLDER = {
    "type": "object",
    "required": ["path"],
    "properties": {"path": {"type": "string"}, "cursor": {"type": "string"}},
}
_LIST = {
    "type": "object",
    "properties": {
        "entries": {"type": "array", "items": {}},
        "cursor": {"type": "string"},
        "more": {},
    },
}


def _document(**pages: Any) -> dict[str, Any]:
    paging = {
        "kind": "token",
        "input": "cursor",
        "response": "/cursor",
        "more": "/more",
        "items": "/entries",
        **pages,
    }
    listed = {"200": {"description": "", "content": {"application/json": {"schema": _LIST}}}}
    body = {"required": True, "content": {"application/json": {"schema": _FOLDER}}}
    return document(
        {
            "/list": {
                "post": {
                    "operationId": "listFiles",
                    "requestBody": body,
                    "responses": listed,
                    "x-jackfield": {"effect": "read", "pagination": paging},
                }
            },
            "/upload": {
                "post": {
                    "operationId": "upload",
                    "parameters": [_ARGUMENT],
                    "responses": {"200": {"description": ""}},
                }
            },
        }
    )


def test_members_of_a_header_field_are_inputs(tmp_path: Path) -> None:
    """The field has the object as JSON, in ASCII, with the members that were given."""
    manifest = generate(tmp_path, _document())
    action = next(one for one in manifest["actions"] if one["key"] == "upload")
    assert (list(action["inputs"]["properties"]), action["inputs"]["required"]) == (
        ["path", "mute"],
        ["path"],
    )
    with (
        Provider([Answer({})]) as provider,
        installed(tmp_path, manifest, {"server": provider.url}) as jackfield,
    ):
        called = {
            "connector": "acme",
            "action": "upload",
            "connection": "main",
            "inputs": {"path": "/Ä 😀", "mute": True},
        }
        jackfield.invoke(called).unwrap()
        shown = jackfield.invoke({**called, "dryRun": True})
    fields = {name.lower(): value for name, value in provider.requests[0].headers.items()}
    assert fields["acme-arg"] == '{"path":"/\\u00c4 \\ud83d\\ude00","mute":true}'
    assert json.loads(fields["acme-arg"]) == {"path": "/Ä 😀", "mute": True}
    assert shown.status == "succeeded"


def test_later_pages_take_the_token_alone(tmp_path: Path) -> None:
    """The first page is asked for with all inputs, those after it on the other path."""
    manifest = generate(tmp_path, _document(**{"continue": "/list/continue"}))
    pages = [
        Answer({"entries": [1], "cursor": "c-1", "more": True}),
        Answer({"entries": [2], "cursor": "c-2", "more": False}),
    ]
    with (
        Provider(pages) as provider,
        installed(tmp_path, manifest, {"server": provider.url}) as jackfield,
    ):
        inputs = {"path": "/a", "fetchAll": True}
        result = jackfield.invoke(
            {"connector": "acme", "action": "listFiles", "connection": "main", "inputs": inputs}
        )
    assert result.unwrap()["entries"] == [1, 2]
    sent = [(request.path, json.loads(request.body)) for request in provider.requests]
    assert sent == [("/list", {"path": "/a"}), ("/list/continue", {"cursor": "c-1"})]


@pytest.mark.parametrize(
    "pages", [{"continue": "list"}, {"continue": "/list/{id}"}, {"continue": 1}]
)
def test_a_path_that_cannot_be_asked_is_refused(pages: dict[str, Any]) -> None:
    """It is a path of its own, whose only input is the token."""
    with pytest.raises(InvalidInput, match="'continue'"):
        converted(_document(**pages), Choices())


def test_only_an_object_in_a_header_field_is_flattened() -> None:
    """Elsewhere there is no such form."""
    parameter = {
        "name": "q",
        "in": "query",
        "schema": {"type": "string"},
        "x-jackfield": {"flatten": True},
    }
    with pytest.raises(InvalidInput, match="flatten"):
        converted(
            document({"/a": {"get": {"parameters": [parameter], "responses": {}}}}), Choices()
        )
