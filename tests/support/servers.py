"""Servers that are no AWS: one that talks no TLS, one with a certificate of its own, one that never reads."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jackfield.wire.tls import ConnectedSocket


class Accepted:
    """Counts the connections that a server took."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.count = 0


def tls_refusing() -> contextlib.AbstractContextManager[Accepted]:
    """A server that answers every TLS hello with plain text."""

    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    return _serving("https", answer)


@contextlib.contextmanager
def self_signed(folder: Path) -> Iterator[Accepted]:
    """A TLS server whose certificate nobody trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    signed = built.serial_number(1).not_valid_before(now - day).not_valid_after(now + day).sign(key, hashes.SHA256())
    path = folder / "server.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslsocket_class = ConnectedSocket
    context.load_cert_chain(path)

    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as wrapped:
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
