"""``POST /v1/files``: a raw body, or the one file of a multipart form."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response

from jackfield.surfaces.shared.body import TooLarge, bounded
from jackfield.surfaces.shared.identity import Identity
from jackfield.surfaces.shared.json_response import answer
from jackfield.surfaces.shared.problem import Problem
from jackfield.surfaces.shared.server_context import ServerContext

_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,60}/[A-Za-z0-9!#$&^_.+-]{1,100}\Z")
_CHUNK = 256 * 1024
_FORM = 64 * 1024
"""Bytes allowed for a form's overhead around its file."""


async def upload(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Stream one file to disk. Its id can be used as a FILE in this workspace until it expires."""
    announced = request.headers.get("content-length", "")
    limit = server.settings.max_file
    if announced.isdigit() and int(announced) > limit + _FORM:
        raise TooLarge(limit)
    given = request.headers.get("content-type", "application/octet-stream")
    if given.lower().startswith("multipart/form-data"):
        stored = await _from_form(request, server, identity)
    else:
        stored = await server.files.keep(identity.workspace, request.stream(), _content_type(given))
    expires = datetime.fromtimestamp(stored["expiresAt"], UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return answer({**stored, "expiresAt": expires}, 201)


async def _from_form(request: Request, server: ServerContext, identity: Identity) -> dict[str, Any]:
    try:
        form = await MultiPartParser(
            request.headers, bounded(request, server.settings.max_file + _FORM), max_files=1, max_fields=10
        ).parse()
    except (MultiPartException, KeyError, ValueError) as error:  # a missing boundary raises KeyError
        reason = error.message if isinstance(error, MultiPartException) else "it has no boundary"
        raise Problem(400, f"the form cannot be read: {reason}") from None
    try:
        files = [item for _, item in form.multi_items() if not isinstance(item, str)]
        if len(files) != 1:
            raise Problem(400, "the form must contain one file")
        return await server.files.keep(identity.workspace, _pieces(files[0]), _content_type(files[0].content_type or ""))
    finally:
        await form.close()


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(_CHUNK):
        yield piece


def _content_type(given: str) -> str:
    kind = given.partition(";")[0].strip()
    return kind if _TYPE.match(kind) else "application/octet-stream"
