"""Meaning of the server's refusals, by SQLSTATE (PostgreSQL's documentation, appendix A), and of lost connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jackfield.connector import (
    Conflict,
    Deadline,
    Forbidden,
    JackfieldError,
    NotFound,
    Provider,
    Rejected,
    Sent,
    TimedOut,
    Unauthenticated,
    Unavailable,
    servers,
)

_LOGIN = (
    ("the database system is", "57P03"),
    ("too many", "53300"),
    ("remaining connection slots", "53300"),
    ("password authentication failed", "28P01"),
    ("no password supplied", "28P01"),
    ('database "', "3D000"),
)
"""Words in which a refused login is told, as libpq passes on no SQLSTATE for it."""


class Lost(Exception):
    """The connection failed or ended; the text is libpq's."""


class Flooded(Lost):
    """The connection was given up, since the server sent more than one call may take."""


class Refusal(Exception):
    """The server refused: its SQLSTATE, its words, its hint, and the place in the statement, from 1."""

    def __init__(self, state: str, message: str, hint: str, position: int | None = None) -> None:
        super().__init__(message)
        self.state, self.message, self.hint, self.position = state, message, hint, position

    @classmethod
    def of_login(cls, said: str) -> Refusal | None:
        """Return the refusal of a login that libpq's message tells; None if it tells none."""
        if "FATAL:" not in said and "authentication method requirement" not in said:
            return None
        state = next((state for words, state in _LOGIN if words in said), "28000")
        return cls(state, said.rpartition("FATAL:")[2].strip(), "")


_STATES: dict[str, tuple[type[JackfieldError], str, str]] = {
    "28": (Unauthenticated, "the server refused the login", "Check user name, password and database, and the server's pg_hba.conf."),
    "3D": (NotFound, "the database does not exist", "Check the connection's database."),
    "42501": (Forbidden, "the user is not allowed to do this", "Grant the user of the connection what the statement needs."),
    "42P01": (NotFound, "the table does not exist", "Check its name and schema. Names with capital letters need double quotes."),
    "42703": (NotFound, "the column does not exist", "Check its name. Names with capital letters need double quotes."),
    "42883": (NotFound, "the function or operator does not exist", "Check its name, and the types of its arguments."),
    "23505": (Conflict, "a row with this key exists already", "Use upsertRows to change it, or set 'onConflict' to skip."),
    "23P01": (Conflict, "the row excludes one that exists", "Change the row, or the one that is there."),
    "25006": (Rejected, "a read-only transaction cannot change data", "Use the action executeStatement, or a server that is no standby."),
    "40": (Unavailable, "the transaction lost against another one", "Send it again."),
    "53": (Unavailable, "the server is short of resources", "Try again later, or raise the server's limits."),
    "55P03": (Unavailable, "a lock is held by another transaction", "Send it again."),
    "57014": (TimedOut, "the server cancelled the statement at the deadline", "Raise 'timeoutSeconds', or find out what is slow."),
    "57": (Unavailable, "the server is shutting down or starting", "Send it again."),
    "58": (Unavailable, "the server has an internal problem", "Look at the server's log."),
    "XX": (Unavailable, "the server has an internal problem", "Look at the server's log."),
    "22": (Rejected, "a value does not fit", "Check the parameters."),
    "23": (Rejected, "a rule of the table is violated", "Check the values."),
    "42": (Rejected, "the server cannot read the statement", "Check the statement."),
}
"""Error, message and hint by SQLSTATE or its class; the longer one counts."""


def refused(refusal: Refusal, sent: Sent = Sent.REFUSED) -> JackfieldError:
    """Return the error for a refusal. Nothing of the transaction has taken effect then."""
    state = refusal.state
    kind, message, hint = (
        _STATES.get(state) or _STATES.get(state[:2]) or (Rejected, "the server refused the statement", "Check the statement.")
    )
    where = f" (character {refusal.position} of the statement)" if refusal.position else ""
    said = Provider(code=state or None, message=refusal.message[:1000])
    return kind(f"{message}: {refusal.message[:500]}{where}", sent=sent, provider=said, hint=refusal.hint[:500] or hint)


def lost(error: Lost, place: str, sent: Sent) -> JackfieldError:
    """Return the error for a connection that failed or ended. ``place`` is host and port."""
    if isinstance(error, Flooded):
        return Rejected(f"{place}: {error}", sent=sent, hint="Ask for less at a time.")
    said = (str(error).strip().splitlines()[-1:] or ["it ended"])[0]
    return (servers.no_tls if "certificate" in str(error) or "SSL" in str(error) else servers.lost)(said, place, sent)


def reading(place: str, sent: Sent) -> servers.Reading:
    """Return the context manager around what reads answers, which become errors with ``sent`` if they cannot be read."""
    return servers.Reading(None, place, sent, passes=(Refusal, Lost, TimeoutError))


@contextmanager
def explained(place: str, deadline: Deadline) -> Iterator[None]:
    """Convert what fails before a commit to errors with a code: nothing has taken effect.

    :raises JackfieldError: instead of ``Refusal``, ``Lost`` and TimeoutError.
    """
    try:
        with reading(place, Sent.NOTHING):
            yield
    except Refusal as refusal:
        raise refused(refusal) from None
    except Lost as error:
        raise lost(error, place, Sent.NOTHING) from None
    except TimeoutError:
        raise deadline.passed(Sent.NOTHING) from None
