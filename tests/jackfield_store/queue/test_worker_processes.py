"""``jackfield worker --processes``: real processes that are killed, drained and probed."""

from __future__ import annotations

import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest import mock

import pytest

from gates import Gatekeeper
from http_stand import Client, clean
from jackfield import Jackfield
from plugboard import hide_others, make_echo, plugged
from rabbitmq import Node
from waiting import until

pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="children are found in /proc")


@dataclass
class Worker:
    """A master with its processes, and a runtime that queues for it."""

    process: subprocess.Popen[str]
    probes: Client
    jackfield: Jackfield

    def children(self) -> set[int]:
        """The pids of the master's children."""
        pid = self.process.pid
        return {
            int(word)
            for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        }

    def queue(self, text: str, **inputs: object) -> str:
        """Queue an invocation of the echo; its id."""
        found = self.jackfield.enqueue(
            {
                "connector": "echo",
                "action": "say",
                "connection": "hall",
                "inputs": {"text": text, **inputs},
            }
        )
        assert isinstance(found, str)
        return found

    def status(self, identifier: str) -> str:
        """How an invocation stands."""
        assert self.jackfield.journal is not None
        return self.jackfield.journal.find(identifier).status


@contextmanager
def working(folder: Path, *options: str, **more: str) -> Iterator[Worker]:
    """A worker with two processes, ready; with ``more`` variables, which the runtime that queues
    has, too.
    """
    paths = make_echo(folder / "plugs")
    hide_others(folder / "plugs")
    file = folder / "connections.yaml"
    file.write_text(
        "connections: {hall: {type: echo/token, values: {token: t-4711}}}", encoding="utf-8"
    )
    url = f"sqlite:///{folder}/queue.db"
    more |= {
        "JACKFIELD_DATABASE_URL": url,
        "JACKFIELD_CONNECTIONS": str(file),
        "PYTHONPATH": os.pathsep.join(paths),
    }
    environment = clean(folder / "home", **more)
    command = [
        sys.executable,
        "-m",
        "jackfield",
        "worker",
        "--processes",
        "2",
        "--concurrency",
        "2",
        "--health-port",
        "0",
        *options,
    ]
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        plugged(*paths),
        Jackfield() as jackfield,
        (folder / "log").open("w", encoding="utf-8") as log,
    ):
        assert jackfield.journal is not None
        process = subprocess.Popen(command, stderr=log, text=True, start_new_session=True)
        try:
            until(lambda: "health on port" in (folder / "log").read_text("utf-8"))
            port = int(
                (folder / "log")
                .read_text("utf-8")
                .partition("health on port ")[2]
                .partition(",")[0]
            )
            worker = Worker(process, Client(port), jackfield)
            until(lambda: worker.probes.get("/readyz").status == 200)
            yield worker
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)


def test_processes_share_the_work_are_replaced_when_they_die_and_drained_on_sigterm(
    tmp_path: Path,
) -> None:
    """All that is queued runs; a process that is killed is started again, and probes and metrics
    cover all of them. After SIGTERM, what runs ends before the worker does, and it is not ready
    meanwhile. Probes whose clients leave write no traceback.
    """
    with working(tmp_path) as worker, Gatekeeper() as gate:
        before = worker.children()
        assert len(before) == 2
        ids = [worker.queue(str(number)) for number in range(8)]
        until(lambda: all(worker.status(identifier) == "succeeded" for identifier in ids))
        text = worker.probes.get("/metrics").body.decode()
        assert (
            'jackfield_invocations_total{action="say",connector="echo",status="succeeded"} 8.0'
            in text
        )
        assert "jackfield_queue_depth 0.0" in text
        assert worker.probes.get("/healthz").json == {"status": "ok"}
        assert worker.probes.get("/nope").status == 404
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", worker.probes.port)) as leaving:
                # a reset
                leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                leaving.sendall(b"GET /metrics HTTP/1.1\r\n")
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(worker.children()) == 2 and victim not in worker.children())
        until(lambda: worker.probes.get("/readyz").status == 200)
        again = worker.queue("again")
        until(lambda: worker.status(again) == "succeeded")
        running = worker.queue("slow", gate={"port": gate.port})
        gate.wait()
        worker.process.send_signal(signal.SIGTERM)
        until(lambda: worker.probes.get("/readyz").status == 503)
        assert "stopping" in worker.probes.get("/readyz").json["detail"]
        waits = worker.queue("not begun any more")
        gate.open()
        assert worker.process.wait(30) == 0
        assert (worker.status(running), worker.status(waits)) == ("succeeded", "queued")
    log = (tmp_path / "log").read_text("utf-8")
    assert ("is started again" in log, "Traceback" in log) == (True, False)


@pytest.mark.parametrize(
    ("runs", "processes"),
    [(1, "2"), *(pytest.param(20, each, marks=pytest.mark.campaign) for each in ("1", "2"))],
)
def test_signals_break_no_call_that_a_broker_hands_out(
    tmp_path: Path, rabbitmq: Node, runs: int, processes: str
) -> None:
    """SIGHUP, SIGUSR1 and SIGUSR2 at random moments of 50 calls from RabbitMQ, to the master and to
    each process: none ends, and each call has succeeded once it was delivered.
    """
    with working(
        tmp_path, "--processes", processes, "--concurrency", "8", JACKFIELD_QUEUE_URL=rabbitmq.url
    ) as worker:
        before = worker.children()
        for _ in range(runs):
            with Gatekeeper() as gate:
                ids = [
                    worker.queue("held", gate={"port": gate.port}),
                    *(worker.queue(str(place)) for place in range(49)),
                ]
                gate.wait()
                for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
                    threading.Event().wait(random.uniform(0, 0.5))
                    for pid in (worker.process.pid, *before):
                        os.kill(pid, number)
                gate.open()
                until(partial(_ended, worker, ids))
        assert (worker.process.poll(), worker.children()) == (None, before)


def _ended(worker: Worker, ids: Sequence[str]) -> bool:
    found = {worker.status(identifier) for identifier in ids}
    assert found <= {"queued", "running", "succeeded"}
    return found == {"succeeded"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_to_all_processes_at_once_is_one(tmp_path: Path, number: signal.Signals) -> None:
    """A service manager and a terminal signal the master and its processes: what runs ends first,
    as if the master alone had heard it.
    """
    with working(tmp_path) as worker, Gatekeeper() as gate:
        running = worker.queue("slow", gate={"port": gate.port})
        gate.wait()
        os.killpg(worker.process.pid, number)
        until(lambda: worker.probes.get("/readyz").status == 503)
        gate.open()
        assert worker.process.wait(30) == 0
        assert worker.status(running) == "succeeded"


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    """A second signal ends all processes at once."""
    with working(tmp_path) as worker, Gatekeeper() as gate:
        worker.queue("for ever", gate={"port": gate.port})
        gate.wait()
        worker.process.send_signal(signal.SIGTERM)
        until(lambda: worker.probes.get("/readyz").status == 503)
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(30) == 128 + signal.SIGTERM


def test_processes_end_with_their_master(tmp_path: Path) -> None:
    """A master that is killed leaves no process behind."""
    with working(tmp_path) as worker:
        children = worker.children()
        worker.process.kill()
        worker.process.wait(30)
        until(
            lambda: (
                not any(
                    Path(f"/proc/{pid}/stat").exists()
                    and " Z " not in Path(f"/proc/{pid}/stat").read_text()
                    for pid in children
                )
            )
        )
