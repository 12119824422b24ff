"""R2: a response answers its own request only, also over connections that are opened for an
isolated connector.
"""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from tests.jackfield_isolation.isolated_sources import sources_of

from isolated import install_from, isolating
from raw_server import read_request, serving

STALE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
FIRST = {
    "a second response": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "POST"),
    "a 204 with a body": (b"HTTP/1.1 204 No Content\r\n\r\n", "POST"),
    "a HEAD with a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "HEAD"),
}


@pytest.mark.parametrize(
    "kind",
    [
        kind if kind == "a second response" else pytest.param(kind, marks=pytest.mark.campaign)
        for kind in FIRST
    ],
)
def test_r2_an_isolated_connector_gets_its_own_response(tmp_path: Path, kind: str) -> None:
    """R2: bytes after a response close the connection in the child, too; the next write has the
    outcome of its own response.
    """
    first, method = FIRST[kind]
    connections: list[int] = []

    def talk(connection: socket.socket) -> None:
        connections.append(len(connections))
        if connections == [0]:
            read_request(connection)
            connection.sendall(first + STALE)
        if read_request(connection):
            connection.sendall(b"HTTP/1.1 400 no\r\nContent-Length: 0\r\n\r\n")

    install_from(tmp_path, "wired", "wired.py", files=dict(sources_of("jackfield_http")))
    with serving(talk) as port:
        account = {
            "account": {
                "type": "wired/account",
                "values": {"server": f"http://127.0.0.1:{port}", "token": "t"},
            }
        }
        with isolating(tmp_path, account) as jackfield:
            given = {
                "connector": "wired",
                "action": "order",
                "connection": "account",
                "timeoutSeconds": 20,
            }
            results = [
                jackfield.invoke({**given, "inputs": {"method": verb}}) for verb in (method, "POST")
            ]
    assert [(one.status, one.error and one.error.code) for one in results] == [
        ("succeeded", None),
        ("failed", "rejected"),
    ]
    assert len(connections) == 2
