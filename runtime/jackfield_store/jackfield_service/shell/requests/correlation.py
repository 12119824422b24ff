"""Correlation of requests: the request id that every response carries, and the trace context of a
call (W3C Trace Context).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from typing import Any

_ID = r"[A-Za-z0-9._-]{1,100}\Z"
_REQUEST_ID, _CORRELATION = re.compile(_ID.encode()), re.compile(_ID)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")


def request_id(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the caller's request id from these headers, whose names are in lower case, or a new
    one.
    """
    given = dict(headers).get(b"x-request-id", b"")
    # unique, and no secret
    return given if given and _REQUEST_ID.match(given) else b"%032x" % random.getrandbits(128)


def correlated(invocation: Mapping[str, Any], identifier: str) -> Mapping[str, Any]:
    """Return an invocation whose correlation ID is the request's ID, if the ID is valid and the
    invocation names no correlation ID.
    """
    return _with(invocation, "correlationId", identifier, _CORRELATION)


def traced(invocation: Mapping[str, Any], parent: object) -> Mapping[str, Any]:
    """Add the trace ``parent`` to the invocation if it is valid and the invocation names no trace
    itself.
    """
    return invocation if parent is None else _with(invocation, "traceparent", parent, _TRACEPARENT)


def _with(
    invocation: Mapping[str, Any], name: str, value: object, form: re.Pattern[str]
) -> Mapping[str, Any]:
    """Add a member to the context of an invocation that has none of this name, if the value has the
    form.
    """
    context = invocation.get("context", {})
    if (
        not isinstance(value, str)
        or not form.match(value)
        or not isinstance(context, dict)
        or name in context
    ):
        return invocation
    return {**invocation, "context": {**context, name: value}}
