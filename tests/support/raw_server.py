"""A port of our own for what a polite server never does, over TCP and over TLS."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jackfield.wire.tls import ConnectedSocket

RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"
"""SO_LINGER with a wait of 0: closing sends RST."""


@contextlib.contextmanager
def serving(talk: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port where each connection, one after the other, is given to ``talk`` and then closed."""

    def loop() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), connection:
                talk(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def read_request(connection: socket.socket) -> bytes:
    """One request, whole: closing with a part of it unread would reset the connection. Nothing
    where the caller has left.
    """
    with connection.makefile("rb") as stream:
        lines = list(itertools.takewhile(lambda line: line.strip(), iter(stream.readline, b"")))
        length = next(
            (
                int(line.partition(b":")[2])
                for line in lines
                if line.lower().startswith(b"content-length:")
            ),
            0,
        )
        return b"".join(lines) + stream.read(length)


def make_certificate(folder: Path) -> Path:
    """Write a file with a key and a certificate for ``localhost`` that only itself has signed: a CA
    bundle, too.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return path


def server_context(certificate: Path | str) -> ssl.SSLContext:
    """The TLS context of a server, from a file with its key and certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslsocket_class = ConnectedSocket
    context.load_cert_chain(certificate)
    return context


def with_tls(certificate: Path, connection: socket.socket) -> ssl.SSLSocket:
    """Take the server's side of a TLS handshake; the socket for what comes after it."""
    return server_context(certificate).wrap_socket(
        connection, server_side=True, suppress_ragged_eofs=True
    )


class filled:  # noqa: N801 (a context manager that reads as a word)
    """A listener whose queue is full: it swallows what else wants to connect."""

    def __init__(self, listener: socket.socket) -> None:
        self._address = listener.getsockname()
        self._made: list[socket.socket] = []

    def __enter__(self) -> None:
        for _ in range(3):
            made = socket.socket()
            made.setblocking(False)
            made.connect_ex(self._address)
            self._made.append(made)

    def __exit__(self, *_: object) -> None:
        for made in self._made:
            made.close()
