"""JSON Schema of a shelf's files for editors: made from the readers' own schemas, so that both know
the same members.
"""

from __future__ import annotations

from typing import Any

from jackfield.manifest.manifest import EFFECTS
from jackfield_http.accounts import ACCOUNT
from jackfield_http.bindings.error_rows import ERRORS, FAILED_HERE
from jackfield_openapi.curation import FACT, SOURCE, TYPE
from jackfield_openapi.declared_pages import PAGINATION
from jackfield_openapi.operations import CURATED
from jackfield_openapi.shelf.answers import FACTS, NONE, QUESTIONS, REASONS, UNKNOWN
from jackfield_openapi.shelf.services import KINDS, MEMBERS, METHODS, NEEDED, OF_SIGN_IN, OF_TYPE
from jackfield_openapi.triggers import TRIGGER

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_TEXTS: Json = {"type": "array", "items": _TEXT}
_OBJECT: Json = {"type": "object"}
_URL: Json = {"type": "string", "pattern": "^https?://"}
_PAGING: Json = {
    **{name: value for name, value in PAGINATION.items() if name != "required"},
    "properties": {"like": _TEXT, **PAGINATION["properties"]},
}
_OPERATION: Json = {"$ref": "#/$defs/operation"}
_REASON: Json = {"enum": [*REASONS]}
_ANSWER: Json = {
    "anyOf": [
        {"enum": [UNKNOWN, NONE]},
        {
            **_OBJECT,
            "properties": {"says": _TEXT, "url": _URL},
            "required": ["says", "url"],
            "additionalProperties": False,
        },
    ]
}
_ANSWERS: Json = {
    **_OBJECT,
    "properties": {"on": _TEXT, **dict.fromkeys(QUESTIONS, _ANSWER)},
    "required": ["on", *QUESTIONS],
    "additionalProperties": False,
}
_PAGE: Json = {"anyOf": [{"const": UNKNOWN}, _URL]}
_FACTS: Json = {
    **_OBJECT,
    "properties": dict.fromkeys(FACTS, _PAGE),
    "required": [*FACTS],
    "additionalProperties": False,
}


def schema() -> Json:
    """Return the JSON Schema of a shelf's file."""
    operation = {
        **_OBJECT,
        "properties": {"operationId": _TEXT, "x-jackfield": _operation()},
        "required": ["operationId", "responses"],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A service of the shelf",
        "description": "OpenAPI 3.1 with what the converter needs beside it (docs/tutorial/shelf.md).",
        "type": "object",
        "required": ["openapi", "info", "x-shelf", "paths"],
        "properties": {
            "openapi": {"const": "3.1.0"},
            "info": {**_OBJECT, "required": ["title", "version", "description", "license"]},
            "x-shelf": _about(),
            "paths": {
                **_OBJECT,
                "additionalProperties": {
                    **_OBJECT,
                    "properties": dict.fromkeys(METHODS, _OPERATION),
                },
            },
        },
        "$defs": {"operation": operation},
    }


def _about() -> Json:
    errors = {**ERRORS, "properties": {"like": _TEXT, **ERRORS["properties"]}}
    known: Json = {
        "docs": _URL,
        **dict.fromkeys(("key", "first", "review", "noAccount", "recorded"), _TEXT),
        **dict.fromkeys(("categories", "known", "changes"), _TEXTS),
        **dict.fromkeys(("tasks", "headers"), _mapped(_TEXT)),
        "signIns": _mapped(_sign_in()),
        "account": ACCOUNT,
        "errors": {"anyOf": [_TEXT, errors]},
        "paging": _mapped(_PAGING),
        "limit": {
            **_OBJECT,
            "properties": {"perSecond": {"type": "number"}},
            "required": ["perSecond"],
        },
        "optionSources": _mapped(SOURCE),
        "seen": {"type": "array", "items": FACT},
        "triggers": _mapped(TRIGGER),
        "noEvidence": _REASON,
        "answers": _ANSWERS,
        "evidence": _mapped(_FACTS),
    }
    members = {name: known.get(name, True) for name in sorted(MEMBERS)}
    return {
        **_OBJECT,
        "properties": members,
        "required": ["key", "docs", "signIns"],
        "additionalProperties": False,
    }


def _sign_in() -> Json:
    own: Json = {
        "kind": {"enum": [*KINDS]},
        "in": {"enum": ["header", "query", "path"]},
        "client": TYPE["clientAuthentication"],
    }
    own |= {"authorizationUrl": _URL, "tokenUrl": _URL, "scopes": _mapped(_TEXT), "seen": _URL}
    members = {
        name: own.get(name) or TYPE.get(name) or _TEXT for name in sorted({*OF_SIGN_IN, *OF_TYPE})
    }
    needs = [
        {
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": {"anyOf": [{"required": ["family"]}, {"required": [*names]}]},
        }
        for kind, names in NEEDED.items()
    ]
    return {
        **_OBJECT,
        "properties": members,
        "anyOf": [{"required": ["kind"]}, {"required": ["family"]}],
        "allOf": needs,
        "additionalProperties": False,
    }


def _operation() -> Json:
    known: Json = {
        "effect": {"enum": [*EFFECTS]},
        "keywords": _TEXTS,
        "pagination": {"anyOf": [{"type": "boolean"}, _PAGING]},
    }
    known |= {"noEvidence": _REASON, "failed": FAILED_HERE}
    members = {name: known.get(name, True) for name in sorted(CURATED)}
    return {**_OBJECT, "properties": members, "additionalProperties": False}


def _mapped(values: Json) -> Json:
    return {**_OBJECT, "additionalProperties": values}
