"""Bodies that were received whole and cannot be read: by their coding, their charset, or their
syntax (docs/reference/http-library.md).
"""

from __future__ import annotations

from jackfield.connector import Sent, Unavailable

MAX_KEPT = 1024 * 1024
"""Maximum size of an undecodable body that is stored as received, in bytes."""


class Unreadable(Unavailable):
    """Error for a response whose body is complete but unreadable.

    ``by_coding`` means that the charset or content coding is the reason. ``content`` is the body as
    received; None if it is too large to store.
    """

    def __init__(
        self, message: str, *, hint: str, by_coding: bool = False, content: bytes | None = None
    ) -> None:
        super().__init__(message, hint=hint, sent=Sent.UNKNOWN)
        self.by_coding = by_coding
        self.content = content
