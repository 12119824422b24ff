"""A company's network: a proxy on loopback that opens TLS, by an authority of its own, and answers
in the place of every server.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from authority import Authority
from raw_server import read_request

LOGIN = "ada:pass%40word"


def _json(_place: str, _request: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
        b"2\r\nConnection: close\r\n\r\n{}"
    )


@dataclass
class Company:
    """Its proxy and its authority. ``asked`` are the places that tunnels or requests were asked
    for, ``logins`` what came with them, and ``passed`` the requests themselves. ``answer`` gives
    the answer of a server, from its place and a request.
    """

    authority: Authority
    port: int = 0
    asked: list[str] = field(default_factory=list)
    logins: list[bytes] = field(default_factory=list)
    passed: list[bytes] = field(default_factory=list)
    answer: Callable[[str, bytes], bytes] = _json
    name_of: dict[str, str] = field(default_factory=dict)
    """Names that a certificate is for, by addresses that are asked for."""
    came: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        """Address of the proxy, with a login."""
        return f"http://{LOGIN}@127.0.0.1:{self.port}"

    def wait(self) -> list[str]:
        """Return what it was asked for, once it was."""
        with self.came:
            assert self.came.wait_for(lambda: bool(self.asked), 60)
            return list(self.asked)

    def wait_passed(self) -> bool:
        """Return True once a request has come through, by a tunnel whose TLS was believed."""
        with self.came:
            return self.came.wait_for(lambda: bool(self.passed), 60)

    def talk(self, connection: socket.socket) -> None:
        """Answer one connection."""
        request = read_request(connection)
        method, place = request.split(b" ", 2)[:2]
        login = next(
            (
                line
                for line in request.split(b"\r\n")
                if line.lower().startswith(b"proxy-authorization")
            ),
            b"",
        )
        with self.came:
            self.asked.append(place.decode())
            self.logins.append(login.partition(b": ")[2])
            self.came.notify_all()
        if method != b"CONNECT":
            self.passed.append(request)
            connection.sendall(self.answer(place.decode(), request))
            return
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        host = place.decode().rpartition(":")[0].strip("[]")
        is_tls = connection.recv(1, socket.MSG_PEEK) == b"\x16"
        with (
            self._serving(self.name_of.get(host, host)).wrap_socket(connection, server_side=True)
            if is_tls
            else connection as inside
        ):
            request = read_request(inside)
            with self.came:
                self.passed.append(request)
                self.came.notify_all()
            inside.sendall(self.answer(place.decode(), request))

    def __post_init__(self) -> None:
        self._serving = cache(self.authority.serving)


@contextmanager
def company(folder: Path) -> Iterator[Company]:
    """A proxy that serves its connections side by side."""
    made = Company(Authority(folder, "Company"))

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError, ValueError):
            connection.settimeout(60)
            made.talk(connection)

    def loop() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        made.port = listener.getsockname()[1]
        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(30)
