"""An HTTP call through jackfield against the same call of a bare httpx2 client, over kept
connections to a server in another process.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.measure import TREE, Line, Scene, compared
from benchmarks.own_server import running, serve

_BODY = json.dumps({"id": "p1", "items": list(range(200))}).encode()
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(
    _BODY
)
_TOKEN = "token-of-the-benchmark-0123456789"


def lines() -> Iterator[Line]:
    """Measure the client alone, and the connector ``http`` through the whole pipe."""
    with running("benchmarks.http_client") as url:
        for scene, name in (
            (through_client, "client of jackfield-http"),
            (through_pipe, "http.request through the pipe"),
        ):
            found = compared(Scene(scene, (url,)), Scene(bare, (url,)))
            yield found.line(
                f"GET over a kept connection, {name}, CPU time over bare httpx2", at_most=0.9
            )


@contextmanager
def bare(url: str) -> Iterator[Callable[[], object]]:
    """Get it through httpx2."""
    import httpx2

    with httpx2.Client(headers={"Authorization": f"Bearer {_TOKEN}"}) as client:
        yield lambda: client.get(f"{url}/parcels/p1", params={"a": 1}).json()


@contextmanager
def through_client(url: str) -> Iterator[Callable[[], object]]:
    """Get it through the client that connectors have."""
    from http_rig import Cache, attempt

    cache = Cache()

    def call() -> object:
        with attempt(url, cache=cache) as (api, _):
            return api.get("/parcels/{id}", {"id": "p1"}, query={"a": 1}).json()

    yield call


@contextmanager
def through_pipe(url: str) -> Iterator[Callable[[], object]]:
    """Get it by an invocation of ``http``."""
    from jackfield_market.testing.harness import open_project

    connection = {"type": "http/bearer", "values": {"server": url, "token": _TOKEN}}
    invocation = {
        "connector": "http",
        "action": "request",
        "connection": connection,
        "inputs": {"url": "/parcels/p1?a=1"},
    }
    with open_project(str(TREE / "connectors" / "http" / "pyproject.toml")) as jackfield:
        yield lambda: jackfield.invoke(invocation).unwrap()


def _talk(connection: socket.socket) -> None:
    with connection:
        while True:
            head = b""
            while b"\r\n\r\n" not in head:
                received = connection.recv(65536)
                if not received:
                    return
                head += received
            connection.sendall(_HEAD + _BODY)


if __name__ == "__main__":
    serve(_talk)
