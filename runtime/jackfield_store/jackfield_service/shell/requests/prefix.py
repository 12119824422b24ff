"""Addresses of the server, which may have a path prefix on another host
(``https://corp.example/jackfield/``).

All URLs in responses carry that prefix.
"""

from __future__ import annotations

import re
from contextvars import ContextVar

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

START = "/oauth2/start"
"""Path that a browser opens to approve a connection."""
_PREFIX: ContextVar[str] = ContextVar("jackfield_prefix", default="")
_FORM = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*){1,8}\Z")
_LONGEST = 200
_ADDRESSES = frozenset(
    {
        b"location",
        b"content-location",
        b"hx-redirect",
        b"hx-location",
        b"hx-push-url",
        b"hx-replace-url",
    }
)


def current_prefix() -> str:
    """Return the path prefix of the current request, such as ``/jackfield``; an empty string
    without a prefix.
    """
    return _PREFIX.get()


def below_prefix(address: str) -> str:
    """Return a local address with the prefix that the visitor's browser needs; leave any other
    address unchanged.
    """
    return (
        f"{_PREFIX.get()}{address}"
        if address.startswith("/") and not address.startswith("//")
        else address
    )


def checked_prefix(text: str) -> str | None:
    """Return a prefix without a trailing slash; None if ``text`` is not a valid prefix."""
    bare = text.strip().rstrip("/")
    return bare if not bare or (len(bare) <= _LONGEST and _FORM.match(bare)) else None


class Prefixed:
    """ASGI middleware. ``root_path`` is the operator's prefix; ``forwarded`` also accepts
    ``X-Forwarded-Prefix``.

    With the operator's prefix, the proxy may leave it in the path or strip it; a prefix from the
    header counts as stripped. Of several proxies, each of which strips a part and adds it to the
    header (``/outer, /inner``), the parts make one prefix.
    """

    def __init__(self, app: ASGIApp, root_path: str, *, forwarded: bool) -> None:
        self._app = app
        self._root_path = root_path
        self._forwarded = forwarded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._forwarded and not self._root_path:
            send = _varied(send)
        prefix = self._root_path or (self._forwarded_prefix(scope) if self._forwarded else "")
        if self._root_path and (scope["path"] + "/").startswith(f"{self._root_path}/"):
            scope["path"] = scope["path"][len(self._root_path) :] or "/"
        if not prefix:
            await self._app(scope, receive, send)
            return
        scope["app_root_path"] = prefix  # base_url includes it; routes do not

        async def prefixed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name, _moved(name, value)) for name, value in message["headers"]
                ]
            await send(message)

        before = _PREFIX.set(prefix)
        try:
            await self._app(scope, receive, prefixed)
        finally:
            _PREFIX.reset(before)

    @staticmethod
    def _forwarded_prefix(scope: Scope) -> str:
        values = [value for name, value in scope["headers"] if name == b"x-forwarded-prefix"]
        parts = [checked_prefix(part) for part in b",".join(values).decode("latin-1").split(",")]
        return "" if None in parts else checked_prefix("".join(filter(None, parts))) or ""


def _varied(send: Send) -> Send:
    """Keep caches from serving a response with another visitor's prefix, which any client with
    direct access to the server can name.
    """

    async def varied(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message["headers"]))
            headers.add_vary_header("X-Forwarded-Prefix")
            if "cache-control" in headers:
                headers["cache-control"] = headers["cache-control"].replace("public", "private")
            message["headers"] = headers.raw
        await send(message)

    return varied


def _moved(name: bytes, value: bytes) -> bytes:
    return (
        below_prefix(value.decode("latin-1")).encode("latin-1")
        if name.lower() in _ADDRESSES
        else value
    )
