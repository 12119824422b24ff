"""A connector that fetches a page of a server, in the ways in which clients connect."""

from __future__ import annotations

import asyncio
import errno
import http.client
import os
import select
import socket
import threading
import urllib.request
from collections.abc import Callable
from typing import ClassVar

from jackfield.connector import (
    ConnectionType,
    Connector,
    Field,
    Guard,
    Inputs,
    OpenContext,
    Output,
    current_call,
)


class Server(ConnectionType):
    """A server."""

    key: ClassVar[str] = "server"
    title: ClassVar[str] = "Server"
    reports_begin: ClassVar[bool] = True

    url: str = Field(title="Server", destination=True, schema={"format": "uri"})

    def open(self, context: OpenContext) -> Guard:
        """Open nothing."""
        return context.guard


connector = Connector(
    "net",
    title="Net",
    version="1.0.0",
    connections=[Server],
    hosts=["localhost", "*.public.example"],
)


class Fetch(Inputs):
    """What to fetch, and how."""

    way: str = Field(title="Way")
    host: str = Field(title="Host")
    port: int = Field(title="Port")


class Fetched(Output):
    """The page."""

    page: str
    workspace: str
    process: int


def _by_http(fetch: Fetch, _guard: Guard) -> str:
    connection = http.client.HTTPConnection(fetch.host, fetch.port, timeout=5)
    connection.request("GET", "/")
    return connection.getresponse().read().decode()


def _by_https(fetch: Fetch, _guard: Guard) -> str:
    connection = http.client.HTTPSConnection(fetch.host, fetch.port, timeout=5)
    connection.request("GET", "/")
    return connection.getresponse().read().decode()


def _by_urllib(fetch: Fetch, _guard: Guard) -> str:
    with urllib.request.urlopen(f"http://{fetch.host}:{fetch.port}/", timeout=5) as answer:
        return str(answer.read().decode())


def _by_guard(fetch: Fetch, guard: Guard) -> str:
    with guard.connect(fetch.host, fetch.port, 5) as connection:
        return _talk(connection)


def _without_blocking(fetch: Fetch, _guard: Guard) -> str:
    with socket.socket() as connection:
        connection.setblocking(False)
        assert connection.connect_ex((fetch.host, fetch.port)) in (0, errno.EINPROGRESS)
        assert not connection.getblocking()
        select.select([], [connection], [], 5)
        connection.settimeout(5)
        return _talk(connection)


def _talk(connection: socket.socket) -> str:
    connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
    answer = b""
    while chunk := connection.recv(1000):
        answer += chunk
    return answer.partition(b"\r\n\r\n")[2].decode()


def _in_a_thread(fetch: Fetch, guard: Guard) -> str:
    found = []

    def run() -> None:
        try:
            found.append(_by_http(fetch, guard))
        except OSError as error:
            found.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


_WAYS: dict[str, Callable[[Fetch, Guard], str]] = {
    "http": _by_http,
    "https": _by_https,
    "urllib": _by_urllib,
    "guard": _by_guard,
    "nonblocking": _without_blocking,
    "thread": _in_a_thread,
}


def _fetched(page: str) -> Fetched:
    call = current_call()
    assert call is not None
    call.begin("fetch", safe=True)
    return Fetched(page=page, workspace="", process=os.getpid())


@connector.action("fetch", effect="read")
def fetch(inputs: Fetch, guard: Guard) -> Fetched:
    """Fetch the page."""
    return _fetched(_WAYS[inputs.way](inputs, guard))


@connector.action("fetchLater", effect="read")
async def fetch_later(inputs: Fetch, _guard: Guard) -> Fetched:
    """Fetch the page in an event loop."""
    reader, writer = await asyncio.open_connection(inputs.host, inputs.port)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return _fetched(answer.partition(b"\r\n\r\n")[2].decode())
