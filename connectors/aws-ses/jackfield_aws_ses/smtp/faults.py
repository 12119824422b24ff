"""Meaning of network failures for an SMTP connection, with a hint for each."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from jackfield.connector import Deadline, JackfieldError, Sent, Unavailable, exhausted
from jackfield.kernel.interrupts import is_unknown, let_out
from jackfield.wire.faults import printable
from jackfield_aws_ses.smtp.hosts import is_private, zone_of
from jackfield_aws_ses.smtp.server import Server
from jackfield_aws_ses.smtp.session import CONNECT_SECONDS, Garbled, Unsolicited

# HOSTNAME_MISMATCH and IP_ADDRESS_MISMATCH: X509_V_ERR_… of OpenSSL, x509_vfy.h
_WRONG_NAME = frozenset({62, 64})
_MODE = "ports 465 and 2465 use TLS from the first byte, ports 25, 587 and 2587 after STARTTLS"


@contextmanager
def explained(server: Server, deadline: Deadline, sent: Sent = Sent.NOTHING) -> Iterator[None]:
    """Convert network failures to errors with a code; ``sent`` is the message's state during the
    block.

    :raises JackfieldError: instead of an OSError.
    """
    try:
        yield
    except OSError as error:  # errors of ssl and smtplib are OSErrors too
        # what the host raises says nothing about the server, and no other connection is tried
        let_out(error)
        raise _meaning(error, server, deadline, sent) from error


def unsent(error: Exception, server: Server) -> Exception:
    """Return the error for any exception before a message's end, such as one of a tracing library:
    the message was not sent.
    """
    if isinstance(error, JackfieldError):
        return error
    says = (
        f"{server.place} could not be given the message: {type(error).__name__}: "
        f"{printable(str(error))}"
    )
    return exhausted(error, Sent.NOTHING) or Unavailable(
        says, sent=Sent.NOTHING, repeatable=not is_unknown(error)
    )


def _meaning(error: OSError, server: Server, deadline: Deadline, sent: Sent) -> JackfieldError:
    if isinstance(error, TimeoutError) and deadline.remaining() <= 0:
        return deadline.passed(
            sent, Unavailable(f"{server.place} did not answer in time", sent=sent)
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unavailable(
            f"the certificate of {server.place} cannot be verified: {error.verify_message}; "
            "nothing was sent",
            hint=_certificate_hint(error, server),
            sent=sent,
            repeatable=False,
        )
    says, hint = _words(error, server)
    if isinstance(error, socket.gaierror):
        hint = f"{hint}{_private_hint(server)}"
    if sent is Sent.UNKNOWN:
        says, hint = f"{says} after the message was sent and before it was acknowledged", ""
    return Unavailable(says, hint=hint or None, sent=sent)


def _certificate_hint(error: ssl.SSLCertVerificationError, server: Server) -> str:
    if error.verify_code in _WRONG_NAME:
        name = (
            f"email-smtp.{server.region}.amazonaws.com"
            if server.region
            else "email-smtp.<region>.amazonaws.com"
        )
        return (
            f"If {server.hostname} is your own private endpoint, set 'tlsServerName' to the "
            f"name in its certificate, such as {name}."
        )
    return (
        "If a proxy or your own certificate authority is involved, add its certificate to the "
        "file named by SSL_CERT_FILE or "
        "AWS_CA_BUNDLE. "
        "Otherwise someone may be intercepting the connection: do not continue."
    )


def _private_hint(server: Server) -> str:
    """Return a hint about the limits of private endpoints, for a name that cannot be resolved."""
    zonal = zone_of(server.hostname)
    if zonal is not None:
        return (
            f" It is a private endpoint's name for the zone {zonal[0]}, which exists only if the "
            "endpoint has a subnet there; SES does not "
            f"offer its endpoint in every zone. Use the regional name {zonal[1]}."
        )
    if is_private(server.hostname):
        return (
            " It is the name of a private endpoint: it resolves in its own VPC or over its "
            "private link, in the endpoint's region."
        )
    return ""


_CLOSED = (ConnectionError, smtplib.SMTPServerDisconnected, ssl.SSLEOFError, ssl.SSLZeroReturnError)
_WORDS: tuple[tuple[type[OSError] | tuple[type[OSError], ...], str, str], ...] = (
    (
        socket.gaierror,
        "the host name '{hostname}' cannot be found",
        "Check 'hostname', and this machine's DNS.",
    ),
    (
        ConnectionRefusedError,
        "{place} refused the connection",
        "Check 'hostname' and 'port', and the security group of the endpoint.",
    ),
    (
        TimeoutError,
        f"{{place}} did not answer within {CONNECT_SECONDS:g} s",
        (
            f"Check 'hostname', 'port' and 'security' ({_MODE}), and whether a firewall or "
            "security group lets this machine through."
        ),
    ),
    (
        Garbled,
        "{place} returned a response that is not SMTP",
        f"Check 'hostname', 'port' and 'security': {_MODE}.",
    ),
    (
        Unsolicited,
        "{place} sent a reply that no command had asked for ({reason})",
        (
            "jackfield closed the connection. If it happens again, check the proxies between "
            "this machine and the server."
        ),
    ),
    (
        _CLOSED,
        "{place} closed the connection",
        "If it happens again, check the proxies and firewalls between this machine and the server.",
    ),
    (ssl.SSLError, "TLS with {place} failed ({reason})", f"Check 'port' and 'security': {_MODE}."),
    (OSError, "{place} cannot be reached: {reason}", "Check this machine's network."),
)
"""Message and hint for each type of failure; the first match counts."""


def _words(error: OSError, server: Server) -> tuple[str, str]:
    says, hint = next((says, hint) for kind, says, hint in _WORDS if isinstance(error, kind))
    reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
    return says.format(place=server.place, hostname=server.hostname, reason=reason), hint
