"""Stored files on a server: lists, downloads with ranges, deletion."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from functools import partial
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from jackfield.invocation.file_refusals import FileDamaged
from jackfield.invocation.stored_file import StoredFile
from jackfield.kernel.errors import Unavailable
from jackfield_service.shell.http.query_parts import BY_MOMENT, paged
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.shell.requests.streamed import Streamed
from jackfield_service.subjects.files.http.uploads import upload
from jackfield_store.files import SealedReader

_PIECE = 1024 * 1024
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")


async def listed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/files``."""
    cursor, limit = request.query_params.get("cursor"), int(request.query_params.get("limit", 50))
    files, workspace, owner = server.files, identity.workspace, identity.caller.owner
    found, after = await server.briefly(
        lambda: files.list(workspace, owner, cursor=cursor, limit=limit)
    )
    return answer({"items": [file.to_json() for file in found], "nextCursor": after})


async def deleted(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``DELETE /v1/files/{file}``."""
    file = await _find_file(request, server, identity)
    await server.slowly(lambda: server.files.delete(identity.workspace, file.id))
    return Response(status_code=204)


async def download(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/files/{file}``: the content, or one range of it (RFC 9110). Memory use does
    not depend on the size.
    """
    file = await _find_file(request, server, identity)
    etag = f'"{file.id}"'
    headers = {
        "Content-Disposition": _disposition(file),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "private, no-store",
        "Accept-Ranges": "bytes",
        # nginx would take 1 GiB at once, then nothing until the client has read that
        "X-Accel-Buffering": "no",
        "ETag": etag,
    }
    wanted = request.headers.get("range") if request.headers.get("if-range", etag) == etag else None
    span = _span(wanted, file.size)
    if span is None:
        raise Problem(
            416, "the range is outside the file", {"Content-Range": f"bytes */{file.size}"}
        )
    first, end = span
    if (first, end) != (0, file.size):
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{file.size}"
    headers["Content-Length"] = str(end - first)
    status = 206 if "Content-Range" in headers else 200
    if request.method == "HEAD":
        return Response(None, status, headers, file.content_type)
    reader = await server.slowly(lambda: _opened(server, file, first))
    return Streamed(_pieces(server, reader, end - first), status, headers, file.content_type)


async def _find_file(request: Request, server: ServerContext, identity: Identity) -> StoredFile:
    identifier, owner = request.path_params["file"], identity.caller.owner
    file: StoredFile | None = await server.briefly(
        lambda: server.files.find(identity.workspace, identifier, owner)
    )
    if file is None:
        raise Problem(404, f"no file has the ID '{identifier[:80]}', or it has expired")
    return file


def _opened(server: ServerContext, file: StoredFile, first: int) -> SealedReader:
    """Open a file at an offset. As far as possible, missing or damaged content is detected before
    the response begins.

    :raises Problem: 404 if the content is missing or damaged.
    """
    try:
        reader = server.files.reader(file)
        reader.check()
    except FileDamaged as error:
        raise Problem(404, f"the file '{file.id}' cannot be read: {error.strerror}") from None
    reader.seek(first)
    return reader


async def _pieces(server: ServerContext, reader: SealedReader, left: int) -> AsyncGenerator[bytes]:
    """Yield the content. An error in the middle ends the response before its announced length, so
    that no client mistakes it for complete.
    """
    while left:
        size = min(_PIECE, left)
        try:
            piece = await server.slowly(partial(reader.read, size))
        except FileDamaged as error:
            raise Unavailable(f"the file cannot be read: {error.strerror}") from None
        if not piece:
            raise Unavailable("the file ended early")
        left -= len(piece)
        yield piece


def _span(wanted: str | None, size: int) -> tuple[int, int] | None:
    """Return start and end of the bytes to send; None if the range cannot be satisfied. For several
    ranges, or other units, the whole file is sent.
    """
    match = _RANGE.match(wanted) if wanted is not None else None
    if match is None or match.groups() == ("", ""):
        return 0, size
    first, last = match.groups()
    # the last bytes of an empty file are all of it; only "the last 0 bytes" cannot be sent
    if not first:
        return (max(0, size - int(last)), size) if int(last) else None
    if last and int(last) < int(first):
        return 0, size
    begin, end = int(first), min(size, int(last) + 1) if last else size
    return (begin, end) if begin < size else None


def _disposition(file: StoredFile) -> str:
    """Return the header that makes browsers save the file instead of showing it (RFC 6266)."""
    if file.name is None:
        return f'attachment; filename="{file.id}"'
    plain = re.sub(r"[^A-Za-z0-9 ._-]", "_", file.name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file.name, safe='')}"


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/files",
        upload,
        "invoke",
        "uploadFile",
        "Upload a file. Inputs refer to it by its ID.",
        {201: "StoredFile"},
        body="*/*",
        problems=(413, 503, 507),
    ),
    Operation(
        "GET",
        "/v1/files",
        listed,
        "read",
        "listFiles",
        "List stored files, newest first.",
        {200: "FileList"},
        query=paged(BY_MOMENT),
    ),
    Operation(
        "GET",
        "/v1/files/{file}",
        download,
        "read",
        "downloadFile",
        "Download a file, or a range of it.",
        {200: "*/*", 206: "*/*"},
        headers=("Range", "If-Range"),
        problems=(404, 416, 503),
    ),
    Operation(
        "DELETE",
        "/v1/files/{file}",
        deleted,
        "invoke",
        "deleteFile",
        "Delete a file.",
        {204: ""},
        problems=(404, 503),
    ),
)
