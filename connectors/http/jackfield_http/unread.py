"""Bodies that were received whole and cannot be read: by their coding, their charset, or their syntax (docs/reference/http-library.md)."""

from __future__ import annotations

from jackfield.connector import Sent, Unavailable

MAX_KEPT = 1024 * 1024
"""Maximum size of a body, as it was sent, that is kept to be stored although it cannot be decoded."""


class Unreadable(Unavailable):
    """The body of a response is complete, and cannot be read.

    ``by_coding``: its charset or its content coding is the reason, and not its content. ``content``: the body as received; None if it is
    too large to be kept.
    """

    def __init__(self, message: str, *, hint: str, by_coding: bool = False, content: bytes | None = None) -> None:
        super().__init__(message, hint=hint, sent=Sent.UNKNOWN)
        self.by_coding = by_coding
        self.content = content
