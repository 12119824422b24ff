"""Meaning of the server's refusals (SSH File Transfer Protocol, draft 02, section 7, "Responses from the Server to the Client")."""

from __future__ import annotations

import errno

from jackfield.connector import Forbidden, JackfieldError, NotFound, Provider, Rejected, Sent

_MEANINGS: dict[int, tuple[type[JackfieldError], str, str]] = {
    errno.ENOENT: (NotFound, "the file or folder does not exist", "Check the path: it begins in the user's folder, or with a slash."),
    errno.EACCES: (Forbidden, "the user is not allowed to do this", "Give the user rights for the file and its folder."),
}


class Refusal(Exception):
    """The server refused: the number of an error that says so, or 0, and its words."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number, self.text = number, text


def refused(refusal: Refusal) -> JackfieldError:
    """Return the error for a refusal. Nothing was done."""
    default = (Rejected, "the server refused the request", "A file may exist already, a folder may not be empty, or the disk be full.")
    kind, message, hint = _MEANINGS.get(refusal.number, default)
    return kind(f"{message}: {refusal.text[:500]}", sent=Sent.REFUSED, provider=Provider(message=refusal.text[:1000]), hint=hint)
