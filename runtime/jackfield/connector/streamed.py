"""Files that an action reads or returns as streams, so that their size does not count against
memory.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any, BinaryIO, Self, cast, get_args

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from jackfield.connector.context import current_call
from jackfield.connector.models import OCTETS, File, read_file
from jackfield.connector.reading import FileSource, FileStore
from jackfield.kernel.errors import InvalidOutput, Sent
from jackfield.kernel.secrecy import SecretHolder

_CHUNK = 1024 * 1024
_ATOMS = frozenset({str, bytes, int, float, bool, type(None)})
"""Types of values that contain no file."""


class StreamedFile:
    """File passed by a caller, read as a stream. For fields of ``Inputs``.

    In JSON it has the forms of a ``File``, and ``{"file": id}`` of an uploaded file of any size.
    ``open()`` returns a new reader, with ``read(n)`` and ``seek``, that holds a few megabytes at
    most; iteration yields chunks from the beginning. Each attempt opens its own reader.
    """

    __slots__ = ("_source", "content_type", "name", "size")

    def __init__(self, content: bytes | FileSource, content_type: str = OCTETS) -> None:
        self._source = content
        given = isinstance(content, bytes)
        self.content_type = content_type if given else cast("FileSource", content).content_type
        self.size = len(content) if isinstance(content, bytes) else content.size
        self.name = None if isinstance(content, bytes) else content.name

    def __repr__(self) -> str:  # content from callers stays out of logs
        return f"StreamedFile({self.size} bytes, {self.content_type!r})"

    @property
    def id(self) -> str | None:
        """ID of a stored file; None for content that came with the call, which is deleted when the
        call ends.
        """
        return getattr(self._source, "id", None)

    @classmethod
    def stored(cls, identifier: str) -> Self | None:
        """Return a stored file by the ID that a job has put into its handle, as ``{"file": id}``.
        None if the file is gone, or there is no file storage.
        """
        call = current_call()
        source = None if call is None or call.files is None else call.files.find(identifier)
        return None if source is None else cls(source)

    def __iter__(self) -> Iterator[bytes]:
        with self.open() as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk

    def open(self) -> BinaryIO:
        """Return a new reader of the content. Close it, or use it in a ``with`` block."""
        return io.BytesIO(self._source) if isinstance(self._source, bytes) else self._source.open()

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(_validate_file)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        text, content = File.__get_pydantic_json_schema__(schema, handler)["anyOf"]
        stored = {
            "type": "object",
            "properties": {
                "file": {
                    "type": "string",
                    "description": "The ID of an uploaded file, of any size.",
                }
            },
            "required": ["file"],
            "additionalProperties": False,
        }
        return {"anyOf": [text, content, stored], "x-jackfield": {"file": "stream"}}


def _validate_file(value: object, info: ValidationInfo) -> StreamedFile:
    if isinstance(value, StreamedFile):
        return value
    if isinstance(value, Mapping) and value.keys() == {"file"}:
        source = (info.context or {}).get("files", {}).get(value["file"])
        if source is None:
            raise ValueError("the file does not exist or has expired")
        return StreamedFile(source)
    file = read_file(value)
    return StreamedFile(file.content, file.content_type)


class OutputFile(SecretHolder):
    """File returned by an action. For fields of ``Output``.

    ``content`` is bytes, a binary file, or an iterable of chunks, such as a response that is still
    being received. Right after the action has returned, the runtime reads it in the action's thread
    and under its deadline, stores it encrypted, and closes it. In JSON it is ``{"file": id, "size",
    "contentType", "expiresAt"}``.
    """

    __slots__ = ("_content", "content_type", "name", "stored")

    def __init__(
        self,
        content: bytes | BinaryIO | Iterable[bytes],
        content_type: str = OCTETS,
        name: str | None = None,
    ) -> None:
        self._content = content
        self.content_type = content_type
        self.name = name
        self.stored: Mapping[str, Any] | None = None
        """The file in the output; None until the runtime has stored it."""

    def __repr__(self) -> str:
        return f"OutputFile({self.content_type!r})"

    def without_storage(self) -> Mapping[str, Any]:
        """Return the file's form in the output if files cannot be stored. A subclass may put small
        content there.

        :raises InvalidOutput: always, unless overridden.
        """
        raise InvalidOutput(
            "the action returned a file, and there is no file storage here",
            hint="Files need a database.",
        )

    def chunks(self) -> Iterator[bytes]:
        """Read the content, once, and close it."""
        content = self._content
        if isinstance(content, bytes | bytearray):
            yield bytes(content)
        elif hasattr(content, "read"):
            with closing(cast("BinaryIO", content)) as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk
        else:
            try:
                yield from content
            finally:
                getattr(content, "close", _nothing)()

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _checked, serialization=core_schema.plain_serializer_function_ser_schema(_dumped)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "type": "object",
            "description": "A stored file; its content is read by its ID.",
            "properties": {
                "file": {"type": "string", "description": "The file's ID."},
                "size": {"type": "integer", "description": "The size in bytes."},
                "contentType": {"type": "string", "description": "The media type."},
                "expiresAt": {
                    "type": "string",
                    "description": "The time at which the file is deleted (RFC 3339).",
                },
                "name": {"type": "string", "description": "The file's name."},
            },
            "required": ["file", "size", "contentType", "expiresAt"],
            "additionalProperties": False,
            "x-jackfield": {"file": "output"},
        }


def _nothing() -> None:
    """Do nothing: there is nothing to close."""


def _checked(value: object) -> OutputFile:
    if not isinstance(value, OutputFile):
        raise ValueError("is not an OutputFile")  # noqa: TRY004 (pydantic only handles ValueError)
    return value


def _dumped(file: OutputFile) -> Mapping[str, Any]:
    if file.stored is None:
        raise ValueError("the file was not stored")
    return file.stored


def store_files(output: object, store: FileStore | None) -> None:
    """Store the files in an action's output.

    :raises InvalidOutput: if there is no storage, and the file needs one.
    """
    for file in _files(output):
        if file.stored is None:
            if store is None:
                file.stored = file.without_storage()
            else:
                file.stored = store.store(_timely(file.chunks()), file.content_type, file.name)


def returns_files(annotation: Any, seen: frozenset[Any] = frozenset()) -> bool:
    """Return whether values of an annotation may contain an ``OutputFile``."""
    if isinstance(annotation, type) and issubclass(annotation, OutputFile):
        return True
    if (
        isinstance(annotation, type)
        and issubclass(annotation, BaseModel)
        and annotation not in seen
    ):
        return any(
            returns_files(field.annotation, seen | {annotation})
            for field in annotation.model_fields.values()
        )
    return any(returns_files(part, seen) for part in get_args(annotation))


def _timely(chunks: Iterable[bytes]) -> Iterator[bytes]:
    call = current_call()
    for chunk in chunks:
        if call is not None and call.deadline.remaining() <= 0:
            raise call.deadline.passed(Sent.UNKNOWN)
        if call is not None:
            call.deadline.move_on()
        yield chunk


def _files(value: object) -> Iterator[OutputFile]:
    parts: Iterable[object] = ()
    # plain JSON first: isinstance with a model or an abstract class is slow
    if isinstance(value, dict):
        parts = value.values()
    elif isinstance(value, (list, tuple)):
        # a provider's response may be long, and most of it is text and numbers
        if {*map(type, value)} <= _ATOMS:
            return
        parts = value
    elif isinstance(value, OutputFile):
        yield value
    elif isinstance(value, BaseModel):
        parts = [*vars(value).values()]
    elif isinstance(value, Mapping):
        parts = value.values()
    for part in parts:
        if type(part) not in _ATOMS:
            yield from _files(part)
