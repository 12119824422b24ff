"""Bodies of Dapr's HTTP API as they come off a connection: of a length that is told, or in
chunks.
"""

from __future__ import annotations

import contextlib
import json
import socket

import pytest
from tests.jackfield_dapr.sidecars import SidecarClient

from fake_aws import FakeAws
from jackfield_dapr.sidecar import routes

HEAD = b"POST /v1.0/bindings/outbox HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
HEALTH = b"GET /v1.0/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
BODY = json.dumps({"operation": "create", "data": "<p>late</p>"}).encode()


def exchange(dapr: SidecarClient, request: bytes) -> bytes:
    """Send octets, and nothing more; everything that comes back until the server closes."""
    answers = bytearray()
    with (
        socket.create_connection(("127.0.0.1", dapr.http_port), timeout=60) as connection,
        contextlib.suppress(ConnectionError),
    ):
        connection.sendall(request)
        while part := connection.recv(65536):
            answers += part
    return bytes(answers)


def statuses(answers: bytes) -> list[int]:
    """The statuses of all answers on a connection."""
    return [
        int(line.split()[1]) for line in answers.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")
    ]


def chunk(content: bytes, extension: bytes = b"") -> bytes:
    """One chunk."""
    return b"%X%s\r\n%s\r\n" % (len(content), extension, content)


@pytest.mark.parametrize(
    "body",
    [
        chunk(BODY) + b"0\r\n\r\n",
        b"".join(chunk(BODY[i : i + 1]) for i in range(len(BODY))) + b"0\r\n\r\n",
        b"00" + chunk(BODY).lower() + b"000\r\n\r\n",
        chunk(BODY[:7], b';a=b;c="d"') + chunk(BODY[7:], b";e") + b"0;last\r\n\r\n",
        chunk(BODY) + b"0\r\nChecksum: 1\r\nOther: 2\r\n\r\n",
    ],
    ids=["one", "octets", "zeros", "extensions", "trailers"],
)
def test_a_body_may_come_in_chunks(dapr: SidecarClient, aws: FakeAws, body: bytes) -> None:
    """A client that streams is served, and so is its next request on the same connection."""
    assert statuses(exchange(dapr, CHUNKED + body + HEALTH)) == [204, 204]
    (message,) = aws.messages
    assert message.content.html == "<p>late</p>"


@pytest.mark.parametrize(
    "body",
    [
        b"-1\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"5 ;a=b\r\nhello\r\n0\r\n\r\n",
        b"5;a\rb\r\nhello\r\n0\r\n\r\n",
        b"4\r\nhello\r\n0\r\n\r\n",
        b"11111111111111111\r\n",
        chunk(BODY) + b"0\r\nno field\r\n\r\n",
    ],
)
def test_chunks_that_are_not_well_formed_are_refused(
    dapr: SidecarClient, aws: FakeAws, body: bytes
) -> None:
    """The answer is 400 and the connection is closed: nobody knows where the next request would
    begin, and nothing is sent.
    """
    answers = exchange(dapr, CHUNKED + body)
    assert statuses(answers) == [400]
    assert b"connection: close" in answers.lower()
    assert len(aws.messages) == 0


@pytest.mark.parametrize("body", [chunk(BODY), chunk(BODY)[:-9], chunk(BODY) + b"0\r\n"])
def test_a_body_that_is_cut_off_sends_nothing(
    dapr: SidecarClient, aws: FakeAws, body: bytes
) -> None:
    """A caller who leaves before the last chunk has called nothing, and the next caller is
    served.
    """
    with socket.create_connection(("127.0.0.1", dapr.http_port), timeout=60) as connection:
        connection.sendall(CHUNKED + body)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(65536) == b""
    assert dapr.send().status == 204
    assert len(aws.messages) == 1


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
        (b"Content-Length: 5\r\nContent-Length: 6", 400),
        (b"Content-Length: five", 400),
        (b"Content-Length: " + str(2**40).encode(), 413),
        (b"Content-Length: " + b"9" * 5000, 400),
    ],
)
def test_a_body_of_no_clear_or_of_too_great_length_is_refused(
    dapr: SidecarClient, head: bytes, status: int
) -> None:
    """A body that two readers could divide differently is not read, nor one that is larger than a
    request may be.
    """
    assert statuses(exchange(dapr, HEAD + head + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + HEALTH))[
        :1
    ] == [status]


def test_chunks_are_only_read_up_to_the_limit(
    dapr: SidecarClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of a body counts whatever way it comes."""
    monkeypatch.setattr(routes, "MAX_BODY", len(BODY))
    assert statuses(
        exchange(dapr, CHUNKED + chunk(BODY[:9]) + chunk(BODY[9:]) + b"0\r\n\r\n" + HEALTH)
    ) == [204, 204]
    assert statuses(exchange(dapr, CHUNKED + chunk(BODY) + chunk(BODY[:9]))) == [413]
