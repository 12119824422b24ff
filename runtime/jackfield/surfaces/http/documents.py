"""``/openapi.json`` and ``/docs``: the API's own description, for programs and for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from jackfield.surfaces.http.prefix import current_prefix
from jackfield.surfaces.http.tagged import tagged

if TYPE_CHECKING:
    from starlette.requests import Request

    from jackfield.surfaces.http.host import Host
    from jackfield.surfaces.http.identity import Identity

__all__ = ["docs", "openapi"]


async def openapi(request: Request, host: Host, _identity: Identity) -> Response:
    """``GET /openapi.json``."""
    text = await host.briefly(host.described)
    # the document is one object: where it is served from stands before its other members
    return tagged(request, b'{"servers":[{"url":"%s"}],' % (current_prefix() or "/").encode() + text[1:])


async def docs(_request: Request, host: Host, _identity: Identity) -> Response:
    """``GET /docs``: nothing on the page comes from elsewhere, and nothing runs on it."""
    from jackfield.surfaces.http.docs_page import POLICY, page  # noqa: PLC0415 (made from the table that names this function)

    text = await host.briefly(lambda: page(host.described()))
    return Response(text, 200, {"Content-Security-Policy": POLICY, "X-Frame-Options": "DENY"}, "text/html; charset=utf-8")
