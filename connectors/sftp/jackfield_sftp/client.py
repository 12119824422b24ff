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
"""Bytes of a file that a call reads or writes at most."""
_PIECE = 1024 * 1024
"""Bytes of a file that are read or written over one session at a time. Written ones are sent without a wait in between."""
_PART = 32_768
"""Bytes of an answer; paramiko asks for no more at once."""
T = TypeVar("T")


class SftpClient(SessionClient[Session]):
    """Client that works with files over a pool's sessions."""

    __slots__ = ()
    meanings = MEANINGS

    def read(self, step: str, work: Callable[[Any], T]) -> T:
        """Return the value that ``work`` reads with paramiko's client.

        :raises JackfieldError: if the server refuses it or is not reached, or the deadline passes.
        """
        return self.used(step, lambda session: session.ask(work), safe=True)

    def change(self, step: str, work: Callable[[Any], T]) -> T:
        """Return the value of a change that ``work`` makes with paramiko's client.

        :raises JackfieldError: with ``sent``: refused if the server says so, unknown if the answer is lost, otherwise nothing.
        """
        return self.used(step, lambda session: session.ask(work), safe=False)

    def content(self, path: str) -> bytes:
        """Return a file's content.

        :raises Rejected: if it is longer than ``MOST_BYTES``.
        """
        found = b"".join(piece for _, piece in zip(range(MOST_BYTES // _PIECE + 1), self.pieces(path), strict=False))
        if len(found) > MOST_BYTES:
            hint = "Use 'downloadFile', which takes files of any length."
            raise Rejected(f"the file is longer than {MOST_BYTES:,} bytes", sent=Sent.REFUSED, hint=hint)
        return found

    def pieces(self, path: str) -> Iterator[bytes]:
        """Yield a file's content in pieces, of any length.

        :raises Unavailable: if the file is changed meanwhile, since the pieces would come from two files.
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
                raise Unavailable("the file was changed while it was read", sent=Sent.REFUSED, hint="Read it when it is written whole.")
            yield piece
            at += len(piece)
            if len(piece) < _PIECE:
                return

    def replace(self, path: str, source: BinaryIO) -> int:
        """Write a file under another name in its folder, and move it to its place in one step: readers see the old one or the new one,
        whole. Returns its length."""
        part = posixpath.join(posixpath.dirname(path), f".{posixpath.basename(path)[:100]}.{self.call.invocation_id[-12:]}.part")
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
    """Read a piece of the size in which a server answers: paramiko copies its data at each part of a longer read."""
    left = _PIECE
    while left and (part := file.read(min(left, _PART))):
        yield part
        left -= len(part)


def _write(path: str, at: int, piece: bytes, server: Any) -> None:
    """Write a piece to its place, without a wait for each part; the last part waits for the answers to all."""
    with server.open(path, "r+b" if at else "wb") as file:
        file.seek(at)
        file.set_pipelined(True)
        file.write(piece[:-1])
        file.set_pipelined(False)
        file.write(piece[-1:])
        server.end(file)
