"""Requests with ``Expect: 100-continue``: the body goes to a server that asks for it, or that does
not know the question, and a success without it proves nothing (RFC 9110 §10.1.1).
"""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from jackfield.connector import Sent, Target, Wire, WireFault, WireSettings
from raw_server import serving

_BODY = b"hello"
_DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_ASKS = b"HTTP/1.1 100 Continue\r\n\r\n"
_EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


def _head(connection: socket.socket) -> None:
    found = b""
    while b"\r\n\r\n" not in found:
        found += connection.recv(1)


def _put(talk: Callable[[socket.socket], object]) -> int:
    with serving(talk) as port:
        fields = [
            (b"Host", b"localhost"),
            (b"Content-Length", b"%d" % len(_BODY)),
            (b"Expect", b"100-continue"),
        ]
        target = Target("http", "127.0.0.1", port)
        reply = Wire(WireSettings()).send(
            "PUT", target, b"/", fields, iter([_BODY]), lambda: 30.0, lambda: None
        )
        reply.read(10)
        return reply.status


@pytest.mark.parametrize("before", [_ASKS, _EARLY + _ASKS, b""], ids=["asks", "hints", "silent"])
def test_a_server_gets_the_body(before: bytes) -> None:
    """The body follows once the server asks for it, or where it says nothing."""
    received = list[bytes]()

    def talk(connection: socket.socket) -> None:
        _head(connection)
        connection.sendall(before)
        received.append(connection.recv(len(_BODY), socket.MSG_WAITALL))
        connection.sendall(_DONE)

    assert _put(talk) == 200
    assert received == [_BODY]


def test_a_refusal_is_read_and_the_body_stays() -> None:
    """A server that refuses by the head gets no body, and its answer is the answer."""
    rest = list[bytes]()

    def talk(connection: socket.socket) -> None:
        _head(connection)
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        rest.append(connection.recv(10))

    assert _put(talk) == 403
    assert rest == [b""]


@pytest.mark.parametrize("answer", [_DONE, _EARLY + _DONE, b"", b"HTTP/1.1 2"])
def test_a_success_without_the_body_is_none(answer: bytes) -> None:
    """A success that comes before its body was asked for is in doubt, as is a connection that
    ends.
    """

    def talk(connection: socket.socket) -> None:
        _head(connection)
        connection.sendall(answer)

    with pytest.raises(WireFault) as raised:
        _put(talk)
    assert (raised.value.kind, raised.value.sent) == ("cut", Sent.UNKNOWN)
