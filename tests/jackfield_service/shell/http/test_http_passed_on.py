"""Listening sockets that another program has opened: ``--fd``, systemd's socket units, and restarts
in which no connection is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from http_stand import clean, mint, standing
from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.shell.http import protocol
from jackfield_service.shell.http.protocol import Bounded
from jackfield_service.shell.process.listeners import adopt, host_of, passed_on
from waiting import until

pytestmark = pytest.mark.skipif(
    os.name != "posix", reason="descriptors are passed on by POSIX systems"
)

# What systemd does before it begins the program: the sockets are 3 and following, and the variables
# name this process.
_AS_SYSTEMD = """
import os, sys
given = [int(number) for number in sys.argv[1].split(",")]
kept = [os.dup2(number, 100 + place) for place, number in enumerate(given)]
for place, number in enumerate(kept):
    os.dup2(number, 3 + place)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(kept)))
os.execv(sys.executable, [sys.executable, "-m", "jackfield", *sys.argv[2:]])
"""


@contextlib.contextmanager
def _begun(
    folder: Path, name: str, listeners: Sequence[socket.socket], *words: str, systemd: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """``jackfield serve`` on the sockets, begun; its log is ``name`` in the folder."""
    numbers = [one.fileno() for one in listeners]
    options = [option for number in numbers for option in ("--fd", str(number))]
    command = [sys.executable, "-m", "jackfield", "serve", *options, *words]
    if systemd:
        command = [sys.executable, "-c", _AS_SYSTEMD, ",".join(map(str, numbers)), "serve", *words]
    with (folder / name).open("ab") as log:
        running = subprocess.Popen(
            command, env=clean(folder / "home"), stderr=log, stdout=log, pass_fds=numbers
        )
    try:
        yield running
    finally:
        if running.poll() is None:
            running.kill()
        running.wait()


def _asked(listener: socket.socket, path: str = "/healthz", token: str = "") -> int:
    """Answer's status over a new connection. The connection itself must be taken, however long the
    answer takes.
    """
    name = listener.getsockname()
    connection = http.client.HTTPConnection("127.0.0.1", timeout=120)
    connection.sock = socket.socket(listener.family)
    with contextlib.closing(connection):
        connection.sock.settimeout(120)
        connection.sock.connect(name)
        connection.request(
            "GET", path, headers={"Authorization": f"Bearer {token}"} if token else {}
        )
        answer = connection.getresponse()
        answer.read()
        return answer.status


def _ready(folder: Path, name: str) -> bool:
    return "listens on" in (folder / name).read_text(encoding="utf-8")


def _served_by(listener: socket.socket, running: subprocess.Popen[bytes]) -> bool:
    """Return whether the process has begun to take connections: only then it has the listening
    socket among those that it watches.
    """
    target = os.stat(listener.fileno()).st_ino
    for entry in Path(f"/proc/{running.pid}/fdinfo").iterdir():
        with contextlib.suppress(OSError):
            if f"ino:{target:x}" in entry.read_text(encoding="ascii"):
                return True
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads from /proc who watches a socket")
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("overlap", [True, False], ids=["side-by-side", "one-after-the-other"])
def test_a_restart_refuses_no_connection(tmp_path: Path, workers: str, *, overlap: bool) -> None:
    """Four callers, each request over a new connection, while a second server takes the socket
    over, before the first one stops or after: each connection is taken and each request answered
    with 200.
    """
    token = mint(tmp_path / "home")
    with (
        socket.create_server(("127.0.0.1", 0), backlog=512) as listener,
        contextlib.ExitStack() as stack,
    ):
        first = stack.enter_context(_begun(tmp_path, "first", [listener], "--workers", workers))
        assert _asked(listener) == 200
        told: Counter[object] = Counter()
        over = threading.Event()

        def call() -> None:
            while not over.is_set():
                try:
                    told[_asked(listener, "/v1/connections", token)] += 1
                except (OSError, http.client.HTTPException) as error:
                    told[repr(error)] += 1

        callers = [threading.Thread(target=call) for _ in range(4)]
        for one in callers:
            one.start()
        until(lambda: told.total() > 20)
        if overlap:
            second = stack.enter_context(
                _begun(tmp_path, "second", [listener], "--workers", workers)
            )
            until(
                lambda: (
                    _ready(tmp_path, "second") and (workers != "1" or _served_by(listener, second))
                ),
                120,
            )
        first.send_signal(signal.SIGTERM)
        assert first.wait(90) == 0
        if not overlap:
            second = stack.enter_context(
                _begun(tmp_path, "second", [listener], "--workers", workers)
            )
        before = told.total()
        until(lambda: told.total() > before + 40, 120)
        over.set()
        for one in callers:
            one.join(120)
        assert set(told) == {200}, told
        second.send_signal(signal.SIGTERM)
        assert second.wait(90) == 0


@pytest.fixture
def protocols(monkeypatch: pytest.MonkeyPatch) -> list[Bounded]:
    """Connections of a server of this process."""
    found: list[Bounded] = []
    made = Bounded.connection_made

    def noted(connection: Bounded, transport: asyncio.Transport) -> None:
        found.append(connection)
        made(connection, transport)

    monkeypatch.setattr(Bounded, "connection_made", noted)
    return found


@pytest.mark.parametrize("asked", [0, 1, 3])
def test_an_idle_connection_gets_its_next_answer(
    tmp_path: Path, protocols: list[Bounded], monkeypatch: pytest.MonkeyPatch, asked: int
) -> None:
    """A server that stops answers the request that is on its way over a kept connection, and says
    that the connection ends.
    """
    monkeypatch.setattr(protocol, "_NEXT", 600.0)
    with (
        standing(tmp_path) as stand,
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", stand.port, timeout=60)) as kept,
    ):
        kept.connect()
        for _ in range(asked):
            kept.request(
                "GET", "/v1/connectors", headers={"Authorization": f"Bearer {stand.client().token}"}
            )
            answer = kept.getresponse()
            assert (answer.status, answer.read() != b"", answer.will_close) == (200, True, False)
        until(lambda: len(protocols) == 1)
        stopped = threading.Event()
        for step in (protocols[0].shutdown, stopped.set):
            protocols[0].loop.call_soon_threadsafe(step)
        assert stopped.wait(60)
        kept.request(
            "GET", "/v1/connectors", headers={"Authorization": f"Bearer {stand.client().token}"}
        )
        last = kept.getresponse()
        assert (last.status, last.read() != b"", last.getheader("Connection"), last.will_close) == (
            200,
            True,
            "close",
            True,
        )


def test_a_connection_that_nobody_uses_ends(
    tmp_path: Path, protocols: list[Bounded], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop waits a moment for the next request of an idle connection, and no longer."""
    monkeypatch.setattr(protocol, "_NEXT", 0.01)
    with (
        standing(tmp_path) as stand,
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", stand.port, timeout=60)) as kept,
    ):
        kept.request("GET", "/healthz")
        answer = kept.getresponse()
        assert (answer.status, answer.read() != b"", answer.will_close) == (200, True, False)
        protocols[0].loop.call_soon_threadsafe(protocols[0].shutdown)
        assert kept.sock.recv(1) == b""


def test_the_sockets_of_systemd_are_served(tmp_path: Path) -> None:
    """A TCP and a Unix socket of a socket unit are both served, in place of ``--host``, which one
    line says; the file stays when the server ends, since it is systemd's.
    """
    path = tmp_path / "s"
    with socket.create_server(("127.0.0.1", 0)) as near, socket.socket(socket.AF_UNIX) as file:
        file.bind(str(path))
        file.listen(10)
        with _begun(
            tmp_path, "log", [near, file], "--host", f"unix:{tmp_path / 'other'}", systemd=True
        ) as running:
            assert (_asked(near), _asked(file)) == (200, 200)
            running.send_signal(signal.SIGTERM)
            assert running.wait(90) == 0
        said = (tmp_path / "log").read_text(encoding="utf-8")
        assert "listens on the sockets of systemd" in said
        assert not (tmp_path / "other").exists()
        assert path.exists()


@pytest.mark.parametrize("words", [["--host", "127.0.0.1"], ["--port", "0"]])
def test_a_descriptor_excludes_an_address(tmp_path: Path, words: list[str]) -> None:
    """``--fd`` beside ``--host`` or ``--port`` is refused: the socket has its address."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        _begun(tmp_path, "log", [listener], *words) as running,
    ):
        assert running.wait(120) == 2
    assert "--fd excludes --host and --port" in (tmp_path / "log").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="all of 127.0.0.0/8 is loopback on Linux")
def test_a_socket_that_others_reach_needs_tls(tmp_path: Path) -> None:
    """A passed-on socket on all addresses is judged as ``--host 0.0.0.0`` is, also behind one on
    loopback.
    """
    with (
        socket.create_server(("127.0.0.1", 0)) as near,
        socket.create_server(("0.0.0.0", 0)) as far,
        _begun(tmp_path, "log", [near, far]) as running,
    ):
        assert running.wait(120) == 2
    assert "can be reached from other machines" in (tmp_path / "log").read_text(encoding="utf-8")


def test_what_does_not_listen_is_refused() -> None:
    """A file, a closed descriptor, a socket that is connected or bound only, and a datagram socket
    are refused by their number.
    """
    read, write = os.pipe()
    bound, pair, datagram = (
        socket.socket(),
        socket.socketpair(),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    )
    bound.bind(("127.0.0.1", 0))
    numbers = [read, write, bound.detach(), pair[0].detach(), datagram.detach()]
    for number in numbers:
        with pytest.raises(
            InvalidInvocation, match=f"descriptor {number} is no socket to listen on"
        ):
            adopt([number])
        with contextlib.suppress(OSError):
            os.close(number)
    pair[1].close()
    with pytest.raises(InvalidInvocation, match="descriptor"):
        adopt([read])


def test_a_socket_names_its_address() -> None:
    """The address is as ``--host`` takes it, also of a Unix socket whose name is no path."""
    with socket.create_server(("127.0.0.1", 0)) as near, socket.socket(socket.AF_UNIX) as hidden:
        assert host_of(near) == "127.0.0.1"
        if sys.platform == "linux":
            hidden.bind(f"\0jackfield-{os.getpid()}")
            assert host_of(hidden) == f"unix:@jackfield-{os.getpid()}"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, ()),
        ({"LISTEN_FDS": "1"}, ()),
        ({"LISTEN_FDS": "2", "LISTEN_PID": "7"}, (3, 4)),
        ({"LISTEN_FDS": "2", "LISTEN_PID": "8"}, ()),
        ({"LISTEN_FDS": "1", "LISTEN_PID": ""}, ()),
    ],
)
def test_descriptors_of_another_process_are_not_taken(
    given: dict[str, str], found: tuple[int, ...]
) -> None:
    """The variables count only where they name this process: children inherit them."""
    assert passed_on(given, 7) == found


@pytest.mark.parametrize("number", ["", "0", "-1", "two", "9" * 30])
def test_a_number_of_descriptors_that_is_none_is_refused(number: str) -> None:
    """``LISTEN_FDS`` that no systemd writes is refused by name."""
    with pytest.raises(InvalidInvocation, match="LISTEN_FDS"):
        passed_on({"LISTEN_FDS": number, "LISTEN_PID": "7"}, 7)


def test_the_variables_of_systemd_end_with_the_server(tmp_path: Path) -> None:
    """What the server starts gets neither the sockets nor the variables."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = adopt([os.dup(listener.fileno())])
        assert not taken[0].get_inheritable()
        taken[0].close()
        with _begun(tmp_path, "log", [listener], "--workers", "2", systemd=True) as running:
            assert _asked(listener) == 200
            assert "listens on the sockets" not in (tmp_path / "log").read_text(encoding="utf-8")
            running.send_signal(signal.SIGTERM)
            assert running.wait(90) == 0
