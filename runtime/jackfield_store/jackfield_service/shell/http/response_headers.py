"""Headers of the HTTP API's responses that a client may act on: the headers of each response,
derived from the table of operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jackfield_service.shell.operations.operation import Operation

_TEXT = {"type": "string"}
HEADERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "X-Request-Id": ("The ID of the request: the client's own, or a new one.", _TEXT),
    "Location": (
        "Where to look for what was made or queued.",
        {"type": "string", "format": "uri-reference"},
    ),
    "Link": ("Of an export that has an end before the list: where the rest is (rel=next).", _TEXT),
    "ETag": ("The version, for If-Match, If-None-Match and If-Range.", _TEXT),
    "Retry-After": (
        "Seconds to wait before the request is sent again.",
        {"type": "integer", "minimum": 1},
    ),
    "Preference-Applied": ("What of Prefer was applied.", _TEXT),
    "Idempotency-Replayed": (
        "'true' if an earlier request with the same idempotency key is answered again.",
        {"const": "true"},
    ),
    "RateLimit-Limit": (
        "Requests a second that the token or its workspace may make, if that is limited.",
        {"type": "integer", "minimum": 0},
    ),
    "RateLimit-Remaining": ("Those that are left.", {"type": "integer", "minimum": 0}),
    "RateLimit-Reset": (
        "Seconds until all of them are left again.",
        {"type": "integer", "minimum": 0},
    ),
}
"""Meaning and schema of each header, by name."""
PACES = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
"""Headers of successes and refusals of limited operations; described at successes only, since they
are the same everywhere.
"""
_REFUSED = 400
LATER = (429, 503)
"""Statuses of refusals with ``Retry-After``."""
_REDIRECTS = (302, 303, 307)
_VERSIONED = (200, 201, 206, 304, 412)
_CONDITIONAL = ("If-Match", "If-None-Match", "If-Range")


def components() -> Mapping[str, Any]:
    """Return the headers as members of an OpenAPI document's ``components``."""
    return {
        name: {"description": text, "schema": dict(schema)}
        for name, (text, schema) in HEADERS.items()
    }


def headers_of(operations: Sequence[Operation], operation: Operation, status: int) -> Iterator[str]:
    """Yield the names of the headers that a response of an operation may have."""
    yield "X-Request-Id"
    if operation.scope is not None and status < _REFUSED:
        yield from PACES
    runs = "Prefer" in operation.headers
    is_queued = status == 202 and operation.answers.get(202) == "Queued"
    if (
        status in _REDIRECTS
        or is_queued
        or (status == 201 and _has_place(operations, operation))
        or (runs and status == 504)
    ):
        yield "Location"
    if operation.name == "listInvocations" and status < _REFUSED:
        yield "Link"
    if status in _VERSIONED and (
        operation.answers.get(status) == "Connection" or set(_CONDITIONAL) & {*operation.headers}
    ):
        yield "ETag"
    if status in LATER or (runs and status in (409, 504)):
        yield "Retry-After"
    if runs and (status in operation.answers or status in operation.results):
        yield from ("Preference-Applied", "Idempotency-Replayed")


def _has_place(operations: Sequence[Operation], operation: Operation) -> bool:
    """Return whether an operation creates an object that has a path of its own."""
    place = operation.path if operation.method == "PUT" else f"{operation.path}/"
    return any(
        one.method == "GET"
        and one.path.startswith(place)
        and one.path.count("/") == place.count("/")
        for one in operations
    )
