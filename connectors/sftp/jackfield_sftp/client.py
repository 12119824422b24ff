"""Open client of a connection: files and folders of a server."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any, BinaryIO, TypeVar

from jackfield.connector import JackfieldError, Rejected, Sent, Unavailable
from jackfield.connector.sessions import SessionClient
from jackfield.kernel.failures import OnFailure
from jackfield_sftp.faults import MEANINGS
from jackfield_sftp.session import Session

MOST_BYTES = 8 * 1024 * 1024
"""Maximum bytes of a file that ``readFile`` and ``writeFile`` handle."""
_PIECE = 1024 * 1024
"""Bytes of a file that are read or written over one session at a time. Written bytes are
pipelined.
"""
_PART = 32_768
"""Maximum bytes of one read request, as in paramiko."""
T = TypeVar("T")


class SftpClient(SessionClient[Session]):
    """Client that works with files over a pool's sessions."""

    __slots__ = ()
    meanings = MEANINGS

    def read(self, step: str, work: Callable[[Any], T]) -> T:
        """Run a reading ``work`` with paramiko's client and return its value. ``step`` names it in
        errors.

        :raises JackfieldError: if the server refuses a request or is not reached, or the deadline
            passes.
        """
        return self.used(step, lambda session: session.ask(work), safe=True)

    def change(self, step: str, work: Callable[[Any], T]) -> T:
        """Run a changing ``work`` with paramiko's client and return its value. ``step`` names it in
        errors.

        :raises JackfieldError: with ``sent``: refused if the server refuses, unknown if the answer
            is lost, otherwise nothing.
        """
        return self.used(step, lambda session: session.ask(work), safe=False)

    def content(self, path: str) -> bytes:
        """Return a file's content.

        :raises Rejected: if the file is longer than ``MOST_BYTES``.
        """
        found = b"".join(
            piece
            for _, piece in zip(range(MOST_BYTES // _PIECE + 1), self.pieces(path), strict=False)
        )
        if len(found) > MOST_BYTES:
            hint = "Use 'downloadFile', which takes files of any length."
            raise Rejected(
                f"the file is longer than {MOST_BYTES:,} bytes", sent=Sent.REFUSED, hint=hint
            )
        return found

    def pieces(self, path: str) -> Iterator[bytes]:
        """Yield a file's content in pieces, without a limit of its length.

        :raises Unavailable: if the file changes meanwhile, since the pieces would come from two
            versions.
        """
        at, first = 0, None

        def work(server: Any) -> tuple[object, bytes]:
            with server.open(path, "rb") as file:
                state = file.stat()
                file.seek(at)
                return (state.st_size, state.st_mtime), b"".join(_parts(file))

        while True:
            state, piece = self.read("open", work)
            first = first or state
            if state != first:
                raise Unavailable(
                    "the file was changed while it was read",
                    sent=Sent.REFUSED,
                    hint="Read it when it is written whole.",
                )
            yield piece
            at += len(piece)
            if len(piece) < _PIECE:
                return

    def replace(self, path: str, source: BinaryIO) -> int:
        """Write a file under a temporary name in its folder, then rename it, and return its length.
        Readers see either the old or the new file as a whole.
        """
        part = posixpath.join(
            posixpath.dirname(path),
            f".{posixpath.basename(path)[:100]}.{self.call.invocation_id[-12:]}.part",
        )
        at, read = 0, partial(source.read, _PIECE)
        with OnFailure(lambda: self._forget(part)):
            for piece in chain([read()], iter(read, b"")):
                self.change("open", partial(_write, part, at, piece))
                at += len(piece)
            self.change("rename", lambda server: server.posix_rename(part, path))
        return at

    def _forget(self, part: str) -> None:
        with suppress(JackfieldError):
            self.change("remove", lambda server: server.remove(part))


def _parts(file: Any) -> Iterator[bytes]:
    """Yield one piece in parts of ``_PART`` bytes: paramiko copies its data at each part of a
    longer read.
    """
    left = _PIECE
    while left and (part := file.read(min(left, _PART))):
        yield part
        left -= len(part)


def _write(path: str, at: int, piece: bytes, server: Any) -> None:
    """Write a piece at an offset, pipelined: only the last byte waits for the answers."""
    with server.open(path, "r+b" if at else "wb") as file:
        file.seek(at)
        file.set_pipelined(True)
        file.write(piece[:-1])
        file.set_pipelined(False)
        file.write(piece[-1:])
        server.end(file)
