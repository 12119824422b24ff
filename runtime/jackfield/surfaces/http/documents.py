"""``/openapi.json`` and ``/docs``: the API's own description, for programs and for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from jackfield import __version__
from jackfield.surfaces.http.docs_page import POLICY, page
from jackfield.surfaces.http.openapi import document
from jackfield.surfaces.http.tagged import tagged
from jackfield.surfaces.shared.json_response import dumps
from jackfield.surfaces.shared.prefix import current_prefix

if TYPE_CHECKING:
    from starlette.requests import Request

    from jackfield.surfaces.shared.identity import Identity
    from jackfield.surfaces.shared.server_context import Host

__all__ = ["docs", "openapi"]


async def openapi(request: Request, host: Host, _identity: Identity) -> Response:
    """``GET /openapi.json``."""
    text = await host.briefly(lambda: _described(request, host))
    # the document is one object: where it is served from stands before its other members
    return tagged(request, b'{"servers":[{"url":"%s"}],' % (current_prefix() or "/").encode() + text[1:])


async def docs(request: Request, host: Host, _identity: Identity) -> Response:
    """``GET /docs``: nothing on the page comes from elsewhere, and nothing runs on it."""
    text = await host.briefly(lambda: page(_described(request, host)))
    return Response(text, 200, {"Content-Security-Policy": POLICY, "X-Frame-Options": "DENY"}, "text/html; charset=utf-8")


def _described(request: Request, host: Host) -> bytes:
    if host.document is None:
        host.document = dumps(document(host.catalog, __version__, request.app.state.operations))
    return host.document
