"""Open client of a connection: files and folders of a server."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from jackfield.connector import JackfieldError, Rejected, Sent, current_call
from jackfield.connector.session_client import SessionClient
from jackfield_sftp.faults import Refusal, refused
from jackfield_sftp.session import Session

MOST_BYTES = 8 * 1024 * 1024
"""Bytes of a file that a call reads or writes at most."""
_PIECE = 32_768
T = TypeVar("T")


class SftpClient(SessionClient[Session]):
    """Client that works with files over a pool's sessions."""

    __slots__ = ()
    refusal = Refusal

    def stands(self, session: Session) -> bool:
        """Return True if an idle session answers. Answers have the numbers of their requests, so a late one is taken for no other."""
        session.ask(lambda server: server.normalize("."), safe=True)
        return True

    def refused(self, refusal: Refusal) -> JackfieldError:
        """Return the error for a refusal."""
        return refused(refusal)

    def read(self, step: str, work: Callable[[Any], T]) -> T:
        """Return what ``work`` reads with paramiko's client.

        :raises JackfieldError: if the server refuses it or is not reached, or the deadline passes.
        """
        return self._ask(step, work, safe=True)

    def change(self, step: str, work: Callable[[Any], T]) -> T:
        """Return what ``work`` changes with paramiko's client.

        :raises JackfieldError: with ``sent``: refused if the server says so, unknown if the answer is lost, otherwise nothing.
        """
        return self._ask(step, work, safe=False)

    def content(self, path: str) -> bytes:
        """Return a file's content.

        :raises Rejected: if it is longer than ``MOST_BYTES``.
        """

        def work(server: Any) -> bytes:
            with server.open(path, "rb") as file:
                found: bytes = file.read(MOST_BYTES + 1)
            return found

        found = self.read("open", work)
        if len(found) > MOST_BYTES:
            raise Rejected(f"the file is longer than {MOST_BYTES:,} bytes", sent=Sent.REFUSED, hint="Use another client for it.")
        return found

    def replace(self, path: str, content: bytes) -> None:
        """Write a file beside its place, and move it there in one step: who reads sees the old one or the new one, whole."""
        call = current_call() or self._call
        part = posixpath.join(posixpath.dirname(path), f".{posixpath.basename(path)[:100]}.{call.invocation_id[-12:]}.part")

        def work(server: Any) -> None:
            try:
                with server.open(part, "wb") as file:
                    for at in range(0, len(content), _PIECE):
                        file.write(content[at : at + _PIECE])
                server.posix_rename(part, path)
            except OSError:
                with suppress(OSError):
                    server.remove(part)
                raise

        self.change("open", work)

    def _ask(self, step: str, work: Callable[[Any], T], *, safe: bool) -> T:
        return self.used(step, lambda session: session.ask(work, safe=safe), safe=safe)
