"""The keys that an identity provider publishes: fetched within a time and a size, whatever the other side does."""

from __future__ import annotations

import functools
import os
import socket
import threading
from contextlib import suppress
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request, build_opener

__all__ = ["fetched"]


def fetched(url: str, within: float, most: int) -> bytes:
    """What is at ``url``, which is all there within so many seconds, and has at most so many bytes. Redirects are not followed.

    :raises OSError: where it cannot be had, or not in time; :raises ValueError: where it is too large, or the URL is none.
    """
    if not url.lower().startswith(("http://", "https://")):
        raise ValueError("the address must begin with https:// or http://")
    with _Watch(within) as watch:
        opener = build_opener(_NoRedirect, _Plain(watch), _Secure(watch))
        try:
            with opener.open(Request(url, headers={"Accept": "application/json"}), timeout=within) as response:  # noqa: S310 (checked above)
                text: bytes = response.read(most + 1)
        except HTTPError as error:
            error.close()
            raise
    if len(text) > most:
        raise ValueError(f"the answer has more than {most:,} bytes")
    if watch.is_over:
        raise TimeoutError(f"the answer took more than {within:g} seconds")
    return text


class _Watch:
    """Shuts a connection down when its time is over. A time limit of a socket holds for each piece that comes, not for all of them."""

    def __init__(self, within: float) -> None:
        self.is_over = False
        self._timer = threading.Timer(within, self._end)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._held: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._timer.cancel()
        with self._lock:
            for held in self._held:
                held.close()
            self._held.clear()

    def hold(self, connected: socket.socket) -> None:
        """A connection was made; a second descriptor of it is kept, since TLS takes the first one away."""
        with self._lock:
            self._held.append(socket.socket(fileno=os.dup(connected.fileno())))
        if self.is_over:
            self._end()

    def _end(self) -> None:
        self.is_over = True
        with self._lock:
            for held in self._held:
                with suppress(OSError):  # the other side has closed it
                    held.shutdown(socket.SHUT_RDWR)


class _Connection(HTTPConnection):
    watch: _Watch

    def connect(self) -> None:
        """Connect; TLS begins afterwards."""
        super().connect()
        self.watch.hold(self.sock)


class _SecureConnection(HTTPSConnection, _Connection):
    """The same with TLS, whose class connects by the one above."""


def _made(kind: type[_Connection], watch: _Watch, host: str, **more: Any) -> _Connection:  # noqa: ANN401 (the standard library's own)
    connection = kind(host, **more)
    connection.watch = watch
    return connection


class _Plain(HTTPHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def http_open(self, req: Request) -> HTTPResponse:
        """Open a connection that is watched."""
        return self.do_open(functools.partial(_made, _Connection, self._watch), req)


class _Secure(HTTPSHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def https_open(self, req: Request) -> HTTPResponse:
        """The same with TLS; certificates are verified."""
        return self.do_open(functools.partial(_made, _SecureConnection, self._watch), req)


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:  # noqa: ANN401 (the standard library's own)
        """Follow none."""
