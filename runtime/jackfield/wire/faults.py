"""Failures of a request, each with what it says about the bytes that have left."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterable
from enum import StrEnum

from jackfield.kernel.errors import Sent
from jackfield.kernel.failures import exhausted
from jackfield.wire.tls import certificate_refusal

_CLIENT_ALERTS = ("CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "UNSUPPORTED_CERTIFICATE", "CERTIFICATE_REVOKED", "CERTIFICATE_EXPIRED",
                  "CERTIFICATE_UNKNOWN", "UNKNOWN_CA", "ACCESS_DENIED")  # fmt: skip
"""TLS alerts by which a server refuses a client's certificate. With TLS 1.3 they arrive after the first request was written, which the
server has not read."""

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"?')
_SCHEME = re.compile(r"(?:^|,)[ \t]*([A-Za-z][A-Za-z0-9-]{0,30})(?=[ \t]*(?:,|$)|[ \t]+[^=, \t])")
"""Schemes of challenges, whose quoted strings are gone (RFC 9110 §11.6.1)."""
_MOST_SCHEMES, _LONGEST = 10, 4_096
LOGIN_WANTED = 407
"""Status of a proxy that does not take the login, or wants one."""
_DENIED = (401, 403)
"""Statuses by which a proxy says that it does not let through who asks, or to where: another attempt cannot change that."""
_FAILURE = 400
_SQUID_UNSENT = frozenset(
    {b"ERR_ACCESS_DENIED", b"ERR_CACHE_ACCESS_DENIED", b"ERR_DNS_FAIL", b"ERR_CONNECT_FAIL", b"ERR_CANNOT_FORWARD", b"ERR_INVALID_URL"}
)
"""Errors of squid before it has sent anything to the server (its ``X-Squid-Error``)."""
_SILENT = ((socket.EAI_AGAIN,), (socket.EAI_FAIL,))


class Kind(StrEnum):
    """Where a request failed. All but the last five precede its first byte."""

    RESOLVE = "resolve"
    RESOLVER = "resolver"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CONNECT_LATE = "connect-late"
    CERTIFICATE = "certificate"
    TLS = "tls"
    PROXY = "proxy"
    PROXY_LATE = "proxy-late"
    PROXY_DENIED = "proxy-denied"
    PROXY_LOGIN = "proxy-login"
    UNSENDABLE = "unsendable"
    EXHAUSTED = "exhausted"
    CLIENT_CERTIFICATE = "client-certificate"
    CUT = "cut"
    LATE = "late"
    GARBLED = "garbled"
    LARGE = "large"


_WORDS = {
    Kind.RESOLVE: "its name does not resolve", Kind.RESOLVER: "its name could not be looked up: the resolver did not answer",
    Kind.REFUSED: "it refuses connections", Kind.UNREACHABLE: "it cannot be reached",
    Kind.CONNECT_LATE: "it does not accept connections in time", Kind.CERTIFICATE: "its certificate cannot be verified: {reason}",
    Kind.TLS: "TLS failed", **dict.fromkeys((Kind.PROXY, Kind.PROXY_LATE, Kind.PROXY_DENIED, Kind.PROXY_LOGIN), "the proxy {reason}"),
    Kind.UNSENDABLE: "the request cannot be written: {reason}", Kind.EXHAUSTED: "this process has no descriptors or no memory left",
    Kind.CLIENT_CERTIFICATE: "it refuses the client certificate", Kind.CUT: "it closed the connection before it answered",
    Kind.LATE: "it did not answer in time", Kind.GARBLED: "its answer is not HTTP: {reason}",
    Kind.LARGE: "its answer is too large: {reason}",
}  # fmt: skip
_AT_PROXY = {
    Kind.RESOLVE: "does not resolve to an address", Kind.RESOLVER: "could not be looked up: the resolver did not answer",
    Kind.REFUSED: "refused the connection", Kind.CONNECT_LATE: "did not accept a connection in time", Kind.LATE: "did not answer in time",
    Kind.CUT: "closed the connection before it answered", Kind.GARBLED: "does not answer as a proxy",
}  # fmt: skip
"""What is said of a proxy that is not reached."""


class WireFault(Exception):
    """A request without a whole response. ``sent`` says whether the server may have read any of it; ``reason`` is printable and without
    secrets. ``hint`` says what fits the reason why a certificate is refused. The operating system's exception is its cause."""

    def __init__(self, kind: Kind, sent: Sent, reason: str = "", hint: str = "") -> None:
        super().__init__(kind.value, sent.value, reason)
        self.kind = kind
        self.sent = sent
        self.reason = reason
        self.hint = hint

    @property
    def words(self) -> str:
        """Sentence about the server, "it", or about the proxy on the way to it; with the hint, where there is one."""
        said = _WORDS[self.kind].format(reason=self.reason or "nobody says why")
        return f"{said}. {self.hint_for('SSL_CERT_FILE').rstrip('.')}" if self.hint else said

    def hint_for(self, authority: str) -> str:
        """Return the hint; ``authority`` is the setting by which a private certificate authority is named where the request came from."""
        return self.hint.replace("{authority}", authority)


def printable(text: bytes | str) -> str:
    """Return the beginning of a text from outside, without control characters."""
    text = text.decode("latin-1") if isinstance(text, bytes) else text
    return "".join(character if character.isprintable() else " " for character in text[:200])


def proxy_refused(proxy: str, status: int, line: bytes, fields: Iterable[tuple[bytes, bytes]]) -> WireFault:
    """Return the fault for a proxy that answers in the place of the server: nothing has gone on to that. ``line`` is the status with its
    phrase. As with each fault of a proxy, the reason ends a sentence that begins with "the proxy"."""
    if status != LOGIN_WANTED:
        kind = Kind.PROXY_DENIED if status in _DENIED else Kind.PROXY
        return WireFault(kind, Sent.NOTHING, printable(f"'{proxy}' answered {line.decode('latin-1')}"))
    given = [value.decode("latin-1") for name, value in fields if name.lower() == b"proxy-authenticate"]
    found = dict.fromkeys(scheme for value in given[:_MOST_SCHEMES] for scheme in _SCHEME.findall(_QUOTED.sub("", value[:_LONGEST])))
    offers = ", ".join(list(found)[:_MOST_SCHEMES])
    return WireFault(Kind.PROXY_LOGIN, Sent.NOTHING, f"'{printable(proxy)}' answered 407 and offers {offers or 'no way to sign in'}")


def answered_by_proxy(proxy: str, status: int, fields: Iterable[tuple[bytes, bytes]]) -> WireFault | None:
    """Return the fault for a response that a proxy gives itself to a request in clear text; None for one of the server."""
    named = {name.lower(): value for name, value in fields}
    if status == LOGIN_WANTED or (status >= _FAILURE and b"proxy-authenticate" in named):
        return proxy_refused(proxy, status, b"%d" % status, fields)
    error = named.get(b"x-squid-error", b"").split(b" ")[0]
    if status < _FAILURE or not error:
        return None
    found = proxy_refused(proxy, status, b"%d (%b)" % (status, error), fields)
    return WireFault(found.kind, Sent.NOTHING if error in _SQUID_UNSENT else Sent.UNKNOWN, found.reason)


def proxy_unreached(proxy: str, fault: WireFault) -> WireFault:
    """Return the fault for a proxy that is not reached, or breaks before it answers; ``fault`` is that of the connection to it."""
    if fault.kind is Kind.EXHAUSTED:
        return WireFault(fault.kind, Sent.NOTHING, fault.reason)
    kind = Kind.PROXY_LATE if fault.kind in (Kind.CONNECT_LATE, Kind.LATE) else Kind.PROXY
    said = _AT_PROXY.get(fault.kind, "cannot be reached")
    return WireFault(kind, Sent.NOTHING, f"'{printable(proxy)}' {said}{f': {fault.reason}' if fault.reason else ''}")


def not_connected(error: BaseException) -> WireFault:
    """Return the fault for an exception while connecting: no byte of a request has left."""
    if exhausted(error) is not None:
        kind = Kind.EXHAUSTED
    elif isinstance(error, socket.gaierror | UnicodeError):
        kind = Kind.RESOLVER if error.args[:1] in _SILENT else Kind.RESOLVE
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
        reason, hint = certificate_refusal(error)
        return WireFault(Kind.CERTIFICATE, Sent.NOTHING, printable(reason), hint)
    if isinstance(error, TimeoutError):
        return WireFault(Kind.CONNECT_LATE, Sent.NOTHING, "did not answer the TLS handshake in time")
    if exhausted(error) is not None:
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
