"""Rights that a child has given up: each is tried by a process that has reduced its own, also with
the Landlock of an older kernel.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from isolated import install, isolating
from jackfield import Result
from jackfield_isolation.sandbox import seccomp
from jackfield_isolation.sandbox.thread_limit import MOST_THREADS

_TRIES = """
import ctypes, fcntl, json, os, socket, struct, sys
from jackfield_isolation.sandbox import kernel
from jackfield_isolation.sandbox import limits

version, folder, parent = int(sys.argv[1]), sys.argv[2], os.getppid()
segment, semaphores, queue = map(int, sys.argv[3].split(","))
if version:
    kernel.landlock_version = lambda: version
file, libc = os.path.join(folder, "file"), ctypes.CDLL(None, use_errno=True)
one, other = socket.socketpair()
owner = struct.pack("@ii", 1, parent)

def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result

refused = {
    "truncate": lambda: os.truncate(file, 0),
    "open to read and truncate": lambda: os.open(file, os.O_RDONLY | os.O_TRUNC),
    "open for neither and truncate": lambda: os.open(file, 3 | os.O_TRUNC),
    "open for neither": lambda: os.open("/etc/passwd", 3),
    "write": lambda: os.open(file, os.O_WRONLY),
    "F_SETOWN": lambda: fcntl.fcntl(one, fcntl.F_SETOWN, parent),
    "F_SETSIG": lambda: fcntl.fcntl(one, fcntl.F_SETSIG, 10),
    "F_SETOWN_EX": lambda: fcntl.fcntl(one, 15, owner),
    "F_NOTIFY": lambda: fcntl.fcntl(os.open(folder, os.O_RDONLY), fcntl.F_NOTIFY, 1),
    "FIOSETOWN": lambda: fcntl.ioctl(one, 0x8901, struct.pack("@i", parent)),
    "SIOCSPGRP": lambda: fcntl.ioctl(one, 0x8902, struct.pack("@i", parent)),
    "sched_setaffinity": lambda: os.sched_setaffinity(parent, os.sched_getaffinity(parent)),
    "sched_setscheduler": lambda: os.sched_setscheduler(parent, os.SCHED_OTHER, os.sched_param(0)),
    "sched_setparam": lambda: os.sched_setparam(parent, os.sched_param(0)),
    "setpriority": lambda: os.setpriority(os.PRIO_PROCESS, parent, os.getpriority(os.PRIO_PROCESS, parent)),
    "setpriority of a user": lambda: os.setpriority(os.PRIO_USER, 0, 19),
    "shmat": lambda: checked(-(libc.shmat(segment, None, 0) in (-1, None))),
    "shmctl": lambda: checked(libc.shmctl(segment, 0, None)),
    "shmdt": lambda: checked(libc.shmdt(ctypes.c_void_p(-4096))),
    "semop": lambda: checked(libc.semop(semaphores, ctypes.create_string_buffer(b"\\0\\0\\1\\0\\0\\0", 6), 1)),
    "semtimedop": lambda: checked(libc.semtimedop(semaphores, ctypes.create_string_buffer(b"\\0\\0\\1\\0\\0\\0", 6), 1, None)),
    "semctl": lambda: checked(libc.semctl(semaphores, 0, 0)),
    "msgsnd": lambda: checked(libc.msgsnd(queue, ctypes.create_string_buffer(struct.pack("@l", 1) + b"text"), 4, 0)),
    "msgrcv": lambda: checked(libc.msgrcv(queue, ctypes.create_string_buffer(64), 32, 0, 0o4000)),
    "msgctl": lambda: checked(libc.msgctl(queue, 0, None)),
    "inotify_init": lambda: checked(libc.inotify_init1(0)),
    "inotify_add_watch": lambda: checked(libc.inotify_add_watch(watch, folder.encode(), 0xFFF)),
}
kept = {
    "read": lambda: os.read(os.open(file, os.O_RDONLY), 9),
    "device": lambda: open(os.devnull, "w").write("text"),
    "block": lambda: (one.setblocking(False), one.setblocking(True), os.set_blocking(1, True)),
    "inherit": lambda: (os.set_inheritable(one.fileno(), True), one.dup()),
    "affinity": lambda: os.sched_setaffinity(0, os.sched_getaffinity(0)),
    "priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, 19),
}
watch = libc.inotify_init1(0)
layers = limits.reduce_rights({"memory": 0, "parent": parent, "readable": [folder]})

def outcome(step):
    try:
        step()
    except OSError as error:
        return type(error).__name__
    return "allowed"

tried = {name: outcome(step) for name, step in {**refused, **kept}.items()}
print(json.dumps({"layers": layers, "refused": {name: tried[name] for name in refused}, "kept": {name: tried[name] for name in kept}}))
"""


@pytest.fixture(scope="module", autouse=True)
def forked_children() -> None:
    """None here: what a child may reach is asked of one that is started as those of a server
    are.
    """


def _tried(folder: Path, version: int) -> dict[str, Any]:
    with _system_v() as numbers:
        command = [
            sys.executable,
            "-c",
            _TRIES,
            str(version),
            str(folder),
            ",".join(map(str, numbers)),
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    missing = [
        f"{name}: {reason}" for name, reason in found["layers"].items() if reason is not True
    ]
    if missing:
        pytest.skip(f"this machine lacks layers of isolation: {'; '.join(missing)}")
    return found


@contextmanager
def _system_v() -> Iterator[tuple[int, int, int]]:
    """Memory, semaphores and a queue with a message, which another process of the same user may use
    by their numbers.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    with ExitStack() as stack:
        segment = libc.shmget(0, 4096, 0o1600)
        stack.callback(libc.shmctl, segment, 0, None)
        semaphores = libc.semget(0, 1, 0o1600)
        stack.callback(libc.semctl, semaphores, 0, 0)
        queue = libc.msgget(0, 0o1600)
        stack.callback(libc.msgctl, queue, 0, None)
        message = struct.pack("@l", 1) + b"of another"
        assert libc.msgsnd(queue, message, 10, 0) == 0
        yield segment, semaphores, queue
        assert libc.msgrcv(queue, ctypes.create_string_buffer(64), 32, 0, 0o4000) == 10


@pytest.mark.parametrize("version", [0, 1, 2, 5])
def test_no_way_around_the_layers(tmp_path: Path, version: int) -> None:
    """Files are not emptied, and jackfield is not signalled, slowed or watched, whichever version
    Landlock has (0: this kernel's).

    Another process's System V memory, semaphores and queue, whose numbers are known, are neither
    read, changed nor removed.
    """
    (tmp_path / "file").write_text("content", encoding="ascii")
    found = _tried(tmp_path, version)
    assert {
        name: result for name, result in found["refused"].items() if result != "PermissionError"
    } == {}
    assert (tmp_path / "file").read_text(encoding="ascii") == "content"
    assert {name: result for name, result in found["kept"].items() if result != "allowed"} == {}


def test_an_old_landlock_without_a_filter(tmp_path: Path) -> None:
    """Where neither Landlock nor a filter forbids emptying files, the layer ``files`` is reported
    as missing.
    """
    source = (
        "import json, os\nfrom jackfield_isolation.sandbox import kernel, limits, seccomp\n"
        "kernel.restrict_files = lambda *_: 2\nkernel.landlock_version = lambda: 2\n"
        "def refuse(): raise OSError('no filters')\n"
        "seccomp.install = refuse\n"
        "print(json.dumps(limits.reduce_rights({'memory': 0, 'parent': os.getppid(), 'readable': "
        "[]})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], check=True, capture_output=True, text=True
    )
    layers = json.loads(done.stdout)
    assert "emptying files" in layers["files"]
    assert layers["processes"] == "no filters"


_THREADS = """
import json, os, sys, threading, _thread, time
from jackfield_isolation.sandbox import limits
threading.stack_size(32768)
limits.reduce_rights({"memory": 0, "parent": os.getppid(), "readable": []})
started = 1
try:
    while started < 5000:
        _thread.start_new_thread(time.sleep, (60,))
        started += 1
except RuntimeError:
    pass
try:
    os.setresuid(0, 0, 0)
    back = True
except PermissionError:
    back = False
print(json.dumps({"started": started, "back": back, "user": os.getresuid()}), flush=True)
os._exit(0)
"""


def test_the_kernel_limits_threads() -> None:
    """Of root's child, too, the kernel refuses more threads than allowed, and it cannot become the
    user that is exempt.
    """
    done = subprocess.run(
        [sys.executable, "-c", _THREADS], check=True, capture_output=True, text=True
    )
    found = json.loads(done.stdout)
    real, effective, _ = found["user"]
    if real == effective:
        pytest.skip(
            "the kernel counts threads of one process only if a child of root's can have a user "
            "number of its own"
        )
    assert found["started"] <= MOST_THREADS
    assert not found["back"]


_MANY_THREADS = """
import threading
from jackfield.connector import Connector, Field, Inputs, Output
connector = Connector("crowd", title="Crowd", version="1.0.0")

class Size(Inputs):
    threads: int

class Done(Output):
    threads: int

@connector.action("start", effect="write", needs_connection=False)
def start(size: Size) -> Done:
    gate = threading.Event()
    for _ in range(size.threads):
        threading.Thread(target=gate.wait, daemon=True).start()
    if size.threads:
        gate.wait()
    return Done(threads=size.threads)
"""


def test_a_child_with_too_many_threads_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kernel lets a child have more threads than allowed, jackfield ends it; another one
    answers the next call.
    """
    install(tmp_path, "crowd", _MANY_THREADS)
    monkeypatch.setattr("jackfield_isolation.sandbox.thread_limit.MOST_THREADS", 20)
    with isolating(tmp_path) as jackfield:

        def start(threads: int) -> Result:
            return jackfield.invoke(
                {
                    "connector": "crowd",
                    "action": "start",
                    "timeoutSeconds": 30,
                    "inputs": {"threads": threads},
                }
            )

        crowded = start(40)
        assert crowded.error is not None
        assert "where 20 are allowed" in crowded.error.message
        assert start(0).status == "succeeded"


_CERTIFICATES = """
import json, os, ssl, sys
from jackfield_isolation import program
from jackfield_isolation.sandbox import limits

def authorities():
    context, folder = ssl.create_default_context(), ssl.get_default_verify_paths().capath
    opened = 0
    for name in sorted(os.listdir(folder)) if folder else ():
        if os.path.isfile(os.path.join(folder, name)):
            with open(os.path.join(folder, name), "rb") as file:
                opened += bool(file.read())
    return [context.cert_store_stats(), opened]

before = authorities()
readable = program.Program("none", "1.0.0", "none", "none", ()).configuration()["readable"]
limits.reduce_rights({"memory": 0, "parent": os.getppid(), "readable": readable})
private = {}
for folder in ("/etc/ssl", "/etc/ssl/private", "/etc/pki/tls", "/etc/pki/tls/private"):
    try:
        private[folder] = os.listdir(folder)
    except OSError as error:
        private[folder] = type(error).__name__
print(json.dumps({"same": authorities() == before, "private": private, "readable": [*limits._SYSTEM, *readable]}))
"""


def test_authorities_but_no_private_keys() -> None:
    """A child can verify servers by the system's certificate authorities; the folders of private
    keys beside them are closed.
    """
    system = {name: value for name, value in os.environ.items() if not name.startswith("SSL_CERT_")}
    done = subprocess.run(
        [sys.executable, "-c", _CERTIFICATES],
        check=True,
        capture_output=True,
        text=True,
        env=system,
    )
    found = json.loads(done.stdout)
    assert found["same"]
    for folder, content in found["private"].items():
        assert content in ("PermissionError", "FileNotFoundError"), folder
        assert [path for path in found["readable"] if f"{folder}/".startswith(f"{path}/")] == []


_X86, _ARM = 0xC000003E, 0xC00000B7
_ALLOWED = 0x7FFF0000


def _decision(processor: str, architecture: int, number: int, *arguments: int) -> int:
    """Run the filter as the kernel does; return what it decides: an error number, or 0 if the call
    is allowed.
    """
    words = [number, architecture, 0, 0]
    for argument in (*arguments, *[0] * (6 - len(arguments))):
        words += [argument & 0xFFFFFFFF, argument >> 32]
    program = list(seccomp._program(processor, 4321))
    place, value = 0, 0
    while True:
        code, matched, unmatched, operand = program[place]
        place += 1
        if code == 0x06:
            return 0 if operand == _ALLOWED else operand & 0xFFFF
        if code == 0x20:
            value = words[operand // 4]
        elif code == 0x54:
            value &= operand
        else:
            place += (
                matched
                if {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[
                    code
                ]
                else unmatched
            )


@pytest.mark.parametrize(
    ("column", "processor", "architecture"), [(0, "x86_64", _X86), (1, "aarch64", _ARM)]
)
def test_the_filter_of_each_processor(column: int, processor: str, architecture: int) -> None:
    """The numbers of x86-64 and ARM64 are those of the kernel's headers; calls about the caller
    itself stay allowed.
    """
    parent, here = 1234, -100 & 0xFFFFFFFF
    truncate_flag = 0o1000
    forbidden: dict[str, tuple[tuple[int, int], list[tuple[int, ...]]]] = {
        "truncate": ((76, 45), [()]),
        "ftruncate": ((77, 46), [()]),
        "openat": (
            (257, 56),
            [(here, 0, 3), (here, 0, truncate_flag), (here, 0, 0x80000 | 3 | truncate_flag)],
        ),
        "fcntl": ((72, 25), [(3, 8, parent), (3, 10, 10), (3, 15, 1), (3, 1024, 0), (3, 1026, 1)]),
        "ioctl": ((16, 29), [(3, 0x8901), (3, 0x8902), (3, 0x5452), (3, 0x5412)]),
        "sched_setaffinity": ((203, 122), [(parent,)]),
        "setpriority": ((141, 140), [(0, parent), (1, 0), (2, 0)]),
        "sched_setscheduler": ((144, 119), [(parent,)]),
        "sched_setparam": ((142, 118), [(parent,)]),
        "sched_setattr": ((314, 274), [(parent,)]),
        "ioprio_set": ((251, 30), [(1, parent), (2, 0), (3, 0)]),
        "inotify_init1": ((294, 26), [()]),
        "inotify_add_watch": ((254, 27), [()]),
        "shmat": ((30, 196), [(7,)]),
        "shmctl": ((31, 195), [(7,)]),
        "shmdt": ((67, 197), [()]),
        "semop": ((65, 193), [(7,)]),
        "semctl": ((66, 191), [(7,)]),
        "semtimedop": ((220, 192), [(7,)]),
        "msgsnd": ((69, 189), [(7,)]),
        "msgrcv": ((70, 188), [(7,)]),
        "msgctl": ((71, 187), [(7,)]),
        "fanotify_init": ((300, 262), [()]),
        "fanotify_mark": ((301, 263), [()]),
        "kill": ((62, 129), [(parent, 9)]),
        "prlimit64": ((302, 261), [(parent,)]),
        "openat2": ((437, 437), [()]),
    }
    allowed: dict[str, tuple[tuple[int, int], list[tuple[int, ...]]]] = {
        "openat": ((257, 56), [(here, 0, 0x80000), (here, 0, 1 | truncate_flag), (here, 0, 2)]),
        "fcntl": ((72, 25), [(3, 1, 0), (3, 2, 1), (3, 3, 0), (3, 4, 2048), (3, 1030, 0)]),
        "ioctl": ((16, 29), [(3, 0x5421), (3, 0x5401), (3, 0x541B)]),
        "sched_setaffinity": ((203, 122), [(0,)]),
        "setpriority": ((141, 140), [(0, 0)]),
        "ioprio_set": ((251, 30), [(1, 0)]),
        "prlimit64": ((302, 261), [(0,)]),
        "kill": ((62, 129), [(4321, 9)]),
        "read": ((0, 63), [(3,)]),
    }
    refusals = {errno.EPERM, errno.EACCES, errno.ENOSYS}
    wrong = [
        (name, one)
        for name, (numbers, calls) in forbidden.items()
        for one in calls
        if _decision(processor, architecture, numbers[column], *one) not in refusals
    ]
    wrong += [
        (name, one)
        for name, (numbers, calls) in allowed.items()
        for one in calls
        if _decision(processor, architecture, numbers[column], *one)
    ]
    assert wrong == []


def test_the_memory_of_a_server_stays_private() -> None:
    """A server writes no core dump, which would have the master key in it, and no process of its
    user reads its memory (finding 9).
    """
    source = (
        "import ctypes, resource\nfrom jackfield_store.commands.starting import "
        "prepare_process\nprepare_process()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == ("(0, 0) 0" if sys.platform == "linux" else done.stdout.strip())
