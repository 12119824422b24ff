"""``POST /v1/files``: a raw body, or the one file of a multipart form."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from jackfield.files import FileTooLarge, NoRoom, StoredFile
from jackfield.surfaces.shared.body import TooLarge, bounded
from jackfield.surfaces.shared.form_file import FormFile
from jackfield.surfaces.shared.identity import Identity
from jackfield.surfaces.shared.json_response import answer
from jackfield.surfaces.shared.problem import Problem
from jackfield.surfaces.shared.server_context import ServerContext

_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,60}/[A-Za-z0-9!#$&^_.+-]{1,100}\Z")
_FORM = 64 * 1024
"""Bytes allowed for a form's overhead around its file."""


async def upload(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Store one file as it arrives. Its id can be used as a FILE in this workspace until it expires."""
    announced = request.headers.get("content-length", "")
    limit = server.settings.max_file
    if announced.isdigit() and int(announced) > limit + _FORM:
        raise TooLarge(limit)
    given = request.headers.get("content-type", "application/octet-stream")
    try:
        if given.lower().startswith("multipart/form-data"):
            stored = await _from_form(request, server, identity, given)
        else:
            keep, caller = server.files.keep, identity.caller.name
            stored = await keep(identity.workspace, request.stream(), _content_type(given), caller=caller)
    except FileTooLarge as error:
        raise TooLarge(error.limit) from None
    except NoRoom as error:
        raise Problem(507, error.message, {"Connection": "close"}) from None
    return answer(stored.to_json(), 201)


async def _from_form(request: Request, server: ServerContext, identity: Identity, given: str) -> StoredFile:
    file = FormFile(given, bounded(request, server.settings.max_file + _FORM))
    await file.open()
    kind, name = _content_type(file.content_type), _name(file.name)
    return await server.files.keep(identity.workspace, file.pieces(), kind, name=name, caller=identity.caller.name)


def _name(given: str | None) -> str | None:
    """Return the last part of a file name, without control and bidirectional characters, as a browser would save it."""
    name = re.sub(
        r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", "", re.split(r"[/\\]", given or "")[-1]
    ).strip()[:200]
    return name or None


def _content_type(given: str) -> str:
    kind = given.partition(";")[0].strip()
    return kind if _TYPE.match(kind) else "application/octet-stream"
