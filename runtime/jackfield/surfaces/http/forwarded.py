"""The caller's address and scheme, as the proxy in front saw them: the last of what it forwards, since a caller may have written the rest.

uvicorn's ``proxy_headers`` need the addresses of all proxies, which ``--behind-proxy`` does not ask for: told to trust every address, they
take the first of the list, which the caller may have written.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Forwarded"]


class Forwarded:
    """ASGI middleware for a server that only its proxy reaches: ``X-Forwarded-For`` and ``X-Forwarded-Proto``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            address = _address(_last(scope, b"x-forwarded-for"))
            if address is not None:
                scope["client"] = (address, 0)
            scheme = _last(scope, b"x-forwarded-proto").lower()
            if scheme in ("http", "https"):
                scope["scheme"] = scheme
        await self._app(scope, receive, send)


def _last(scope: Scope, name: bytes) -> str:
    """The last item of a list that may be spread over several headers."""
    values = [value for key, value in scope["headers"] if key == name]
    return bytes(values[-1]).decode("latin-1").rpartition(",")[2].strip() if values else ""


def _address(text: str) -> str | None:
    """The address of an item, without the port that some proxies add; None where it is none."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0] if text.count(":") == 1 else text
    try:
        return str(ip_address(bare))
    except ValueError:
        return None
