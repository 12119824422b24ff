"""Meaning of the server's refusals, by the response code in brackets (RFC 9051, section 7.1; RFC
5530).
"""

from __future__ import annotations

import re

from jackfield.connector import Forbidden, NotFound, Rejected, Unauthenticated, Unavailable
from jackfield.connector.sessions import Meaning, Meanings, Refusal

LOGIN = (
    "Check user name and password of the connection. Many providers want a password of its "
    "own for each program."
)
_LATER = "Send it again later."
_MAILBOX = "List the mailboxes ('listMailboxes'): names are as the server writes them."
_ROWS: dict[str, Meaning] = {
    "AUTHENTICATIONFAILED": (Unauthenticated, "the server refused the login", LOGIN),
    "AUTHORIZATIONFAILED": (Unauthenticated, "the server refused the login", LOGIN),
    "EXPIRED": (Unauthenticated, "the password has expired", LOGIN),
    "PRIVACYREQUIRED": (
        Rejected,
        "the server wants TLS",
        "Set the connection's 'tls' to verify, or 'startTls'.",
    ),
    "CONTACTADMIN": (
        Forbidden,
        "the server asks the user to contact its administrator",
        "Ask the administrator of the mailbox.",
    ),
    "NOPERM": (
        Forbidden,
        "the user may not do this",
        "Give the user the right to it, or use another mailbox.",
    ),
    "NONEXISTENT": (NotFound, "there is no such mailbox", _MAILBOX),
    "TRYCREATE": (NotFound, "there is no such mailbox", _MAILBOX),
    "OVERQUOTA": (Rejected, "the mailbox is full", "Delete mail, or raise the quota."),
    "LIMIT": (Unavailable, "a limit of the server is reached", _LATER),
    "UNAVAILABLE": (Unavailable, "the server cannot do this at the moment", _LATER),
    "INUSE": (Unavailable, "the mailbox is in use", _LATER),
    "SERVERBUG": (Unavailable, "the server failed", _LATER),
}
"""Error class, message and hint by response code. A refused command has done nothing."""
MEANINGS = Meanings(_ROWS, (Rejected, "the server refused the command", "Check the inputs."))
_CODE = re.compile(r"\[([A-Z]+)[ \]]")


def refusal_of(text: str) -> Refusal:
    """Parse the refusal in a server's answer."""
    found = _CODE.search(text)
    return Refusal("" if found is None else found[1], text)
