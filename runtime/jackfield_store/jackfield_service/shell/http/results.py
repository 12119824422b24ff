"""Translation of an invocation's request and of its Result between HTTP and the runtime."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from jackfield.invocation import Result
from jackfield.kernel.errors import Detail, InvalidInvocation, LimitReached
from jackfield_service.shell.requests.correlation import correlated, traced
from jackfield_service.shell.requests.json_response import dumps
from jackfield_service.shell.requests.problem import of_error

_STRING = re.compile(r'"(?:[ !#-\[\]-~]|\\["\\])*"')
_ESCAPED = re.compile(r"\\(.)")


def to_answer(result: Result, surface: str, headers: dict[str, str] | None = None) -> Response:
    """Build the response of a Result, with the HTTP status of its error code; ``surface`` is the
    caller's.

    :raises Problem: 429 if a limit of the workspace prevented the invocation.
    """
    status, more, body = outcome(result, surface)
    return Response(body, status, {**(headers or {}), **more}, "application/json")


def outcome(result: Result, surface: str) -> tuple[int, dict[str, str], bytes]:
    """Return the HTTP status of a Result, its headers, and its JSON.

    :raises Problem: 429 if a limit of the workspace prevented the invocation.
    """
    error, headers = result.error, {}
    if isinstance(error, LimitReached):
        raise of_error(error)
    if result.status in ("running", "waiting"):
        headers["Location"] = f"/v1/invocations/{result.meta.invocation_id}"
    if result.meta.replayed:
        headers["Idempotency-Replayed"] = "true"
    if (
        error is not None
        and (error.retryable or error.retry_after is not None)
        and error.http_status in (409, 503, 504)
    ):
        headers["Retry-After"] = str(max(1, round(error.retry_after or 1)))
    return (
        (202 if "Location" in headers else 200) if error is None else error.http_status,
        headers,
        dumps(result.to_json(surface)),
    )


def completed(
    body: Mapping[str, Any], key: str | None, trace: str | None, identifier: str | None
) -> Mapping[str, Any]:
    """Add the idempotency key, the trace (W3C Trace Context) and the request's ID from the headers
    to the body.

    :raises InvalidInvocation: if the body has another key.
    """
    if key is not None:
        key = _unquoted(key)
        if body.get("idempotencyKey", key) != key:
            text = "differs from the header 'Idempotency-Key'"
            fault = Detail("/idempotencyKey", text)
            raise InvalidInvocation(
                "1 member of the invocation is not valid",
                details=[fault],
                hint="Send only one of them, or the same value in both.",
            )
        body = {**body, "idempotencyKey": key}
    body = body if identifier is None else correlated(body, identifier)
    return body if trace is None else traced(body, trace)


def _unquoted(key: str) -> str:
    """Return the text of a key that is a string of RFC 8941, the form of the draft of
    ``Idempotency-Key``; any other key as it is.
    """
    return _ESCAPED.sub(r"\1", key[1:-1]) if _STRING.fullmatch(key) else key
