"""TLS in front of a server that speaks none, as a gateway does: it may want a client certificate,
and remembers who has shown one.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from raw_server import server_context


@dataclass
class Front:
    """The gateway's port, and for each TLS connection whether the client has shown a
    certificate.
    """

    port: int = 0
    certified: list[bool] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address, for which its certificate is."""
        return f"https://localhost:{self.port}"


@contextlib.contextmanager
def fronting(
    port: int,
    pem: Path,
    clients: str | None = None,
    *,
    begins: Callable[[socket.socket], object] | None = None,
) -> Iterator[Front]:
    """Pass connections over TLS on to a port of this machine; ``clients`` is the authority of the
    client certificates that it wants. ``begins`` is what a protocol says in clear text before TLS.
    """
    context = server_context(pem)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients)
    front, over = Front(), threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=pass_on, args=(connection,), daemon=True).start()

    def pass_on(connection: socket.socket) -> None:
        if begins is not None:
            begins(connection)
        with (
            contextlib.suppress(OSError),
            context.wrap_socket(connection, server_side=True) as outside,
        ):
            front.certified.append(bool(outside.getpeercert()))
            with socket.create_connection(("127.0.0.1", port)) as inside:
                pump(outside, inside)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        front.port = listener.getsockname()[1]
        threading.Thread(target=serve, daemon=True).start()
        yield front
        over.set()
        listener.shutdown(socket.SHUT_RDWR)


def pump(outside: socket.socket, inside: socket.socket) -> None:
    """Copy bytes both ways until one side ends."""
    others: dict[socket.socket, socket.socket] = {outside: inside, inside: outside}
    while True:
        ready = (
            [outside]
            if isinstance(outside, ssl.SSLSocket) and outside.pending()
            else select.select([outside, inside], [], [])[0]
        )
        for one in ready:
            data = one.recv(65536)
            if not data:
                return
            others[one].sendall(data)


def certificate_and_key(pem: Path) -> tuple[str, str]:
    """The certificate of a file with both, which is its own authority, and its key."""
    key, begin, certificate = pem.read_text(encoding="ascii").partition(
        "-----BEGIN CERTIFICATE-----"
    )
    return begin + certificate, key
