"""Open client of an SMTP connection, with which ``sendEmail`` sends, and the steps of a message's
delivery.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import ParamSpec, TypeVar

from jackfield.connector import (
    Call,
    Deadline,
    JackfieldError,
    Sent,
    TimedOut,
    Unavailable,
    Warmup,
    current_call,
)
from jackfield.connector.servers import Reading, tried_once
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.failures import Raised, attempt, contained
from jackfield.kernel.secrecy import SecretHolder
from jackfield.wire.sessions import SessionPool
from jackfield_aws_ses.addresses import Mailbox
from jackfield_aws_ses.compose import Composed
from jackfield_aws_ses.headers import fold
from jackfield_aws_ses.inputs import Email
from jackfield_aws_ses.mime import write_message
from jackfield_aws_ses.sending import marked
from jackfield_aws_ses.smtp.faults import explained, unsent
from jackfield_aws_ses.smtp.replies import Reply, refused, refused_login, refused_recipients
from jackfield_aws_ses.smtp.server import Login, Server
from jackfield_aws_ses.smtp.session import Session

P = ParamSpec("P")
T = TypeVar("T")
_GO_ON, _CLOSING = 354, 421
_DOT = b".\r\n"
_ID = re.compile(
    r"(?:[0-9.]+ )?ok:? +(?:id=|queued as |[0-9]+ (?=\S+ - gsmtp))?(\S+)", re.IGNORECASE
)


def announce(session: Session, envelope: Envelope) -> None:
    """Begin a message with MAIL, and its size if the server supports it (RFC 1870).

    :raises JackfieldError: if the server refuses it or is no longer reachable.
    """
    with explained(session.server, session.deadline):
        size = f" SIZE={envelope.size}" if session.has_extn("size") else ""
        reply = session.say("MAIL", f"FROM:<{envelope.sender}>{size}")
    if not reply.good:
        raise refused(reply, session.server, sender=envelope.sender)


def hand_over(session: Session, envelope: Envelope, call: Call) -> None:
    """Send an announced message's recipients and content, without the final dot, before which the
    server delivers nothing.

    :raises JackfieldError: if the server refuses a recipient or the message, or is no longer
        reachable.
    """
    server = session.server
    with explained(server, session.deadline):
        _address(session, envelope)
        call.check()
        reply = session.say("DATA")
        if reply.code != _GO_ON:
            raise refused(reply, server, sender=envelope.sender)
        session.send(envelope.content)
        # a server that refuses a long message need not wait for its end
        early = session.interruption()
        if early is not None:
            raise refused(early, server, sent=Sent.NOTHING, sender=envelope.sender)


def finish(session: Session, envelope: Envelope) -> str:
    """End a message with its final dot; return the server's message ID.

    :raises JackfieldError: with the message's state in ``sent``.
    """
    server = session.server
    with (
        Reading(None, server.place, Sent.UNKNOWN),
        explained(server, session.deadline, Sent.UNKNOWN),
    ):
        session.send(_DOT)
        reply = session.reply()
        session.check_last()
    if not reply.good:
        clear = reply.passing or reply.final
        raise refused(
            reply, server, sent=Sent.REFUSED if clear else Sent.UNKNOWN, sender=envelope.sender
        )
    session.sent += 1
    return _message_id(reply)


def forget(session: Session) -> bool:
    """Abort an announced message (RSET); return whether the connection can be used for another
    message.
    """
    session.hurried = True
    reply = attempt(contained, session.say, "RSET")
    return not isinstance(reply, Raised) and reply.good


def _address(session: Session, envelope: Envelope) -> None:
    refusals: list[tuple[str, Reply]] = []
    for address in envelope.recipients:
        reply = session.say("RCPT", f"TO:<{address}>")
        if reply.code == _CLOSING:
            raise refused(reply, session.server)
        if not reply.good:
            refusals.append((address, reply))
    if refusals:
        raise refused_recipients(
            refusals, len(envelope.recipients), session.server, envelope.sender
        )


def _message_id(reply: Reply) -> str:
    """Return the ID in Amazon SES's reply ``250 Ok <id>``; for another form of reply, the whole
    text.
    """
    found = _ID.match(reply.text)
    return found[1] if found else reply.text.strip() or str(reply.code)


def connect(server: Server, trust: ssl.SSLContext, login: Login, deadline: Deadline) -> Session:
    """Open a connection that is encrypted, verified and authenticated.

    :raises JackfieldError: if that fails; nothing of a message was sent.
    """
    session = Session(server, trust, deadline)
    with ExitStack() as undo:
        undo.callback(session.close)
        with explained(server, deadline):
            session.reach()
            session.encrypt()
        sign_in(session, login)
        undo.pop_all()
    return session


def sign_in(session: Session, login: Login) -> None:
    """Authenticate over an encrypted connection.

    :raises JackfieldError: if the server refuses the login, or the connection is lost; a retry is
        allowed only if the server said so.
    """
    reading = Reading(None, session.server.place, Sent.NOTHING)
    with (
        tried_once(lambda: session.login_sent),
        reading,
        explained(session.server, session.deadline),
    ):
        reply = session.sign_in(login)
    if not reply.signed_in:
        raise refused_login(reply, session.server, derived=login.derived)


class SmtpClient(SecretHolder):
    """Client that sends over a pool's connections. Each attempt creates one, so it only references
    shared objects.
    """

    __slots__ = ("_call", "_pool", "account", "server", "warmup")

    def __init__(
        self,
        pool: SessionPool[Session],
        call: Call,
        server: Server,
        account: str = "",
        warmup: Warmup | None = None,
    ) -> None:
        self.warmup = warmup
        self._pool = pool
        self._call = call
        self.server = server
        self.account = account

    def __repr__(self) -> str:
        return "SmtpClient()"

    def send(self, email: Email) -> str:
        """Send the message and return the id assigned by Amazon SES.

        :raises JackfieldError: with ``sent`` nothing before the final dot, unknown from then until
            the answer.
        """
        envelope = enveloped(email, email.composed)
        call = current_call() or self._call
        call.begin()
        session = self._before_the_end(self._announced, envelope, call)
        with ExitStack() as undo:
            undo.push(partial(self._settle, session))
            self._before_the_end(hand_over, session, envelope, call)
            message_id = finish(session, envelope)
        self._pool.give(session)
        return message_id

    def _before_the_end(self, step: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        """Run a step before a message's final dot; raise any exception of it as an error with
        ``sent`` nothing.
        """
        found = attempt(lambda: contained(step, *given, **named))
        if isinstance(found, Raised):
            raise unsent(found.error, self.server)
        return found

    def _announced(self, envelope: Envelope, call: Call) -> Session:
        """Announce the message over an idle connection or, if that is dead, over a new one; return
        the connection.
        """
        idle = self._pool.take(call.deadline)
        if idle is not None:
            idle.hurried = True  # a silently dead connection must not use up the whole deadline
            if self._announce(idle, envelope, may_be_dead=True):
                idle.hurried = False
                return idle
        session = self._pool.fresh(call.deadline)
        self._announce(session, envelope)
        return session

    def _announce(self, session: Session, envelope: Envelope, *, may_be_dead: bool = False) -> bool:
        try:
            with ExitStack() as undo:
                undo.push(partial(self._settle, session, may_be_dead=may_be_dead))
                announce(session, envelope)
        except JackfieldError as error:
            if may_be_dead and _is_dead(error):
                return False
            raise
        return True

    def _settle(
        self,
        session: Session,
        _: object,
        error: BaseException | None,
        *_trace: object,
        may_be_dead: bool = False,
    ) -> None:
        """Return a connection to the pool if the server only refused the message; close it after
        any other error.
        """
        refused_only = (
            isinstance(error, JackfieldError)
            and error.sent is Sent.REFUSED
            and not (may_be_dead and _is_dead(error))
        )
        if refused_only and forget(session):
            session.hurried = False
            self._pool.give(session)
        elif error is not None:
            session.close()


def _is_dead(error: JackfieldError) -> bool:
    """Return whether an idle connection had been closed: silently, or with a farewell that was
    still unread (421, 451 4.4.2).
    """
    if isinstance(error, TimedOut):
        return False
    said = error.provider
    if said is None:
        return isinstance(error, Unavailable)
    return said.code == "421" or (said.code == "451" and "timeout" in (said.message or "").lower())


@dataclass(frozen=True, slots=True, repr=False)
class Envelope:
    """SMTP form of a message. ``content`` is ready to send except for its final dot; ``size`` is
    its length before dot-stuffing (RFC 1870).
    """

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    size: int


def enveloped(email: Email, composed: Composed) -> Envelope:
    """Build the envelope of a message. Its sender is the return path, since bounces go there (SES:
    feedback forwarding).
    """
    message = composed.message
    source = composed.return_path or message.sender
    content = b"".join(_orders(email, composed, source)) + write_message(message)
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    recipients = tuple(mailbox.address for mailbox in (*message.to, *message.cc, *composed.bcc))
    return Envelope(source.address, recipients, _stuffed(content), len(content))


def _orders(email: Email, composed: Composed, source: Mailbox) -> Iterator[bytes]:
    """Yield the header fields that control Amazon SES, which removes them before delivery."""
    if email.configuration_set_name:
        yield fold("X-SES-CONFIGURATION-SET", (email.configuration_set_name,))
    if email.tenant:
        yield fold("X-SES-TENANT", (email.tenant,))
    # without one, no event would tell of it
    tags = marked(composed.tags) if email.configuration_set_name else composed.tags
    if tags:
        *first, last = (f"{name}={value}" for name, value in tags)
        yield fold("X-SES-MESSAGE-TAGS", (*(f"{tag}," for tag in first), last))
    if email.identity_arn:
        yield fold("X-SES-FROM-ARN", (email.identity_arn,))
        # this identity does not cover another domain's return path
        if source.domain == composed.message.sender.domain:
            yield fold("X-SES-SOURCE-ARN", (email.identity_arn,))
            yield fold("X-SES-RETURN-PATH-ARN", (email.identity_arn,))


def _stuffed(content: bytes) -> bytes:
    """Double each dot that begins a line (RFC 5321 §4.5.2); the first line is always a header
    field.
    """
    return content.replace(b"\r\n.", b"\r\n..") if b"\r\n." in content else content
