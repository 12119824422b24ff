"""Documents with a slip, or made to harm: whatever stands at a place of a document, it is converted
and reported, or refused.
"""

from __future__ import annotations

import contextlib
import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from jackfield.connector import InvalidInput
from jackfield_openapi.conversion import Choices, converted
from jackfield_openapi.project import files_of

_NODE = {"$ref": "#/components/schemas/Node"}
_JSON = {"application/json": {"schema": _NODE, "example": {"name": "x"}}}
_NODE_SCHEMA = {
    "type": "object",
    "required": ["name"],
    "discriminator": {"propertyName": "name"},
    "properties": {
        "id": {"type": "string", "readOnly": True},
        "name": {
            "type": "string",
            "maxLength": 9,
            "pattern": "^a",
            "nullable": True,
            "enum": ["a", "b"],
            "example": "a",
        },
        "size": {
            "type": "number",
            "minimum": 0,
            "exclusiveMinimum": True,
            "multipleOf": 0.5,
            "default": 1,
        },
        "nodes": {"type": "array", "items": _NODE, "minItems": 1},
        "more": {"allOf": [_NODE, {"properties": {"x": {"type": "boolean"}}, "required": ["x"]}]},
    },
}
_PARTS = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
        "tree": {"$ref": "#/components/schemas/Tree"},
    },
}
_OPENAPI: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "Acme", "version": "1.0", "license": {"name": "MIT"}},
    "servers": [
        {
            "url": "https://{r}.acme.example/{p}",
            "variables": {"r": {"default": "eu", "enum": ["eu"]}, "p": {"default": "v1"}},
        }
    ],
    "security": [{"key": []}, {"person": ["a"]}],
    "x-jackfield": {
        "categories": ["a"],
        "headers": {"X-A": "1"},
        "errors": {
            "code": "/c",
            "failed": {"member": "/ok", "equals": False},
            "rows": [{"status": 400, "codes": ["x"], "error": "conflict"}],
        },
        "connections": {"key": {"title": "Key", "fields": {"value": {"title": "t"}}}},
    },
    "components": {
        "securitySchemes": {
            "key": {"type": "apiKey", "in": "header", "name": "X-K"},
            "person": {
                "type": "oauth2",
                "flows": {
                    "authorizationCode": {
                        "authorizationUrl": "https://a.example/a",
                        "tokenUrl": "https://a.example/t",
                        "scopes": {"a": "A"},
                    }
                },
            },
        },
        "schemas": {
            "Node": _NODE_SCHEMA,
            "Tree": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
        },
    },
    "paths": {
        "/nodes/{id}": {
            "parameters": [
                {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
            "get": {
                "tags": ["T"],
                "parameters": [
                    {
                        "name": "f",
                        "in": "query",
                        "style": "deepObject",
                        "schema": {"type": "object"},
                    },
                    {
                        "name": "X-H",
                        "in": "header",
                        "schema": {"type": "array", "items": {"type": "string"}},
                    },
                ],
                "responses": {
                    "200": {"description": "", "content": _JSON, "headers": {"Link": {}}}
                },
            },
            "put": {
                "requestBody": {"required": True, "content": _JSON},
                "responses": {"default": {"description": ""}},
                "x-jackfield": {
                    "key": "putIt",
                    "effect": "idempotent",
                    "flatten": True,
                    "examples": [{"inputs": {"id": "1"}}],
                    "permissions": {"acme": ["x"]},
                    "rateLimit": {"perSecond": 5},
                },
            },
        },
        "/nodes": {
            "get": {
                "parameters": [
                    {"name": "page", "in": "query", "schema": {"type": "integer", "default": 1}}
                ],
                "responses": {
                    "200": {
                        "description": "",
                        "content": {
                            "application/json": {"schema": {"type": "array", "items": _NODE}}
                        },
                    }
                },
                "x-jackfield": {
                    "pagination": {"kind": "page", "input": "page", "first": 1, "more": "/more"}
                },
            },
            "post": {
                "requestBody": {
                    "content": {
                        "multipart/form-data": {
                            "schema": _PARTS,
                            "encoding": {"tree": {"contentType": "a/b", "style": "form"}},
                        }
                    }
                },
                "responses": {
                    "201": {
                        "description": "",
                        "content": {"text/plain": {"schema": {"type": "string"}}},
                    }
                },
            },
        },
    },
}
_SWAGGER: dict[str, Any] = {
    "swagger": "2.0",
    "info": {"title": "Old", "version": "2"},
    "host": "old.example",
    "basePath": "/v2",
    "schemes": ["https"],
    "securityDefinitions": {"key": {"type": "apiKey", "in": "query", "name": "key"}},
    "security": [{"key": []}],
    "parameters": {
        "P": {
            "name": "p",
            "in": "query",
            "type": "array",
            "items": {"type": "string"},
            "collectionFormat": "csv",
        }
    },
    "definitions": {
        "T": {
            "type": "object",
            "discriminator": "kind",
            "required": ["kind"],
            "properties": {"kind": {"type": "string"}},
        }
    },
    "paths": {
        "/a/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "type": "string"}],
            "get": {
                "parameters": [{"$ref": "#/parameters/P"}],
                "responses": {"200": {"description": "", "schema": {"$ref": "#/definitions/T"}}},
            },
            "post": {
                "consumes": ["multipart/form-data"],
                "parameters": [{"name": "f", "in": "formData", "type": "file", "required": True}],
                "responses": {"200": {"description": "", "examples": {"application/json": []}}},
            },
        }
    },
}
_ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "Infinity",
    "NaN",
    "a\r\nb",
    "../..",
    [],
    {},
    [None],
    [True],
    ["x"],
    [{}],
    {"x": None},
    {"": ""},
    {"x": "y"},
    {"$ref": "#"},
    {"$ref": "#/paths"},
    {"$ref": "#/nope"},
    {"$ref": 1},
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    for name, part in (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    ):
        yield from _places(part, (*path, name))


def test_lists_of_what_is_no_name() -> None:
    """Where names or types are listed, no other value ends the conversion in an error of Python."""
    for path in [path for path in _places(_OPENAPI) if path[-1] in {"required", "type"}]:
        mutant = copy.deepcopy(_OPENAPI)
        holder: Any = mutant
        for name in path[:-1]:
            holder = holder[name]
        holder[path[-1]] = [{}, [], 1, "id"]
        with contextlib.suppress(InvalidInput):
            assert converted(mutant, Choices()) is not None


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


@pytest.mark.parametrize(
    ("base", "first"),
    [(_OPENAPI, 0), ({**_OPENAPI, "openapi": "3.1.0"}, 2), (_SWAGGER, 0)],
    ids=["3.0", "3.1", "2.0"],
)
@pytest.mark.parametrize(
    ("tries", "step"), [(1, 8), pytest.param(5, 1, marks=pytest.mark.campaign)]
)
def test_any_value_at_any_place(base: dict[str, Any], first: int, tries: int, step: int) -> None:
    """Every member of a document (one in eight for each commit, others of 3.0 than of 3.1) is
    replaced by values that do not belong there: a connector is made, or the document is refused.
    """
    chance = random.Random(4711)
    for path in [*_places(base)][first % step :: step]:
        for odd in chance.sample(_ODD, tries):
            mutant = copy.deepcopy(base)
            holder = mutant
            for name in path[:-1]:
                holder = holder[name]
            holder[path[-1]] = copy.deepcopy(odd)
            try:
                made = converted(mutant, Choices())
            except InvalidInput:
                continue
            for name, content in files_of(made, "x.yaml", b"", ()).items():
                if name.endswith(".json"):
                    json.loads(content, parse_constant=_refuse)
