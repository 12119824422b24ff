"""The conversation about one message, and what is known of it at each step.

An SMTP server takes a message over when it answers the final dot (RFC 5321 §4.2.5): what fails before the dot leaves has had no effect;
from then on only an answer settles it.
"""

from __future__ import annotations

import re

from jackfield.connector import Call, Sent
from jackfield_aws_ses.smtp.envelope import Envelope
from jackfield_aws_ses.smtp.faults import explained
from jackfield_aws_ses.smtp.replies import Reply, refused, refused_recipients
from jackfield_aws_ses.smtp.session import Session

__all__ = ["announce", "deliver", "forget"]

_GO_ON, _CLOSING = 354, 421
_DOT = b".\r\n"
_ID = re.compile(r"(?:[0-9.]+ )?ok:? +(?:id=|queued as )?(\S+)", re.IGNORECASE)


def announce(session: Session, envelope: Envelope) -> None:
    """Begin a message: MAIL, with its size where the server wants to know it (RFC 1870).

    :raises JackfieldError: where the server refuses it, or is not there any more.
    """
    with explained(session.server, session.deadline):
        size = f" SIZE={envelope.size}" if session.has_extn("size") else ""
        reply = session.say("MAIL", f"FROM:<{envelope.sender}>{size}")
    if not reply.good:
        raise refused(reply, session.server, sender=envelope.sender)


def deliver(session: Session, envelope: Envelope, call: Call) -> str:
    """The rest of an announced message: all its recipients or none, then its content; the id that the server gave it.

    :raises JackfieldError: with what is known of the message in ``sent``.
    """
    server = session.server
    with explained(server, session.deadline):
        _address(session, envelope)
        call.check()
        reply = session.say("DATA")
        if reply.code != _GO_ON:
            raise refused(reply, server, sender=envelope.sender)
        session.send(envelope.content)
        early = session.interruption()  # a server that refuses a long message need not wait for its end
        if early is not None:
            raise refused(early, server, sent=Sent.NOTHING, sender=envelope.sender)
    with explained(server, session.deadline, Sent.UNKNOWN):
        session.send(_DOT)
        reply = session.reply()
    if not reply.good:
        clear = reply.passing or reply.final
        raise refused(reply, server, sent=Sent.REFUSED if clear else Sent.UNKNOWN, sender=envelope.sender)
    session.sent += 1
    return _message_id(reply)


def forget(session: Session) -> bool:
    """Take back what was announced; whether the connection can be used for another message."""
    session.hurried = True
    try:
        return session.say("RSET").good
    except OSError:
        return False


def _address(session: Session, envelope: Envelope) -> None:
    refusals: list[tuple[str, Reply]] = []
    for address in envelope.recipients:
        reply = session.say("RCPT", f"TO:<{address}>")
        if reply.code == _CLOSING:
            raise refused(reply, session.server)
        if not reply.good:
            refusals.append((address, reply))
    if refusals:
        raise refused_recipients(refusals, len(envelope.recipients), session.server, envelope.sender)


def _message_id(reply: Reply) -> str:
    """``250 Ok <id>`` is what Amazon SES answers; of another server's reply, which names no id that we know, the text."""
    found = _ID.match(reply.text)
    return found[1] if found else reply.text.strip() or str(reply.code)
