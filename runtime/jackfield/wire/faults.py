"""Failures of a request, each with what it says about the bytes that have left."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterable
from enum import StrEnum

from jackfield.kernel.errors import Sent
from jackfield.kernel.failures import exhausted

_CLIENT_ALERTS = ("CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "UNSUPPORTED_CERTIFICATE", "CERTIFICATE_REVOKED", "CERTIFICATE_EXPIRED",
                  "CERTIFICATE_UNKNOWN", "UNKNOWN_CA", "ACCESS_DENIED")  # fmt: skip
"""TLS alerts by which a server refuses a client's certificate. With TLS 1.3 they arrive after the first request was written, which the
server has not read."""

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"?')
_SCHEME = re.compile(r"(?:^|,)[ \t]*([A-Za-z][A-Za-z0-9-]{0,30})(?=[ \t]*(?:,|$)|[ \t]+[^=, \t])")
"""Schemes of challenges, whose quoted strings are gone (RFC 9110 §11.6.1)."""
_MOST_SCHEMES, _LONGEST = 10, 4_096


class Kind(StrEnum):
    """Where a request failed. All but the last five precede its first byte."""

    RESOLVE = "resolve"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CONNECT_LATE = "connect-late"
    CERTIFICATE = "certificate"
    TLS = "tls"
    PROXY = "proxy"
    PROXY_LOGIN = "proxy-login"
    UNSENDABLE = "unsendable"
    EXHAUSTED = "exhausted"
    CLIENT_CERTIFICATE = "client-certificate"
    CUT = "cut"
    LATE = "late"
    GARBLED = "garbled"
    LARGE = "large"


class WireFault(Exception):
    """A request without a whole response. ``sent`` says whether the server may have read any of it; ``reason`` is printable and without
    secrets. The operating system's exception is its cause."""

    def __init__(self, kind: Kind, sent: Sent, reason: str = "") -> None:
        super().__init__(kind.value, sent.value, reason)
        self.kind = kind
        self.sent = sent
        self.reason = reason


def printable(text: bytes | str) -> str:
    """Return the beginning of a text from outside, without control characters."""
    text = text.decode("latin-1") if isinstance(text, bytes) else text
    return "".join(character if character.isprintable() else " " for character in text[:200])


def login_refused(proxy: str, fields: Iterable[tuple[bytes, bytes]] | None) -> WireFault:
    """Return the fault for a proxy that answers 407: nothing has gone on to the server. The reason ends a sentence about the proxy.

    ``fields`` are those of the answer, None where they are not known."""
    if fields is None:
        return WireFault(Kind.PROXY_LOGIN, Sent.NOTHING, f"'{printable(proxy)}' answered 407")
    given = [value.decode("latin-1") for name, value in fields if name.lower() == b"proxy-authenticate"]
    found = dict.fromkeys(scheme for value in given[:_MOST_SCHEMES] for scheme in _SCHEME.findall(_QUOTED.sub("", value[:_LONGEST])))
    offers = ", ".join(list(found)[:_MOST_SCHEMES])
    return WireFault(Kind.PROXY_LOGIN, Sent.NOTHING, f"'{printable(proxy)}' answered 407 and offers {offers or 'no way to sign in'}")


def not_connected(error: BaseException) -> WireFault:
    """Return the fault for an exception while connecting: no byte of a request has left."""
    if exhausted(error) is not None:
        kind = Kind.EXHAUSTED
    elif isinstance(error, socket.gaierror | UnicodeError):
        kind = Kind.RESOLVE
    elif isinstance(error, TimeoutError):
        kind = Kind.CONNECT_LATE
    else:
        kind = Kind.REFUSED if isinstance(error, ConnectionRefusedError) else Kind.UNREACHABLE
    return WireFault(kind, Sent.NOTHING, "" if isinstance(error, (OSError, UnicodeError, MemoryError)) else printable(_words(error)))


def _words(error: BaseException) -> str:
    """Return what somebody's guard says, who lets this process connect to nothing."""
    return f"{type(error).__name__}: {error}"


def no_handshake(error: BaseException) -> WireFault:
    """Return the fault for an exception while TLS is negotiated."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return WireFault(Kind.CERTIFICATE, Sent.NOTHING, printable(error.verify_message or ""))
    if isinstance(error, TimeoutError) or exhausted(error) is not None:
        return not_connected(error)
    return WireFault(Kind.TLS, Sent.NOTHING)


def refuses_client(error: BaseException) -> bool:
    """Return whether an exception is the alert of a server that refuses a client's certificate."""
    return isinstance(error, ssl.SSLError) and any(alert in (error.reason or "") for alert in _CLIENT_ALERTS)


def broken(error: BaseException) -> WireFault:
    """Return the fault for an exception after the request's first byte: nobody knows how much of it the server has read."""
    if isinstance(error, TimeoutError):
        return WireFault(Kind.LATE, Sent.UNKNOWN)
    if exhausted(error) is not None:
        return WireFault(Kind.EXHAUSTED, Sent.UNKNOWN)
    if refuses_client(error):
        return WireFault(Kind.CLIENT_CERTIFICATE, Sent.REFUSED)
    return WireFault(Kind.CUT, Sent.UNKNOWN)


def garbled(reason: str) -> WireFault:
    """Return the fault for bytes that are no HTTP/1.1 response."""
    return WireFault(Kind.GARBLED, Sent.UNKNOWN, reason)
