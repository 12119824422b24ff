"""Meaning of the broker's refusals, by reply code (AMQP 0-9-1, section 1.2, "Constants")."""

from __future__ import annotations

from jackfield.connector import (
    Conflict,
    Forbidden,
    JackfieldError,
    NotFound,
    Rejected,
    Sent,
    Unavailable,
)
from jackfield.connector.sessions import Meaning, Meanings

_ROWS: dict[str, Meaning] = {
    "311": (Rejected, "the message is larger than the broker takes", "Send less."),
    "320": (Unavailable, "the broker closes the connection", "Send it again later."),
    "402": (NotFound, "the virtual host does not exist", "Check the connection's virtual host."),
    "403": (
        Forbidden,
        "the user is not allowed to do this",
        "Grant the user of the connection what is needed (rabbitmqctl set_permissions).",
    ),
    "404": (
        NotFound,
        "the queue or exchange does not exist",
        "Check its name, or call declareQueue.",
    ),
    "405": (Conflict, "the queue belongs to another connection alone", "Use another queue."),
    "406": (
        Conflict,
        "the queue exists with other settings",
        "Declare it with the settings that it has, or use another name.",
    ),
    "530": (
        Forbidden,
        "the broker does not allow the virtual host",
        "Check the connection's virtual host, and that its user may use it.",
    ),
    "506": (
        Unavailable,
        "the broker is short of resources",
        "Send it again later, or look at the broker's log.",
    ),
    "541": (Unavailable, "the broker has an internal problem", "Look at the broker's log."),
}
"""Error class, message and hint by reply code."""
MEANINGS = Meanings(_ROWS, (Rejected, "the broker refused the request", "Check the inputs."))

CLEAR = frozenset({"311", "402", "403", "404", "405", "406", "530"})
"""Reply codes that prove that a request was not carried out. With other codes, a broker closes
connections for reasons of its own.
"""


def unfit(reason: str) -> JackfieldError:
    """Return the error for an unreadable message."""
    hint = "It stays in the queue. Take it with another program, or remove it."
    return Unavailable(
        f"a message cannot be read: {reason}", sent=Sent.NOTHING, hint=hint, repeatable=False
    )
