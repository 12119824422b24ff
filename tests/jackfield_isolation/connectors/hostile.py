"""A connector that tries to break out of its process, as it is told."""

from __future__ import annotations

import _thread
import ctypes
import os
import resource
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from typing import Any

from jackfield.connector import Connector, Field, Inputs, Output, current_call
from jackfield_isolation.wire import ANSWER, HEAD, OTHER

connector = Connector("hostile", title="Hostile", version="1.0.0")


class Attack(Inputs):
    """What to try."""

    kind: str = Field(title="Kind")
    target: str = Field("", title="Target")


class Loot(Output):
    """What came of it."""

    got: str


def _read(path: str) -> str:
    with open(path, "rb") as file:
        return file.read(200).hex()


def _write(folder: str) -> str:
    with open(os.path.join(folder, "filler"), "wb") as file:
        for _ in range(1000):
            file.write(bytes(1_000_000))
            file.flush()
    return "wrote a gigabyte"


def _connect(target: str) -> str:
    import _socket

    host, _, port = target.rpartition(":")
    plain = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    plain.connect((host, int(port)))
    return "connected"


def _connect_by_parent(target: str) -> str:
    host, _, port = target.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5):
        return "connected"


def _datagram(target: str) -> str:
    import _socket

    host, _, port = target.rpartition(":")
    _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM).sendto(b"secret", (host, int(port)))
    return "sent"


def _fast_open(target: str) -> str:
    import _socket

    host, _, port = target.rpartition(":")
    _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM).sendto(
        b"secret", 0x20000000, (host, int(port))
    )
    return "sent"


def _unix(target: str) -> str:
    import _socket

    _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM).connect(target)
    return "connected"


def _fork(_target: str) -> str:
    if os.fork() == 0:
        os._exit(0)
    return "forked"


def _execute(_target: str) -> str:
    os.execv("/bin/sh", ["sh", "-c", "true"])


def _threads(_target: str) -> str:
    gate = threading.Event()
    for number in range(100_000):
        # Thread.start would wait for ever for a thread that has a stack, but no memory to begin
        # with
        try:
            _thread.start_new_thread(gate.wait, ())
        except (RuntimeError, MemoryError):
            gate.set()
            return f"{number} threads" if number > 5000 else "refused"
    return "100000 threads"


def _memory(_target: str) -> str:
    hoard = [bytes(50_000_000) for _ in range(200)]
    return f"{len(hoard)}"


def _loop(_target: str) -> str:
    while True:
        pass


def _hold_the_lock(_target: str) -> str:
    return str(len(str(9**9**8)))


def _segfault(_target: str) -> str:
    ctypes.string_at(0)
    return "alive"


def _kill(target: str) -> str:
    os.kill(int(target or os.getppid()), signal.SIGKILL)
    return "killed"


def _raise_limits(_target: str) -> str:
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return "unlimited"


def _outlive(_target: str) -> str:
    if ctypes.CDLL(None, use_errno=True).prctl(1, 0, 0, 0, 0) != 0:
        raise PermissionError(ctypes.get_errno())
    return "immortal"


def _chmod(target: str) -> str:
    os.chmod(target, 0o777)
    return "changed"


def _remove(target: str) -> str:
    os.unlink(target)
    return "removed"


def _environment(_target: str) -> str:
    return " ".join(f"{name}={value}" for name, value in os.environ.items())


def _memory_of(target: str) -> str:
    data = ctypes.create_string_buffer(8)
    local = struct.pack("@PN", ctypes.addressof(data), 8)
    there = ctypes.create_string_buffer(local)
    if (
        ctypes.CDLL(None, use_errno=True).process_vm_readv(
            int(target or os.getppid()), there, 1, there, 1, 0
        )
        < 0
    ):
        raise PermissionError(ctypes.get_errno())
    return "read"


def _own_socket() -> int:
    for number in range(3, 4096):
        try:
            kind = os.fstat(number).st_mode & 0o170000
        except OSError:
            continue
        if kind == 0o140000:
            return number
    raise RuntimeError("no socket")


def _number() -> int:
    talk: Any = getattr(current_call(), "talk", None)
    return int(talk._number)


def _garbage(_target: str) -> str:
    os.write(_own_socket(), HEAD.pack(20, ANSWER, _number()) + b"this is not any JSON")
    threading.Event().wait()
    return ""


def _enormous(_target: str) -> str:
    os.write(_own_socket(), HEAD.pack(0xFFFFFFFF, ANSWER, _number()) + b"x" * 1000)
    threading.Event().wait()
    return ""


def _flood(_target: str) -> str:
    body = b'{"key":true}'
    while True:
        os.write(_own_socket(), (HEAD.pack(len(body), OTHER, 1) + body) * 100)


def _babble(_target: str) -> str:
    talk: Any = getattr(current_call(), "talk", None)
    while True:
        talk.say({"key": True})


def _grow(_target: str) -> str:
    talk: Any = getattr(current_call(), "talk", None)
    talk.say({"key": "x" * 1_000_000})
    return "grown"


def _many_nodes(_target: str) -> str:
    body = b'{"end":[' + b"[]," * 2_000_000 + b"[]]}"
    whole = HEAD.pack(len(body), ANSWER, _number()) + body
    sent = 0
    while sent < len(whole):
        sent += os.write(_own_socket(), whole[sent:])
    threading.Event().wait()
    return ""


def _chatter(_target: str) -> str:
    for _ in range(50_000):
        os.write(1, b"x" * 500 + b"\n")
    sys.stdout.write("{}\n")
    return "printed"


def _exit(_target: str) -> str:
    os._exit(0)


def _system_exit(_target: str) -> str:
    sys.exit(0)


def _never(_target: str) -> str:
    threading.Event().wait()
    return ""


def _busy_later(_target: str) -> str:
    threading.Thread(target=_loop, args=("",), daemon=True).start()
    return str(os.getpid())


def _modules(_target: str) -> str:
    return " ".join(
        sorted(
            name
            for name in sys.modules
            if name.startswith(("jackfield.database", "jackfield.journal", "jackfield.runtime"))
        )
    )


_KINDS: dict[str, Callable[[str], str]] = {
    "read": _read,
    "write": _write,
    "connect": _connect,
    "connectByParent": _connect_by_parent,
    "datagram": _datagram,
    "fastOpen": _fast_open,
    "unix": _unix,
    "fork": _fork,
    "execute": _execute,
    "threads": _threads,
    "memory": _memory,
    "loop": _loop,
    "holdTheLock": _hold_the_lock,
    "segfault": _segfault,
    "kill": _kill,
    "raiseLimits": _raise_limits,
    "outlive": _outlive,
    "chmod": _chmod,
    "remove": _remove,
    "environment": _environment,
    "memoryOf": _memory_of,
    "garbage": _garbage,
    "enormous": _enormous,
    "babble": _babble,
    "grow": _grow,
    "manyNodes": _many_nodes,
    "flood": _flood,
    "chatter": _chatter,
    "exit": _exit,
    "systemExit": _system_exit,
    "never": _never,
    "busyLater": _busy_later,
    "modules": _modules,
}


@connector.action("attack", effect="write", needs_connection=False)
def attack(inputs: Attack) -> Loot:
    """Try it."""
    call = current_call()
    assert call is not None
    return Loot(got=_KINDS[inputs.kind](inputs.target))
