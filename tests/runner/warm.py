"""Python processes that have their imports done: one process per test run imports what most
commands need, and forks for each command.

``warm_python`` puts a small program in the place of ``sys.executable``. It hands its arguments,
environment, folder and standard streams to that process, waits for the fork, and ends as the fork
ends. To whoever starts it, it is a Python of its own: a crash, a kill and an exit code are seen as
ever. What the fork cannot be (other options, a start-up module on the path) runs in a real Python.

Use it where a test is about what a command does, and not about how Python starts or what is
imported. It is not for tests that kill a process at an instant: the fork dies a moment after its
launcher.
PYTEST_DONT_REWRITE: a conftest imports this module, others name it as a plugin.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

_LAUNCHER = """#!{python} -IS
import _signal
import _socket
import marshal
import os
import sys

words = {prefix!r} + sys.argv[1:]
if not words or (words[0].startswith("-") and words[0] not in ("-B", "-P", "-c", "-m")):  # it may also inherit more than three streams
    os.execv({python!r}, [{python!r}] + words)
forwarded = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGUSR1, _signal.SIGUSR2)
_signal.pthread_sigmask(_signal.SIG_BLOCK, forwarded)  # the fork may run, and be waited for, before this knows its number
link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
link.connect({address!r})
request = marshal.dumps((words, sys.argv[0], dict(os.environ), os.getcwd()))
streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
link.sendmsg([len(request).to_bytes(8, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
link.sendall(request)
child = int.from_bytes(link.recv(8), "big")
for number in forwarded:
    _signal.signal(number, lambda number, frame: os.kill(child, number))
_signal.pthread_sigmask(_signal.SIG_UNBLOCK, forwarded)
status = int.from_bytes(link.recv(8), "big", signed=True)
if status < 0:
    if status not in (-9, -19):
        _signal.signal(-status, _signal.SIG_DFL)
    os.kill(os.getpid(), -status)
os._exit(status)
"""
_COMMANDS = {"python": [], "pytest": ["-m", "pytest"], "jackfield": ["-m", "jackfield"]}
_SERVER = Path(__file__).with_name("warm_server.py")
_PATIENCE = 600.0
"""Seconds that the imports may take on a busy machine."""


@pytest.fixture(scope="session")
def launchers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield a folder with the programs ``python``, ``pytest`` and ``jackfield`` that ask the
    process; it is started if there is none.
    """
    address = f"jackfield-warm-{os.environ.setdefault('PYTEST_RUN', uuid.uuid4().hex)}"
    with _joined(address):
        folder = tmp_path_factory.mktemp("warm")
        for name, prefix in _COMMANDS.items():
            path = folder / name
            path.write_text(
                _LAUNCHER.format(python=sys.executable, address=f"\0{address}", prefix=prefix),
                encoding="utf-8",
            )
            path.chmod(0o755)
        yield folder


@pytest.fixture
def warm_python(launchers: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have every Python that this process starts forked from the warm one; return the folder of its
    programs.
    """
    monkeypatch.setattr(sys, "executable", str(launchers / "python"))
    return launchers


@contextmanager
def _joined(address: str) -> Iterator[None]:
    """Hold a connection to the process at ``address``, which ends soon after the last of these;
    start it if there is none.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JACKFIELD_", "AWS_", "PYTHONPATH"))
    }
    command = [sys.executable, "-P", str(_SERVER), address]
    started: subprocess.Popen[bytes] | None = None
    with ExitStack() as stack:
        while (link := _linked(address)) is None:
            if started is None or started.poll() is not None:
                started = subprocess.Popen(
                    command,
                    env=environment,
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                )
            time.sleep(0.02)  # until it, or that of another worker, listens
        stack.enter_context(link)
        yield
    if started is not None:
        started.wait()


def _linked(address: str) -> socket.socket | None:
    """Return a connection that keeps the process; None if there is no process, or it is about to
    end.
    """
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(_PATIENCE)
    try:
        link.connect(f"\0{address}")
        link.sendall(bytes(8))
        found = link.recv(1)
    except ConnectionError:
        found = b""
    if found:
        return link
    link.close()
    return None
