"""Cacheable responses with an entity tag."""

from __future__ import annotations

import hashlib

from starlette.requests import Request
from starlette.responses import Response

from jackfield.surfaces.shared.json_response import dumps


def tagged(request: Request, value: object, kind: str = "application/json") -> Response:
    """Answer ``value`` (an object, or encoded JSON) with a weak entity tag, since it may be compressed on its way; answer 304 if the caller
    has it (RFC 9110 §13.1.2)."""
    body = value if isinstance(value, bytes) else dumps(value)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": f"W/{tag}", "Cache-Control": "private, no-cache"}
    known = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, kind)
