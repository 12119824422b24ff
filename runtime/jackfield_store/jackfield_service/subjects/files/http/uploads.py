"""Operation ``POST /v1/files``: a raw body, or the one file of a multipart form.

A form is parsed as it arrives, without a temporary file.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request
from starlette.responses import Response

from jackfield.invocation.file_refusals import FileTooLarge, NoRoom
from jackfield.invocation.stored_file import StoredFile
from jackfield.kernel.errors import LimitReached
from jackfield.kernel.media_types import media_type
from jackfield.wire.file_names import file_name
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.body import TooLarge, bounded
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.problem import Problem, of_error

_FORM = 64 * 1024
"""Maximum bytes allowed for a form's overhead around its file."""
_MOST_FIELDS = 10


async def upload(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/files``: store one file as it arrives. Its ID can be used as a FILE in this
    workspace until it expires.
    """
    announced = request.headers.get("content-length", "")
    limit = server.settings.max_file
    if announced.isdigit() and int(announced) > limit + _FORM:
        raise TooLarge(limit)
    size = int(announced) if announced.isdigit() else 0
    given = request.headers.get("content-type", "application/octet-stream")
    try:
        if given.lower().startswith("multipart/form-data"):
            stored = await _from_form(request, server, identity, given, max(0, size - _FORM))
        else:
            name, keep = (
                file_name(request.headers.get("content-disposition", "")),
                server.files.keep,
            )
            owner, kind = identity.caller.name, _content_type(given)
            stored = await keep(
                identity.workspace, request.stream(), kind, name=name, caller=owner, announced=size
            )
    except FileTooLarge as error:
        raise TooLarge(error.limit) from None
    except NoRoom as error:
        raise Problem(507, error.message, {"Connection": "close"}) from None
    except LimitReached as error:
        refusal = of_error(error)
        refusal.headers["Connection"] = "close"  # its body is not read
        raise refusal from None
    found = stored.to_json()
    return answer(found, 201, {"Location": f"/v1/files/{found['file']}"})


async def _from_form(
    request: Request, server: ServerContext, identity: Identity, given: str, least: int
) -> StoredFile:
    """Store the file of a form, which has at least ``least`` bytes."""
    file = FormFile(given, bounded(request, server.settings.max_file + _FORM))
    await file.open()
    kind = _content_type(file.content_type)
    return await server.files.keep(
        identity.workspace,
        file.pieces(),
        kind,
        name=file.name,
        caller=identity.caller.name,
        announced=least,
    )


def _content_type(given: str) -> str:
    return media_type(given.partition(";")[0].strip())


class FormFile:
    """The file of a form. Call ``open``, then read ``pieces``; other fields are skipped.
    ``content_type`` is the form's value.
    """

    def __init__(self, content_type: str, body: AsyncGenerator[bytes, None]) -> None:
        self.name: str | None = None
        self.content_type = ""
        self._body = body
        self._waiting: list[bytes] = []
        self._parts = 0
        self._files = 0
        self._in_file = False
        self._ended = False
        self._field, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        _, options = parse_options_header(content_type)
        if not options.get(b"boundary"):
            raise _unreadable("it has no boundary")
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._begun,
                    "on_part_data": self._data,
                    "on_header_field": self._add_header_name,
                    "on_header_value": self._valued,
                    "on_header_end": self._header,
                    "on_headers_finished": self._described,
                    "on_end": self._finished,
                },
            )
        except FormParserError as error:
            raise _unreadable(str(error)) from None

    async def open(self) -> None:
        """Read the form up to the file's content.

        :raises Problem: 400 if the form has no file, or cannot be read.
        """
        while not self._files:
            if not await self._read():
                raise _not_one()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the file's content, and read the form to its end.

        :raises Problem: 400 if the form has a second file, or cannot be read.
        """
        more = True
        while more:
            waiting, self._waiting = self._waiting, []
            for piece in waiting:
                yield piece
            more = await self._read()

    async def _read(self) -> bool:
        """Parse the next piece of the body; return False at its end."""
        piece = await anext(self._body, None)
        if piece is None:
            if not self._ended:
                raise _unreadable("it has no final boundary") if self._parts else _not_one()
            return False
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _unreadable(str(error)) from None
        return True

    def _begun(self) -> None:
        self._headers = {}
        self._in_file = False
        self._parts += 1
        if self._parts > _MOST_FIELDS + 1:
            raise _unreadable(f"it has more than {_MOST_FIELDS} fields besides the file")

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _valued(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field, self._value = b"", b""

    def _described(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"")
        _, options = parse_options_header(disposition)
        if b"name" not in options:
            raise _unreadable("a part has no name")
        name = file_name(disposition.decode("latin-1"))
        if name is None and b"filename" not in options:
            return
        self._files += 1
        if self._files > 1:
            raise _not_one()
        self._in_file = True
        self.name, self.content_type = (
            name,
            self._headers.get(b"content-type", b"").decode("latin-1"),
        )

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._waiting.append(data[start:end])

    def _finished(self) -> None:
        self._ended = True


def _unreadable(reason: str) -> Problem:
    return Problem(400, f"the form cannot be read: {reason}")


def _not_one() -> Problem:
    return Problem(400, "the form must contain one file")
