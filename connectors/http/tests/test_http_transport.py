"""What the client carries: bodies of any size in flat memory, tunnels of a proxy, and the limits
that servers announce.
"""

from __future__ import annotations

import gzip
import socket
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from http_rig import attempt
from jackfield.connector import JackfieldError
from jackfield.testing import Answer, Provider
from jackfield_http import MutualTls, Part
from raw_server import make_certificate, serving
from tls_front import certificate_and_key, fronting, pump

MEGA = 1024 * 1024
SIZE = 32 * MEGA
ZIPPED = gzip.compress(bytes(SIZE))
HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


def head_of(connection: socket.socket) -> bytes:
    """The request line and the header of a request, and not a byte more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        found = connection.recv(1)
        if not found:
            return b""
        head += found
    return head


def drained(connection: socket.socket) -> int:
    """Read a request with a body; how many bytes that had."""
    fields = head_of(connection).lower().split(b"\r\n")
    length = next(
        int(field.partition(b":")[2]) for field in fields if field.startswith(b"content-length:")
    )
    left = length
    while left > 0 and (found := connection.recv(min(left, 65_536))):
        left -= len(found)
    return length - left


def plain(connection: socket.socket) -> None:
    """Answer with a large body."""
    connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % SIZE)
    for _ in range(SIZE // 65_536):
        connection.sendall(bytes(65_536))


def zipped(connection: socket.socket) -> None:
    """Answer with a large body that is small on its way."""
    connection.sendall(
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(ZIPPED), ZIPPED)
    )


@pytest.mark.parametrize("respond", [plain, zipped])
def test_files_go_both_ways_in_flat_memory(
    tmp_path: Path, respond: Callable[[socket.socket], None]
) -> None:
    """A part of a form is read while it is sent, and a response, compressed or not, is handed on
    while it arrives.
    """
    path, seen = tmp_path / "big", list[int]()
    with path.open("wb") as made:
        made.truncate(SIZE)

    def talk(connection: socket.socket) -> None:
        seen.append(drained(connection))
        respond(connection)

    with (
        serving(talk) as port,
        path.open("rb") as file,
        attempt(f"http://127.0.0.1:{port}", seconds=120) as (api, _),
    ):
        api.url("/x")
        tracemalloc.start()
        try:
            with api.stream(
                "POST", "/x", multipart={"title": "Big", "file": Part(file, "big.bin")}
            ) as answer:
                received = sum(map(len, answer.chunks()))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (received, seen[0] > SIZE) == (SIZE, True)
    assert peak < 4 * MEGA


def test_a_tunnel_through_a_proxy(tmp_path: Path) -> None:
    """A proxy that wants a login connects; the request, its token and the client certificate are
    for the server alone.
    """
    folders = [tmp_path / name for name in ("server", "client")]
    for folder in folders:
        folder.mkdir()
    pem = make_certificate(folders[0])
    certificate, key = certificate_and_key(make_certificate(folders[1]))
    asked: list[bytes] = []

    def tunnel(connection: socket.socket) -> None:
        asked.append(head_of(connection))
        host, _, port = asked[-1].split()[1].partition(b":")
        assert host == b"localhost"
        with closing(socket.create_connection(("127.0.0.1", int(port)))) as onward:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            pump(connection, onward)

    with (
        Provider([Answer({"a": 1})]) as provider,
        fronting(provider.port, pem, certificate) as front,
        serving(tunnel) as proxy,
    ):
        values = {
            "certificate": certificate,
            "privateKey": key,
            "caCertificate": certificate_and_key(pem)[0],
            "proxy": f"http://127.0.0.1:{proxy}",
            "proxyUsername": "ada",
            "proxyPassword": "pw",
        }
        with attempt(front.url, MutualTls, values=values) as (api, call):
            assert api.post("/secret", query={"key": "k"}, json={"text": "private"}).json() == {
                "a": 1
            }
            assert (call.requests, front.certified) == (1, [True])
    assert len(asked) == 1
    assert asked[0].startswith(b"CONNECT localhost:")
    assert b"Basic YWRhOnB3" in asked[0]
    assert b"secret" not in asked[0]
    headers = {name.lower() for name in provider.requests[0].headers}
    assert "proxy-authorization" not in headers


@pytest.mark.parametrize(
    ("status", "headers", "wanted"),
    [
        (429, {"Retry-After": "3"}, 3.0),
        (
            429,
            {
                "Retry-After": "Sat, 21 Nov 2026 10:00:09 GMT",
                "Date": "Sat, 21 Nov 2026 10:00:00 GMT",
            },
            9.0,
        ),
        (429, {"RateLimit": '"default";r=0;t=12'}, 12.0),
        (429, {"RateLimit": '"default";r=3;t=12'}, None),
        (429, {"RateLimit-Remaining": "0", "RateLimit-Reset": "7"}, 7.0),
        (
            403,
            {
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": "1795255210",
                "Date": "Sat, 21 Nov 2026 10:00:00 GMT",
            },
            10.0,
        ),
        (403, {"Retry-After": "5"}, 5.0),
        (429, {"RateLimit-Remaining": "0", "RateLimit-Reset": "nan"}, None),
        (429, {"Retry-After": "-1"}, None),
        (429, {}, None),
    ],
)
def test_announced_limits(status: int, headers: dict[str, str], wanted: float | None) -> None:
    """The wait that a server asks for, in whichever header field, is the pause before the next
    attempt.
    """
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    def talk(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(
            f"HTTP/1.1 {status} No\r\nConnection: close\r\nContent-Length: 0\r\n{lines}\r\n".encode()
        )

    with (
        serving(talk) as port,
        attempt(f"http://127.0.0.1:{port}") as (api, _),
        pytest.raises(JackfieldError) as found,
    ):
        api.get("/x")
    error: Any = found.value
    assert (error.code, error.retry_after) == ("rate_limited", wanted)
