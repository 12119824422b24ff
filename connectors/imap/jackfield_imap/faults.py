"""Meaning of the server's refusals, by the response code in brackets (RFC 9051, section 7.1; RFC 5530)."""

from __future__ import annotations

import re

from jackfield.connector import Forbidden, JackfieldError, NotFound, Provider, Rejected, Sent, Unauthenticated, Unavailable

_LOGIN = "Check user name and password of the connection. Many providers want a password of its own for each program."
_LATER = "Send it again later."
_MAILBOX = "List the mailboxes ('listMailboxes'): names are as the server writes them."
_CODES: dict[str, tuple[type[JackfieldError], str, str]] = {
    "AUTHENTICATIONFAILED": (Unauthenticated, "the server refused the login", _LOGIN),
    "AUTHORIZATIONFAILED": (Unauthenticated, "the server refused the login", _LOGIN),
    "EXPIRED": (Unauthenticated, "the password has expired", _LOGIN),
    "PRIVACYREQUIRED": (Rejected, "the server wants TLS", "Set the connection's 'tls' to verify, or 'startTls'."),
    "CONTACTADMIN": (Forbidden, "the server asks the user to contact its administrator", "Ask the administrator of the mailbox."),
    "NOPERM": (Forbidden, "the user may not do this", "Give the user the right to it, or use another mailbox."),
    "NONEXISTENT": (NotFound, "there is no such mailbox", _MAILBOX),
    "TRYCREATE": (NotFound, "there is no such mailbox", _MAILBOX),
    "OVERQUOTA": (Rejected, "the mailbox is full", "Delete mail, or raise the quota."),
    "LIMIT": (Unavailable, "a limit of the server is reached", _LATER),
    "UNAVAILABLE": (Unavailable, "the server cannot do this at the moment", _LATER),
    "INUSE": (Unavailable, "the mailbox is in use", _LATER),
    "SERVERBUG": (Unavailable, "the server failed", _LATER),
}
"""Error, message and hint. A refused command has done nothing."""
_CODE = re.compile(r"\[([A-Z]+)[ \]]")


class Refusal(Exception):
    """The server refused a command: its text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
        found = _CODE.search(text)
        self.code = "" if found is None else found[1]


def refused(refusal: Refusal) -> JackfieldError:
    """Return the error for a refusal."""
    said = Provider(code=refusal.code or None, message=refusal.text[:1000])
    kind, message, hint = _CODES.get(refusal.code) or (Rejected, "the server refused the command", "Check the inputs.")
    return kind(f"{message}: {refusal.text[:500]}", sent=Sent.REFUSED, provider=said, hint=hint)


def refused_login(refusal: Refusal) -> JackfieldError:
    """Return the error for a refused login. A server may repeat the command, so nothing of an unknown refusal is shown."""
    if refusal.code in _CODES:
        return refused(Refusal(f"[{refusal.code}]"))
    return Unauthenticated("the server refused the login", sent=Sent.REFUSED, hint=_LOGIN)
