"""Dapr's HTTP API on a port: the standard library's server around the pure function."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from jackfield.surfaces.dapr.api import DaprApi
from jackfield.surfaces.dapr.http_api import MAX_BODY, Answer, answer, answer_to_head
from jackfield.surfaces.dapr.request_body import BodyError, read_body

__all__ = ["HttpServer"]

_IDLE = 60.0
"""Seconds after which a connection on which nothing comes is closed."""
_LINGER, _PIECE = 2.0, 65536


class HttpServer:
    """Serves until it is stopped. ``port`` 0 takes any that is free; ``address`` says which one it is.

    :raises OSError: where the port cannot be had.
    """

    def __init__(self, api: DaprApi, host: str, port: int) -> None:
        self._busy = _Busy()
        self._server = _Listener((host, port), partial(_Handler, api, self._busy))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="dapr-http", daemon=True)
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def stop(self, patience: float) -> None:
        """Take no more connections, let running requests end for at most ``patience`` seconds, and close."""
        self._server.shutdown()
        self._thread.join()
        self._busy.wait(patience)
        self._server.server_close()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # idle connections would be waited for; _Busy knows the requests that run
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 (the standard library's signature)
        """A caller who leaves in the middle is no fault of ours."""


class _Busy:
    """How many requests run."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0

    @contextmanager
    def request(self) -> Iterator[None]:
        with self._changed:
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def wait(self, patience: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._running == 0, patience)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE
    server_version = "jackfield"
    sys_version = ""
    disable_nagle_algorithm = True

    def __init__(self, api: DaprApi, busy: _Busy, *connection: Any) -> None:  # noqa: ANN401 (the standard library's signature)
        self._api = api
        self._busy = busy
        super().__init__(*connection)

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self._busy.request():
            known = answer_to_head(self._api, self.command, self.path, headers)
            if known is None:
                self._send(self._answered(headers))
                return
            left = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
            self._send(replace(known, headers={**known.headers, "connection": "close"}) if left else known)
        if left:
            self._linger()

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _serve  # noqa: N815 (the standard library's names)

    def handle_expect_100(self) -> bool:
        """Whether a body is wanted is known when it is read."""
        return True

    def _answered(self, headers: dict[str, str]) -> Answer:
        if headers.get("expect", "").lower() == "100-continue" and self.request_version == "HTTP/1.1":
            self.send_response_only(100)
            self.end_headers()
        try:
            body = read_body(self.headers, self.request_version, self.rfile, MAX_BODY)
        except BodyError as error:
            return Answer(error.status, {"content-type": "text/plain", "connection": "close"}, str(error).encode())
        return answer(self._api, self.command, self.path, headers, body)

    def _linger(self) -> None:
        """Drop what still comes of a body that nobody reads, for a moment: closing at once would reset the connection, and the caller might
        never see the answer (RFC 9112 §9.6)."""
        until = time.monotonic() + _LINGER
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while (left := until - time.monotonic()) > 0:
                self.connection.settimeout(left)
                if not self.rfile.read1(_PIECE):
                    return

    def _send(self, found: Answer) -> None:
        self.send_response(found.status)
        for name, value in found.sent_headers().items():
            self.send_header(name, value)
        if self._api.stopping.is_set() and "connection" not in found.headers:
            self.send_header("connection", "close")
        if found.status != 204:  # noqa: PLR2004 (RFC 9110 §15.3.5: it has no body and tells no length)
            self.send_header("content-length", str(len(found.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(found.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 (the standard library's signature)
        """Say nothing: the journal has what was invoked."""
