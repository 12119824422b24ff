"""Connector that harmlessly tries the forbidden operations; ``jackfield isolation`` runs it to find
out which layers hold on a machine.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping

from jackfield.connector import Connector, Inputs, Output
from jackfield.kernel.failures import Raised, attempt

_IPC_INFO = 3
connector = Connector("probe", title="Probe", version="1.0.0")


class Targets(Inputs):
    """Targets of the attempts, prepared by the examination."""

    secret: str
    folder: str
    parent: int
    port: int
    memory: int


class Outcome(Output):
    """Attempts that were not refused."""

    allowed: tuple[str, ...]


def _signal(process: int) -> None:
    os.kill(process, 0)


def _fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _connect(port: int) -> None:
    import _socket  # the one beneath, which does not ask the parent

    with socket.socket(fileno=_socket.socket(socket.AF_INET, socket.SOCK_STREAM).detach()) as plain:
        _socket.socket.connect(plain, ("127.0.0.1", port))


def _datagram(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.sendto(b"probe", ("127.0.0.1", port))


def _read(path: str) -> None:
    with open(path, "rb") as file:
        file.read(1)


def _write(folder: str) -> None:
    with open(os.path.join(folder, "probe"), "wb") as file:
        file.write(b"probe")


def _empty(path: str) -> None:
    os.close(os.open(path, os.O_RDONLY | os.O_TRUNC))


def _direct_signals(process: int) -> None:
    import fcntl

    one, other = socket.socketpair()
    with one, other:
        fcntl.fcntl(one, fcntl.F_SETOWN, process)


def _reorder(process: int) -> None:
    os.setpriority(os.PRIO_PROCESS, process, os.getpriority(os.PRIO_PROCESS, process))


def _shared_memory() -> None:
    import ctypes

    libc, found = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(256)
    for name in ("shmctl", "msgctl"):
        if getattr(libc, name)(0, _IPC_INFO, found) < 0:
            raise OSError(ctypes.get_errno(), "refused")


def _variables(_parent: int) -> None:
    if any(name.startswith("JACKFIELD_") for name in os.environ):
        return
    raise PermissionError("the environment is empty")


def _allocate(memory: int) -> None:
    bytearray(memory)


ATTEMPTS: Mapping[str, tuple[str, str]] = {
    "variables": ("environment", "read jackfield's environment variables"),
    "allocate": ("resources", "allocate more memory than allowed"),
    "read": ("files", "read a file beside the master key"),
    "write": ("files", "write a file"),
    "empty": ("files", "empty a file"),
    "memory": ("files", "read the environment of jackfield's process"),
    "fork": ("processes", "start a process"),
    "signal": ("processes", "signal jackfield's process"),
    "direct": ("processes", "let the kernel signal jackfield's process"),
    "reorder": ("processes", "change the priority of jackfield's process"),
    "share": ("processes", "look for other processes' shared memory and queues"),
    "connect": ("network", "connect to a port of this machine"),
    "datagram": ("network", "send a datagram"),
}
"""Description of each attempt, with the layer that must refuse it."""


@connector.action("probe", effect="read", needs_connection=False)
def probe(targets: Targets) -> Outcome:
    """Try all operations, and return those that were allowed."""
    steps: Mapping[str, Callable[[], object]] = {
        "variables": lambda: _variables(targets.parent),
        "allocate": lambda: _allocate(targets.memory),
        "read": lambda: _read(targets.secret),
        "write": lambda: _write(targets.folder),
        "empty": lambda: _empty(targets.secret),
        "memory": lambda: _read(f"/proc/{targets.parent}/environ"),
        "fork": _fork,
        "signal": lambda: _signal(targets.parent),
        "direct": lambda: _direct_signals(targets.parent),
        "reorder": lambda: _reorder(targets.parent),
        "share": _shared_memory,
        "connect": lambda: _connect(targets.port),
        "datagram": lambda: _datagram(targets.port),
    }
    return Outcome(
        allowed=tuple(name for name, step in steps.items() if not isinstance(attempt(step), Raised))
    )
