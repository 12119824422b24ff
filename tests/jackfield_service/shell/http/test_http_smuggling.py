"""Requests whose end two readers could find in different places, over raw connections to both
servers: refused, and the connection ends.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import pytest
from tests.jackfield_dapr.sidecars import sidecar

from http_stand import SETTINGS, say, standing

BODY = json.dumps(say("say", text="hello")).encode()
CHUNKED = b"%X\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)


@dataclass(frozen=True)
class Door:
    """A server's port, a request that takes a body (without the end of its head), a path of a
    probe, and the statuses of both.
    """

    port: int
    post: bytes
    healthy: bytes
    served: tuple[int, int]

    def talk(self, request: bytes) -> list[int]:
        """Send a request and one more after it; return the statuses of all answers until the server
        closes.
        """
        answers = bytearray()
        another = b"GET " + self.healthy + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection,
            contextlib.suppress(ConnectionError),
        ):
            connection.sendall(request + another)
            while part := connection.recv(65536):
                answers += part
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


@pytest.fixture(scope="module", params=["serve", "dapr"])
def door(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    """``jackfield serve``, and ``jackfield dapr`` without a component."""
    folder = tmp_path_factory.mktemp("door")
    if request.param == "dapr":
        with sidecar(folder) as running:
            yield Door(
                running.http_port,
                b"POST /v1.0/bindings/none HTTP/1.1\r\nHost: x\r\n",
                b"/v1.0/healthz",
                (500, 204),
            )
        return
    with standing(folder, SETTINGS) as stand:
        token = str(stand.client().token).encode()
        head = (
            (
                b"POST /v1/invocations HTTP/1.1\r\nHost: x\r\nContent-Type: "
                b"application/json\r\nAuthorization: Bearer "
            )
            + token
            + b"\r\n"
        )
        yield Door(stand.port, head, b"/healthz", (200, 200))


LENGTH = b"Content-Length: %d" % len(BODY)
REFUSED = {
    "length and chunks": (LENGTH + b"\r\nTransfer-Encoding: chunked", CHUNKED),
    "chunks and length": (b"Transfer-Encoding: chunked\r\n" + LENGTH, CHUNKED),
    "chunked, gzip": (b"Transfer-Encoding: chunked, gzip", CHUNKED),
    "chunked, identity": (b"Transfer-Encoding: chunked, identity", CHUNKED),
    "identity": (b"Transfer-Encoding: identity\r\n" + LENGTH, BODY),
    "chunked twice": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", CHUNKED),
    "chunked, chunked": (b"Transfer-Encoding: chunked, chunked", CHUNKED),
    "no coding": (b"Transfer-Encoding:\r\n" + LENGTH, BODY),
    "coding after a vertical tab": (b"Transfer-Encoding: \x0bchunked", CHUNKED),
    "space before the colon": (b"Transfer-Encoding : chunked", CHUNKED),
    "two lengths": (LENGTH + b"\r\nContent-Length: 0", BODY),
    "equal lengths": (LENGTH + b"\r\n" + LENGTH, BODY),
    "list of lengths": (LENGTH + b", %d" % len(BODY), BODY),
    "length with a sign": (b"Content-Length: +%d" % len(BODY), BODY),
    "length in hex": (b"Content-Length: 0x%x" % len(BODY), BODY),
    "no length": (b"Content-Length:", BODY),
    "length with a space": (b"Content-Length: 2 3", BODY),
    "folded value": (b"X-Note: a\r\n b\r\n" + LENGTH, BODY),
    "folded coding": (b"Transfer-Encoding:\r\n chunked", CHUNKED),
    "folded first line": (b" X-Note: a\r\n" + LENGTH, BODY),
    "LF in the head": (b"X-Note: a\n" + LENGTH, BODY),
    "LF before a coding": (LENGTH + b"\r\nX-Note: a\nTransfer-Encoding: chunked", BODY),
    "CR before a coding": (b"X-Note: a\rTransfer-Encoding: chunked\r\n" + LENGTH, BODY),
    "NUL in the head": (b"X-Note: a\x00b\r\n" + LENGTH, BODY),
    "LF after a chunk's size": (
        b"Transfer-Encoding: chunked",
        b"%X\n%s\r\n0\r\n\r\n" % (len(BODY), BODY),
    ),
    "LF after a chunk": (b"Transfer-Encoding: chunked", b"%X\r\n%s\n0\r\n\r\n" % (len(BODY), BODY)),
    "LF after the last chunk": (
        b"Transfer-Encoding: chunked",
        b"%X\r\n%s\r\n0\n\n" % (len(BODY), BODY),
    ),
    "LF in an extension": (
        b"Transfer-Encoding: chunked",
        b"%X;a\nb\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY),
    ),
    "size beyond 64 bits": (
        b"Transfer-Encoding: chunked",
        b"1%016X\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY),
    ),
}


def test_no_clear_end_is_refused(door: Door) -> None:
    """The answer is 400, the connection ends, and what follows is never read as a request."""
    found = {}
    for case, version, more in product(
        REFUSED, (b"1.1", b"1.0"), (b"", b"\r\nConnection: keep-alive")
    ):
        head, body = REFUSED[case]
        found[case, version, more] = door.talk(
            door.post.replace(b"HTTP/1.1", b"HTTP/" + version) + head + more + b"\r\n\r\n" + body
        )
    assert found == {key: [400] for key in found}


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize(
    "head",
    [
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: xchunked",
        b'Transfer-Encoding: "chunked"',
    ],
)
def test_a_coding_that_nobody_decodes_is_501(door: Door, head: bytes, version: bytes) -> None:
    """A body in chunks that is encoded once more would be taken for its encoded octets (RFC 9112
    section 6.1).
    """
    assert door.talk(
        door.post.replace(b"HTTP/1.1", b"HTTP/" + version) + head + b"\r\n\r\n" + CHUNKED
    ) == [501]


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (LENGTH, BODY),
        (b"Transfer-Encoding: chunked", CHUNKED),
        (b"Transfer-Encoding: Chunked ", CHUNKED),
    ],
)
def test_a_clear_end_is_read(door: Door, head: bytes, body: bytes) -> None:
    """A length or chunks alone are read, and the next request too; over HTTP/1.0 the connection
    ends after the answer (section 6.1).
    """
    assert door.talk(door.post + head + b"\r\n\r\n" + body) == [*door.served]
    old = door.post.replace(b"HTTP/1.1", b"HTTP/1.0")
    for more in (b"", b"\r\nConnection: keep-alive"):
        assert door.talk(old + head + more + b"\r\n\r\n" + body) == [door.served[0]]
