"""The open client of an SMTP connection: what ``sendEmail`` gets to send with."""

from __future__ import annotations

import ssl
from typing import NoReturn

from jackfield.connector import Call, Deadline, JackfieldError, Sent, TimedOut, Unavailable, current_call, exhausted
from jackfield_aws_ses.inputs import Email
from jackfield_aws_ses.smtp.delivery import announce, deliver, forget
from jackfield_aws_ses.smtp.envelope import Envelope, enveloped
from jackfield_aws_ses.smtp.faults import explained
from jackfield_aws_ses.smtp.pool import Pool
from jackfield_aws_ses.smtp.server import Login, Server
from jackfield_aws_ses.smtp.session import Session

__all__ = ["SmtpClient", "connect"]


def connect(server: Server, trust: ssl.SSLContext, login: Login, deadline: Deadline) -> Session:
    """A connection that is encrypted, verified and signed in.

    :raises JackfieldError: where it cannot be had; nothing of a message was sent then.
    """
    session = Session(server, trust, deadline)
    try:
        with explained(server, deadline):
            session.reach()
            session.encrypt()
            session.sign_in(login)
    except BaseException:
        session.close()
        raise
    return session


class SmtpClient:
    """Sends over the connections of a pool. Made anew for each try, so it only holds what is kept elsewhere."""

    __slots__ = ("_call", "_pool")

    def __init__(self, pool: Pool, call: Call) -> None:
        self._pool = pool
        self._call = call

    def __repr__(self) -> str:
        return "SmtpClient()"

    def __reduce__(self) -> NoReturn:
        raise TypeError("SMTP clients are not pickled: they hold open connections")

    def send(self, email: Email) -> str:
        """Send the message and give the id that Amazon SES gave it.

        :raises JackfieldError: with ``sent``: nothing before the final dot, unknown from there on until an answer.
        """
        envelope = enveloped(email, email.composed)
        call = current_call() or self._call
        call.begin()
        try:
            session = self._announced(envelope, call)
        except (MemoryError, RuntimeError) as error:
            short = exhausted(error, Sent.NOTHING)  # nothing is sent before the final dot
            if short is None:
                raise
            raise short from error
        try:
            message_id = deliver(session, envelope, call)
        except JackfieldError as error:
            self._settle(session, error)
            raise
        except BaseException:
            session.close()
            raise
        self._pool.give(session)
        return message_id

    def _announced(self, envelope: Envelope, call: Call) -> Session:
        """A connection over which the message is announced: a kept one, unless it turns out to be dead."""
        kept = self._pool.take(call.deadline)
        if kept is not None:
            kept.hurried = True  # one that died in silence must not cost the whole deadline
            if self._announce(kept, envelope, may_be_dead=True):
                kept.hurried = False
                return kept
        session = self._pool.fresh(call.deadline)
        self._announce(session, envelope)
        return session

    def _announce(self, session: Session, envelope: Envelope, *, may_be_dead: bool = False) -> bool:
        try:
            announce(session, envelope)
        except JackfieldError as error:
            if may_be_dead and _is_dead(error):
                session.close()
                return False
            self._settle(session, error)
            raise
        except BaseException:
            session.close()
            raise
        return True

    def _settle(self, session: Session, error: JackfieldError) -> None:
        """Keep a connection that said no to the message; what broke in any other way is closed."""
        if error.sent is Sent.REFUSED and forget(session):
            session.hurried = False
            self._pool.give(session)
        else:
            session.close()


def _is_dead(error: JackfieldError) -> bool:
    """Whether a kept connection was closed while it lay idle: by silence, or by a farewell that is read only now (421, 451 4.4.2)."""
    if isinstance(error, TimedOut):
        return False
    said = error.provider
    if said is None:
        return isinstance(error, Unavailable)
    return said.code == "421" or (said.code == "451" and "timeout" in (said.message or "").lower())
