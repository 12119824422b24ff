"""Children of isolated connectors, forked from a process that has imported what each of them
imports first.

A child that starts as a Python of its own takes 0.3 s of CPU time, nearly all of it for these
imports. The forked one runs the same program from its first frame on, so it gives up its rights as
any other; it is a child of this process, which waits for it and is its parent to the kernel. Tests
of the start itself, and of what a child finds in its process, ask for ``really_started``.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import IO
from unittest import mock

import pytest

from jackfield_isolation import process
from jackfield_isolation.program import Program, command

_PR_SET_CHILD_SUBREAPER = 36
_SERVER = Path(__file__).with_name("warm_child_server.py")
_LOCK = threading.Lock()


@pytest.fixture(scope="module", autouse=True)
def forked_children() -> Iterator[None]:
    """Have the children of this module forked."""
    with forked():
        yield


@contextmanager
def forked() -> Iterator[None]:
    """Have children forked, where the kernel lets a process adopt them."""
    if sys.platform != "linux":
        yield
        return
    with mock.patch.object(
        process, "subprocess", SimpleNamespace(**{**vars(subprocess), "Popen": _Forked})
    ):
        yield


@contextmanager
def really_started() -> Iterator[None]:
    """Have children started as Pythons of their own again."""
    with mock.patch.object(process, "subprocess", subprocess):
        yield


class _Forked:
    """What is used of ``subprocess.Popen``, for a child that was forked."""

    def __init__(
        self, _: Sequence[str], *, env: Mapping[str, str], pass_fds: tuple[int], **_more: object
    ) -> None:
        ours, theirs = os.pipe()
        try:
            with _LOCK:
                self.pid = _nursery(os.getpid()).fork({**env}, pass_fds[0], theirs)
        finally:
            os.close(theirs)
        self.stdout: IO[bytes] = os.fdopen(ours, "rb", buffering=0)  # its reader closes it
        self.returncode: int | None = None

    def wait(self) -> int:
        """Wait for the end."""
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode


class _Nursery:
    """The process that forks."""

    def __init__(self) -> None:
        self._end, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        program = Program("none", "0", "none", "none", ())
        *options, _, own, isolation, number = command(theirs.fileno())
        with theirs:
            self._process = subprocess.Popen(
                [*options, str(_SERVER), own, isolation, number, *program.configuration()["paths"]],
                env={
                    "LANG": "C.UTF-8",
                    "TZ": "UTC",
                    "MALLOC_ARENA_MAX": "2",
                    "PYDANTIC_DISABLE_PLUGINS": "__all__",
                },
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                cwd="/",
            )

    def fork(self, environment: dict[str, str], channel: int, output: int) -> int:
        """Return the number of a new child of this process, which becomes its parent when the one
        between has ended.
        """
        _adopt(True)
        try:
            socket.send_fds(self._end, [json.dumps(environment).encode()], [channel, output])
            said = {self._end.recv(20), self._end.recv(20)}
        finally:
            _adopt(False)
        (pid,) = said - {b"done"}
        return int(pid)


def _adopt(wanted: bool) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0)


@cache
def _nursery(_process: int) -> _Nursery:
    return _Nursery()
