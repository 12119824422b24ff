"""Children of isolated connectors that start in 20 ms: forked from a process that has imported what each of them imports.

A child starts in 0.3 s of CPU time, nearly all for imports of pydantic and jackfield. ``child_forge`` runs with the command line,
the environment and the modules of a child, and forks. From then on it is a real child: the same program, kernel limits, sockets and end.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from jackfield.isolation.program import package_folder

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER


class _Forked:
    """A forked child: the part of ``Popen`` that jackfield uses."""

    def __init__(self, pid: int, stdout: Any) -> None:
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None

    def wait(self) -> int:
        """Wait until it has ended."""
        self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode


class _Forge:
    """The process that forks; it is started at the first child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._end: socket.socket | None = None

    def popen(self, command: list[str], *, env: Mapping[str, str], pass_fds: tuple[int], **_options: object) -> _Forked:
        """Fork a child that gets ``pass_fds``; the arguments are those of ``Popen``."""
        reading, writing = os.pipe()
        with self._lock:
            end = self._end = self._end or self._started(command, env)
            _adopt_orphans(1)  # the child of a process that ends becomes one of this process
            try:
                socket.send_fds(end, [json.dumps(dict(env)).encode()], [*pass_fds, writing])
                pid = int(end.recv(20))
            finally:
                _adopt_orphans(0)
                os.close(writing)
        return _Forked(pid, os.fdopen(reading, "rb", buffering=0))

    def _started(self, command: list[str], env: Mapping[str, str]) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        spec = find_spec("pydantic")
        assert spec is not None
        assert spec.origin is not None
        python = command[: command.index("-B") + 1]
        arguments = [
            str(Path(__file__).with_name("child_forge.py")),
            package_folder(),
            str(theirs.fileno()),
            str(Path(spec.origin).parents[1]),
        ]
        with theirs:
            self._process = subprocess.Popen(
                [*python, *arguments], stdin=subprocess.DEVNULL, cwd="/", env=dict(env), pass_fds=(theirs.fileno(),), start_new_session=True
            )
        return ours

    def close(self) -> None:
        """Let it end."""
        if self._end is not None:
            self._end.close()
            self._process.wait()


def _adopt_orphans(on: int) -> None:
    assert ctypes.CDLL(None).prctl(_SUBREAPER, on, 0, 0, 0) == 0


@contextmanager
def children_forked() -> Iterator[None]:
    """Let the children of isolated connectors be forked, where the system is Linux."""
    if sys.platform != "linux":
        yield
        return
    forge = _Forge()
    try:
        with mock.patch("jackfield.isolation.process.subprocess", SimpleNamespace(**{**vars(subprocess), "Popen": forge.popen})):
            yield
    finally:
        forge.close()
