"""Servers that are no AWS: one that talks no TLS, one with a certificate of its own, one that never
reads.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from raw_server import make_certificate, server_context


class Accepted:
    """Counts the connections that a server took."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.count = 0


def tls_refusing() -> contextlib.AbstractContextManager[Accepted]:
    """A server that answers every TLS hello with plain text."""

    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )

    return _serving("https", answer)


@contextlib.contextmanager
def self_signed(folder: Path) -> Iterator[Accepted]:
    """A TLS server whose certificate nobody trusts."""
    context = server_context(make_certificate(folder))

    def answer(connection: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            context.wrap_socket(connection, server_side=True) as wrapped,
        ):
            wrapped.recv(1)

    with _serving("https", answer) as server:
        yield server


def deaf() -> contextlib.AbstractContextManager[Accepted]:
    """A server that takes connections and reads nothing, so that a large request cannot leave."""
    return _serving("http", None)


@contextlib.contextmanager
def _serving(scheme: str, answer: Callable[[socket.socket], None] | None) -> Iterator[Accepted]:
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as taken:
        server = Accepted(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                server.count += 1
                if answer is None:
                    taken.enter_context(connection)
                else:
                    with connection, contextlib.suppress(OSError):
                        answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)
