"""JSON responses, encoded by orjson, and cacheable responses with an entity tag."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from jackfield.kernel.exact import exact_json

_ENCODER = json.JSONEncoder(ensure_ascii=False)


def dumps(value: object) -> bytes:
    """Encode a value as JSON in UTF-8. Lone surrogates, which UTF-8 cannot hold, are replaced."""
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # a lone surrogate, an integer of more than 64 bits, or a number with more digits than a
        # double
        return exact_json(value, _ENCODER).encode("utf-8", "replace")


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Build a JSON response."""
    return Response(dumps(value), status, headers, "application/json")


_CODED = re.compile(r'-(?:gzip|br|zstd|deflate)(?="\Z)')


def tags_of(header: str) -> set[str]:
    """Return the entity tags in ``If-Match`` or ``If-None-Match`` as this server sent them. A proxy
    that compresses changes a tag: nginx makes it weak, Apache and Caddy add the coding.
    """
    return {_CODED.sub("", part.strip().removeprefix("W/")) for part in header.split(",")}


def tagged(request: Request, value: object, kind: str = "application/json") -> Response:
    """Answer ``value`` (an object, or encoded JSON) with a weak entity tag, since it may be
    compressed on its way; answer 304 if the caller has it (RFC 9110 §13.1.2).
    """
    body = value if isinstance(value, bytes) else dumps(value)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": f"W/{tag}", "Cache-Control": "private, no-cache"}
    if {tag, "*"} & tags_of(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, kind)
