"""Small servers of commands: the catalogue's, and the one to which a browser returns."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from http.server import HTTPServer, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseServer

import pytest

from jackfield_market.site.serving import server
from jackfield_service.subjects.connections.command.loopback import listening


@pytest.mark.parametrize(
    "opened", [lambda folder: server(str(folder), "127.0.0.1", 0), lambda _folder: listening(0)]
)
def test_a_client_that_leaves_writes_no_traceback(
    opened: Callable[[Path], HTTPServer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A request that ends in its first line is forgotten, and the next one is answered."""
    # in this thread
    monkeypatch.setattr(ThreadingHTTPServer, "process_request", BaseServer.process_request)
    with opened(tmp_path) as found:
        address = ("127.0.0.1", found.server_port)
        with socket.create_connection(address) as leaving:
            # a reset
            leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            leaving.sendall(b"GET /")
        found.handle_request()
        with socket.create_connection(address) as asking:
            asking.sendall(b"GET /nowhere HTTP/1.0\r\n\r\n")
            found.handle_request()
            assert b" 404 " in asking.recv(100)
    assert capfd.readouterr().err == ""
