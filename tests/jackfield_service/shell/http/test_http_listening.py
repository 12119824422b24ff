"""Where a server listens: both families, the addresses of a name, Unix sockets, and the port that a
platform names.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from http_stand import clean
from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.shell.process.listeners import forget, listen, origin, port_of
from ports import free_port
from waiting import until


def _has_six() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def _reached(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=120):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def _open(host: str, port: int = 0) -> Iterator[int]:
    listeners = listen(host, port)
    try:
        yield port_of(listeners[0])
    finally:
        for one in listeners:
            one.close()


def test_all_addresses_are_those_of_both_families() -> None:
    """``::`` is reached over IPv4, and over IPv6 where the machine has it; ``0.0.0.0`` over
    IPv4.
    """
    with _open("::") as port:
        assert _reached("127.0.0.1", port)
        assert _reached("::1", port) == _has_six()
    with _open("0.0.0.0") as port:
        assert (_reached("127.0.0.1", port), _reached("::1", port)) == (True, False)


def test_a_name_is_listened_on_with_all_its_addresses() -> None:
    """``localhost`` is reached at each of its addresses, on one port that is free for all."""
    with _open("localhost") as port:
        addresses = {str(item[4][0]) for item in socket.getaddrinfo("localhost", 0)}
        assert all(_reached(address, port) for address in addresses)
        with pytest.raises(InvalidInvocation, match="cannot listen on localhost"):
            listen("localhost", port)


def test_a_unix_socket_replaces_what_a_killed_process_left(tmp_path: Path) -> None:
    """The file of a socket that nobody listens on is replaced, one in use and other files are not;
    others than the group may not use it.
    """
    path = tmp_path / "jackfield.sock"
    host = f"unix:{path}"
    assert origin(host, 0, "http") == host
    for _ in range(2):  # the second finds the file of the first
        with _open(host) as port:
            assert (port, stat.S_IMODE(path.stat().st_mode)) == (0, 0o660)
            with pytest.raises(InvalidInvocation, match=r"cannot listen on unix:"):
                listen(host, 0)
    forget(host)
    assert not path.exists()
    path.write_text("not a socket", encoding="utf-8")
    with pytest.raises(InvalidInvocation):
        listen(host, 0)
    assert path.read_text(encoding="utf-8") == "not a socket"


@contextlib.contextmanager
def _serving(folder: Path, *words: str, **more: str) -> Iterator[Path]:
    log = folder / "log"
    with log.open("ab") as file:
        running = subprocess.Popen(
            [sys.executable, "-m", "jackfield", "serve", *words],
            env=clean(folder / "home", **more),
            stderr=file,
        )
    try:
        until(lambda: "listens on" in log.read_text(encoding="utf-8") or running.poll() is not None)
        yield log
    finally:
        running.terminate()
        running.wait(60)


class _Unix(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_on_a_unix_socket_answers(tmp_path: Path, workers: str) -> None:
    """A server behind a proxy on the same machine needs no port; its file is gone when it has
    stopped.
    """
    path = tmp_path / "s"
    with _serving(tmp_path, "--host", f"unix:{path}", "--behind-proxy", "--workers", workers):
        connection = _Unix(str(path), timeout=60)
        connection.request(
            "GET", "/healthz", headers={"Host": "example.com", "X-Forwarded-For": "192.0.2.1"}
        )
        assert json.load(connection.getresponse()) == {"status": "ok"}
        connection.close()
    assert not path.exists()


def test_the_port_of_the_platform_is_used_and_said(tmp_path: Path) -> None:
    """``PORT`` is the port where ``--port`` is not given, which one line says; it is not where it
    is. What is no port is refused.
    """
    port = free_port()
    with _serving(tmp_path, PORT=str(port)) as log:
        said = log.read_text(encoding="utf-8")
        assert f"the port {port} is that of the variable PORT" in said
        assert re.search(rf"listens on http://127.0.0.1:{port}\b", said)
    log.unlink()
    with _serving(tmp_path, "--port", "0", PORT=str(port)) as log:
        assert "variable PORT" not in log.read_text(encoding="utf-8")
    asked = subprocess.run(
        [sys.executable, "-m", "jackfield", "serve"],
        env=clean(tmp_path / "home", PORT="http"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (asked.returncode, "PORT is 'http'" in asked.stdout) == (2, True), asked
