"""JSON responses, encoded by orjson."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response


def dumps(value: object) -> bytes:
    """Encode a value as JSON in UTF-8. Lone surrogates, which UTF-8 cannot hold, are replaced."""
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        import json

        return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Build a JSON response."""
    return Response(dumps(value), status, headers, "application/json")
