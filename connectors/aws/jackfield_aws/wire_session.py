"""HTTP session of botocore's clients over jackfield's wire, in place of urllib3. botocore takes any
object with ``send`` and ``close`` as its endpoint's session.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session

from jackfield.connector import (
    ANYWHERE,
    Guard,
    JackfieldError,
    Sent,
    Wire,
    WireFault,
    bounded_answer,
    current_call,
    unseen,
)
from jackfield.kernel.clock import monotonic
from jackfield.wire.faults import Kind
from jackfield.wire.guard import OnlyHosts
from jackfield.wire.outbound import resolves_at_proxy
from jackfield.wire.reply import Reply
from jackfield_aws.direct.wires import Reach, machine_route, server_of, target_of
from jackfield_aws.limits import CONNECT_TIMEOUT, current_deadline
from jackfield_aws.transport import raised_by_wire

_PIECE = 65_536
_EVENTS, _LENGTH = "application/vnd.amazon.eventstream", 4
_BODILESS = ("GET", "HEAD", "OPTIONS")
Octets = bytes | memoryview


def use_wire(
    client: Any, guard: Guard = ANYWHERE, path: str = "", only_hosts: OnlyHosts | None = None
) -> None:
    """Make a new client send its requests over the wire, to addresses that ``guard`` allows, and to
    ``only_hosts``. ``path`` points at the connection's value that names the endpoint.
    """
    endpoint, config = client._endpoint, client.meta.config  # noqa: SLF001 (a client has no other place for it)
    verify, certificate = endpoint.http_session._verify, config.client_cert  # noqa: SLF001 (only the session knows it)
    reach = Reach(
        verify if isinstance(verify, str) and verify else None,
        guard,
        path,
        config.read_timeout,
        verifies=verify is not False,
        certificate=(certificate,) if isinstance(certificate, str) else certificate,
    )
    endpoint.http_session = WireSession(reach, only_hosts)


class WireSession:
    """Session of one client. ``is_seen`` stores its requests among the call's exchanges."""

    def __init__(self, reach: Reach, only_hosts: OnlyHosts | None = None) -> None:
        self.reach = reach
        self.is_seen = False
        self._only_hosts = only_hosts

    def send(self, request: Any) -> AWSResponse:
        """Send a prepared request; return its response, whose body is read unless the request wants
        a stream. Observing plugins see the request.

        :raises HTTPClientError: if no whole response arrives; it wraps the error to report.
        """
        call = current_call()
        if call is None or call.observe is None:
            return self._response(request)
        clock, status = call.deadline.clock, None
        started = clock.time()
        try:
            response = self._response(request)
            status = response.status_code
        finally:
            host = target_of(request.url).host
            call.observe(request.method, host, started, clock.time(), status)
        return response

    def close(self) -> None:
        """Leave the wire open, since it serves other clients, too."""

    def _response(self, request: Any) -> AWSResponse:
        try:
            wire = self._wire(request.url)
            if wire is None:
                return self._over_botocore(request)
            with nullcontext() if self.is_seen else unseen():
                reply = self._reply(wire, request)
        except (WireFault, JackfieldError) as fault:
            raise raised_by_wire(fault, request.url) from fault
        found = AWSResponse(request.url, reply.status, _joined(reply), _Body(reply, request.url))
        if not request.stream_output:
            _ = found.content
        return found

    def _wire(self, url: str) -> Wire | None:
        """Return the wire for a URL; None if a proxy requires TLS."""
        if self._only_hosts is not None:
            self._only_hosts.require(target_of(url).host, self.reach.guard_path)
        try:
            return self.reach.wire(url)
        except LookupError:
            return None

    def _reply(self, wire: Wire, request: Any) -> Reply:
        """Send a request and return the response once its head has arrived."""
        target, host = server_of(request.url)
        fields = [(_octets(name), _octets(value)) for name, value in request.headers.items()]
        names = {name.lower() for name, _ in fields}
        if b"accept-encoding" not in names:
            fields.insert(0, (b"Accept-Encoding", b"identity"))
        if b"host" not in names:
            fields.insert(0, (b"Host", host.encode()))
        body = _body(request.body)
        if not body and names.isdisjoint((b"content-length", b"transfer-encoding")):
            fields += [] if request.method in _BODILESS else [(b"Content-Length", b"0")]
        path = _path(request.url)
        return wire.send(request.method, target, path, fields, body, self._limit(), _nothing)

    def _limit(self) -> Callable[[], float]:
        """Return a function for the seconds left: until the deadline, or without one for each
        wait.
        """
        deadline, most = current_deadline(), self.reach.read_timeout
        if deadline is None:
            return lambda: most
        end = monotonic() + most
        return lambda: min(deadline.remaining(), end - monotonic())

    def _over_botocore(self, request: Any) -> AWSResponse:
        """Send a request over botocore's own session, which speaks TLS to a proxy."""
        target, reach = target_of(request.url), self.reach
        named = machine_route().named(target)
        reach.guard.at_proxy(target.host, reach.guard_path, resolves=resolves_at_proxy(os.environ))
        left = max(self._limit()(), 0.001)
        session = URLLib3Session(
            verify=reach.bundle or reach.verifies,
            proxies=None if named is None else {target.scheme: named[1]},
            timeout=(min(left, CONNECT_TIMEOUT), left),
            client_cert=reach.certificate,
        )
        return session.send(request)


class _Body(io.RawIOBase):
    """Body of a response as botocore reads it: ``stream`` yields the whole, bounded, and ``read``
    returns a part.
    """

    def __init__(self, reply: Reply, url: str) -> None:
        self._reply, self._url = reply, url
        self._pieces = reply.raw()
        self._rest: Octets = b""
        self._read = 0

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        """Yield the body of a response that botocore reads whole, or the events of a stream."""
        is_events = any(
            name.lower() == b"content-type" and value == _EVENTS.encode()
            for name, value in self._reply.fields
        )
        # judged as any form: hooks of botocore parse XML of S3 whatever its type says, before ours
        # can look at it
        pieces = _whole_events(self._pieces) if is_events else self._pieces
        try:
            yield from bounded_answer(pieces, media_type=_EVENTS if is_events else "*/*")
        except (WireFault, JackfieldError) as fault:
            raise raised_by_wire(fault, self._url) from fault
        finally:
            self._reply.close()

    def read(self, amt: int | None = None) -> bytes:
        """Return the next ``amt`` bytes, fewer at the end; by default, all that are left."""
        most = -1 if amt is None else amt
        found, size = [], 0
        while size != most and (piece := self._next()):
            part = piece if most < 0 else memoryview(piece)[: most - size]
            self._rest = memoryview(piece)[len(part) :]
            found.append(part)
            size += len(part)
        self._read += size
        return bytes(found[0]) if len(found) == 1 else b"".join(found)

    def readinto(self, buffer: Any) -> int:
        """Read into ``buffer``; return the number of bytes, 0 at the end."""
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def readable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the number of bytes read."""
        return self._read

    def close(self) -> None:
        """End the response; the rest of its body is not read."""
        if not self.closed:
            self._pieces, self._rest = iter(()), b""
            self._reply.close()
        super().close()

    def shutdown(self) -> None:
        """End the response while another thread reads it."""
        self._reply.abort()

    def _next(self) -> Octets:
        """Return the next bytes; none at the end, where the connection serves other requests."""
        if self._rest:
            return self._rest
        try:
            found = next(self._pieces, b"")
        except WireFault as fault:
            raise raised_by_wire(fault, self._url) from fault
        if not found:
            self._reply.close()
        return found


def _whole_events(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass on an event stream, each of whose events begins with its length.

    :raises WireFault: if the stream ends within an event, whose part botocore would drop silently.
    """
    head, left = b"", 0
    for chunk in chunks:
        yield chunk
        rest = memoryview(chunk)
        while rest:
            if left == 0:
                head, rest = head + rest[: _LENGTH - len(head)], rest[_LENGTH - len(head) :]
                if len(head) == _LENGTH:
                    left, head = max(0, int.from_bytes(head) - _LENGTH), b""
            left, rest = max(0, left - len(rest)), rest[left:]
    if head or left:
        raise WireFault(Kind.CUT, Sent.UNKNOWN, "the stream ended within an event")


def _joined(reply: Reply) -> dict[str, str]:
    """Return the header fields; repeated ones are joined (RFC 9110 §5.2)."""
    found: dict[str, str] = {}
    spelled: dict[bytes, str] = {}
    for name, value in reply.fields:
        key, text = (
            spelled.setdefault(name.lower(), name.decode("latin-1")),
            value.decode("latin-1"),
        )
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _path(url: str) -> bytes:
    _, _, rest = url.partition("://")
    place = rest.partition("#")[0]
    begin = min((at for at in (place.find("/"), place.find("?")) if at >= 0), default=len(place))
    path = place[begin:]
    return (path if path.startswith("/") else f"/{path}").encode()


def _octets(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else bytes(text)


def _body(body: Any) -> bytes | Iterable[Any] | None:
    if body is None or isinstance(body, bytes | str):
        return body if body is None else _octets(body)
    if isinstance(body, bytearray | memoryview):
        return (memoryview(body),)
    return iter(partial(body.read, _PIECE), b"") if hasattr(body, "read") else body


def _nothing() -> None:
    """Do nothing: botocore's last event before the request has announced it."""
