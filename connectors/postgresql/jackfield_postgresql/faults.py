"""Meaning of the server's refusals, by SQLSTATE (PostgreSQL's documentation, appendix A)."""

from __future__ import annotations

from jackfield.connector import (
    Conflict,
    Forbidden,
    NotFound,
    Rejected,
    TimedOut,
    Unauthenticated,
    Unavailable,
)
from jackfield.connector.sessions import Meaning, Meanings, Refusal

_LOGIN = (
    ("the database system is", "57P03"),
    ("too many", "53300"),
    ("remaining connection slots", "53300"),
    ("password authentication failed", "28P01"),
    ("no password supplied", "28P01"),
    ('database "', "3D000"),
)
"""Phrases of refused logins, with their SQLSTATE: libpq does not pass it on."""
_ROWS: dict[str, Meaning] = {
    "28": (
        Unauthenticated,
        "the server refused the login",
        "Check user name, password and database, and the server's pg_hba.conf.",
    ),
    "3D": (NotFound, "the database does not exist", "Check the connection's database."),
    "42501": (
        Forbidden,
        "the user is not allowed to do this",
        "Grant the user of the connection what the statement needs.",
    ),
    "42P01": (
        NotFound,
        "the table does not exist",
        "Check its name and schema. Names with capital letters need double quotes.",
    ),
    "42703": (
        NotFound,
        "the column does not exist",
        "Check its name. Names with capital letters need double quotes.",
    ),
    "42883": (
        NotFound,
        "the function or operator does not exist",
        "Check its name, and the types of its arguments.",
    ),
    "23505": (
        Conflict,
        "a row with this key exists already",
        "Use upsertRows to change it, or set 'onConflict' to skip.",
    ),
    "23P01": (
        Conflict,
        "the row excludes one that exists",
        "Change the row, or the one that is there.",
    ),
    "25006": (
        Rejected,
        "a read-only transaction cannot change data",
        "Use the action executeStatement, or a server that is no standby.",
    ),
    "40": (Unavailable, "the transaction lost against another one", "Send it again."),
    "53": (
        Unavailable,
        "the server is short of resources",
        "Try again later, or raise the server's limits.",
    ),
    "55P03": (Unavailable, "a lock is held by another transaction", "Send it again."),
    "57014": (
        TimedOut,
        "the server cancelled the statement at the deadline",
        "Raise 'timeoutSeconds', or find out what is slow.",
    ),
    "57": (Unavailable, "the server is shutting down or starting", "Send it again."),
    "58": (Unavailable, "the server has an internal problem", "Look at the server's log."),
    "XX": (Unavailable, "the server has an internal problem", "Look at the server's log."),
    "22": (Rejected, "a value does not fit", "Check the parameters."),
    "23": (Rejected, "a rule of the table is violated", "Check the values."),
    "42": (Rejected, "the server cannot read the statement", "Check the statement."),
}
"""Error class, message and hint by SQLSTATE or its class; a full SQLSTATE wins."""
MEANINGS = Meanings(_ROWS, (Rejected, "the server refused the statement", "Check the statement."))
ENDS = frozenset({"57", "08", "XX"})
"""SQLSTATE classes of refusals that end a connection. As the answer to a COMMIT, they leave its
outcome unknown.
"""


def refusal_of(state: str, message: str, hint: str = "", position: str = "") -> Refusal:
    """Return a refusal by its SQLSTATE; ``position`` is the character in the statement, from 1.
    Nothing of the transaction takes effect.
    """
    where = (
        f" (character {position} of the statement)" if position.isdigit() and int(position) else ""
    )
    return Refusal(
        state, message, state if state in _ROWS else state[:2], hint=hint[:500], more=where
    )


def refused_login(said: str) -> Refusal | None:
    """Parse the refusal of a login in libpq's message; None if the message holds none."""
    if "FATAL:" not in said and "authentication method requirement" not in said:
        return None
    state = next((state for words, state in _LOGIN if words in said), "28000")
    return refusal_of(state, said.rpartition("FATAL:")[2].strip())
