"""Transport of requests, whose faults become errors with codes: HTTP/1.1 over jackfield's wire,
HTTP/2 if requested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from jackfield.connector import (
    InvalidConnection,
    JackfieldError,
    Sent,
    Target,
    WireFault,
    WireSettings,
)
from jackfield.connector import Reply as WireReply
from jackfield.connector import Wire as ConnectorWire
from jackfield_http.faults import explain_wire_fault

if TYPE_CHECKING:
    from jackfield_http.urls import Url

Limit = Callable[[], float]
"""Function that returns the seconds left for a request; 0 once its deadline has passed."""


class Reply(Protocol):
    """Response whose body can be read once. Closing it returns the connection to the pool or closes
    the connection.
    """

    status: int
    fields: list[tuple[bytes, bytes]]

    def raw(self) -> Iterator[bytes]:
        """Yield the body as sent: the transport's framing is removed, compression is not.

        :raises JackfieldError: if the connection breaks, or the deadline passes.
        """

    def abort(self) -> None:
        """End the response while another thread reads it, if the transport supports this."""

    def close(self) -> None:
        """End the response without reading the rest of its body."""


class Sender(Protocol):
    """Pool of connections with the same settings. Thread-safe; closed with its last reference."""

    def send(
        self,
        method: str,
        url: Url,
        fields: list[tuple[bytes, bytes]],
        body: bytes | Iterable[bytes] | None,
        limit: Limit,
        begin: Callable[[], None],
    ) -> Reply:
        """Send a request and return the response once its header has arrived. ``begin`` is called
        at most once, before the first byte.

        :raises JackfieldError: if no response arrives; its ``sent`` says whether the request was
            sent.
        """


def open_wire(settings: WireSettings, *, http2: bool) -> Sender:
    """Return a pool that speaks HTTP/1.1, or offers HTTP/2.

    :raises InvalidConnection: if the extra ``http2`` is missing.
    """
    if not http2:
        return Wire(settings)
    try:
        from jackfield_http.http2 import Http2Wire
    except ModuleNotFoundError as error:
        raise InvalidConnection(
            f"HTTP/2 needs the extra 'http2' of jackfield-http: the package '{error.name}' is "
            "not installed",
            hint="Install it: pip install 'jackfield-http[http2]'.",
            sent=Sent.NOTHING,
        ) from None
    return Http2Wire(settings, Wire(settings))


class Wire:
    """Pool of connections for HTTP/1.1."""

    def __init__(self, settings: WireSettings) -> None:
        self._wire = ConnectorWire(settings)

    def send(
        self,
        method: str,
        url: Url,
        fields: list[tuple[bytes, bytes]],
        body: bytes | Iterable[bytes] | None,
        limit: Limit,
        begin: Callable[[], None],
    ) -> Http1Reply:
        """Send a request."""
        target = Target(url.scheme, url.host, url.port)
        try:
            reply = self._wire.send(
                method, target, url.target.encode("ascii"), fields, body, limit, begin
            )
        except WireFault as fault:
            raise _explained(fault, url, limit) from fault
        return Http1Reply(reply, url, limit)


class Http1Reply:
    """Response over HTTP/1.1."""

    __slots__ = ("_limit", "_reply", "_url", "abort", "close", "fields", "status")

    def __init__(self, reply: WireReply, url: Url, limit: Limit) -> None:
        self._reply = reply
        self._url = url
        self._limit = limit
        self.status = reply.status
        self.fields = reply.fields
        self.close: Any = reply.close
        self.abort: Any = reply.abort

    def raw(self) -> Iterator[bytes]:
        """Yield the body as sent, without the transport's framing."""
        try:
            yield from self._reply.raw()
        except WireFault as fault:
            raise _explained(fault, self._url, self._limit) from fault


def _explained(fault: WireFault, url: Url, limit: Limit) -> JackfieldError:
    return explain_wire_fault(fault, url.host, url.port, late=limit() <= 0)
