"""Failures of the transport as errors: which phase failed decides what had been sent."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from jackfield.connector import (
    Internal,
    InvalidConnection,
    JackfieldError,
    Sent,
    TimedOut,
    Unauthenticated,
    Unavailable,
    current_call,
    exhausted,
)

_NETWORK = "Check the server's URL, and whether this machine may reach it: DNS, proxy, firewall."
_CERTIFICATE = "Check the server's URL. If the server has a private certificate authority, set 'caCertificate'."
_CLIENT_ALERTS = ("CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "UNSUPPORTED_CERTIFICATE", "CERTIFICATE_REVOKED", "CERTIFICATE_EXPIRED",
                  "CERTIFICATE_UNKNOWN", "UNKNOWN_CA", "ACCESS_DENIED")  # fmt: skip
"""TLS alerts by which a server refuses a client's certificate. With TLS 1.3 they arrive after the first request was written, which the
server has not read."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Failure of a request: the exception, the names of its classes, and the server. ``begun``: the request had begun to leave.

    ``late``: its deadline has passed.
    """

    error: Exception
    names: frozenset[str]
    host: str
    port: int
    begun: bool
    late: bool

    @property
    def server(self) -> str:
        """Name of the server in messages."""
        return f"'{self.host}:{self.port}'"


def explain_fault(fault: Fault) -> JackfieldError:
    """Return the error for a failure of the transport."""
    for cause in causes(fault.error):
        if isinstance(cause, JackfieldError):  # the guard's refusal
            return cause
    sent = Sent.UNKNOWN if fault.begun else Sent.NOTHING
    short = exhausted(fault.error, sent) or next(filter(None, (exhausted(cause, sent) for cause in causes(fault.error))), None)
    if short is not None:
        return short
    if isinstance(fault.error, RuntimeError) or "LocalProtocolError" in fault.names:
        return Internal(f"the request to {fault.server} could not be written: {type(fault.error).__name__}", sent=sent)
    found = _in_flight(fault) if fault.begun else _before(fault)
    late = fault.late and (fault.begun or "TimeoutException" in fault.names)  # a refused connection is one however late it is
    return _late(sent, found) if late and isinstance(found, Unavailable) and found.repeatable else found


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception and its chain of causes."""
    current: BaseException | None = error
    for _ in range(20):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__


def _late(sent: Sent, cause: Unavailable) -> JackfieldError:
    call = current_call()
    if call is not None:
        return call.deadline.passed(sent, cause)
    return TimedOut(f"the deadline passed: {cause.message}", sent=sent)


def _before(fault: Fault) -> JackfieldError:
    """Explain a failure to connect; no byte of the request has left."""
    found = list(causes(fault.error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in found):
        text = f"the certificate of {fault.server} could not be verified"
        return Unavailable(text, hint=_CERTIFICATE, sent=Sent.NOTHING, repeatable=False)
    if "ProxyError" in fault.names:
        text = f"the proxy refused to connect to {fault.server}: {_printable(str(fault.error))}"
        return Unavailable(text, hint="Check 'proxy', with its user name and password.", sent=Sent.NOTHING)
    if any(isinstance(cause, ssl.SSLError) for cause in found):
        text = f"the TLS handshake with {fault.server} failed"
        return Unavailable(text, hint="Check the server's URL: scheme, port, and a client certificate if it wants one.", sent=Sent.NOTHING)
    if any(isinstance(cause, socket.gaierror | UnicodeError) for cause in found):
        return Unavailable(f"the host '{fault.host}' does not resolve to an address", hint=_NETWORK, sent=Sent.NOTHING)
    if "PoolTimeout" in fault.names:
        return Unavailable(f"all connections to {fault.server} are in use", hint="Try again later.", sent=Sent.NOTHING)
    refused = any(isinstance(cause, ConnectionRefusedError) for cause in found)
    late = "did not accept a connection in time" if "TimeoutException" in fault.names else "could not be reached"
    reason = "refused the connection" if refused else late
    return Unavailable(f"{fault.server} {reason}", hint=_NETWORK, sent=Sent.NOTHING)


def _in_flight(fault: Fault) -> JackfieldError:
    """Explain a failure after the request had begun to leave: nobody knows how much of it the server has read."""
    for cause in causes(fault.error):
        if isinstance(cause, ssl.SSLError) and any(alert in (cause.reason or "") for alert in _CLIENT_ALERTS):
            return Unauthenticated(
                f"{fault.server} refused the client certificate",
                hint="Check 'certificate' and 'privateKey' of the connection, and whether the server knows their authority.",
                sent=Sent.REFUSED,
            )
    if "TimeoutException" in fault.names:
        return Unavailable(f"{fault.server} did not respond in time", hint=_NETWORK, sent=Sent.UNKNOWN)
    return Unavailable(f"the connection to {fault.server} was lost before the whole response had arrived", hint=_NETWORK, sent=Sent.UNKNOWN)


def unprocessed(host: str, port: int) -> Unavailable:
    """Return the error for a request that the server says it has not processed: whatever its effect, it may be repeated."""
    return Unavailable(f"'{host}:{port}' did not process the request", hint="Try again later.", sent=Sent.REFUSED)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)[:200]


def not_allowed(host: str) -> InvalidConnection:
    """Return the error for a host that neither the connection nor its connector names."""
    return InvalidConnection(
        f"the connection does not reach the host '{host[:200]}'",
        hint="Credentials are sent to the connection's server only. Use a path on it, or a connection to the other server.",
        sent=Sent.NOTHING,
    )
