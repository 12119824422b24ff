"""A scripted loopback provider: it answers, refuses, resets, hangs or drips at request N, and
records the requests.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Protocol, Self

HANG: Literal["hang"] = "hang"
RESET: Literal["reset"] = "reset"
CLOSE: Literal["close"] = "close"
DRIP: Literal["drip"] = "drip"
_STEPS = (HANG, RESET, CLOSE, DRIP)
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_DROP = 0.05
"""Seconds between two octets of a dripped body."""
_PATIENCE = 10.0
"""Maximum wait for the server's thread, in seconds."""
_SETTLED = 10.0
"""Maximum wait for requests that are being read or recorded, in seconds."""
_LOOK = 0.05
"""Seconds between two checks whether a client has hung up."""
_HANDLER = "jackfield-provider"
"""Name of the threads that answer."""
_LAST = b"LAST\n"
_TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"
_HANDSHAKE = b"\x16"
"""First octet of TLS."""
_NO_BODY = frozenset({204, 304})


@dataclass(frozen=True)
class Request:
    """Request received by the provider. ``left`` returns True once the client has hung up."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    left: Callable[[], bool] | None = field(default=None, repr=False, compare=False)

    @property
    def changes(self) -> bool:
        """Return whether the HTTP method may change something."""
        return self.method not in SAFE

    def header(self, name: str) -> str:
        """Return a header field by its name in any case; an empty string if the request lacks the
        field.
        """
        return next(
            (value for key, value in self.headers.items() if key.lower() == name.lower()), ""
        )

    def json(self) -> Any:
        """Return the body as JSON.

        :raises ValueError: if the body is not JSON.
        """
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """Response with a JSON body, or with raw ``content``.

    ``missing`` octets are announced in addition, but never sent. ``drip`` is the pause in seconds
    after each octet of the body. ``then`` is called after the whole response was sent.
    """

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    missing: int = 0
    drip: float = 0.0
    then: Callable[[], None] | None = None


Step = Answer | Literal["hang", "reset", "close", "drip"]
"""Type of a reaction to one request."""
Script = Callable[[int, Request], Step]
"""Type of a function from a request's number (from 1) and the request to the step to play."""


def throttled(seconds: int = 1) -> Answer:
    """Return a 429 with ``Retry-After``."""
    return Answer({"message": "too many requests"}, 429, {"Retry-After": str(seconds)})


def refused(status: int = 422, message: str = "refused") -> Answer:
    """Return an explicit refusal: a 4xx or 5xx with a message."""
    return Answer({"message": message}, status)


class Certifying(Protocol):
    """Issuer of certificates for the hosts of a proxy's clients."""

    def serving(self, host: str) -> ssl.SSLContext:
        """Return the TLS context of a server that clients accept as ``host``."""


class Provider:
    """HTTP server on loopback that plays a script; a context manager. ``requests`` are all requests
    received, ``url`` and ``port`` its address.

    ``script`` is one step for all requests, or a function of a request's number (from 1) and the
    request. Or it is a sequence of steps: the Nth request gets the Nth step, later requests get the
    last step. Or it maps ``"POST /orders"`` (without the query) to steps, and other requests get
    404. A step is an ``Answer``, or one of these:

    - ``HANG``: read the request and send nothing, until the provider is closed.
    - ``RESET``: reset the connection instead of answering.
    - ``CLOSE``: close the connection in an orderly way instead of answering.
    - ``DRIP``: send the header, then one octet of an endless body every 50 ms, until the client
      hangs up.

    Each connection serves one request, unless ``keeps`` lets clients use it again; with ``tls`` it
    is encrypted. The server is also a proxy that forwards nothing: requests through it have whole
    addresses as their ``path``. Tunnels to hosts with TLS need an ``authority``, and end here. With
    an ``authority``, a connection may also begin with TLS, as one to the host that its handshake
    names.
    """

    def __init__(
        self,
        script: Step | Script | Sequence[Step] | Mapping[str, Step],
        *,
        port: int = 0,
        authority: Certifying | None = None,
        keeps: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.requests: list[Request] = []
        self._script = script_of(script)
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._reading = 0
        self._read = threading.Condition(self._lock)
        self.authority = authority
        kept = {"protocol_version": "HTTP/1.1"} if keeps else {}
        self._server = _Server(
            ("127.0.0.1", port), type("_Handler", (_Handler,), {"provider": self, **kept})
        )
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self.port = self._server.server_port
        self.url = f"http{'' if tls is None else 's'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        socket.create_connection(self._server.server_address[:2], _PATIENCE).close()  # type: ignore[arg-type]
        self._thread.join(_PATIENCE)
        self._server.server_close()

    def settle(self) -> None:
        """Wait until the script has received the requests of all earlier connections, even if their
        clients have left.
        """
        with (
            contextlib.suppress(OSError),
            socket.create_connection(self._server.server_address[:2], _PATIENCE) as last,  # type: ignore[arg-type]
        ):
            last.sendall(_LAST)
            last.recv(1)  # connections are accepted in their order
        with self._read:
            self._read.wait_for(lambda: self._reading == 0, _SETTLED)

    def reading(self, change: int) -> None:
        """Change the number of connections whose request is unread or in the script."""
        with self._read:
            self._reading += change
            self._read.notify_all()

    def _accept(self) -> None:
        """Accept connections until a last connection announces the end, since polling would make
        each short test wait.
        """
        while not self._over.is_set():
            self._server.handle_request()

    @property
    def writes(self) -> int:
        """Return the number of requests whose method may change something: POST, PUT, PATCH, DELETE
        and any other than GET, HEAD, OPTIONS.
        """
        return sum(request.changes for request in self.requests)

    def play(self, request: Request) -> Step:
        """Record a request and return its step. With the step ``HANG``, return only when the
        provider is closed.
        """
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
        try:
            found = self._script(number, request)
        finally:
            self.reading(-1)
        if found == HANG:
            self._over.wait()
        return found

    def pause(self, seconds: float) -> bool:
        """Wait, and return whether the provider has been closed."""
        return self._over.wait(seconds)


def script_of(script: Step | Script | Sequence[Step] | Mapping[str, Step]) -> Script:
    """Return a script as a function.

    :raises ValueError: if the script has no step, or an invalid one.
    """
    if callable(script):
        return script
    steps = (
        [*script.values()]
        if isinstance(script, Mapping)
        else [script]
        if isinstance(script, Answer | str)
        else [*script]
    )
    for step in steps:
        if not isinstance(step, Answer) and step not in _STEPS:
            raise ValueError(
                f"{step!r:.80} is no step of a script: write an Answer, HANG, RESET, CLOSE or DRIP"
            )
    return _by_route(script) if isinstance(script, Mapping) else _in_order(steps)


def _by_route(steps: Mapping[str, Step]) -> Script:
    def play(_number: int, request: Request) -> Step:
        route = f"{request.method} {request.path.partition('?')[0]}"
        return steps.get(route, refused(404, f"no answer is scripted for '{route}'"))

    return play


def _in_order(steps: Sequence[Step]) -> Script:
    if not steps:
        raise ValueError("a script needs at least one step")
    return lambda number, _request: steps[min(number, len(steps)) - 1]


def is_handler(thread: threading.Thread) -> bool:
    """Return whether a thread is one that answers for a provider."""
    return thread.name == _HANDLER


def _has_left(connection: socket.socket) -> bool:
    """Return whether a client has hung up. After a request, only the end of the connection, or
    TLS's alert about it, may follow.
    """
    try:
        if not select.select([connection], [], [], _LOOK)[0]:
            return False
        return isinstance(connection, ssl.SSLSocket) or not connection.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):
        return True


class _Server(ThreadingHTTPServer):
    """Server that counts the connections that it has accepted."""

    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors of clients that leave or reject a certificate."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer in a thread with a name."""
        threading.current_thread().name = _HANDLER
        super().process_request_thread(request, client_address)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Count the connection before its thread starts."""
        self.RequestHandlerClass.provider.reading(1)  # type: ignore[attr-defined]
        super().process_request(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Handler of one request per connection, or of all its requests with HTTP/1.1."""

    provider: Provider
    origin = ""
    """Address of the host at the end of a tunnel."""
    is_counted = True
    """True before the first request of a connection is read: the provider has counted only this
    request.
    """
    # header and body are two writes: the second would wait for the acknowledgement of the first
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        """Read the request, play the script and send the answer."""
        self.close_connection = True
        request: Request | None = None
        try:
            request = self._request()
        finally:
            if request is None and self.is_counted:
                self.provider.reading(-1)
            self.is_counted = False
        if request is None:
            self.close_connection = True
            return
        found = self.provider.play(request)
        self.close_connection = (
            self.close_connection or not isinstance(found, Answer) or bool(found.missing)
        )
        try:
            self._react(found)
        except OSError:
            return  # the client has hung up

    def _request(self) -> Request | None:
        if (
            self.provider.authority is not None
            and not self.origin
            and self.connection.recv(1, socket.MSG_PEEK) == _HANDSHAKE
        ):
            return self._read_over_tls(self.provider.authority)
        self.raw_requestline = self.rfile.readline(65537)
        if self.raw_requestline and not self.is_counted:
            self.is_counted = True
            self.provider.reading(1)
        if not self.raw_requestline or self.raw_requestline == _LAST or not self.parse_request():
            return None
        if self.command == "CONNECT" and self.provider.authority is not None and not self.origin:
            return self._tunnelled(self.provider.authority)
        # a client may name the host in the tunnel, too
        path = self.path if "://" in self.path else self.origin + self.path
        return Request(
            self.command,
            path,
            dict(self.headers.items()),
            self._body(),
            lambda: _has_left(self.connection),
        )

    def _tunnelled(self, authority: Certifying) -> Request | None:
        """Read the request in a tunnel; None if the client rejects the certificate."""
        host, _, port = self.path.rpartition(":")
        self.origin = f"https://{host}" + ("" if port == "443" else f":{port}")
        self.wfile.write(_TUNNEL)
        return self._secured(authority.serving(host))

    def _read_over_tls(self, authority: Certifying) -> Request | None:
        """Read the request of a client that begins with TLS and names the host in its handshake;
        None if it rejects the certificate.
        """
        context = authority.serving("127.0.0.1")

        def name(
            connection: ssl.SSLObject | ssl.SSLSocket, host: str | None, _: ssl.SSLContext
        ) -> None:
            if host:
                self.origin, connection.context = f"https://{host}", authority.serving(host)

        self.origin, context.sni_callback = "https://127.0.0.1", name
        return self._secured(context)

    def _secured(self, context: ssl.SSLContext) -> Request | None:
        try:
            self.connection = context.wrap_socket(self.connection, server_side=True)
        except OSError:  # ssl.SSLError among them
            return None
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        return self._request()

    def finish(self) -> None:
        """Close the connection; a tunnel has a connection object of its own."""
        super().finish()
        if self.origin:
            self.connection.close()

    def _react(self, found: Step) -> None:
        if found == CLOSE:
            return
        if found == DRIP:
            self._drip()
        elif isinstance(found, Answer):
            self._send(found)
            if found.then is not None:
                found.then()
        else:  # send a reset rather than an orderly close
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _body(self) -> bytes:
        if "chunked" not in (self.headers.get("Transfer-Encoding") or "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(1024).partition(b";")[0] or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline(1024)
        while self.rfile.readline(65537).strip():
            continue  # trailers
        return body

    def _send(self, found: Answer) -> None:
        content = json.dumps(found.body).encode() if found.content is None else found.content
        headers = {"content-type": "application/json"} | (
            {"connection": "close"} if self.close_connection else {}
        )
        headers |= {name.lower(): value for name, value in found.headers.items()}
        # which has the present time
        begin = self.send_response_only if "date" in headers else self.send_response
        begin(found.status)
        for name, value in headers.items():
            self.send_header(name.title(), value)
        if found.status not in _NO_BODY:
            self.send_header("Content-Length", str(len(content) + found.missing))
        self.end_headers()
        if self.command == "HEAD" or found.status in _NO_BODY:
            return
        if not found.drip:
            self.wfile.write(content)
            return
        for octet in content:
            self.wfile.write(bytes((octet,)))
            if self.provider.pause(found.drip):
                return

    def _drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        while not self.provider.pause(_DROP):
            self.wfile.write(b" ")

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""
