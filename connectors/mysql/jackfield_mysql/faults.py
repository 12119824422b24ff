"""Meaning of the server's refusals, by error number (MariaDB's documentation, "Error Codes"; MySQL's, "Server Error Message Reference")."""

from __future__ import annotations

from jackfield.connector import (
    Conflict,
    Detail,
    Forbidden,
    InvalidInput,
    JackfieldError,
    NotFound,
    Provider,
    Rejected,
    Sent,
    TimedOut,
    Unauthenticated,
    Unavailable,
)


class Refusal(Exception):
    """The server refused: its error number and its words."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number, self.message = number, message


_Meaning = tuple[type[JackfieldError], str, str]
_LOGIN = "Check user name and password, and the hosts that the user may connect from."
_GRANT = "Grant the user of the connection what the statement needs."
_AGAIN = "Send it again."
_DEADLINE = "Raise 'timeoutSeconds', or find out what is slow."
_MEANINGS: dict[tuple[int, ...], _Meaning] = {
    (1045, 1698, 1130, 1251, 4151): (Unauthenticated, "the server refused the login", _LOGIN),
    (1044, 1142, 1143, 1227, 1370, 1410): (Forbidden, "the user is not allowed to do this", _GRANT),
    (1049,): (NotFound, "the database does not exist", "Check the connection's database, and that its user may use it."),
    (1146, 1051): (NotFound, "the table does not exist", "Check its name, and which case of letters it has."),
    (1054,): (NotFound, "the column does not exist", "Check its name."),
    (1305, 1128): (NotFound, "the function or procedure does not exist", "Check its name."),
    (1062, 1586): (Conflict, "a row with this key exists already", "Use upsertRows to change it, or set 'onConflict' to skip."),
    (1792,): (Rejected, "a read-only transaction cannot change data", "Use the action executeStatement."),
    (1290, 1836): (Rejected, "the server does not change data", "Connect to the primary."),
    (1213, 1205, 1020, 1180): (Unavailable, "the transaction lost against another one", _AGAIN),
    (1040, 1203, 1226, 1135): (Unavailable, "the server has no connection left", "Try again later, or raise the server's limits."),
    (1053, 1317, 1927, 1077): (Unavailable, "the server ended the statement", _AGAIN),
    (1037, 1038, 1041, 1021, 1114): (Unavailable, "the server is short of resources", "Look at the server's log."),
    (1969, 3024): (TimedOut, "the server cancelled the statement at the deadline", _DEADLINE),
    (1153,): (Rejected, "the statement is longer than the server takes", "Send less at a time, or raise 'max_allowed_packet'."),
    (1295,): (Rejected, "the server does not take this statement from a connector", "Use another client for it."),
    (1064, 1065, 1149): (Rejected, "the server cannot read the statement", "Check the statement. It may only be one."),
}
"""Error, message and hint, by error numbers."""
_BY_NUMBER = {number: meaning for numbers, meaning in _MEANINGS.items() for number in numbers}
ENDS = frozenset({1053, 1317, 1927, 1077})
"""Refusals by which a connection ends: after a COMMIT, they do not say what became of it."""
_WRONG_COUNT = 1210


def refused(refusal: Refusal, sent: Sent = Sent.REFUSED, more: str = "") -> JackfieldError:
    """Return the error for a refusal. ``sent`` is unknown where a part of the statement may stay; ``more`` says why."""
    said = Provider(code=str(refusal.number), message=refusal.message[:1000])
    if refusal.number == _WRONG_COUNT:
        text = "must be one for each ? of the statement"
        return InvalidInput("the parameters do not fit the statement", details=[Detail("/parameters", text)], sent=Sent.REFUSED)
    default: _Meaning = (Rejected, "the server refused the statement", "Check the statement and the values.")
    kind, message, hint = _BY_NUMBER.get(refusal.number, default)
    return kind(
        f"{message}: {refusal.message[:500]}{more}", sent=sent, provider=said, hint=hint, repeatable=kind is not TimedOut
    )  # what is left of the time is for this answer


def not_reading(text: str) -> JackfieldError:
    """Return the error for a statement that does more than read."""
    return Rejected(f"the statement does more than read: {text}", sent=Sent.NOTHING, hint="Use the action executeStatement.")
