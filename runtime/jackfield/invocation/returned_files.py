"""Files in an output, to open, read or save: small files, which the output contains as base64, and
stored files, to which it refers.
"""

from __future__ import annotations

import binascii
import io
import os
import re
import shutil
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO

from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.frames import bordered
from jackfield.kernel.pointers import pointer
from jackfield.kernel.secrecy import SecretHolder

_STORED = re.compile(r"file_[A-Za-z0-9_-]{22}")
_PIECE = 1024 * 1024


@bordered
class ReturnedFile(SecretHolder):
    """File that an action has returned.

    - ``path``: JSON Pointer of its place in the output.
    - ``name``: its name, if the action or the provider gave one.
    - ``size`` in bytes, and ``content_type``.
    """

    __slots__ = ("_open", "content_type", "name", "path", "size", "steps")

    def __init__(
        self,
        steps: tuple[str | int, ...],
        about: Mapping[str, Any],
        size: int,
        opened: Callable[[], BinaryIO],
    ) -> None:
        self.steps = steps
        self.path = pointer(*steps)
        self.name: str | None = about.get("name")
        self.content_type = str(about["contentType"])
        self.size = size
        self._open = opened

    def __repr__(self) -> str:  # names from providers stay out of logs
        return f"<ReturnedFile {self.path} {self.size} bytes>"

    def open(self) -> BinaryIO:
        """Return a new reader of the content. Close it, or use it in a ``with`` block.

        :raises NotFound: if a stored file has expired or was deleted.
        :raises InvalidInvocation: if a Result that came without a runtime refers to a stored file.
        """
        return self._open()

    def read(self) -> bytes:
        """Return the whole content.

        :raises JackfieldError: as ``open`` does.
        """
        with self.open() as content:
            return content.read()

    def save(self, target: str | os.PathLike[str]) -> None:
        """Write the content to a file, which is replaced when the whole content is written.

        :raises JackfieldError: as ``open`` does.
        :raises OSError: if the file cannot be written.
        """
        path = os.fspath(target)
        with self.open() as content:
            # a device, a pipe, or a folder, which is refused
            if os.path.exists(path) and not os.path.isfile(path):
                with open(path, "wb") as existing:
                    shutil.copyfileobj(content, existing, _PIECE)
                return
            with (
                NamedTemporaryFile(
                    dir=os.path.dirname(path) or ".", prefix=".jackfield-", delete=False
                ) as new,
                OnFailure(os.unlink, new.name),
            ):
                shutil.copyfileobj(content, new, _PIECE)
        with OnFailure(os.unlink, new.name):
            os.chmod(new.name, 0o666 & ~_umask())
            os.replace(new.name, path)


def returned_files(
    output: Mapping[str, Any], opener: Callable[[str], BinaryIO] | None
) -> Iterator[ReturnedFile]:
    """Return an iterator over the files in an output."""
    return _files(output, (), opener or _refuse)


def _files(
    value: Any, steps: tuple[str | int, ...], opener: Callable[[str], BinaryIO]
) -> Iterator[ReturnedFile]:
    if isinstance(value, Mapping):
        found = _file(value, steps, opener) if steps else None
        if found is not None:
            yield found
            return
        for name, item in value.items():
            yield from _files(item, (*steps, name), opener)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _files(item, (*steps, index), opener)


def _file(
    value: Mapping[str, Any], steps: tuple[str | int, ...], opener: Callable[[str], BinaryIO]
) -> ReturnedFile | None:
    if value.keys() == {"data", "contentType"} and isinstance(value["data"], str):
        try:
            content = b64decode(value["data"], validate=True)
        except (binascii.Error, ValueError):  # not a file
            return None
        return ReturnedFile(steps, value, len(content), partial(io.BytesIO, content))
    identifier = value.get("file")
    if (
        isinstance(identifier, str)
        and _STORED.fullmatch(identifier)
        and {"size", "contentType", "expiresAt"} <= value.keys()
    ):
        return ReturnedFile(steps, value, int(value["size"]), partial(opener, identifier))
    return None


def _refuse(identifier: str) -> BinaryIO:
    hint = "Download it from the server that ran the action, by its ID."
    raise InvalidInvocation(
        f"this Result has no access to the stored file '{identifier}'", hint=hint
    )


def _umask() -> int:
    found = os.umask(0o077)
    os.umask(found)
    return found
