"""An HTTP call through jackfield against the same call of a bare httpx2 client, over kept connections to a server in another process."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator

from benchmarks.measure import ROOT, Line, cpu_each, paired
from benchmarks.own_server import running, serve

_BODY = json.dumps({"id": "p1", "items": list(range(200))}).encode()
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_BODY)
_TOKEN = "token-of-the-benchmark-0123456789"
_ROUNDS, _CALLS = 9, 200


def lines() -> Iterator[Line]:
    """Measure the client alone, and the connector ``http`` through the whole pipe."""
    import httpx2

    sys.path.insert(0, str(ROOT / "connectors" / "http-request"))
    from http_rig import Cache, attempt
    from jackfield.testing.harness import open_project

    project = ROOT / "connectors" / "http-request" / "pyproject.toml"
    with (
        running("benchmarks.http_client") as url,
        httpx2.Client(headers={"Authorization": f"Bearer {_TOKEN}"}) as client,
        open_project(str(project)) as jackfield,
    ):
        cache = Cache()
        connection = {"type": "http/bearer", "values": {"server": url, "token": _TOKEN}}
        invocation = {"connector": "http", "action": "request", "connection": connection, "inputs": {"url": "/parcels/p1?a=1"}}

        def bare() -> object:
            return client.get(f"{url}/parcels/p1", params={"a": 1}).json()

        def ours() -> object:
            with attempt(url, cache=cache) as (api, _):
                return api.get("/parcels/{id}", {"id": "p1"}, query={"a": 1}).json()

        def whole() -> object:
            return jackfield.invoke(invocation).unwrap()

        for call in (bare, ours, whole):
            call()
        for name, measured in (("client of jackfield-http", ours), ("http.request through the pipe", whole)):
            ratio, mine, theirs = paired(lambda one=measured: cpu_each(one, _CALLS), lambda: cpu_each(bare, _CALLS), _ROUNDS)  # type: ignore[misc]
            text = f"{ratio:.2f}× ({mine * 1e6:.0f} µs / {theirs * 1e6:.0f} µs; load {os.getloadavg()[0]:.0f})"
            yield Line(f"GET over a kept connection, {name}, CPU time over bare httpx2", text, "≤ 1.25×", ratio <= 1.25)


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
