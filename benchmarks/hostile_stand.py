"""A server that hostile requests are sent to, and what each of them costs it: CPU time, the slowest
probe beside it, and memory.

Limits are in seconds of the server's CPU time: as long as it would take on a machine that does
nothing else, whatever this one does.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT

MOST = 1.0
"""Seconds of CPU time that the largest body may take."""
MOST_PROBE = 0.1
"""Seconds of CPU time that the server may spend while ``/healthz`` waits."""
MOST_GROWN = 96.0
"""MiB by which the server's memory may grow meanwhile. A body of 1 MiB may have 250,000 values."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status of a response, and what it says first."""

    status: int
    said: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What requests cost: CPU time of the server, and during the slowest probe; the seconds of
    both; and the MiB by which its memory grew.
    """

    cpu: float
    probe_cpu: float
    seconds: float
    probe: float
    grown: float

    @property
    def keeps_to_limits(self) -> bool:
        """Whether a body of 1 MiB may cost as much."""
        return self.cpu <= MOST and self.probe_cpu <= MOST_PROBE and self.grown <= MOST_GROWN

    def __str__(self) -> str:
        return (
            f"{self.cpu:7.3f} {self.probe_cpu:7.3f} {self.seconds:7.3f} {self.probe:7.3f} "
            f"{self.grown:6.1f}"
        )


HEAD = f"{'cpu s':>7} {'probe':>7} {'wall s':>7} {'probe':>7} {'MiB':>6}"


class _Probe(threading.Thread):
    """Asks ``/healthz`` again and again; notes the longest answer, and the most CPU time of the
    server during one.
    """

    def __init__(self, port: int, cpu: Callable[[], float]) -> None:
        super().__init__(daemon=True)
        self._port, self._cpu = port, cpu
        self.slowest = self.most = 0.0

    def run(self) -> None:
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
            try:
                started, spent = time.monotonic(), self._cpu()
                connection.request("GET", "/healthz")
                connection.getresponse().read()
                self.most = max(self.most, self._cpu() - spent)
            except OSError:  # the server ends
                return
            connection.close()
            self.slowest = max(self.slowest, time.monotonic() - started)
            time.sleep(0.005)


class Stand:
    """A running server."""

    def __init__(self, port: int, token: str, process: int) -> None:
        self._port, self._token, self._process = port, token, process
        self._probe = _Probe(port, self._cpu)
        self._probe.start()

    def _cpu(self) -> float:
        # the clock of a process's CPU time: clock_getcpuclockid(3)
        return time.clock_gettime(~self._process << 3 | 2)

    def send(
        self, method: str, path: str, body: bytes | None = None, kind: str = "application/json"
    ) -> Answer:
        """Send a request."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        connection.request(
            method, path, body, {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        )
        answer = connection.getresponse()
        found = answer.read()
        connection.close()
        return Answer(answer.status, _said(found))

    def read(self, method: str, path: str, body: bytes | None = None) -> Mapping[str, Any]:
        """Send a request, and return what it is answered with."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        connection.request(
            method,
            path,
            body,
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        found: dict[str, Any] = json.loads(connection.getresponse().read())
        return found

    def document(self) -> Mapping[str, Any]:
        """Return the server's OpenAPI document."""
        return self.read("GET", "/openapi.json")

    def sent(
        self, method: str, path: str, body: bytes, kind: str = "application/json"
    ) -> tuple[Cost, Answer]:
        """Send a request, and measure what it costs."""
        answers: list[Answer] = []
        return self.cost(lambda: answers.append(self.send(method, path, body, kind))), answers[0]

    def cost(self, work: Callable[[], object]) -> Cost:
        """Measure what some requests cost."""
        # forgets the peak: proc(5)
        Path(f"/proc/{self._process}/clear_refs").write_text("5", encoding="ascii")
        before, started, spent = self._memory("VmRSS"), time.monotonic(), self._cpu()
        self._probe.slowest = self._probe.most = 0.0
        work()
        seconds, cpu = time.monotonic() - started, self._cpu() - spent
        return Cost(
            cpu, self._probe.most, seconds, self._probe.slowest, self._memory("VmHWM") - before
        )

    def _memory(self, name: str) -> float:
        lines = Path(f"/proc/{self._process}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def _said(body: bytes) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        return body[:60].decode(errors="replace")
    error = (found.get("error") or found) if isinstance(found, dict) else {}
    return str(
        (error.get("details") or [{}])[0].get(
            "message", error.get("message", error.get("detail", ""))
        )
    )[:60]


@contextmanager
def standing(manifest: Mapping[str, Any]) -> Iterator[Stand]:
    """Serve a connector without code, and the one of many keys."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    import many_keys
    from plugboard import make_connector

    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        make_connector(folder / "site", manifest["key"], "connector = None\n", dict(manifest))
        make_connector(folder / "site", many_keys.KEY, many_keys.SOURCE)
        command = [sys.executable, "-m", "jackfield"]
        environment = {
            **os.environ,
            "JACKFIELD_HOME": str(folder / "home"),
            "PYTHONPATH": str(folder / "site"),
        }
        token = subprocess.run(
            [*command, "tokens", "create", "--scope", "manage"],
            env=environment,
            check=True,
            capture_output=True,
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        server = subprocess.Popen(
            [*command, "serve", "--port", str(port)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _await(server, port)
            yield Stand(port, json.loads(token.stdout)["token"], server.pid)
        finally:
            server.terminate()
            server.wait(30)


def _await(server: subprocess.Popen[bytes], port: int) -> None:
    while server.poll() is None:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the server has ended")
