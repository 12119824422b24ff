"""File uploads of forms: each file is uploaded on selection, and the invocation refers to it by id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.surfaces.shared import uploads

if TYPE_CHECKING:
    from starlette.responses import Response

    from jackfield.surfaces.console.page_request import PageRequest

__all__ = ["upload"]


async def upload(visit: PageRequest) -> Response:
    """``POST /uploads``: like ``POST /v1/files``, for the session's workspace."""
    return await uploads.upload(visit.request, visit.server, visit.identity)
