"""Meaning of the server's refusals (SSH File Transfer Protocol, draft 02, section 7, "Responses
from the Server to the Client").
"""

from __future__ import annotations

from jackfield.connector import Forbidden, NotFound, Rejected
from jackfield.connector.sessions import Meanings

MEANINGS = Meanings(
    {
        "ENOENT": (
            NotFound,
            "the file or folder does not exist",
            "Check the path: it begins in the user's folder, or with a slash.",
        ),
        "EACCES": (
            Forbidden,
            "the user is not allowed to do this",
            "Give the user rights for the file and its folder.",
        ),
    },
    (
        Rejected,
        "the server refused the request",
        "A file may exist already, a folder may not be empty, or the disk be full.",
    ),
)
"""Error class, message and hint by paramiko's errno: paramiko does not expose the protocol's codes.
A refused request did nothing.
"""
