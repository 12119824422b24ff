"""Test of an SMTP connection: connect, verify, authenticate, quit. Nothing is sent."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

from jackfield.connector import Deadline, JackfieldError, Sent, Step
from jackfield.connector.servers import Reading
from jackfield_aws_ses.smtp.client import sign_in
from jackfield_aws_ses.smtp.faults import explained
from jackfield_aws_ses.smtp.server import THROTTLED, THROTTLED_PORT, Login, Server
from jackfield_aws_ses.smtp.session import Session

_NAMES_SHOWN = 5


def try_server(
    server: Server, trust: ssl.SSLContext, login: Login, deadline: Deadline
) -> Iterator[Step]:
    """Yield the steps of opening a connection, up to the first that fails."""
    if server.port == THROTTLED_PORT:
        yield Step(
            "port",
            "The port is not throttled",
            passed=False,
            mandatory=False,
            message=THROTTLED,
            hint="Use port 587 or 2587.",
        )
    session = Session(server, trust, deadline)
    steps: tuple[tuple[str, str, Callable[[], None], Callable[[], str]], ...] = (
        ("connect", "Reach the server", session.reach, lambda: f"{server.place} responded."),
        ("tls", "Verify its certificate", session.encrypt, lambda: _certificate(session, server)),
        ("signIn", "Sign in", lambda: sign_in(session, login), lambda: _signed_in(login)),
    )
    with closing(session):
        for key, title, perform, describe in steps:
            try:
                with Reading(None, server.place, Sent.NOTHING), explained(server, deadline):
                    perform()
            except JackfieldError as error:
                yield Step.failed(key, title, error)
                return
            yield Step(key, title, passed=True, message=describe())
        with suppress(JackfieldError), Reading(None, server.place, Sent.NOTHING):
            session.leave(politely=True)


def _certificate(session: Session, server: Server) -> str:
    shown = session.certificate_names()
    names = ", ".join(shown[:_NAMES_SHOWN]) + (" …" if len(shown) > _NAMES_SHOWN else "")
    return f"The certificate is valid for {server.name}; it names {names}."


def _signed_in(login: Login) -> str:
    how = (
        "with the password derived from the secret access key"
        if login.derived
        else "with the SMTP password"
    )
    return f"Amazon SES accepted the sign-in {how}."
