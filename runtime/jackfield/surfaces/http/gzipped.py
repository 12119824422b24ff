"""Compression for callers who take it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.middleware.gzip import GZipMiddleware

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

__all__ = ["Gzipped"]

_REFUSED = re.compile(rb"gzip\s*;\s*q\s*=\s*0(?:\.0*)?\s*(?=,|\Z)")


class Gzipped(GZipMiddleware):
    """Starlette's compression, which looks for the word ``gzip`` alone: a refusal of it (``q=0``, RFC 9110 §12.4.2) is taken out first."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            scope["headers"] = [
                (name, _REFUSED.sub(b"", value.lower()) if name == b"accept-encoding" else value) for name, value in scope["headers"]
            ]
        await super().__call__(scope, receive, send)
