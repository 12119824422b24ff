"""Correlation of requests: the request id that every response carries, and the trace context of a call (W3C Trace Context)."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from typing import Any

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,100}\Z")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")


def request_id(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the caller's request id from these headers, whose names are in lower case, or a new one."""
    given = dict(headers).get(b"x-request-id", b"")
    return given if given and _REQUEST_ID.match(given) else b"%032x" % random.getrandbits(128)  # unique, and no secret


def correlated(invocation: Mapping[str, Any], identifier: str | None) -> Mapping[str, Any]:
    """Let the request's own ID, if the caller gave a valid one, be the invocation's correlation ID, unless that names one itself."""
    context = invocation.get("context", {})
    if identifier is None or not isinstance(context, dict) or "correlationId" in context or not _REQUEST_ID.match(identifier.encode()):
        return invocation
    return {**invocation, "context": {**context, "correlationId": identifier}}


def traced(invocation: Mapping[str, Any], parent: object) -> Mapping[str, Any]:
    """Add the trace ``parent`` to the invocation if it is valid and the invocation names no trace itself."""
    context = invocation.get("context", {})
    if not isinstance(parent, str) or not _TRACEPARENT.match(parent) or not isinstance(context, dict) or "traceparent" in context:
        return invocation
    return {**invocation, "context": {**context, "traceparent": parent}}
