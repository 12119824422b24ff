"""Page of the stored files: uploads and outputs, with their download and removal."""

from __future__ import annotations

from starlette.responses import Response

from jackfield.invocation.stored_file import StoredFile
from jackfield.kernel.markup import Markup, Node
from jackfield_service.shell.pages.layout.components import at, done_notice, final, h
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.shell.pages.layout.shell import page, redirect
from jackfield_service.shell.pages.layout.sorted_list import Sorts
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.files.http.files import download
from jackfield_service.subjects.files.http.uploads import upload

_PAGE = 50
_DONE = {"deleted": "File deleted.", "gone": "The file had been deleted, or had expired."}
_KIB = 1024
_SORTS = Sorts(
    {"Name": "name", "Type": "contentType", "Size": "size", "Expires": "expiresAt"}, names="id"
)


def listed(request: PageRequest) -> Response:
    """Serve ``GET /files``: the workspace's files, newest first; a token with rules sees only its
    own.
    """
    request.require("read")
    files, identity = request.server.files, request.identity
    if not files.enabled:
        raise Problem(503, "this server stores no files, because no database is configured")
    found = _SORTS.read(
        request,
        lambda cursor, limit: files.list(
            identity.workspace, identity.caller.owner, cursor=cursor, limit=limit
        ),
        _PAGE,
    )
    empty = [
        "No stored files. Files come from forms, from ",
        h.code("jackfield files put"),
        ", from ",
        h.code("POST /v1/files"),
        " and from large outputs.",
    ]
    columns = ("Name", "Type", "Size", "Stored", "Expires", "Actions")
    shown = found.table(
        "/files", "Files", columns, [_row(request, file) for file in found.rows], empty=empty
    )
    lead = [
        "Inputs refer to a file by its ID: ",
        h.code('{"file": ID}'),
        ". Files are encrypted, and deleted when they expire.",
    ]
    return page(
        request,
        "files",
        "Files",
        done_notice(request, _DONE, "gone"),
        h.div(shown, id="found"),
        lead=lead,
    )


def deleted(request: PageRequest) -> Response:
    """Serve ``POST /files/{file}/removal``."""
    request.require("invoke")
    files, identity = request.server.files, request.identity
    file = files.find(identity.workspace, request.path("file"), identity.caller.owner)
    is_deleted = file is not None and files.delete(identity.workspace, file.id)
    return redirect(request, f"/files?done={'deleted' if is_deleted else 'gone'}")


def size_text(size: int) -> str:
    """Format a number of bytes in a suitable unit."""
    amount, unit = float(size), "bytes"
    for larger in ("KiB", "MiB", "GiB"):
        if amount < _KIB:
            break
        amount, unit = amount / _KIB, larger
    return f"{size:,} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"


def _row(request: PageRequest, file: StoredFile) -> tuple[Node, ...]:
    name = [
        h.a(file.name or "unnamed", href=f"/files/{file.id}", download=True),
        h.br(),
        h.code(file.id, class_="small"),
    ]
    return (
        name,
        file.content_type,
        size_text(file.size),
        at(file.created_at, request.now),
        at(file.expires_at, request.now),
        _delete(request, file),
    )


def _delete(request: PageRequest, file: StoredFile) -> Markup | None:
    if not request.may("invoke"):
        return None
    told = "Its content is deleted. Results that refer to it stay, and lead to nothing."
    return final(request, f"/files/{file.id}/removal", "Delete", told, of=file.name or file.id)


async def uploaded(request: PageRequest) -> Response:
    """Serve ``POST /uploads``, like ``POST /v1/files``: a form's file is uploaded on selection, and
    the invocation refers to it by ID.
    """
    return await upload(request.http, request.server, request.identity)


async def downloaded(request: PageRequest) -> Response:
    """Serve ``GET /files/{file}``, like ``GET /v1/files/{file}``."""
    return await download(request.http, request.server, request.identity)


PAGES: tuple[Page, ...] = (
    Page("/uploads", uploaded, "POST", streams=True),
    Page("/files", listed),
    Page("/files/{file}", downloaded),
    Page("/files/{file}/removal", deleted, "POST"),
)
