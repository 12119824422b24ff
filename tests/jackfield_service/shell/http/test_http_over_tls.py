"""A server with a certificate of its own: what it tells browsers, and what its log says of those
who speak something else.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from authority import Authority
from http_stand import SETTINGS, Stand, process, say, standing

GARBAGE = (
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
    b"\x00" * 5000,
    b"GET\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    b"",
)
HSTS = "strict-transport-security"


def _answered(
    port: int, path: str, context: ssl.SSLContext | None, body: str | None = None, **headers: str
) -> Any:
    kind: Any = http.client.HTTPConnection if context is None else http.client.HTTPSConnection
    connection = kind(
        "127.0.0.1", port, timeout=30, **({} if context is None else {"context": context})
    )
    try:
        connection.request("GET" if body is None else "POST", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer
    finally:
        connection.close()


def _garbage(port: int, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while connection.recv(65_536):
                pass


@pytest.fixture(name="secured")
def _secured(tmp_path: Path) -> Iterator[tuple[Stand, ssl.SSLContext]]:
    """A server with a certificate, and what a caller needs to believe it."""
    authority = Authority(tmp_path)
    pem = tmp_path / "server.pem"
    pem.write_bytes(authority.pem("127.0.0.1"))
    with standing(tmp_path, replace(SETTINGS, certificate=str(pem), key=str(pem))) as stand:
        yield stand, ssl.create_default_context(cafile=str(authority.bundle))


def test_a_server_with_a_certificate_says_that_it_stays_so(
    secured: tuple[Stand, ssl.SSLContext],
) -> None:
    """Each answer over TLS tells browsers to come by TLS for a year (RFC 6797), once: pages, the
    API past Starlette, and refusals.
    """
    stand, context = secured
    for path in ("/healthz", "/docs", "/v1/connectors", "/nothing"):
        assert _answered(stand.port, path, context).headers.get_all(HSTS) == ["max-age=31536000"], (
            path
        )
    token = {"Authorization": f"Bearer {stand.client().token}", "Content-Type": "application/json"}
    for body in (say("say", text="hello"), "no invocation"):
        answer = _answered(stand.port, "/v1/invocations", context, json.dumps(body), **token)
        assert answer.headers.get_all(HSTS) == ["max-age=31536000"]
    with (
        socket.create_connection(("127.0.0.1", stand.port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as talk,
    ):
        talk.sendall(b"GARBAGE\r\n\r\n")
        head = talk.recv(65_536)
    assert head.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("sent", GARBAGE)
def test_garbage_on_a_connection_over_tls_is_at_most_one_line(
    secured: tuple[Stand, ssl.SSLContext], caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    """Whoever speaks no TLS, or ends in the middle of it, leaves at most one line without a
    traceback, and the server goes on.
    """
    stand, context = secured
    with caplog.at_level(logging.INFO):
        _garbage(stand.port, sent)
        assert _answered(stand.port, "/healthz", context).status == 200
    found = [record for record in caplog.records if "/healthz" not in record.getMessage()]
    assert len(found) <= 1, [record.getMessage() for record in found]
    assert not any(record.exc_info for record in found)


def test_a_server_without_one_says_nothing(tmp_path: Path) -> None:
    """Without a certificate that is the proxy's to say; garbage on a connection is at most one line
    in the log.
    """
    with process(tmp_path) as server:
        for path in ("/healthz", "/v1/connectors"):
            assert (
                _answered(
                    server.port, path, None, **{"X-Forwarded-Proto": "https"}
                ).headers.get_all(HSTS)
                is None
            )
        for sent in GARBAGE:
            before = (tmp_path / "log").read_text().count("\n")
            _garbage(server.port, sent)
            assert _answered(server.port, "/healthz", None).status == 200
            lines = (tmp_path / "log").read_text().splitlines()[before:]
            assert len([line for line in lines if "/healthz" not in line]) <= 1, lines
            assert "Traceback" not in "".join(lines)
