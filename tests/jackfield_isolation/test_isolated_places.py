"""Connections of isolated connectors, versions and workspaces side by side, forked processes."""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from authority import Authority
from forking import alone, fork
from isolated import install, install_from, isolating, write_index
from jackfield import Result
from jackfield.catalog import Catalog
from jackfield.wire.head import Target
from jackfield.wire.outbound import ENVIRONMENT, outbound
from jackfield_isolation.children import Children
from jackfield_service.shell.process.metrics import Metrics
from jackfield_store.runtime import Jackfield
from jackfield_store.runtime.runtime_pool import RuntimePool
from plugboard import plugged


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"the page")

    def log_message(self, *_arguments: object) -> None:
        """Stay silent."""


@pytest.fixture(scope="module")
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    """A server on loopback, which listens on all names of it."""
    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


@pytest.fixture(scope="module")
def runtime(
    tmp_path_factory: pytest.TempPathFactory, server: http.server.ThreadingHTTPServer
) -> Iterator[Jackfield]:
    """A runtime with the connector ``net`` and connections that name hosts of this machine."""
    home = tmp_path_factory.mktemp("home")
    install_from(home, "net", "net.py")
    port = server.server_port
    urls = {
        "numeric": f"http://127.0.0.1:{port}/",
        "named": f"http://localhost:{port}/base",
        "elsewhere": "http://elsewhere.invalid/",
    }
    connections = {
        name: {"type": "net/server", "values": {"url": url}} for name, url in urls.items()
    }
    with isolating(home, connections) as jackfield:
        yield jackfield


def fetch(
    runtime: Jackfield, port: int, way: str, host: str, connection: object, action: str = "fetch"
) -> Result:
    """Fetch the page."""
    inputs = {"way": way, "host": host, "port": port}
    return runtime.invoke(
        {
            "connector": "net",
            "action": action,
            "connection": connection,
            "inputs": inputs,
            "timeoutSeconds": 10,
        }
    )


@pytest.mark.parametrize("way", ["http", "urllib", "guard", "nonblocking"])
@pytest.mark.parametrize(("host", "connection"), [("127.0.0.1", "numeric"), ("localhost", "named")])
def test_clients_connect_to_named_hosts(
    runtime: Jackfield,
    server: http.server.ThreadingHTTPServer,
    way: str,
    host: str,
    connection: str,
) -> None:
    """Clients that block and clients that do not reach the host that their connection names, by its
    name or address.
    """
    assert fetch(runtime, server.server_port, way, host, connection).unwrap()["page"] == "the page"


def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS ends in the child, which verifies the server by the operator's own authority."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    install_from(tmp_path, "net", "net.py")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page) as found:
        found.socket = authority.serving("localhost").wrap_socket(found.socket, server_side=True)
        threading.Thread(
            target=found.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        urls = {
            "named": f"https://localhost:{found.server_port}/",
            "numeric": f"https://127.0.0.1:{found.server_port}/",
        }
        connections = {
            name: {"type": "net/server", "values": {"url": url}} for name, url in urls.items()
        }
        try:
            with isolating(tmp_path, connections) as jackfield:
                assert (
                    fetch(jackfield, found.server_port, "https", "localhost", "named").unwrap()[
                        "page"
                    ]
                    == "the page"
                )
                # not in the certificate
                assert (
                    fetch(jackfield, found.server_port, "https", "127.0.0.1", "numeric").status
                    == "failed"
                )
        finally:
            found.shutdown()


def test_event_loops_connect(runtime: Jackfield, server: http.server.ThreadingHTTPServer) -> None:
    """A client of asyncio connects, too."""
    assert (
        fetch(runtime, server.server_port, "", "localhost", "named", "fetchLater").unwrap()["page"]
        == "the page"
    )


def test_other_hosts_are_refused(
    runtime: Jackfield, server: http.server.ThreadingHTTPServer
) -> None:
    """A host that only another connection names is refused, and so is a private one that only the
    manifest names.
    """
    for host in ("127.0.0.1", "localhost"):
        refused = fetch(runtime, server.server_port, "http", host, "elsewhere")
        assert refused.error is not None
        assert refused.status == "failed"


def test_a_proxy(tmp_path: Path) -> None:
    """Hosts other than this machine are reached through the operator's proxy, by CONNECT and with
    its credentials, but for exceptions.
    """
    install_from(tmp_path, "net", "net.py")
    asked: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        for answer in (b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 403 No\r\n\r\n"):
            connection, _ = listener.accept()
            with connection:
                asked.append(_until_blank_line(connection))
                connection.sendall(answer)
                if b"200" in answer:
                    asked.append(_until_blank_line(connection))
                    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nby proxy")

    connections = {"far": {"type": "net/server", "values": {"url": "http://far.invalid/"}}}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        environment = {
            "HTTPS_PROXY": f"http://me:pass%40word@127.0.0.1:{listener.getsockname()[1]}",
            "NO_PROXY": "near.invalid",
        }
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        with isolating(tmp_path, connections, environment=environment) as jackfield:
            assert fetch(jackfield, 80, "http", "far.invalid", "far").unwrap()["page"] == "by proxy"
            refused = fetch(jackfield, 443, "guard", "far.invalid", "far")
        thread.join()
    assert asked[0].startswith(b"CONNECT far.invalid:80 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6cGFzc0B3b3Jk\r\n" in asked[0]
    assert asked[1].startswith(b"GET / HTTP/1.1")
    assert refused.status == "failed"


def _until_blank_line(connection: socket.socket) -> bytes:
    found = b""
    while not found.endswith(b"\r\n\r\n"):
        found += connection.recv(1000)
    return found


@pytest.mark.parametrize(
    ("host", "direct"),
    [
        ("api.acme.example", True),
        ("acme.example.org", False),
        ("acme.example", True),
        ("deep.acme.example", True),
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("other.example", True),
        ("not-acme.example", False),
    ],
)
def test_exceptions_of_a_proxy(host: str, direct: bool) -> None:
    """NO_PROXY names hosts, domains with their subdomains, networks and hosts with a port; this
    machine needs no proxy.
    """
    route = outbound(
        {
            "https_proxy": "proxy.example:3128",
            "NO_PROXY": ".deep.acme.example, acme.example:443,10.0.0.0/8,other.example:443",
        },
        ENVIRONMENT,
    )
    assert (route(Target("https", host, 443)) is None) == direct


def test_a_thread_outside_of_a_call(
    runtime: Jackfield, server: http.server.ThreadingHTTPServer
) -> None:
    """A thread that the connector has started itself belongs to no call, and is told so."""
    page = fetch(runtime, server.server_port, "thread", "127.0.0.1", "numeric").unwrap()["page"]
    assert "during a call only" in page


def test_a_port_where_nobody_listens(runtime: Jackfield) -> None:
    """A refused connection reaches the client as its own error."""
    refused = fetch(runtime, 9, "http", "127.0.0.1", "numeric")
    assert refused.error is not None
    assert refused.status == "failed"


_TELLING = '''
"""A connector that tells which version of its dependency it has."""
from jackfield.connector import Connector, Inputs, Output
import shared_library

class Nothing(Inputs):
    """No input."""

class Told(Output):
    """The answer."""
    number: int

connector = Connector("KEY", title="Teller", version="VERSION")

@connector.action("tell", effect="read")
def tell(nothing: Nothing) -> Told:
    """Tell the number."""
    return Told(number=shared_library.NUMBER)
'''


def test_incompatible_dependencies_side_by_side(tmp_path: Path) -> None:
    """Two connectors that need different versions of one library, and two versions of one
    connector, answer in one process.
    """
    for key, version, number in (
        ("first", "1.0.0", 1),
        ("second", "1.0.0", 2),
        ("second", "2.0.0", 3),
    ):
        source = _TELLING.replace("KEY", key).replace("VERSION", version)
        install(tmp_path, key, source, version, {"shared_library.py": f"NUMBER = {number}\n"})
    with isolating(tmp_path) as jackfield:

        def tell(key: str, version: str) -> object:
            return jackfield.invoke(
                {"connector": key, "action": "tell", "connectorVersion": version, "inputs": {}}
            ).unwrap()["number"]

        asked = [("first", "==1.0.0"), ("second", "==1.0.0"), ("second", "==2.0.0")]
        assert [[tell(*one) for one in asked] for _ in range(2)] == [[1, 2, 3]] * 2


@pytest.mark.parametrize(
    ("policy", "processes"), [("per-connector", 1), ("", 2), ("processes=1", 2)]
)
def test_workspaces(tmp_path: Path, policy: str, processes: int) -> None:
    """Each workspace has a process of its own, also for actions without a connection, unless the
    policy shares one (finding 3).

    One workspace needs one process: the one that has described the connector serves it. Of more
    than ``processes``, idle ones end.
    """
    install_from(tmp_path, "plain", "plain.py")
    connections: Any = [{"mine": {"type": "plain/token", "values": {"token": "tick-tock"}}}]
    environment = {"JACKFIELD_HOME": str(tmp_path), "JACKFIELD_ISOLATION": policy}
    found: set[object] = set()
    with closing(Children(environment)) as children:
        catalog = Catalog.installed({}, environment, children.load)
        for workspace in ("one", "two"):
            with Jackfield(
                workspace, connections, "none", catalog=catalog, environment=environment, groups={}
            ) as jackfield:
                for action, more in (("noop", {}), ("read", {"connection": "mine"})):
                    result = jackfield.invoke(
                        {"connector": "plain", "action": action, "inputs": {"text": "hi"}, **more}
                    )
                    found.add(result.unwrap()["process"])
        assert len(found) == processes
        if policy == "processes=1":
            deadline = time.monotonic() + 30
            # the one of the other workspace ends
            while [*children.processes()] != [result.unwrap()["process"]]:
                assert time.monotonic() < deadline
                threading.Event().wait(0.05)
        else:
            assert {*children.processes()} == found


def _forked(home: str) -> list[object]:
    """Use a connector, fork, and use it in both processes."""
    with isolating(Path(home)) as jackfield:

        def process() -> object:
            return jackfield.invoke(
                {"connector": "plain", "action": "noop", "inputs": {"text": "hi"}}
            ).unwrap()["process"]

        before = process()
        child = fork(process).answer()
        return [before, child, process()]


def test_a_forked_process_has_children_of_its_own(tmp_path: Path) -> None:
    """After a fork the child processes stay the parent's; the forked process starts its own."""
    install_from(tmp_path, "plain", "plain.py")
    before, child, after = alone(_forked, str(tmp_path))
    assert before == after
    assert child != before


def test_a_manifest_that_differs_from_the_code(tmp_path: Path) -> None:
    """The manifest is compared with what the child says of its code; a false one is refused."""
    site = install_from(tmp_path, "plain", "plain.py")
    path = site / "jackfield_plain" / "connector.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["actions"][1]["effect"] = "read"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with isolating(tmp_path) as jackfield:
        refused = jackfield.invoke(
            {"connector": "plain", "action": "noop", "inputs": {"text": "hi"}}
        )
    assert refused.error is not None
    assert "differs from its manifest" in refused.error.message


def test_a_version_that_is_installed_again(tmp_path: Path) -> None:
    """After a version is removed and installed again with other code, calls get the new code."""
    source = _TELLING.replace("KEY", "first").replace("VERSION", "1.0.0")
    site = install(tmp_path, "first", source, files={"shared_library.py": "NUMBER = 1\n"})
    with isolating(tmp_path) as jackfield:

        def tell() -> object:
            return jackfield.invoke(
                {"connector": "first", "action": "tell", "inputs": {}}
            ).unwrap()["number"]

        assert tell() == 1
        shutil.rmtree(site.parent)
        write_index(tmp_path)
        jackfield.catalog.refresh()
        install(tmp_path, "first", source, files={"shared_library.py": "NUMBER = 2\n"})
        jackfield.catalog.refresh()
        assert tell() == 2


def test_a_pool_of_runtimes(tmp_path: Path) -> None:
    """Servers and workers isolate connectors: workspaces share the children, whose ends are
    counted; they end with the pool.
    """
    install_from(tmp_path, "plain", "plain.py")
    pool = RuntimePool({"JACKFIELD_HOME": str(tmp_path), "JACKFIELD_DATABASE_URL": "none"})
    try:
        result = asyncio.run(
            pool.find("default").ainvoke(
                {"connector": "plain", "action": "noop", "inputs": {"text": "hi"}}
            )
        )
        process = result.unwrap()["process"]
        assert process in pool.isolated.processes()
        ending = {"connector": "plain", "action": "noop", "inputs": {"text": "hi", "die": "now"}}
        assert (
            asyncio.run(pool.find("default").ainvoke({**ending, "timeoutSeconds": 1})).status
            == "failed"
        )
        metrics = Metrics(pool.catalog)
        metrics.note_isolation(len(pool.isolated.processes()), pool.isolated.ends())
        assert b'jackfield_isolated_process_ends_total{connector="plain"} ' in metrics.text()
    finally:
        pool.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_an_installed_connector_without_the_package_for_it_says_what_to_install(
    tmp_path: Path,
) -> None:
    """Without jackfield-isolation, the call fails before anything is sent, and the error names the
    package.
    """
    install_from(tmp_path / "home", "net", "net.py")
    (tmp_path / "hidden" / "jackfield_isolation-0.dist-info").mkdir(parents=True)
    with plugged(tmp_path / "hidden"), isolating(tmp_path / "home") as jackfield:
        result = fetch(
            jackfield,
            1,
            "http",
            "127.0.0.1",
            {"type": "net/server", "values": {"url": "http://127.0.0.1:1/"}},
        )
    assert result.error is not None
    assert "pip install 'jackfield[isolation]'" in str(result.error.to_json("cli"))
    assert result.meta.attempts == 0


@pytest.mark.parametrize("action", ["fetch", "fetchLater"])
def test_a_runtime_that_is_limited_to_some_hosts_connects_for_no_child_to_others(
    action: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What the manifest and the connection allow is not enough: the parent, which connects for the
    child, asks the call's runtime.
    """
    install_from(tmp_path, "net", "net.py")
    with isolating(tmp_path, only_hosts=["127.0.0.1"]) as jackfield:
        connection = {"type": "net/server", "values": {"url": "http://127.0.0.1:1/"}}
        result = fetch(jackfield, 80, "http", "a.public.example", connection, action)
        named = fetch(
            jackfield,
            1,
            "http",
            "b.example",
            {"type": "net/server", "values": {"url": "http://b.example:1/"}},
            action,
        )
    assert (
        result.status,
        "is not among the only hosts that this runtime may reach: 127.0.0.1" in caplog.text,
    ) == ("failed", True)
    assert named.error is not None
    assert (named.error.code, "allowed to reach 'b.example'" in named.error.message) == (
        "invalid_connection",
        True,
    ), named.error
