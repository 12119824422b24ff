"""Requests over the wire against a server that answers as scripted."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from jackfield.connector import Reply, Sent, Target, Wire, WireFault, WireSettings

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class _Server:
    """Server that answers the connections in turn, each with the next list of answers; then it
    closes the connection.
    """

    def __init__(self, *scripts: tuple[bytes, ...]) -> None:
        self.heard: list[list[bytes]] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.target = Target("http", "127.0.0.1", self._listening.getsockname()[1])
        self._thread = threading.Thread(target=self._run, args=(scripts,))
        self._thread.start()

    def _run(self, scripts: tuple[tuple[bytes, ...], ...]) -> None:
        for script in scripts:
            connection, _ = self._listening.accept()
            heard: list[bytes] = []
            self.heard.append(heard)
            with connection:
                for answer in script:
                    heard.append(connection.recv(65_536))
                    connection.sendall(answer)

    def close(self) -> None:
        self._thread.join(30)
        self._listening.close()


@contextmanager
def _server(*scripts: tuple[bytes, ...]) -> Iterator[_Server]:
    server = _Server(*scripts)
    try:
        yield server
    finally:
        server.close()


def _get(wire: Wire, target: Target, begun: list[str] | None = None) -> Reply:
    begun = [] if begun is None else begun
    return wire.send(
        "GET",
        target,
        b"/",
        [(b"Host", b"localhost")],
        None,
        lambda: 30.0,
        lambda: begun.append("begun"),
    )


def test_a_connection_serves_one_request_after_the_other() -> None:
    """A response that was read to its end leaves its connection to the next request."""
    wire = Wire(WireSettings())
    with _server((_OK, _OK)) as server:
        assert [_get(wire, server.target).read(10) for _ in range(2)] == [b"ok", b"ok"]
    assert [len(heard) for heard in server.heard] == [2]


def test_a_kept_connection_that_has_ended_is_replaced_before_a_byte_leaves() -> None:
    """A server may end a connection while nobody uses it: the next request begins once, on a new
    one.
    """
    wire, begun = Wire(WireSettings()), list[str]()
    with _server((_OK,), (_OK,)) as server:
        assert _get(wire, server.target).read(10) == b"ok"
        (waiting,) = wire._pool._waiting.values()
        while waiting[0].is_idle():
            threading.Event().wait(0.001)
        assert _get(wire, server.target, begun).read(10) == b"ok"
    assert begun == ["begun"]


@pytest.mark.parametrize("value", [b"a\r\nX: b", b"a\nb", b"\x00"])
def test_a_value_cannot_end_its_line(value: bytes) -> None:
    """What would be a header field of its own is refused before a connection is opened."""
    with pytest.raises(WireFault) as raised:
        Wire(WireSettings()).send(
            "GET",
            Target("http", "127.0.0.1", 1),
            b"/",
            [(b"X", value)],
            None,
            lambda: 30.0,
            lambda: None,
        )
    assert (raised.value.kind, raised.value.sent) == ("unsendable", Sent.NOTHING)
