"""Compression for whoever takes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from starlette.middleware.gzip import GZipMiddleware

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

__all__ = ["Gzipped"]

_ACCEPT = b"accept-encoding"


class Gzipped(GZipMiddleware):
    """Starlette's compression for those who take it. Starlette looks for the word alone; here a caller who refuses gzip (``q=0``, RFC 9110
    §12.4.2) gets none."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        accepted = [value for name, value in scope["headers"] if name == _ACCEPT] if scope["type"] == "http" else []
        if not _is_taken(accepted):
            await self.app(scope, receive, send)
            return
        scope["headers"] = [*(item for item in scope["headers"] if item[0] != _ACCEPT), (_ACCEPT, b"gzip")]
        await super().__call__(scope, receive, send)


def _is_taken(values: Iterable[bytes]) -> bool:
    for item in b",".join(values).decode("latin-1").lower().split(","):
        coding, *parameters = (part.strip() for part in item.split(";"))
        if coding == "gzip":
            return not any(_is_zero(parameter) for parameter in parameters)
    return False


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and not value.strip().strip("0.")
