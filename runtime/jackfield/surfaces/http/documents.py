"""``/openapi.json`` and ``/docs``: the API's own description, for programs and for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from jackfield import __version__
from jackfield.surfaces.http.tagged import tagged
from jackfield.surfaces.shared.body import dumps
from jackfield.surfaces.shared.prefix import current_prefix

if TYPE_CHECKING:
    from starlette.requests import Request

    from jackfield.surfaces.shared.identity import Identity
    from jackfield.surfaces.shared.server_context import Host

__all__ = ["docs", "openapi"]


async def openapi(request: Request, host: Host, _identity: Identity) -> Response:
    """``GET /openapi.json``."""
    text = await host.briefly(lambda: _described(host))
    # the document is one object: where it is served from stands before its other members
    return tagged(request, b'{"servers":[{"url":"%s"}],' % (current_prefix() or "/").encode() + text[1:])


async def docs(_request: Request, host: Host, _identity: Identity) -> Response:
    """``GET /docs``: nothing on the page comes from elsewhere, and nothing runs on it."""
    from jackfield.surfaces.http.docs_page import POLICY, page  # noqa: PLC0415 (made from the table that names this function)

    text = await host.briefly(lambda: page(_described(host)))
    return Response(text, 200, {"Content-Security-Policy": POLICY, "X-Frame-Options": "DENY"}, "text/html; charset=utf-8")


def _described(host: Host) -> bytes:
    if host.document is None:
        from jackfield.surfaces.http.openapi import document  # noqa: PLC0415 (made from the table that names these functions)

        host.document = dumps(document(host.catalog, __version__))
    return host.document
