"""Checks on the parameters of every operation: known, given once, of the right type, no control
characters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from jackfield.kernel.errors import did_you_mean
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.requests.problem import Problem

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd]")
_JSON = re.compile(r"application/([A-Za-z0-9.-]+\+)?json\s*(;|\Z)", re.IGNORECASE)


def check_request(request: Request, operation: Operation) -> None:
    """Check the request's parameters against the operation.

    :raises Problem: 400 for the query, 404 for the path, 415 for a body that is not JSON.
    """
    if any(_CONTROL.search(value) for value in request.path_params.values()):
        raise Problem(404, "no such resource")
    if request.scope["query_string"]:
        _check_query(request, operation)
    if operation.body not in (None, "*/*", "Batch"):
        kind = request.headers.get("content-type")
        # some clients name a type all the same
        is_empty = request.headers.get("content-length") == "0"
        if kind is not None and not is_empty and not _JSON.match(kind.strip()):
            raise Problem(415, "the body must be JSON: 'Content-Type: application/json'")


def limit_of(request: Request, default: int = 50) -> int:
    """Return the requested page size."""
    return int(request.query_params.get("limit", default))


def flag(request: Request, name: str, *, default: bool = False) -> bool:
    """Return a boolean query parameter."""
    given = request.query_params.get(name)
    return default if given is None else given == "true"


def asked(request: Request, query: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the query parameters of these schemas, by name; None for an absent string, False for
    an absent boolean.
    """
    given = request.query_params
    return {
        name: flag(request, name) if schema["type"] == "boolean" else given.get(name)
        for name, schema in query.items()
    }


def _check_query(request: Request, operation: Operation) -> None:
    seen = set()
    for name, value in request.query_params.multi_items():
        schema = operation.query.get(name)
        if schema is None:
            if not operation.path.startswith("/v1/"):
                continue
            raise Problem(
                400, f"unknown parameter '{name[:80]}'{did_you_mean(name, operation.query)}"
            )
        if name in seen:
            raise Problem(400, f"the parameter '{name}' occurs twice")
        seen.add(name)
        fault = _fault(schema, value)
        if fault:
            raise Problem(400, f"the parameter '{name}' {fault}")


def _fault(schema: Mapping[str, Any], value: str) -> str | None:
    if _CONTROL.search(value):
        return "contains control characters"
    if schema["type"] == "integer":
        low, high = schema["minimum"], schema["maximum"]
        good = value.isascii() and value.isdigit() and len(value) <= 9 and low <= int(value) <= high
        return None if good else f"must be a number from {low} to {high}"
    return _boolean_fault(value) if schema["type"] == "boolean" else _text_fault(schema, value)


def _boolean_fault(value: str) -> str | None:
    return None if value in ("true", "false") else "must be true or false"


def _text_fault(schema: Mapping[str, Any], value: str) -> str | None:
    if value not in schema.get("enum", (value,)):
        return f"must be one of {', '.join(schema['enum'])}"
    if len(value) > schema.get("maxLength", len(value)):
        return f"must have at most {schema['maxLength']} characters"
    if not re.search(schema.get("pattern", ""), value):
        return "must be a cursor that a list returned"
    return None
