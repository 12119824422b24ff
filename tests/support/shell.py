"""A shell for tests of the command line: the command in this process or in one of its own."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from jackfield.cli.main import main

_RUNTIME = Path(__file__).parents[2] / "runtime"
_PATIENCE = 60.0
"""Seconds after which a test gives up on a process; no test waits that long unless it fails."""


@dataclass(frozen=True)
class Answer:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout, which must be one line of JSON."""
        assert self.out.count("\n") == 1, self.out + self.err
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Stdout, which must be lines of JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


class Shell:
    """Runs ``jackfield``. ``folder`` is its own: files written there are found by relative paths,
    since it is the current folder.
    """

    def __init__(
        self,
        folder: Path,
        paths: list[str],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.folder = folder
        self.plugs = Path(paths[0])
        self._paths = paths
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self._started: list[subprocess.Popen[bytes]] = []

    def set(self, **environment: str) -> None:
        """Set environment variables for this test."""
        for name, value in environment.items():
            self._monkeypatch.setenv(name, value)

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file into the shell's folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def run(self, *words: str, stdin: str | bytes | None = None) -> Answer:
        """Run the command in this process."""
        if stdin is not None:
            content = stdin.encode() if isinstance(stdin, str) else stdin
            self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        self._capsys.readouterr()
        code = main(words)
        captured = self._capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    def on_terminal(self, *words: str) -> Answer:
        """Run the command in this process, with a terminal for stdout."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys.stdout, "isatty", lambda: True)
            return self.run(*words)

    def environment(self) -> dict[str, str]:
        """The environment of a process in which jackfield and the connectors of this shell are
        installed.
        """
        return {**os.environ, "PYTHONPATH": os.pathsep.join([str(_RUNTIME), *self._paths])}

    def start(self, *words: str | bytes, **environment: str) -> subprocess.Popen[bytes]:
        """Start ``python -m jackfield`` with pipes for stdin, stdout and stderr."""
        process = subprocess.Popen(
            [sys.executable, "-m", "jackfield", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env={**self.environment(), **environment},
        )
        self._started.append(process)
        return process

    def leave(self) -> None:
        """End what a failed test has left running, and close all pipes."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()

    def python(self, code: str) -> Answer:
        """Run Python code in a process of its own, with the same path."""
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            cwd=self.folder,
            env=self.environment(),
            timeout=_PATIENCE,
            check=False,
        )
        return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())

    @staticmethod
    def ended(process: subprocess.Popen[bytes], stdin: bytes = b"") -> Answer:
        """Give a started command the rest of its stdin, and wait for its end."""
        out, err = process.communicate(stdin, timeout=_PATIENCE)
        return Answer(process.returncode, (out or b"").decode(), err.decode())

    @staticmethod
    def close_stdout(process: subprocess.Popen[bytes]) -> None:
        """Read no more of a started command's stdout."""
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None


class GateKeeper:
    """The other end of the echo's input ``gate``: knows when an action has come to the gate, and
    lets it pass.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_PATIENCE)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.close()

    def arrived(self) -> socket.socket:
        """Wait until an action is at the gate; it passes when the socket is closed."""
        connection, _ = self._listener.accept()
        connection.settimeout(_PATIENCE)
        assert connection.recv(64) == b"here\n"
        return connection
