"""Exchanges of an attempt with its provider: requests and responses, held in memory until the call
has ended.

A request costs one object here: its head is referred to, its body is counted. Bodies are copied
only for a call that records them. Nothing is masked yet: the code that stores an exchange masks it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, cast

from jackfield.kernel.errors import Sent
from jackfield.kernel.secrecy import SecretHolder
from jackfield.wire.guard import CURRENT, UNSEEN

if TYPE_CHECKING:
    from jackfield.wire.faults import WireFault
    from jackfield.wire.head import Fields, Target

MOST, LARGEST_BODY = 20, 64 * 1024
"""Maximum number of exchanges recorded for a call (its last exchanges), and maximum bytes of each
body.
"""
_WORDS: Mapping[str, str] = {
    "resolve": "the name did not resolve",
    "refused": "the connection was refused",
    "unreachable": "the server could not be reached",
    "connect-late": "no connection in time",
    "certificate": "the certificate could not be verified",
    "tls": "the TLS handshake failed",
    "proxy": "the proxy refused",
    "proxy-login": "the proxy refused the login",
    "unsendable": "it could not be sent",
    "exhausted": "no memory or file descriptors were left",
    "client-certificate": "the client's certificate was refused",
    "cut": "the connection broke",
    "late": "no answer in time",
    "garbled": "the answer is no HTTP",
    "large": "the answer is too large",
}
_PORTS = {"http": 80, "https": 443}


class Seen(Protocol):
    """Attempt whose exchanges are recorded in ``exchanges``, with their bodies if it
    ``sees_bodies``; None records no exchanges.
    """

    exchanges: list[Exchange] | None
    sees_bodies: bool


class ExchangeBody:
    """Body of a message: its size as transferred, and its beginning if bodies are recorded."""

    __slots__ = ("_keeps", "_pieces", "size")

    def __init__(self, *, keeps: bool) -> None:
        self._keeps, self.size = keeps, 0
        self._pieces: list[bytes] = []

    def add(self, piece: bytes) -> None:
        """Count a piece, and store the body's beginning if bodies are recorded."""
        if self._keeps and self.size < LARGEST_BODY:
            self._pieces.append(bytes(piece[: LARGEST_BODY - self.size]))
        self.size += len(piece)

    @property
    def beginning(self) -> bytes | None:
        """Beginning of the body, at most 64 KiB; None if bodies are not recorded."""
        return b"".join(self._pieces) if self._keeps else None

    def counting(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the pieces, and count each when it is yielded."""
        for piece in pieces:
            self.add(piece)
            yield piece


class Exchange(SecretHolder):
    """One request and its response. ``number`` counts the exchanges of the call; ``given`` are the
    request's header fields, ``fields`` the response's. ``started`` is in seconds since 1970,
    ``took`` in seconds until the head of the response, or the fault. Without a response, ``status``
    is None. ``sent`` says how much of the request may have been sent.
    """

    __slots__ = (
        "_begun",
        "_where",
        "answer",
        "fault",
        "fields",
        "given",
        "method",
        "number",
        "request",
        "sent",
        "started",
        "status",
        "took",
    )

    def __init__(
        self,
        number: int,
        method: str,
        where: str | tuple[Target, bytes],
        given: Fields,
        *,
        keeps: bool,
    ) -> None:
        self.number, self.method, self._where, self.given = number, method, where, given
        self.started, self._begun, self.took = time.time(), time.perf_counter(), 0.0
        self.request, self.answer = ExchangeBody(keeps=keeps), ExchangeBody(keeps=keeps)
        self.status: int | None = None
        self.fields: Fields = []
        self.fault = ""
        self.sent = Sent.NOTHING

    @property
    def url(self) -> str:
        """URL of the request."""
        if isinstance(self._where, str):
            return self._where
        target, path = self._where
        authority = target.authority.decode("ascii")
        if target.port == _PORTS.get(target.scheme):
            authority = authority.rpartition(":")[0]
        return f"{target.scheme}://{authority}{path.decode('latin-1')}"

    def answered(self, status: int, fields: Fields) -> None:
        """Record the head of the response."""
        self.took = time.perf_counter() - self._begun
        self.status, self.fields = status, fields

    def failed(self, fault: WireFault) -> None:
        """Record why there is no response, or no complete response."""
        if self.status is None:
            self.sent = fault.sent
        words = _WORDS.get(fault.kind, fault.kind.value)
        self.ended(f"{words}: {fault.reason}" if fault.reason else words)

    def ended(self, fault: str) -> None:
        """Record a sentence that says why a request got no response; the first record stays."""
        if self.status is None:
            self.took = time.perf_counter() - self._begun
        self.fault = self.fault or fault


def seen_exchange(method: str, where: str | tuple[Target, bytes], given: Fields) -> Exchange | None:
    """Start an exchange of the attempt that this thread or task runs, with a URL, or a server and
    the request's target. None if its exchanges are not recorded.
    """
    call = cast("Seen | None", CURRENT.get())
    found = None if call is None else call.exchanges
    if call is None or found is None or UNSEEN.get():
        return None
    exchange = Exchange(
        found[-1].number + 1 if found else 1, method, where, given, keeps=call.sees_bodies
    )
    found.append(exchange)
    if len(found) > MOST:
        del found[0]
    return exchange
