"""Answers that are left unread, or read slowly; and more connections than there may be."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from http_stand import SETTINGS, Client, process, say, standing

PIECE = 60_000
_RETURNED = "16384"
"""From this size on, the C library gives what is freed back to the kernel at once (mallopt(3)):
what it would keep of the rest is its own choice, and differs from run to run.
"""
SIZE = 100 * PIECE
"""An answer: more than the buffers of two sockets hold, 4 MiB where Linux was left as it is."""


def _request(client: Client, *, piece: int, keep: bool) -> bytes:
    """An invocation whose answer has 100 pieces."""
    body = json.dumps(say("say", text="x" * piece, times=100)).encode()
    lines = (
        "POST /v1/invocations HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {client.token}",
        "Content-Type: application/json",
        f"Connection: {'keep-alive' if keep else 'close'}",
        f"Content-Length: {len(body)}",
        "",
        "",
    )
    return "\r\n".join(lines).encode() + body


@contextlib.contextmanager
def asking(client: Client, *, piece: int = PIECE, keep: bool) -> Iterator[socket.socket]:
    """A caller who has asked for much, on a connection that takes little at a time."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.settimeout(30)
        connection.connect(("127.0.0.1", client.port))
        connection.sendall(_request(client, piece=piece, keep=keep))
        yield connection


def _until(true: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(2400):
        if true():
            return
        pause.wait(0.05)
    raise AssertionError("it never came")


@pytest.mark.parametrize("count", [2, pytest.param(16, marks=pytest.mark.campaign)])
def test_an_answer_that_nobody_reads_is_cut_off(tmp_path: Path, count: int) -> None:
    """Callers who take nothing of 6 MB are cut off, whether their connections would go on (half of
    them) or not; others are answered meanwhile, and the memory of their answers is given back: of
    six rounds, the last five add less than a third of their answers.
    """
    sizes: list[int] = []
    with process(
        tmp_path, settings={"unread_within": 1.0}, MALLOC_MMAP_THRESHOLD_=_RETURNED
    ) as server:
        client = server.client
        assert client.invoke("say", text="first").status == 200
        for _ in range(6):
            with contextlib.ExitStack() as callers:
                asked = [
                    callers.enter_context(asking(client, keep=number % 2 == 0))
                    for number in range(count)
                ]
                assert {connection.recv(4, socket.MSG_PEEK) for connection in asked} == {b"HTTP"}
                assert client.invoke("say", text="others").status == 200
                _until(lambda: server.connections() == 0)
                assert all(_bytes(connection) < SIZE for connection in asked[:2])
            sizes.append(server.rss())
        assert sizes[-1] - sizes[0] < (len(sizes) - 1) * count * SIZE / 3, sizes


def test_whoever_reads_slowly_is_served(tmp_path: Path) -> None:
    """A caller who takes several times as long as an answer may be left unread, and reads all the
    time, gets all of it.
    """
    settings = replace(SETTINGS, unread_within=2.0, slowest=100)
    with (
        standing(tmp_path, settings) as stand,
        asking(stand.client(), piece=5 * PIECE, keep=True) as connection,
    ):
        connection.recv(1)
        assert _bytes(connection, pause=0.01, enough=30_000_000) >= 30_000_000


def _bytes(connection: socket.socket, pause: float = 0.0, enough: int = 100_000_000) -> int:
    count, pausing = 0, threading.Event()
    with contextlib.suppress(ConnectionError):
        while count < enough and (piece := connection.recv(65536)):
            count += len(piece)
            pausing.wait(pause)
    return count


@contextlib.contextmanager
def _kept(client: Client) -> Iterator[http.client.HTTPConnection]:
    """A connection that has been used, and stays."""
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=120)
    with contextlib.closing(connection):
        assert _status(connection) == 200
        yield connection


def _status(connection: http.client.HTTPConnection) -> int:
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_so_many_connections(tmp_path: Path) -> None:
    """W6: beyond the limit all but probes is refused; connections that are there go on, and room
    that they leave is given away.
    """
    with (
        standing(tmp_path, replace(SETTINGS, max_connections=3)) as stand,
        contextlib.ExitStack() as kept,
    ):
        client = Client(stand.port)
        there = [kept.enter_context(_kept(client)) for _ in range(3)]
        for _ in range(40):
            probed = client.get("/healthz")
            assert (probed.status, probed.headers["connection"]) == (200, "close")
            refused = client.get("/v1/actions")
            assert (
                refused.status,
                refused.headers["retry-after"],
                refused.headers["connection"],
            ) == (503, "1", "close")
            assert refused.json["detail"] == "the server already has 3 connections"
        assert [_status(connection) for connection in there] == [200, 200, 200]
        there[0].close()
        _until(lambda: client.get("/v1/actions").status == 401)
