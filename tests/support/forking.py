"""Tests of forked children, in a process of their own: no worker of pytest is forked, and no wait is without a limit.

A worker of pytest has threads of its own and of earlier tests, whose locks stay locked for ever in a child. ``alone`` runs a function of a
test module in a fresh Python; there, ``fork`` starts a child, which answers with JSON. A process that takes too long is killed, and the
failure shows its stacks.
"""

from __future__ import annotations

import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ALONE = "JACKFIELD_FORKING_ALONE"
_PATIENCE = 60.0
_CHILD_PATIENCE = 30.0
_SUPPORT = Path(__file__).parent


def alone(function: Callable[..., Any], *arguments: object) -> Any:
    """Run a module's function in a fresh Python and return what it returned; arguments and value pass as JSON."""
    source = sys.modules[function.__module__].__file__
    assert source is not None
    call = json.dumps([source, function.__name__, list(arguments)])
    path = os.pathsep.join([str(_SUPPORT), str(_SUPPORT.parents[1]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-X", "faulthandler", "-c", "import forking; forking._run()", call]  # faulthandler: SIGABRT shows the stacks
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": path, _ALONE: "1"},
    ) as process:
        try:
            out, err = process.communicate(timeout=_PATIENCE)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGABRT)
            try:
                _, err = process.communicate(timeout=5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                _, err = process.communicate()
            raise AssertionError(f"{function.__name__} did not end:\n{err}") from error
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


class Child:
    """A forked child and the pipe that it answers over."""

    def __init__(self, pid: int, reading: int) -> None:
        self.pid = pid
        self._reading = reading

    def answer(self) -> Any:
        """Wait for the child's value; kill it and fail where it raises or does not end in time."""
        chunks: list[bytes] = []
        while select.select([self._reading], [], [], _CHILD_PATIENCE)[0]:
            chunk = os.read(self._reading, 65536)
            if not chunk:
                break
            chunks.append(chunk)
        else:
            os.kill(self.pid, signal.SIGABRT)
        os.close(self._reading)
        _, status = os.waitpid(self.pid, 0)  # it has closed the pipe, or was sent SIGABRT: it ends
        assert status == 0, f"the child ended with {status}"
        return json.loads(b"".join(chunks))


def fork(work: Callable[[], Any]) -> Child:
    """Fork this process; the child runs ``work`` and ends."""
    assert os.environ.get(_ALONE), "fork() is for functions that alone() runs: a worker of pytest must not be forked"
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


def _run() -> None:
    """Run what ``alone`` asked for."""
    source, name, arguments = json.loads(sys.argv[1])
    spec = importlib.util.spec_from_file_location(Path(source).stem, source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    print(json.dumps(getattr(module, name)(*arguments)), flush=True)  # noqa: T201 (the answer)
    os._exit(0)  # threads that a test has left behind are not waited for
