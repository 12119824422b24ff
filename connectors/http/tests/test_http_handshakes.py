"""Handshakes of TLS that fail: each reason is told in words that lead to the machine at fault."""

from __future__ import annotations

import contextlib
import socket
import ssl
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jackfield import Jackfield, Result
from raw_server import RESET, make_certificate, read_request, server_context, serving

Talk = Callable[[socket.socket], object]


@pytest.fixture(scope="module", name="pem")
def _pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module", name="jackfield")
def _jackfield() -> Iterator[Jackfield]:
    with Jackfield(database_url="none") as jackfield:
        yield jackfield


def _ask(jackfield: Jackfield, url: str, pem: Path, method: str = "POST") -> Result:
    text = pem.read_text()
    values = {
        "server": url,
        "token": "t",
        "caCertificate": text[text.index("-----BEGIN CERTIFICATE") :],
    }
    inputs = {"url": "/x", "method": method}
    found = {
        "connector": "http",
        "action": "request",
        "connection": {"type": "http/bearer", "values": values},
        "inputs": inputs,
    }
    return jackfield.invoke({**found, "timeoutSeconds": 60})


def _tls(pem: Path, change: Callable[[ssl.SSLContext], object]) -> Talk:
    context = server_context(pem)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions are what is wanted
        change(context)

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            read_request(wrapped)

    return talk


def _old(context: ssl.SSLContext) -> None:
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1


def _other_cipher(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA:@SECLEVEL=0")


def _wants_certificate(context: ssl.SSLContext) -> None:
    context.verify_mode = ssl.CERT_REQUIRED


def _wants_certificate_as_before(context: ssl.SSLContext) -> None:
    context.verify_mode, context.maximum_version = ssl.CERT_REQUIRED, ssl.TLSVersion.TLSv1_2


def _clear(connection: socket.socket) -> None:
    connection.recv(10)
    connection.sendall(b"HTTP/1.1 400 no\r\n\r\n")


def _ends(connection: socket.socket) -> None:
    connection.recv(9999)


def _resets(connection: socket.socket) -> None:
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


@pytest.mark.parametrize(
    ("change", "said", "where"),
    [
        (
            _old,
            "it speaks no version of TLS that this machine accepts",
            "switched on at the server",
        ),
        (_other_cipher, "it refused", "share no cipher"),
        (_wants_certificate_as_before, "it refused", "It may want a client certificate"),
        (_clear, "it answered in clear text", "does not speak TLS there"),
        (_ends, "it ended the connection", "load balancer or firewall"),
        (_resets, "it ended the connection", "load balancer or firewall"),
    ],
)
def test_a_handshake_that_fails(
    jackfield: Jackfield, pem: Path, change: Callable[..., None], said: str, where: str
) -> None:
    """Nothing was sent, and the reason is told, with where to look."""
    talk = change if change in {_clear, _ends, _resets} else _tls(pem, change)
    with serving(talk) as port:
        error = _ask(jackfield, f"https://localhost:{port}", pem).error
    assert error is not None
    assert (error.code, error.message.rpartition(", ")[0]) == (
        "unavailable",
        f"the TLS handshake with 'localhost:{port}' failed: {said}",
    )
    assert where in str(error.hint)


def test_a_client_certificate_is_wanted(jackfield: Jackfield, pem: Path) -> None:
    """With TLS 1.3 the server says after the handshake that it wants a certificate; who has given
    none is told so.
    """

    def talk(connection: socket.socket) -> None:
        with contextlib.suppress(ssl.SSLError):
            _tls(pem, _wants_certificate)(connection)
        connection.recv(65536)

    with serving(talk) as port:
        error = _ask(jackfield, f"https://localhost:{port}", pem, "GET").error
    assert error is not None
    assert (error.code, error.message) == (
        "unauthenticated",
        f"'localhost:{port}' wants a client certificate, and none was given",
    )
    assert "ask whoever runs the server" in str(error.hint)


@pytest.mark.parametrize(
    "page",
    [
        "<center>The plain HTTP request was sent to HTTPS port</center>",
        "Client sent an HTTP request to an HTTPS server.\n",
        "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
    ],
    ids=["nginx", "go", "apache"],
)
def test_clear_text_to_a_port_of_tls(jackfield: Jackfield, pem: Path, page: str) -> None:
    """Servers that answer clear text at a port of TLS say so in a page, which is told as what it
    means.
    """

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        head = (
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: "
            f"{len(page)}\r\nConnection: close\r\n\r\n"
        )
        connection.sendall(f"{head}{page}".encode())

    with serving(talk) as port:
        error = _ask(jackfield, f"http://localhost:{port}", pem).error
    assert error is not None
    assert (error.code, error.hint) == (
        "rejected",
        "That port speaks TLS: write https:// in the server's URL.",
    )
