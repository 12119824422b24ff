"""Files that a form sends ahead: each is uploaded once and named by its id in the invocation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.surfaces.shared import uploads

if TYPE_CHECKING:
    from starlette.responses import Response

    from jackfield.surfaces.console.page_request import PageRequest

__all__ = ["upload"]


async def upload(visit: PageRequest) -> Response:
    """``POST /uploads``: what ``POST /v1/files`` does, for the session's workspace."""
    return await uploads.upload(visit.request, visit.server, visit.identity)
