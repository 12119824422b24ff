"""Failures of a request, each with the state of the bytes that were sent."""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Self

from jackfield.kernel.errors import Sent
from jackfield.kernel.failures import exhausted
from jackfield.wire.tls import certificate_refusal

_CLIENT_ALERTS = (
    "CERTIFICATE_REQUIRED",
    "BAD_CERTIFICATE",
    "UNSUPPORTED_CERTIFICATE",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_UNKNOWN",
    "UNKNOWN_CA",
    "ACCESS_DENIED",
)
"""TLS alerts by which a server refuses a client's certificate. With TLS 1.3 they arrive after the
first request was written, which the server has not read.
"""

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"?')
_SCHEME = re.compile(r"(?:^|,)[ \t]*([A-Za-z][A-Za-z0-9-]{0,30})(?=[ \t]*(?:,|$)|[ \t]+[^=, \t])")
"""Regular expression of schemes in challenges whose quoted strings are removed (RFC 9110
§11.6.1).
"""
_MOST_SCHEMES, _LONGEST = 10, 4_096
LOGIN_WANTED = 407
"""Status of a proxy that refuses the login, or requires a login."""
_DENIED = (401, 403)
"""Statuses with which a proxy refuses a client or a destination: another attempt cannot change
that.
"""
_FAILURE = 400
_SQUID_UNSENT = frozenset(
    {
        b"ERR_ACCESS_DENIED",
        b"ERR_CACHE_ACCESS_DENIED",
        b"ERR_DNS_FAIL",
        b"ERR_CONNECT_FAIL",
        b"ERR_CANNOT_FORWARD",
        b"ERR_INVALID_URL",
    }
)
"""Errors of squid before it has sent anything to the server (its ``X-Squid-Error``)."""
_SILENT = ((socket.EAI_AGAIN,), (socket.EAI_FAIL,))


class Kind(StrEnum):
    """Stage at which a request failed. All but the last five precede its first byte."""

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
    BUSY = "busy"
    CLIENT_CERTIFICATE = "client-certificate"
    CUT = "cut"
    LATE = "late"
    GARBLED = "garbled"
    LARGE = "large"


NO_ANSWER, NO_TLS_ANSWER = "no byte of an answer came", "no byte of an answer came over TLS"
"""Reasons of a connection that was cut before the answer had begun."""
NO_HANDSHAKE = "did not answer the TLS handshake in time"
_NETWORK = "Check {url}, and whether this machine may reach it: DNS, proxy, firewall."
_NOBODY = (
    "Check the port in {url}, and whether the server runs: nothing listens there, or a "
    "firewall refuses in its place."
)
_DROPPED = (
    "The server is down, or a firewall on the way drops what is sent to it: try from another "
    "machine. Or its URL has another address."
)
_ROUTE = "Look at the network of this machine first: its interface, VPN and routes."
_OTHER = (
    "Check host, port and scheme in {url}: another service listens there, or one that speaks "
    "TLS. Trying again does not help."
)
_PLAIN = (
    "If that port expects TLS, write https:// in {url}. Otherwise look at the server, and at "
    "what stands before it: it ends connections."
)
_HANDSHAKE = (
    "Check scheme and port in {url}: perhaps it does not speak TLS there. Otherwise the "
    "server hangs."
)
_REACHED = (
    "The server was reached. Try again later; if it goes on, find out whether it or a proxy "
    "before it is slow, or ends connections."
)
_AT_PROXY = "the proxy {reason}: it passes nothing on to {server}"
_FOR_SERVER = "the proxy {reason} in the place of {server}"
_PROXY = "The server was not asked. Check {proxy}, and the proxy's log."
_PROXY_WORKS = (
    "The proxy answers: look at the server, and at name servers and network between the "
    "proxy and it; the proxy's log says which."
)
_NO_BASIC = (
    "No {login} help: of all schemes, only Basic is spoken. Ask whoever runs the proxy to "
    "offer it, or to let this machine through without."
)
_ANSWERED, _OFFERS = " answered ", " offers "
_BARRED = (
    "This machine's own firewall, or a sandbox around this process, does not allow the connection."
)
_SYSTEM: Mapping[int | None, str] = {
    **dict.fromkeys((errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN), _ROUTE),
    **dict.fromkeys((errno.EPERM, errno.EACCES), _BARRED),
}
"""Hints by the operating system's reason for a failed connection."""
_AT_ONCE = (
    "Look at the server, and at a load balancer or firewall before it: its name and the way "
    "to it are right."
)
_CLEAR = "Check scheme and port in {url}: the server does not speak TLS there."
_OLD = "Have TLS 1.2 or 1.3 switched on at the server; {url} is right."
_TERMS = (
    "It may want a client certificate, and got none that it takes. Otherwise the two share "
    "no cipher: look at the server's TLS settings."
)
_ENDED = (
    "Check that the port in {url} speaks TLS. Then look at the server, and at a load balancer or "
    "firewall before it: some end connections "
    "by the name that is asked for."
)
_HANDSHAKES: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"),
        ("it answered in clear text", _CLEAR),
    ),
    **dict.fromkeys(
        ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL"),
        ("it speaks no version of TLS that this machine accepts", _OLD),
    ),
    **dict.fromkeys(
        ("HANDSHAKE_FAILURE", "NO_SHARED_CIPHER", "INSUFFICIENT_SECURITY"), ("it refused", _TERMS)
    ),
    "EOF": ("it ended the connection", _ENDED),
}
"""Sentence about a failed handshake, and hint, by a part of OpenSSL's reason."""
_NO_CERTIFICATE = "none was given"
"""Reason of a server that requires a client's certificate (RFC 8446 §6.2, certificate_required)."""
_WANTED = (
    "Use a type of connection that has one, and ask whoever runs the server for a "
    "certificate and its key."
)
_SAID: Mapping[Kind, tuple[str, str]] = {
    Kind.RESOLVE: ("the host '{host}' does not resolve to an address", _NETWORK),
    Kind.RESOLVER: (
        "the host '{host}' could not be looked up: the resolver did not answer",
        "Check the resolver of this machine (/etc/resolv.conf). The name may well exist.",
    ),
    Kind.BUSY: ("all connections to {server} are in use", "Try again later."),
    Kind.REFUSED: ("{server} refused the connection", _NOBODY),
    Kind.UNREACHABLE: ("{server} could not be reached", _NETWORK),
    Kind.CONNECT_LATE: ("{server} did not accept a connection in time", _DROPPED),
    Kind.CERTIFICATE: (
        "the certificate of {server} could not be verified: {reason}",
        "Check the server's certificate.",
    ),
    Kind.TLS: (
        "the TLS handshake with {server} failed: {reason}",
        "Check {url}: scheme, port, and a client certificate if it wants one.",
    ),
    Kind.PROXY: (_AT_PROXY, _PROXY),
    Kind.PROXY_LATE: (_AT_PROXY, _PROXY),
    Kind.PROXY_DENIED: (
        _AT_PROXY,
        (
            "Ask whoever runs the proxy whether it lets this machine, and its login, through to "
            "the server."
        ),
    ),
    Kind.PROXY_LOGIN: (
        _AT_PROXY,
        (
            "Check {login}, or the login in JACKFIELD_OUTBOUND_PROXY. Of all schemes, only Basic "
            "is spoken."
        ),
    ),
    Kind.UNSENDABLE: ("the request to {server} could not be written: {reason}", ""),
    Kind.EXHAUSTED: ("this process has no descriptors or no memory left", ""),
    Kind.CLIENT_CERTIFICATE: (
        "{server} refused the client certificate",
        "Check {certificate}, and whether the server knows their authority.",
    ),
    Kind.CUT: (
        "the connection to {server} was lost before the whole response had arrived",
        _NETWORK,
    ),
    Kind.LATE: ("{server} did not respond in time", _NETWORK),
    Kind.GARBLED: ("{server} answered, but not in HTTP: {reason}", _OTHER),
    Kind.LARGE: ("the answer of {server} is too large: {reason}", ""),
}
"""Sentences and hints for people: which machine failed, and where to look. The hints have
placeholders for the names of a path's settings.
"""
NAMES: Mapping[str, str] = {
    "url": "the URL",
    "authority": "SSL_CERT_FILE",
    "proxy": "JACKFIELD_OUTBOUND_PROXY",
    "login": "user name and password of the proxy",
    "certificate": "the client's certificate and its key",
}
"""Names of settings for a path that has none of its own."""


class WireFault(Exception):
    """Failure of a request without a complete response. ``sent`` says whether the server may have
    read a part of the request; ``reason`` is printable and without secrets. ``hint`` is advice for
    a refused certificate. The operating system's exception is its cause.
    """

    def __init__(self, kind: Kind, sent: Sent, reason: str = "", hint: str = "") -> None:
        super().__init__(kind.value, sent.value, reason)
        self.kind = kind
        self.sent = sent
        self.reason = reason
        self.hint = hint
        self.place = self.host = ""
        """Of the server that was asked, once it is known."""

    def about(self, host: str, port: int) -> Self:
        """Set the server's name, and return the fault."""
        self.host, self.place = printable(host), printable(f"{host}:{port}")
        return self

    @property
    def words(self) -> str:
        """Sentences about the failure with a hint, for paths without their own settings."""
        hint = self.advice(NAMES).rstrip(".")
        return f"{self.said}. {hint}" if hint else self.said

    @property
    def said(self) -> str:
        """Sentence about the failure, and on which machine it happened."""
        text, _ = self._meaning()
        server = f"'{self.place}'" if self.place else "the server"
        return text.format(
            server=server, host=self.host or "its name", reason=self.reason or "it did not say why"
        )

    def advice(self, names: Mapping[str, str]) -> str:
        """Return the hint where to look. ``names`` are the names of the settings at the place from
        which the request came.
        """
        _, hint = self._meaning()
        hint = self.hint or (_REACHED if hint is _NETWORK and self.sent is Sent.UNKNOWN else hint)
        for name, meant in names.items():
            hint = hint.replace(f"{{{name}}}", meant)
        return hint

    def _meaning(self) -> tuple[str, str]:
        """Return the sentence and the hint of the fault's kind, or more specific ones if its
        details allow them.
        """
        text, hint = _SAID[self.kind]
        if self.kind is Kind.CUT and self.reason in (NO_ANSWER, NO_TLS_ANSWER):
            return (
                "{server} closed the connection before the first byte of an answer",
                _PLAIN if self.reason == NO_ANSWER else hint,
            )
        if self.kind is Kind.CONNECT_LATE and self.reason:
            return "{server} accepted the connection, but {reason}", _HANDSHAKE
        if self.kind is Kind.CLIENT_CERTIFICATE and self.reason == _NO_CERTIFICATE:
            return "{server} wants a client certificate, and none was given", _WANTED
        if self.kind is Kind.UNREACHABLE:
            return self._unreachable(text, hint)
        if text is _AT_PROXY and self.sent is Sent.UNKNOWN:
            text = _FOR_SERVER
        if (
            self.kind is Kind.PROXY_LOGIN
            and "basic" not in self.reason.rpartition(_OFFERS)[2].lower()
        ):
            return text, _NO_BASIC
        return text, _PROXY_WORKS if self.kind is Kind.PROXY and _ANSWERED in self.reason else hint

    def _unreachable(self, text: str, hint: str) -> tuple[str, str]:
        cause = self.__cause__
        if isinstance(cause, ConnectionResetError):
            return "{server} accepted the connection and reset it at once", _AT_ONCE
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno in _SYSTEM:
            return f"{text}: {os.strerror(cause.errno).lower()}", _SYSTEM[cause.errno]
        # the reason is of somebody's guard, who has refused it
        return (f"{text}: {{reason}}" if self.reason else text), hint


_OF_PROXY = {
    Kind.RESOLVE: "does not resolve to an address",
    Kind.RESOLVER: "could not be looked up: the resolver did not answer",
    Kind.REFUSED: "refused the connection",
    Kind.CONNECT_LATE: "did not accept a connection in time",
    Kind.LATE: "did not answer in time",
    Kind.CUT: "closed the connection before it answered",
    Kind.GARBLED: "does not answer as a proxy",
}
"""Sentences about a proxy that cannot be reached."""


def printable(text: bytes | str) -> str:
    """Return the beginning of a foreign text, without control characters."""
    text = text.decode("latin-1") if isinstance(text, bytes) else text
    return "".join(character if character.isprintable() else " " for character in text[:200])


def proxy_refused(
    proxy: str, status: int, line: bytes, fields: Iterable[tuple[bytes, bytes]]
) -> WireFault:
    """Return the fault for a proxy that answers in place of the server, which got nothing. ``line``
    is the status with its phrase. As with each fault of a proxy, the reason ends a sentence that
    begins with "the proxy".
    """
    if status != LOGIN_WANTED:
        kind = Kind.PROXY_DENIED if status in _DENIED else Kind.PROXY
        return WireFault(
            kind, Sent.NOTHING, printable(f"'{proxy}' answered {line.decode('latin-1')}")
        )
    given = [
        value.decode("latin-1") for name, value in fields if name.lower() == b"proxy-authenticate"
    ]
    found = dict.fromkeys(
        scheme
        for value in given[:_MOST_SCHEMES]
        for scheme in _SCHEME.findall(_QUOTED.sub("", value[:_LONGEST]))
    )
    offers = ", ".join(list(found)[:_MOST_SCHEMES])
    return WireFault(
        Kind.PROXY_LOGIN,
        Sent.NOTHING,
        f"'{printable(proxy)}' answered 407 and offers {offers or 'no way to sign in'}",
    )


def answered_by_proxy(
    proxy: str, status: int, fields: Iterable[tuple[bytes, bytes]]
) -> WireFault | None:
    """Return the fault for a proxy's own response to a request in clear text; None for a response
    of the server.
    """
    named = {name.lower(): value for name, value in fields}
    if status == LOGIN_WANTED or (status >= _FAILURE and b"proxy-authenticate" in named):
        return proxy_refused(proxy, status, b"%d" % status, fields)
    error = named.get(b"x-squid-error", b"").split(b" ")[0]
    if status < _FAILURE or not error:
        return None
    found = proxy_refused(proxy, status, b"%d (%b)" % (status, error), fields)
    return WireFault(
        found.kind, Sent.NOTHING if error in _SQUID_UNSENT else Sent.UNKNOWN, found.reason
    )


def proxy_unreached(proxy: str, fault: WireFault) -> WireFault:
    """Return the fault for a proxy that cannot be reached, or breaks before it answers; ``fault``
    is the fault of the connection to it.
    """
    if fault.kind is Kind.EXHAUSTED:
        return WireFault(fault.kind, Sent.NOTHING, fault.reason)
    kind = Kind.PROXY_LATE if fault.kind in (Kind.CONNECT_LATE, Kind.LATE) else Kind.PROXY
    said, reason = (
        _OF_PROXY.get(fault.kind, "cannot be reached"),
        "" if fault.kind is Kind.CUT else fault.reason,
    )
    return WireFault(
        kind, Sent.NOTHING, f"'{printable(proxy)}' {said}{f': {reason}' if reason else ''}"
    )


def not_connected(error: BaseException) -> WireFault:
    """Return the fault for an exception while connecting: no byte of a request was sent."""
    if exhausted(error) is not None:
        kind = Kind.EXHAUSTED
    elif isinstance(error, socket.gaierror | UnicodeError):
        kind = Kind.RESOLVER if error.args[:1] in _SILENT else Kind.RESOLVE
    elif isinstance(error, TimeoutError):
        kind = Kind.CONNECT_LATE
    else:
        kind = Kind.REFUSED if isinstance(error, ConnectionRefusedError) else Kind.UNREACHABLE
    return WireFault(
        kind,
        Sent.NOTHING,
        "" if isinstance(error, (OSError, UnicodeError, MemoryError)) else printable(_words(error)),
    )


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def no_handshake(error: BaseException) -> WireFault:
    """Return the fault for an exception while TLS is negotiated."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason, hint = certificate_refusal(error)
        return WireFault(Kind.CERTIFICATE, Sent.NOTHING, printable(reason), hint)
    if isinstance(error, TimeoutError):
        return WireFault(Kind.CONNECT_LATE, Sent.NOTHING, NO_HANDSHAKE)
    if exhausted(error) is not None:
        return not_connected(error)
    return WireFault(Kind.TLS, Sent.NOTHING, *_refusal(error))


def _refusal(error: BaseException) -> tuple[str, str]:
    said = (
        str(error.reason or "")
        if isinstance(error, ssl.SSLError)
        else "EOF"
        if isinstance(error, OSError)
        else ""
    )
    return next((found for part, found in _HANDSHAKES.items() if part in said), ("", ""))


def refuses_client(error: BaseException) -> bool:
    """Return whether an exception is the alert of a server that refuses a client's certificate."""
    return isinstance(error, ssl.SSLError) and any(
        alert in (error.reason or "") for alert in _CLIENT_ALERTS
    )


def broken(error: BaseException) -> WireFault:
    """Return the fault for an exception after the request's first byte: it is unknown how much of
    the request the server has read.
    """
    if isinstance(error, TimeoutError):
        return WireFault(Kind.LATE, Sent.UNKNOWN)
    if exhausted(error) is not None:
        return WireFault(Kind.EXHAUSTED, Sent.UNKNOWN)
    if isinstance(error, ssl.SSLError) and refuses_client(error):
        return WireFault(
            Kind.CLIENT_CERTIFICATE,
            Sent.REFUSED,
            _NO_CERTIFICATE if "CERTIFICATE_REQUIRED" in (error.reason or "") else "",
        )
    return WireFault(Kind.CUT, Sent.UNKNOWN)


def garbled(reason: str) -> WireFault:
    """Return the fault for bytes that are not an HTTP/1.1 response."""
    return WireFault(Kind.GARBLED, Sent.UNKNOWN, reason)
