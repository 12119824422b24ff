"""Errors for failures of the transport. The state of the request decides whether it may be
repeated.
"""

from __future__ import annotations

from collections.abc import Mapping

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
from jackfield.kernel.interrupts import is_unknown

_NAMES: Mapping[str, str] = {
    "url": "the server's URL",
    "authority": "the connection's 'caCertificate', or SSL_CERT_FILE for all",
    "proxy": "the connection's 'proxy', or JACKFIELD_OUTBOUND_PROXY where it has none",
    "login": "'proxyUsername' and 'proxyPassword'",
    "certificate": "'certificate' and 'privateKey' of the connection",
}
"""Names of settings in the hints of transport failures."""
_FINAL = frozenset({"certificate", "proxy-denied", "proxy-login"})
"""Transport failures that another attempt cannot change. Repeating a refused login could lock the
account.
"""
_NEVER_LATE = frozenset(
    {
        "certificate",
        "proxy",
        "proxy-denied",
        "proxy-login",
        "tls",
        "resolve",
        "refused",
        "unreachable",
    }
)
"""Transport failures whose meaning does not depend on the deadline."""


def explain_wire_fault(fault: WireFault, host: str, port: int, *, late: bool) -> JackfieldError:
    """Return the error for a failure of the transport. ``late`` is True if the request's deadline
    has passed.
    """
    cause = fault.__cause__
    short = None if cause is None else exhausted(cause, fault.sent)
    if short is not None:
        return short
    message, hint = fault.about(host, port).said, fault.advice(_NAMES) or None
    if fault.kind == "unsendable":
        return Internal(message, sent=fault.sent)
    if fault.kind == "client-certificate":
        return Unauthenticated(message, hint=hint, sent=fault.sent)
    is_final = fault.kind in _FINAL or _is_thrown_in(cause)
    found = Unavailable(message, hint=hint, sent=fault.sent, repeatable=not is_final)
    return _late(fault.sent, found) if late and fault.kind not in _NEVER_LATE else found


def _is_thrown_in(cause: BaseException | None) -> bool:
    """Return whether another thread raised the cause into the call. That code could not stop the
    next attempt, so there must be none.
    """
    return cause is not None and is_unknown(cause)


def _late(sent: Sent, cause: Unavailable) -> JackfieldError:
    call = current_call()
    if call is not None:
        return call.deadline.passed(sent, cause)
    return TimedOut(f"the deadline passed: {cause.message}", sent=sent)


def unprocessed(host: str, port: int) -> Unavailable:
    """Return the error for a request that the server reports as unprocessed. It may be repeated,
    whatever its effect.
    """
    return Unavailable(
        f"'{host}:{port}' did not process the request", hint="Try again later.", sent=Sent.REFUSED
    )


def not_allowed(host: str) -> InvalidConnection:
    """Return the error for a host that neither the connection nor its connector allows."""
    return InvalidConnection(
        f"the connection does not reach the host '{host[:200]}'",
        hint=(
            "Credentials are sent to the connection's server only. Use a path on it, or a "
            "connection to the other server."
        ),
        sent=Sent.NOTHING,
    )
