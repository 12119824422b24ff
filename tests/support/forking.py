"""Tests of forked children, in a process of their own: no worker of pytest is forked, and no wait
is without a limit.

A worker of pytest has threads of its own and of earlier tests, whose locks stay locked for ever in
a child. ``alone`` runs a function of a test module in another Python; there, ``fork`` starts a
child, which answers with JSON. A process that takes too long is killed, and the failure shows its
stacks.

That Python is forked, too: from one that only imports, and so has no threads. To import everything
anew would take each test a second.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

_ALONE = "JACKFIELD_FORKING_ALONE"
_PATIENCE = 300.0
_CHILD_PATIENCE = 120.0
_SUPPORT = Path(__file__).parent
_WORTH_IMPORTING = (
    "jackfield",
    "pydantic",
    "psycopg",
    "cryptography",
    "jsonschema",
    "botocore",
    "asyncio",
    "ssl",
    "fake_aws",
    "smtp_rig",
)


def alone(function: Callable[..., Any], *arguments: object, within: float = _PATIENCE) -> Any:
    """Run a module's function in another Python and return what it returned ``within`` seconds;
    arguments and value pass as JSON.
    """
    source = sys.modules[function.__module__].__file__
    assert source is not None
    return _importer(os.getpid()).run(source, function.__name__, arguments, within)


class _Importer:
    """The Python that only imports and forks."""

    def __init__(self) -> None:
        self._end, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = os.pathsep.join(
            [
                str(_SUPPORT),
                str(_SUPPORT.parent / "runner"),
                str(_SUPPORT.parents[1]),
                os.environ.get("PYTHONPATH", ""),
            ]
        )
        # for SIGABRT
        command = [
            sys.executable,
            "-X",
            "faulthandler",
            "-c",
            f"import forking; forking._serve({theirs.fileno()})",
        ]
        with theirs:
            self._process = subprocess.Popen(
                command,
                pass_fds=(theirs.fileno(),),
                env={**os.environ, "PYTHONPATH": path, _ALONE: "1"},
            )
        self._modules: list[str] = []
        """Modules that the last function needed."""

    def run(self, source: str, name: str, arguments: Iterable[object], within: float) -> Any:
        """Run a function."""
        call = {
            "source": source,
            "name": name,
            "arguments": [*arguments],
            "environment": dict(os.environ),
            "modules": self._modules,
        }
        with (
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
            tempfile.TemporaryFile() as request,
        ):
            request.write(json.dumps(call).encode())
            request.flush()
            socket.send_fds(self._end, [b"run"], [request.fileno(), out.fileno(), err.fileno()])
            pid = int(self._end.recv(20))
            ended = self._ended(within)
            for number in (signal.SIGABRT, signal.SIGKILL):
                if not ended:
                    with suppress(ProcessLookupError):
                        os.killpg(pid, number)
                    if self._ended(5):
                        break
            said = _content(err)
            assert ended, f"{name} did not end:\n{said}"
            assert self._end.recv(20) == b"0", said
            found = json.loads(_content(out).splitlines()[-1])
            self._modules = found["modules"]
            return found["value"]

    def _ended(self, seconds: float) -> bool:
        return bool(select.select([self._end], [], [], seconds)[0])


@cache
def _importer(_process: int) -> _Importer:
    return _Importer()


def _content(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode(errors="replace"))


class Child:
    """A forked child and the pipe that it answers over."""

    def __init__(self, pid: int, reading: int) -> None:
        self.pid = pid
        self.reading = reading

    def answer(self) -> Any:
        """Wait for the child's value; kill it and fail where it raises or does not end in time."""
        chunks: list[bytes] = []
        while select.select([self.reading], [], [], _CHILD_PATIENCE)[0]:
            chunk = os.read(self.reading, 65536)
            if not chunk:
                break
            chunks.append(chunk)
        else:
            os.kill(self.pid, signal.SIGABRT)
        os.close(self.reading)
        _, status = os.waitpid(self.pid, 0)  # it has closed the pipe, or was sent SIGABRT: it ends
        assert status == 0, f"the child ended with {status}"
        return json.loads(b"".join(chunks))

    def kill(self) -> None:
        """Kill it, whatever it is doing."""
        os.kill(self.pid, signal.SIGKILL)
        os.close(self.reading)
        os.waitpid(self.pid, 0)

    def dies(self) -> int:
        """Wait for a child that ends itself without an answer, and return its exit code."""
        assert select.select([self.reading], [], [], _CHILD_PATIENCE)[0], "it did not end"
        assert os.read(self.reading, 1) == b"", "it has answered"
        os.close(self.reading)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def fork(work: Callable[[], Any]) -> Child:
    """Fork this process; the child runs ``work`` and ends."""
    assert os.environ.get(_ALONE), (
        "fork() is for functions that alone() runs: a worker of pytest must not be forked"
    )
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return Child(pid, reading)
    status = 1
    try:  # pragma: no cover (runs in the child)
        os.close(reading)
        os.write(writing, json.dumps(work()).encode())
        status = 0
    except BaseException:  # noqa: BLE001 (shown, and told by the exit code)
        traceback.print_exc()
    finally:
        os._exit(status)


def _serve(descriptor: int) -> None:
    """Fork for each function that ``alone`` asks for, until the process that started this one is
    gone.
    """
    end = socket.socket(fileno=descriptor)
    while True:
        message, (*descriptors,), _, _ = socket.recv_fds(end, 10, 3)
        if not message:
            os._exit(0)
        with os.fdopen(descriptors[0]) as request:
            request.seek(0)
            call = json.load(request)
        with suppress(Exception):  # it is raised where the function is run
            _module(call["source"])
        for name in call["modules"]:
            with suppress(Exception):
                importlib.import_module(name)
        pid = os.fork()
        if not pid:
            end.close()
            _run(call, *descriptors[1:])
        end.sendall(str(pid).encode())
        for number in descriptors[1:]:
            os.close(number)
        end.sendall(str(os.waitpid(pid, 0)[1]).encode())


def _run(call: Any, out: int, err: int) -> None:
    """Run a function in this process, and end it."""
    status = 1
    try:
        os.setsid()
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.environ.clear()
        os.environ.update({**call["environment"], _ALONE: "1"})
        value = getattr(_module(call["source"]), call["name"])(*call["arguments"])
        modules = sorted(name for name in sys.modules if name.startswith(_WORTH_IMPORTING))
        sys.stdout.write(json.dumps({"value": value, "modules": modules}) + "\n")
        sys.stdout.flush()
        status = 0
    finally:
        if status:
            traceback.print_exc()
            sys.stderr.flush()
        os._exit(status)  # threads that a test has left behind are not waited for


def _module(source: str) -> Any:
    name = Path(source).stem
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, source)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
