"""Failures of the transport as errors: what had been sent decides what may be repeated."""

from __future__ import annotations

import errno
import os

from jackfield.connector import (
    Internal,
    InvalidConnection,
    JackfieldError,
    Sent,
    TimedOut,
    Unauthenticated,
    Unavailable,
    WireFault,
    current_call,
    exhausted,
)
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.interrupts import is_unknown

_NETWORK = "Check the server's URL, and whether this machine may reach it: DNS, proxy, firewall."
_NOBODY = "Check the port in the server's URL, and whether the server runs: nothing listens there, or a firewall refuses in its place."
_SILENT = "The server is down, or a firewall on the way drops what is sent to it: try from another machine. Or its URL has another address."
_ROUTE = "Look at the network of this machine first: its interface, VPN and routes."
_OTHER = (
    "Check host, port and scheme in the server's URL: another service listens there, or one that speaks TLS. Trying again does not help."
)
_HANDSHAKE = "Check scheme and port in the server's URL: perhaps it does not speak TLS there. Otherwise the server hangs."
_CLIENT_CERTIFICATE = "Check 'certificate' and 'privateKey' of the connection, and whether the server knows their authority."
_SENT = "The server was reached. Try again later; if it goes on, find out whether it or a proxy before it is slow, or ends connections."
_CERTIFICATE = "Check the server's certificate."
_AUTHORITY = "the connection's 'caCertificate', or SSL_CERT_FILE for all"
_LOST = ("the connection to {server} was lost before the whole response had arrived", _NETWORK)
_AT_PROXY = "the proxy {reason}: it passes nothing on to {server}"
_PROXY = "The server was not asked. Check the connection's 'proxy', or JACKFIELD_OUTBOUND_PROXY where it has none, and the proxy's log."
_PROXY_WORKS = (
    "The proxy answers: look at the server, and at name servers and network between the proxy and it; the proxy's log says which."
)
_NO_BASIC = (
    "No 'proxyUsername' and 'proxyPassword' help: of all schemes, only Basic is spoken. Ask whoever runs the proxy to offer it, or to let "
    "this machine through without."
)
_ANSWERED = " answered "
_UNROUTED = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)
_TEXTS = {
    "certificate": ("the certificate of {server} could not be verified: {reason}", _CERTIFICATE),
    "proxy": (_AT_PROXY, _PROXY),
    "proxy-late": (_AT_PROXY, _PROXY),
    "proxy-denied": (_AT_PROXY, "Ask whoever runs the proxy whether it lets this machine, and its login, through to the server."),
    "proxy-login": (
        _AT_PROXY,
        "Check 'proxyUsername' and 'proxyPassword', or the login in JACKFIELD_OUTBOUND_PROXY. Of all schemes, only Basic is spoken.",
    ),
    "tls": (
        "the TLS handshake with {server} failed",
        "Check the server's URL: scheme, port, and a client certificate if it wants one.",
    ),
    "resolve": ("the host '{host}' does not resolve to an address", _NETWORK),
    "resolver": (
        "the host '{host}' could not be looked up: the resolver did not answer",
        "Check the resolver of this machine (/etc/resolv.conf). The name may well exist.",
    ),
    "busy": ("all connections to {server} are in use", "Try again later."),
    "refused": ("{server} refused the connection", _NOBODY),
    "unreachable": ("{server} could not be reached", _NETWORK),
    "connect-late": ("{server} did not accept a connection in time", _SILENT),
    "garbled": ("{server} answered, but not in HTTP: {reason}", _OTHER),
    "late": ("{server} did not respond in time", _NETWORK),
}
_FINAL = frozenset({"certificate", "proxy-denied", "proxy-login"})
"""Failures that another attempt cannot change; a login that is tried again locks its account."""
_NEVER_LATE = frozenset({"certificate", "proxy", "proxy-denied", "proxy-login", "tls", "resolve", "refused", "unreachable"})
"""Failures that are what they are, however late."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Failure of a request: the transport's name for it, what had been sent, and to which server. ``late``: its deadline has passed."""

    kind: str
    sent: Sent
    host: str
    port: int
    late: bool
    reason: str = ""
    cause: BaseException | None = None
    hint: str = ""

    @property
    def server(self) -> str:
        """Name of the server in messages."""
        return f"'{self.host}:{self.port}'"


def explain_wire_fault(fault: WireFault, host: str, port: int, *, late: bool) -> JackfieldError:
    """Return the error for a failure of jackfield's wire. ``late``: the request's deadline has passed."""
    hint = fault.hint_for(_AUTHORITY)
    return explain_fault(Fault(fault.kind, fault.sent, host, port, late=late, reason=fault.reason, cause=fault.__cause__, hint=hint))


def explain_fault(fault: Fault) -> JackfieldError:
    """Return the error for a failure of the transport."""
    short = None if fault.cause is None else exhausted(fault.cause, fault.sent)
    if short is not None:
        return short
    if fault.kind == "unsendable":
        return Internal(f"the request to {fault.server} could not be written: {fault.reason}", sent=fault.sent)
    if fault.kind == "client-certificate":
        return Unauthenticated(f"{fault.server} refused the client certificate", hint=_CLIENT_CERTIFICATE, sent=fault.sent)
    text, hint = _TEXTS.get(fault.kind, _LOST)
    if text is _AT_PROXY and fault.sent is Sent.UNKNOWN:
        text = "the proxy {reason} in the place of {server}"
    text, hint = _nearer(fault, text, hint)
    hint = fault.hint or hint
    if hint is _NETWORK and fault.sent is Sent.UNKNOWN:
        hint = _SENT
    reason = _printable(fault.reason) or "it did not say why"
    message = text.format(server=fault.server, host=fault.host, reason=reason)
    if fault.kind == "unreachable" and fault.reason and not isinstance(fault.cause, OSError):
        message += f": {reason}"  # somebody's guard has refused it
    is_final = fault.kind in _FINAL or _is_thrown_in(fault.cause)
    found = Unavailable(message, hint=hint, sent=fault.sent, repeatable=not is_final)
    return _late(fault.sent, found) if fault.late and fault.kind not in _NEVER_LATE else found


def _nearer(fault: Fault, text: str, hint: str) -> tuple[str, str]:
    """Return message and hint, as what is known beside the kind of a failure tells more about whose it is."""
    if fault.kind == "connect-late" and fault.reason:
        return "{server} accepted the connection, but {reason}", _HANDSHAKE
    if fault.kind == "unreachable" and isinstance(fault.cause, OSError) and fault.cause.errno in _UNROUTED:
        return f"{text}: {os.strerror(fault.cause.errno).lower()}", _ROUTE
    if fault.kind == "proxy-login" and "basic" not in fault.reason.rpartition(" offers ")[2].lower():
        return text, _NO_BASIC
    return text, _PROXY_WORKS if fault.kind == "proxy" and _ANSWERED in fault.reason else hint


def _is_thrown_in(cause: BaseException | None) -> bool:
    """Return whether somebody has raised the cause into the call: who does so is not told of the next attempt, so there is none."""
    return cause is not None and is_unknown(cause)


def _late(sent: Sent, cause: Unavailable) -> JackfieldError:
    call = current_call()
    if call is not None:
        return call.deadline.passed(sent, cause)
    return TimedOut(f"the deadline passed: {cause.message}", sent=sent)


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
