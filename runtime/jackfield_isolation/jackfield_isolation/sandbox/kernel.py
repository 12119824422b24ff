"""Linux's means to give up rights, called by ctypes: process attributes, capabilities and Landlock
rules. None needs privileges.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = (
    1,
    4,
    24,
    38,
    47,
)
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION = 0x20080522
_CAPSET = {"x86_64": 126, "aarch64": 91}
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_VERSION_FLAG = 1
_RULE_PATH = 1
_READ = 1 << 0 | 1 << 2 | 1 << 3
"""Landlock rights for reading: execute (to map libraries), read files, list folders."""
_READ_FILE, _WRITE_FILE = 1 << 2, 1 << 1
_FILE_RIGHTS = {
    1: (1 << 13) - 1,
    2: (1 << 14) - 1,
    3: (1 << 15) - 1,
    4: (1 << 15) - 1,
    5: (1 << 16) - 1,
}
"""Bit masks of the rights over files that each version of Landlock can revoke."""
GUARDS_TRUNCATION = 3
"""First version of Landlock that can forbid emptying a file."""
_M_MMAP_THRESHOLD, _LARGE_BLOCK = -3, 1024 * 1024
_TCP_RIGHTS = 3
_SCOPES = 3
"""Landlock scopes: abstract Unix sockets, and signals, of processes outside."""


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: object) -> int:
    result: int = _libc().syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def process_control(option: int, value: int, address: int = 0) -> None:
    """Set an attribute of this process (``prctl``).

    :raises OSError: if the kernel refuses.
    """
    zero = ctypes.c_ulong(0)
    if (
        _libc().prctl(
            ctypes.c_int(option), ctypes.c_ulong(value), ctypes.c_ulong(address), zero, zero
        )
        != 0
    ):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def end_with_parent(parent: int, signal: int) -> None:
    """Ask the kernel to send ``signal`` to this process when its parent's thread ends. If the
    parent has ended already, exit.
    """
    process_control(_PR_SET_PDEATHSIG, signal)
    if os.getppid() != parent:
        os._exit(1)


def drop_privileges() -> None:
    """Drop all capabilities of this process and of programs that it starts, and forbid tracing by
    other processes of the user.

    :raises OSError: if the kernel refuses.
    """
    process_control(_PR_SET_NO_NEW_PRIVS, 1)
    process_control(_PR_SET_DUMPABLE, 0)
    libc = _libc()
    zero = ctypes.c_ulong(0)
    # refused without CAP_SETPCAP, which is then not there to be used either
    for number in range(64):
        libc.prctl(ctypes.c_int(_PR_CAPBSET_DROP), ctypes.c_ulong(number), zero, zero, zero)
    libc.prctl(
        ctypes.c_int(_PR_CAP_AMBIENT), ctypes.c_ulong(_PR_CAP_AMBIENT_CLEAR_ALL), zero, zero, zero
    )
    head = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION, 0))
    none = ctypes.create_string_buffer(bytes(24))
    _call(_CAPSET[machine()], head, none)


def machine() -> str:
    """Return Linux's name of the processor's instruction set; empty on other systems."""
    return os.uname().machine if sys.platform == "linux" else ""


def landlock_version() -> int:
    """Return the version of Landlock that is enabled in the kernel; 0 for none."""
    try:
        return _call(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))
    except OSError:
        return 0


def restrict_files(readable: Iterable[str], devices: Iterable[str]) -> int:
    """Revoke all access to files except reading ``readable`` and using ``devices``; return the
    version of Landlock that was used.

    If the kernel can, also revoke TCP and access to processes outside.

    :raises OSError: if the kernel refuses.
    """
    version = landlock_version()
    if not version:
        raise OSError("the kernel has no Landlock, or it is switched off")
    files = _FILE_RIGHTS[min(version, 5)]
    attributes = struct.pack(
        "=QQQ", files, _TCP_RIGHTS if version >= 4 else 0, _SCOPES if version >= 6 else 0
    )
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = _call(
        _LANDLOCK_CREATE,
        ctypes.create_string_buffer(attributes[:size], size),
        ctypes.c_size_t(size),
        ctypes.c_uint32(0),
    )
    try:
        for path in readable:
            _allow(rules, path, _READ)
        for path in devices:
            _allow(rules, path, _READ_FILE | _WRITE_FILE)
        _call(_LANDLOCK_RESTRICT, ctypes.c_int(rules), ctypes.c_uint32(0))
    finally:
        os.close(rules)
    return version


def _allow(rules: int, path: str, rights: int) -> None:
    with _opened(path) as place:
        if place is None:
            return
        allowed = rights if os.path.isdir(path) else rights & (_READ_FILE | _WRITE_FILE | 1)
        rule = ctypes.create_string_buffer(struct.pack("=Qi", allowed, place), 12)
        _call(
            _LANDLOCK_ADD, ctypes.c_int(rules), ctypes.c_int(_RULE_PATH), rule, ctypes.c_uint32(0)
        )


@contextmanager
def _opened(path: str) -> Iterator[int | None]:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # what is not there needs no rule
        yield None
        return
    try:
        yield place
    finally:
        os.close(place)


def return_large_blocks() -> None:
    """Configure glibc to return freed blocks of 1 MiB and more to the system at once, such as those
    of large answers.

    Otherwise glibc retains up to 64 MiB in each of its arenas, of which there are eight per
    processor (mallopt(3), M_MMAP_THRESHOLD).
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library
        _libc().mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)
