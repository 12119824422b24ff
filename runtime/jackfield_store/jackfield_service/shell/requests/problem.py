"""Refusals of the API itself, as problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from jackfield.kernel.errors import CODES, JackfieldError, LimitReached
from jackfield.kernel.hints import worded
from jackfield_service.shell.requests.json_response import dumps
from jackfield_service.shell.requests.prefix import below_prefix

PROBLEMS: Mapping[str, tuple[int, str]] = {
    "invalid_request": (
        400,
        "The request is malformed, or a parameter, a header or a member of the body is not valid.",
    ),
    "unauthenticated": (401, "The token is missing, unknown, expired or revoked."),
    "scope_missing": (403, "The token's scope does not suffice."),
    "not_allowed": (
        403,
        "The rules of the token or workspace forbid it, or the workspace is suspended.",
    ),
    "forbidden": (403, "A host, an origin or a caller that may not do this."),
    "not_found": (404, "There is nothing of this name, or the caller may not see it."),
    "method_not_allowed": (405, "The path has no such method; `Allow` names those that it has."),
    "request_timeout": (408, "The request was not there in time."),
    "conflict": (409, "It cannot be done in the present state."),
    "name_taken": (409, "There is one of this name already."),
    "gone": (410, "It is not here any more."),
    "cursor_expired": (
        410,
        "The events after the cursor are not kept any more; the hint says from where to read on.",
    ),
    "version_conflict": (412, "It has changed since it was read."),
    "too_large": (413, "The body is larger than this server takes."),
    "unsupported_media_type": (415, "The body is of another type than the operation takes."),
    "range_not_satisfiable": (416, "The range lies outside the file."),
    "rate_limited": (
        429,
        "Too many requests, or a limit of the workspace is reached; `limit` names it.",
    ),
    "headers_too_large": (431, "The request's headers are larger than this server takes."),
    "internal": (500, "A bug in jackfield; the log has the cause under the request's ID."),
    "not_implemented": (501, "The server lacks what the request needs."),
    "unavailable": (503, "The server cannot do this now."),
    "timeout": (504, "The server stopped before the request had ended."),
    "insufficient_storage": (507, "There is no room for the file."),
}
"""Codes of the API's own refusals: the usual status of each, and its meaning. Errors of the runtime
keep their code, except ``invalid_invocation``: a request refused by the API became no invocation.
"""
_OF_STATUS: Mapping[int, str] = {
    **{status: code for code, (status, _) in reversed([*PROBLEMS.items()])},
    403: "forbidden",
    422: "invalid_request",
}


class Problem(Exception):
    """Error for a request that the API refuses before it becomes an invocation. ``code`` is one of
    ``PROBLEMS`` or of the runtime's errors.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        headers: dict[str, str] | None = None,
        *,
        code: str | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code_of(status) if code is None else code
        self.headers = headers or {}
        self.members = members


def code_of(status: int) -> str:
    """Return the code of a refusal for which only the status is given."""
    return _OF_STATUS.get(status, "internal" if status >= 500 else "invalid_request")


def explained() -> Mapping[str, tuple[int, str]]:
    """Return the codes of refusals with status and meaning: codes of the API, and codes of the
    runtime's errors.
    """
    errors = {
        code: (kind.http_status, " ".join((kind.__doc__ or "").partition("\n\n")[0].split()))
        for code, kind in CODES.items()
        if code != "invalid_invocation"
    }
    return {**errors, **PROBLEMS}


def problem(error: Problem, surface: str = "http") -> Response:
    """Build the response to a refused request; ``surface`` determines the wording of its hint."""
    hint = {"hint": worded(error.members["hint"], surface)} if "hint" in error.members else {}
    body = _body(error.status, error.detail, error.code) | error.members | hint
    return Response(dumps(body), error.status, error.headers, "application/problem+json")


def of_error(error: JackfieldError, status: int | None = None) -> Problem:
    """Convert a jackfield error to a problem with its code, details and hint, which is worded when
    the response is built.
    """
    document, status = error.to_json("http"), status or error.http_status
    members: dict[str, Any] = {"details": document["details"]} if "details" in document else {}
    if error.hint:
        members["hint"] = error.hint
    if isinstance(error, LimitReached):
        members["limit"] = error.limit
    headers = (
        {"Retry-After": str(max(1, round(error.retry_after or 1)))} if error.retryable else None
    )
    code = error.problem or (code_of(status) if error.code == "invalid_invocation" else error.code)
    return Problem(status, error.message, headers, code=code, **members)


def raw_problem(status: int, detail: str, identifier: bytes, more: tuple[str, ...] = ()) -> bytes:
    """Build the complete raw response to input that never became a request, for a connection that
    is closed afterwards.
    """
    body = dumps(_body(status, detail, code_of(status)))
    lines = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "content-type: application/problem+json",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        f"x-request-id: {identifier.decode()}",
        "connection: close",
        *more,
        "",
        "",
    )
    return "\r\n".join(lines).encode() + body


def _body(status: int, detail: str, code: str) -> dict[str, Any]:
    place = below_prefix(f"/docs#{code}")
    return {
        "type": place,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
