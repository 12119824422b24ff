"""Meaning of the server's refusals, by the first word of its error (Redis documentation, "Redis serialization protocol", errors)."""

from __future__ import annotations

from jackfield.connector import Forbidden, JackfieldError, Provider, Rejected, Sent, Unauthenticated, Unavailable

_LOGIN = "Check user name and password of the connection."
_CLUSTER = "Connect to the node that has the key. Clusters are not followed."
_LATER = "Send it again later."
_CODES: dict[str, tuple[type[JackfieldError], str, str]] = {
    "WRONGPASS": (Unauthenticated, "the server refused the login", _LOGIN),
    "NOAUTH": (Unauthenticated, "the server wants a login", _LOGIN),
    "NOPERM": (
        Forbidden,
        "the user is not allowed to do this",
        "Allow the command and the key to the user (ACL SETUSER).",
    ),
    "WRONGTYPE": (Rejected, "the key holds a value of another type", "Use the action for that type, or another key."),
    "READONLY": (Rejected, "the server is a replica, which cannot change data", "Connect to the primary."),
    "OOM": (Unavailable, "the server's memory is full", "Raise 'maxmemory' of the server, or delete keys."),
    "MOVED": (Rejected, "the key is on another node of a cluster", _CLUSTER),
    "ASK": (Rejected, "the key is on another node of a cluster", _CLUSTER),
    "CROSSSLOT": (Rejected, "the keys are on several nodes of a cluster", "Send one key at a time."),
    "LOADING": (Unavailable, "the server is starting", _LATER),
    "BUSY": (Unavailable, "the server is busy with a script", _LATER),
    "CLUSTERDOWN": (Unavailable, "the cluster is down", _LATER),
    "MASTERDOWN": (Unavailable, "the replica has lost its primary", _LATER),
    "TRYAGAIN": (Unavailable, "the key is being moved to another node", _LATER),
    "NOREPLICAS": (Unavailable, "the server has too few replicas to change data", _LATER),
    "MISCONF": (Unavailable, "the server cannot store its data, and changes none", "Look at the server's log."),
}
"""Error, message and hint. A refused command has done nothing."""
_MOST_CLIENTS = "max number of clients reached"


class Refusal(Exception):
    """The server refused a command: the first word of its error, and the others."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def refused(refusal: Refusal) -> JackfieldError:
    """Return the error for a refusal."""
    said = Provider(code=refusal.code or None, message=refusal.message[:1000])
    if _MOST_CLIENTS in refusal.message:
        return Unavailable("the server has no connection left", sent=Sent.REFUSED, provider=said, hint=_LATER)
    kind, message, hint = _CODES.get(refusal.code) or (Rejected, "the server refused the command", "Check the inputs.")
    return kind(f"{message}: {refusal.message[:500]}", sent=Sent.REFUSED, provider=said, hint=hint)


def refused_login(refusal: Refusal) -> JackfieldError:
    """Return the error for a refused login. A server that does not know the command repeats it with the password, so nothing of an unknown
    refusal is shown."""
    if refusal.code in _CODES or _MOST_CLIENTS in refusal.message:
        return refused(refusal)
    if "DB index" in refusal.message:
        return Rejected("the server has no database of this number", sent=Sent.REFUSED, hint="Check the connection's 'database'.")
    return Unauthenticated("the server refused the login", sent=Sent.REFUSED, hint=_LOGIN)
