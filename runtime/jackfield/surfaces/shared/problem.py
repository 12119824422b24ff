"""Refusals of the API itself, as problem details (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from jackfield.errors import JackfieldError, LimitReached
from jackfield.surfaces.shared.json_response import dumps


class Problem(Exception):
    """A request that the API refuses before it becomes an invocation."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.members = members


def problem(error: Problem) -> Response:
    """Build the response to a refused request."""
    body = _body(error.status, error.detail) | error.members
    return Response(dumps(body), error.status, error.headers, "application/problem+json")


def of_error(error: JackfieldError, status: int | None = None) -> Problem:
    """Convert a jackfield error to a problem document with its code, details and hint."""
    document = error.to_json("http")
    members: dict[str, Any] = {name: document[name] for name in ("code", "details", "hint") if name in document}
    if isinstance(error, LimitReached):
        members["limit"] = error.limit
    headers = {"Retry-After": str(max(1, round(error.retry_after or 1)))} if error.retryable else None
    return Problem(status or error.http_status, error.message, headers, **members)


def raw_problem(status: int, detail: str, identifier: bytes, more: tuple[str, ...] = ()) -> bytes:
    """Build the complete raw response to input that never became a request; it closes the connection."""
    body = dumps(_body(status, detail))
    lines = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", "content-type: application/problem+json", f"content-length: {len(body)}",
        "cache-control: no-store", "x-content-type-options: nosniff", f"x-request-id: {identifier.decode()}",
        "connection: close", *more, "", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode() + body


def _body(status: int, detail: str) -> dict[str, Any]:
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
