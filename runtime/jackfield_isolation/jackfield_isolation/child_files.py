"""Files that an action returns, on their way from the child to the parent: each piece is sent after
the previous one was stored.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from jackfield_isolation.child_call import Talk

_PIECE = 128 * 1024
"""Size of a piece in bytes, before base64 makes it longer; the parent limits its frames."""


class ChildFiles:
    """Storage of the files that a call returns; the parent stores them."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk

    def store(
        self, chunks: Iterable[bytes], content_type: str, name: str | None
    ) -> Mapping[str, Any]:
        """Send content to the parent, and return the file in the form of an output.

        :raises JackfieldError: if the parent cannot store the file.
        """
        self._talk.ask({"file": content_type, "name": name})
        for chunk in chunks:
            whole = memoryview(chunk)
            for place in range(0, len(whole), _PIECE):
                self._talk.ask({"piece": b64encode(whole[place : place + _PIECE]).decode("ascii")})
        stored: Mapping[str, Any] = self._talk.ask({"whole": True})
        return stored

    def find(self, identifier: str) -> None:
        """Return None: the child cannot read stored files, which are passed to it by value."""
        del identifier
