"""Every path that leaves, through proxies of others: squid, tinyproxy and mitmproxy, whose name
servers alone know the server.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.jackfield_service.shell.http.test_http_way_out import PATHS, SETTING

from authority import Authority
from jackfield.wire.outbound import variables
from jackfield_service.subjects.callbacks.sending import Sender
from ports import free_port
from raw_server import read_request
from waiting import until

pytestmark = pytest.mark.interop
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: "
    b"close\r\n\r\n{}"
)
_SQUID = """http_port 127.0.0.1:{port}
pid_filename {folder}/squid.pid
cache_effective_user proxy
visible_hostname squid.test
access_log none
cache_log {folder}/squid.log
cache deny all
hosts_file {folder}/hosts
shutdown_lifetime 0 seconds
auth_param basic program /usr/lib/squid/basic_ncsa_auth {folder}/users
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
"""
_TINYPROXY = """Port {port}
Listen 127.0.0.1
Timeout 60
ConnectPort 443
BasicAuth ada word
LogFile "{folder}/tinyproxy.log"
"""


@dataclass(frozen=True)
class Place:
    """A proxy, and what has come to the server behind it."""

    url: str
    authority: Path
    heard: list[bytes]


def _squid(folder: Path, port: int) -> list[str]:
    hashed = subprocess.run(
        ["openssl", "passwd", "-apr1", "word"], check=True, capture_output=True, text=True
    ).stdout
    (folder / "users").write_text(f"ada:{hashed}")
    (folder / "squid.conf").write_text(_SQUID.format(port=port, folder=folder))
    return ["squid", "-N", "-n", f"jackfield{port}", "-f", str(folder / "squid.conf")]


def _tinyproxy(folder: Path, port: int) -> list[str]:
    (folder / "tinyproxy.conf").write_text(_TINYPROXY.format(port=port, folder=folder))
    return ["tinyproxy", "-d", "-c", str(folder / "tinyproxy.conf")]


def _mitmproxy(folder: Path, port: int) -> list[str]:
    options = [
        "ssl_insecure=true",
        f"confdir={folder}/mitmproxy",
        "proxyauth=ada:word",
        "connection_strategy=lazy",
    ]
    sets = [word for option in options for word in ("--set", option)]
    return [
        str(Path(".venv/interop/bin/mitmdump").absolute()),
        "-q",
        "--listen-host",
        "127.0.0.1",
        "-p",
        str(port),
        *sets,
    ]


PROXIES: dict[str, Callable[[Path, int], list[str]]] = {
    "squid": _squid,
    "tinyproxy": _tinyproxy,
    "mitmproxy": _mitmproxy,
}


@contextmanager
def _started(command: Sequence[str], hosts: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A program that reads ``hosts`` as its /etc/hosts, once it listens."""
    if shutil.which(command[0]) is None or os.geteuid() != 0:
        pytest.skip(
            f"{Path(command[0]).name} is not installed, or this is not root: make interop "
            "installs it"
        )
    inside = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        f'mount --bind {hosts} /etc/hosts && exec "$@"',
        "sh",
        *command,
    ]
    with (hosts.parent / "output").open("wb") as output:
        process = subprocess.Popen(inside, stdout=output, stderr=output, start_new_session=True)
    try:
        until(lambda: process.poll() is not None or _listens(port))
        assert process.poll() is None, (hosts.parent / "output").read_text()
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


@contextmanager
def _server(authority: Authority, heard: list[bytes]) -> Iterator[None]:
    """The server ``far.example``, on the port of HTTPS of 127.0.0.1."""
    context = authority.serving("far.example")

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError, ValueError):
            connection.settimeout(60)
            with context.wrap_socket(connection, server_side=True) as inside:
                heard.append(read_request(inside))
                inside.sendall(_ANSWER)

    def loop() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 443)) as listener:
        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(60)


@pytest.fixture(scope="module", name="served", params=PROXIES)
def _served(request: pytest.FixtureRequest) -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="jackfield-proxy-"))
    folder.chmod(0o777)  # squid has a user of its own
    try:
        yield from _listening(request.param, folder)
    finally:
        shutil.rmtree(folder)


def _listening(proxy: str, folder: Path) -> Iterator[Place]:
    port, heard = free_port(), list[bytes]()
    (folder / "hosts").write_text("127.0.0.1 localhost far.example\n")
    authority = Authority(folder, "Company")
    command = PROXIES[proxy](folder, port)
    with _server(authority, heard), _started(command, folder / "hosts", port):
        # it opens TLS, by an authority of its own
        made = folder / "mitmproxy" / "mitmproxy-ca-cert.pem"
        yield Place(
            f"http://ada:word@127.0.0.1:{port}", made if made.exists() else authority.bundle, heard
        )


@pytest.fixture(name="place")
def _in_the_environment(served: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name in variables():
        monkeypatch.delenv(name, raising=False)
    for name in ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "OTEL_EXPORTER_OTLP_CERTIFICATE"):
        monkeypatch.setenv(name, str(served.authority))
    return served


@pytest.mark.parametrize("path", PATHS)
def test_each_path_through_a_real_proxy(
    place: Place, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server gets a request of it, with the proxy's login given where the proxy asks for it."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "JACKFIELD_HOME": str(tmp_path / "home"),
        SETTING: place.url,
        "HTTPS_PROXY": place.url,
    }.items():
        monkeypatch.setenv(name, value)
    before = len(place.heard)
    with suppress(Exception):  # nobody expects that a server which answers {} is of any use
        PATHS[path][0](dict(os.environ))
    if path != "isolated":  # whose path ends with the tunnel
        until(lambda: len(place.heard) > before)


def test_what_is_said_of_a_real_proxy(place: Place) -> None:
    """A wrong login, and a server that the proxy does not find: the sentence names the proxy and
    its status.
    """
    proxy = place.url.rpartition("@")[2]
    wrong = Sender(None, {**os.environ, SETTING: f"http://ada:wrong@{proxy}"}).send(
        "https://far.example/x", "operator", [], b"{}", 0.0
    )
    # the latter is tinyproxy's
    assert any(
        f"the proxy '{proxy}' answered {status}" in (wrong.error or "") for status in (407, 401)
    )
    away = Sender(None, {**os.environ, SETTING: place.url}).send(
        "https://nowhere.invalid/x", "operator", [], b"{}", 0.0
    )
    # which answers itself within TLS: nobody can tell that from the server
    opens = place.authority.parent.name == "mitmproxy"
    assert proxy in (away.error or "") or (opens and away.status == 502)
