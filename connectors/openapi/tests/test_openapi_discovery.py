"""Documents in Google's discovery format: paths, keys, schemas and sign-ins of the connector, and a
call over it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jackfield.testing import Answer, Provider
from jackfield_openapi.conversion import Choices, converted
from jackfield_openapi.discovery import is_discovery, openapi_of
from openapi_rig import generate, installed

_READ, _WRITE, _ALL = (
    f"https://acme.example/auth/{name}" for name in ("shelf.readonly", "shelf", "cloud-platform")
)


def _method(name: str, verb: str, path: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"acme.{name}",
        "httpMethod": verb,
        "path": path,
        "description": f"Does {name}.",
        "scopes": [_ALL, _WRITE],
        **more,
    }


def _path(name: str) -> dict[str, Any]:
    return {
        name: {"type": "string", "location": "path", "required": True, "description": "Which one."}
    }


_LIST = {
    "pageToken": {"type": "string", "location": "query"},
    "kinds": {
        "type": "string",
        "location": "query",
        "repeated": True,
        "enum": ["NEW", "OLD"],
        "enumDescriptions": ["a", "b"],
    },
    "limit": {
        "type": "integer",
        "format": "int32",
        "location": "query",
        "default": "10",
        "minimum": "1",
        "maximum": "100",
    },
}
_UPLOAD = {
    "accept": ["*/*"],
    "protocols": {"simple": {"path": "/upload/acme/v1/shelves/{shelf}/books"}},
}
_BOOKS = {
    "list": _method(
        "shelves.books.list",
        "GET",
        "shelves/{shelf}/books",
        parameters={**_path("shelf"), **_LIST},
        response={"$ref": "Books"},
    ),
    "get": _method(
        "shelves.books.get",
        "GET",
        "shelves/{shelf}/books/{id}",
        parameters={**_path("shelf"), **_path("id")},
        response={"$ref": "Book"},
        scopes=[_ALL, _WRITE, _READ],
        supportsMediaDownload=True,
    ),
    "insert": _method(
        "shelves.books.insert",
        "POST",
        "shelves/{shelf}/books",
        parameters=_path("shelf"),
        request={"$ref": "Book"},
        response={"$ref": "Book"},
        mediaUpload=_UPLOAD,
        supportsMediaUpload=True,
    ),
    "delete": _method(
        "shelves.books.delete",
        "DELETE",
        "{+name}",
        flatPath="shelves/{shelvesId}/books/{booksId}",
        parameters=_path("name"),
    ),
    "batchDelete": _method(
        "shelves.books.batchDelete",
        "POST",
        "shelves/{shelf}/books:batchDelete",
        parameters=_path("shelf"),
    ),
}
_DOCUMENT: dict[str, Any] = {
    "discoveryVersion": "v1",
    "kind": "discovery#restDescription",
    "title": "Acme Shelves API",
    "version": "v1",
    "revision": "20261101",
    "description": "Shelves with books.",
    "documentationLink": "https://acme.example/docs",
    "rootUrl": "https://acme.example/",
    "servicePath": "acme/v1/",
    "parameters": {"prettyPrint": {"type": "boolean", "location": "query"}},
    "auth": {
        "oauth2": {
            "scopes": {
                one: {"description": "See."}
                for one in (_READ, _WRITE, _ALL, "https://acme.example/auth/unused")
            }
        }
    },
    "schemas": {
        "Book": {
            "id": "Book",
            "type": "object",
            "properties": {
                "title": {
                    "type": "string",
                    "annotations": {"required": ["acme.shelves.books.insert"]},
                    "description": "Its title.",
                },
                "pages": {"type": "string", "format": "int64"},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "any": {"type": "any"},
                "sold": {"type": "boolean", "default": "false", "readOnly": True},
            },
        },
        "Books": {
            "id": "Books",
            "type": "object",
            "properties": {
                "items": {"type": "array", "items": {"$ref": "Book"}},
                "nextPageToken": {"type": "string"},
            },
        },
    },
    "resources": {
        "shelves": {
            "methods": {"getProfile": _method("shelves.getProfile", "GET", "shelves/profile")},
            "resources": {"books": {"methods": _BOOKS}},
        }
    },
}


def _actions() -> dict[str, Any]:
    return {
        action["key"]: action
        for action in converted(openapi_of(_DOCUMENT), Choices()).manifest["actions"]
    }


def test_keys_are_verbs_and_what_they_are_about() -> None:
    """The last resource is the noun, in the singular for one thing; files are sent and received by
    actions of their own.
    """
    found = [
        "getShelveProfile",
        "listBooks",
        "getBook",
        "downloadBook",
        "insertBook",
        "uploadBook",
        "deleteBook",
        "batchDeleteBooks",
    ]
    assert sorted(_actions()) == sorted(found)


def test_paths_have_an_input_for_each_part() -> None:
    """The flat path is used; uploads are on the other path of the host, downloads ask for the
    content.
    """
    found = {
        key: (action["http"]["path"], action["http"].get("query"))
        for key, action in _actions().items()
    }
    assert found["deleteBook"] == ("/shelves/{shelvesId}/books/{booksId}", None)
    assert found["uploadBook"] == ("/upload/acme/v1/shelves/{shelf}/books", "uploadType=media")
    assert found["downloadBook"] == ("/shelves/{shelf}/books/{id}", "alt=media")
    assert _actions()["uploadBook"]["http"]["server"] == 1


def test_schemas_say_what_the_format_writes_as_text() -> None:
    """Defaults and limits are values, numbers of 64 bits texts, and members that a method requires
    are required of it alone.
    """
    actions = _actions()
    listed, made = actions["listBooks"]["inputs"], actions["insertBook"]["inputs"]
    assert (listed["properties"]["limit"]["maximum"], listed["properties"]["kinds"]["type"]) == (
        100,
        "array",
    )
    assert "prettyPrint" not in listed["properties"]
    assert (made["required"], made["properties"]["pages"]["type"]) == (["shelf", "title"], "string")
    assert actions["listBooks"]["pagination"]["tokenInput"] == "pageToken"


def test_people_sign_in_with_the_scopes_of_the_methods() -> None:
    """The account is Google's, asks for a refresh token, and an action names the narrowest of the
    scopes that it accepts.
    """
    manifest = converted(openapi_of(_DOCUMENT), Choices()).manifest
    account = next(row for row in manifest["connectionTypes"] if row["key"] == "oauth2Account")
    assert account["http"]["credentials"][0]["authorize"] == {
        "access_type": "offline",
        "prompt": "consent",
    }
    assert "unused" not in json.dumps(account)
    assert account["schema"]["properties"]["scopes"]["x-jackfield"] == {
        "audience": "platform",
        "titles": dict.fromkeys((_READ, _WRITE, _ALL), "See"),
    }
    assert _actions()["getBook"]["permissions"] == {"oauth2": [_READ]}
    assert _actions()["deleteBook"]["permissions"] == {"oauth2": [_WRITE]}
    assert (manifest["key"], manifest["version"]) == ("acme-shelves", "2026.11.1")
    open_to_all = {**_DOCUMENT, "auth": {}}
    assert (
        converted(openapi_of(open_to_all), Choices()).manifest["connectionTypes"][0]["auth"]
        == "apiKey"
    )


def test_a_document_becomes_a_connector(tmp_path: Path) -> None:
    """The command takes it like any other document, and its calls arrive."""
    manifest = generate(tmp_path, {**_DOCUMENT, "auth": {}})
    assert "apiKey" in json.dumps(manifest["connectionTypes"])
    with Provider([Answer({"items": [{"title": "x"}]})]) as provider:
        values = {"value": "k-1", "server": f"{provider.url}/acme/v1"}
        with installed(tmp_path, manifest, values) as jackfield:
            inputs = {"shelf": "a/b", "kinds": ["NEW", "OLD"]}
            result = jackfield.invoke(
                {
                    "connector": "acme-shelves",
                    "action": "listBooks",
                    "connection": "main",
                    "inputs": inputs,
                }
            )
    assert result.unwrap() == {"items": [{"title": "x"}]}
    assert provider.requests[0].path.startswith("/acme/v1/shelves/a%2Fb/books?")
    assert "kinds=NEW&kinds=OLD" in provider.requests[0].path


@pytest.mark.parametrize(
    "document",
    [{}, {"openapi": "3.1.0"}, {"discoveryVersion": "v2"}, {"kind": "discovery#directoryList"}],
)
def test_other_documents_are_not_taken_for_it(document: dict[str, Any]) -> None:
    """The format says its name."""
    assert not is_discovery(document)
