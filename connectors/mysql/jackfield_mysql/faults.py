"""Meaning of the server's refusals, by error number (MariaDB's documentation, "Error Codes";
MySQL's, "Server Error Message Reference").
"""

from __future__ import annotations

from jackfield.connector import (
    Conflict,
    Detail,
    Forbidden,
    InvalidInput,
    JackfieldError,
    NotFound,
    Rejected,
    Sent,
    TimedOut,
    Unauthenticated,
    Unavailable,
)
from jackfield.connector.sessions import Meaning, Meanings, Refusal

_LOGIN = "Check user name and password, and the hosts that the user may connect from."
_GRANT = "Grant the user of the connection what the statement needs."
_AGAIN = "Send it again."
_DEADLINE = "Raise 'timeoutSeconds', or find out what is slow."
_ROWS: dict[tuple[int, ...], Meaning] = {
    (1045, 1698, 1130, 1251, 4151): (Unauthenticated, "the server refused the login", _LOGIN),
    (1044, 1142, 1143, 1227, 1370, 1410): (Forbidden, "the user is not allowed to do this", _GRANT),
    (1049,): (
        NotFound,
        "the database does not exist",
        "Check the connection's database, and that its user may use it.",
    ),
    (1146, 1051): (
        NotFound,
        "the table does not exist",
        "Check its name, and which case of letters it has.",
    ),
    (1054,): (NotFound, "the column does not exist", "Check its name."),
    (1305, 1128): (NotFound, "the function or procedure does not exist", "Check its name."),
    (1062, 1586): (
        Conflict,
        "a row with this key exists already",
        "Use upsertRows to change it, or set 'onConflict' to skip.",
    ),
    (1792,): (
        Rejected,
        "a read-only transaction cannot change data",
        "Use the action executeStatement.",
    ),
    (1290, 1836): (Rejected, "the server does not change data", "Connect to the primary."),
    (1213, 1205, 1020, 1180): (Unavailable, "the transaction lost against another one", _AGAIN),
    (1040, 1203, 1226, 1135): (
        Unavailable,
        "the server has no connection left",
        "Try again later, or raise the server's limits.",
    ),
    (1053, 1317, 1927, 1077): (Unavailable, "the server ended the statement", _AGAIN),
    (1037, 1038, 1041, 1021, 1114): (
        Unavailable,
        "the server is short of resources",
        "Look at the server's log.",
    ),
    (1969, 3024): (TimedOut, "the server cancelled the statement at the deadline", _DEADLINE),
    (1153,): (
        Rejected,
        "the statement is longer than the server takes",
        "Send less at a time, or raise 'max_allowed_packet'.",
    ),
    (1295,): (
        Rejected,
        "the server does not take this statement from a connector",
        "Use another client for it.",
    ),
    (1064, 1065, 1149): (
        Rejected,
        "the server cannot read the statement",
        "Check the statement. It may only be one.",
    ),
}
"""Error class, message and hint by error number."""
MEANINGS = Meanings(
    {str(number): meaning for numbers, meaning in _ROWS.items() for number in numbers},
    (Rejected, "the server refused the statement", "Check the statement and the values."),
)
ENDS = frozenset({"1053", "1317", "1927", "1077"})
"""Error numbers of refusals that end a connection. As the answer to a COMMIT, they leave its
outcome unknown.
"""
_WRONG_COUNT = "1210"


def refused(refusal: Refusal, sent: Sent = Sent.REFUSED) -> JackfieldError:
    """Return the error for a refusal. ``sent`` is unknown if a part of the statement may remain."""
    if refusal.code == _WRONG_COUNT:
        text = "must be one for each ? of the statement"
        return InvalidInput(
            "the parameters do not fit the statement",
            details=[Detail("/parameters", text)],
            sent=Sent.REFUSED,
        )
    return MEANINGS.explain(refusal, sent)


def not_reading(text: str) -> JackfieldError:
    """Return the error for a statement that reads and changes, or chooses a database. ``text``
    gives the reason.
    """
    return Rejected(
        f"the statement does more than read: {text}",
        sent=Sent.NOTHING,
        hint="Use the action executeStatement.",
    )
