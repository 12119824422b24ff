"""Queued invocations through Celery and RabbitMQ, from the call that queues them to their end in the journal, against bare Celery.

All runs on one machine, so that no-ops are bound by its cores, however many workers there are. The CPU time that each part takes tells what
more machines could do.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, Line
from jackfield import Jackfield
from jackfield.database import open_database

_COUNT = 1500
_ROUNDS = 3
_WAITING = 600
_SLOTS = 2
"""Invocations that a worker runs at once if they wait for a provider, so that the cores do not bind them."""
_SINGLES = 150
_WARM = 40
"""Invocations before the measure, until which the workers have started."""
_TICKS = os.sysconf("SC_CLK_TCK")
_NOTHING = '''
"""Does nothing."""
import threading
from jackfield.connector import Connector, Inputs, Output

class Nothing(Inputs):
    """No input."""

class Done(Output):
    """No output."""

connector = Connector("noop", title="No-op", version="1.0.0")

@connector.action("do", effect="read")
def do(nothing: Nothing) -> Done:
    """Do nothing."""
    return Done()

@connector.action("wait", effect="read")
def wait(nothing: Nothing) -> Done:
    """Wait as long as for a provider."""
    threading.Event().wait(0.02)
    return Done()
'''
_CALL: dict[str, Any] = {"connector": "noop", "action": "do", "inputs": {}}


def lines() -> Iterator[Line]:
    """CPU time of each invocation, throughput of one and of two workers, and the time from submission to the end."""
    from plugboard import make_connector, plugged
    from postgres import missing as no_postgres
    from postgres import running_server
    from rabbitmq import Node, missing

    reason = missing() or no_postgres()
    if reason is not None:
        print(f"not measured: {reason}")
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(running_server())
        url = server.create()
        open_database(url, migrate=True).close()
        node = Node()
        stack.callback(node.close)
        make_connector(folder / "plugs", "noop", _NOTHING)
        environment = {**os.environ, "JACKFIELD_HOME": str(folder), "JACKFIELD_DATABASE_URL": url, "JACKFIELD_QUEUE_URL": node.url,
                       "BARE_BROKER": node.url, "PYTHONPATH": os.pathsep.join([str(folder / "plugs"), str(ROOT)])}  # fmt: skip
        stack.enter_context(plugged(folder / "plugs"))
        jackfield = stack.enter_context(Jackfield(database_url=url, environment=environment))
        postmaster = int((server.data / "postmaster.pid").read_text(encoding="ascii").split()[0])
        services = {"PostgreSQL": [postmaster], "RabbitMQ": node.pids}
        ours, theirs = _Ours(jackfield, environment, services), _Theirs(node.url, environment)
        yield _against(ours, theirs)
        yield _two_workers(ours)
        yield _waiting(ours)
        yield _singles(ours)


@dataclass(frozen=True)
class _Cost:
    """CPU seconds of one invocation by part, and how many end in a second."""

    parts: Mapping[str, float]
    rate: float

    @property
    def own(self) -> float:
        """CPU seconds of the submission and of the workers."""
        return self.parts["submission"] + self.parts["workers"]

    def __str__(self) -> str:
        """Return all parts in milliseconds."""
        shown = ", ".join(f"{name} {seconds * 1000:.1f}" for name, seconds in self.parts.items())
        return f"{sum(self.parts.values()) * 1000:.1f} ms: {shown}"


class _Ours:
    """Queued invocations of jackfield."""

    def __init__(self, jackfield: Jackfield, environment: dict[str, str], services: Mapping[str, Sequence[int]]) -> None:
        self.jackfield = jackfield
        self.environment = environment
        self.services = services
        self.slots = 8

    def submit(self, count: int) -> list[str]:
        """Queue invocations one by one."""
        return [str(self.jackfield.enqueue(_CALL)) for _ in range(count)]

    def finished(self) -> bool:
        """Return whether nothing is queued or running."""
        with self.jackfield.storage.database.read() as transaction:
            return not transaction.execute("SELECT id FROM invocations WHERE status IN ('queued', 'running') LIMIT 1")

    def command(self) -> list[str]:
        """Return the command of a worker."""
        return [sys.executable, "-m", "jackfield", "worker", "--concurrency", str(self.slots)]


class _Theirs:
    """Tasks of bare Celery."""

    services: Mapping[str, Sequence[int]] = {}

    def __init__(self, broker: str, environment: dict[str, str]) -> None:
        os.environ["BARE_BROKER"] = broker
        from benchmarks.bare_celery import app, nothing

        self.app, self.nothing = app, nothing
        self.environment = environment

    def submit(self, count: int) -> None:
        """Send tasks one by one."""
        for number in range(count):
            self.nothing.delay("default", f"01a1fdbc-d213-73de-9c00-{number:012d}")

    def finished(self) -> bool:
        """Return whether the queue is empty."""
        with self.app.connection_for_read() as connection:
            return bool(connection.channel().queue_declare("bare", passive=True).message_count == 0)

    def command(self) -> list[str]:
        """Return the command of a worker with one process."""
        return [sys.executable, "-m", "celery", "-A", "benchmarks.bare_celery", "worker", "-c", "1", "-l", "ERROR",
                "--without-gossip", "--without-mingle"]  # fmt: skip


def _against(ours: _Ours, theirs: _Theirs) -> Line:
    pairs = []
    for number in range(_ROUNDS):
        first: list[_Ours | _Theirs] = [ours, theirs] if number % 2 else [theirs, ours]
        values = {id(side): _cost(side, 1).own for side in first}
        pairs.append((values[id(ours)], values[id(theirs)]))
    ratio = statistics.median(their / our for our, their in pairs)
    mine, other = statistics.median(our for our, _ in pairs), statistics.median(their for _, their in pairs)
    measured = f"{ratio:.2f}× ({1 / mine:.0f} / {1 / other:.0f} a second and core)"
    return Line("queued no-ops per core through Celery, RabbitMQ and PostgreSQL against bare Celery", measured, "≥ 0.5×", ratio >= 0.5)


def _two_workers(ours: _Ours) -> Line:
    costs = {
        workers: sorted((_cost(ours, workers) for _ in range(_ROUNDS)), key=lambda cost: cost.rate)[_ROUNDS // 2] for workers in (1, 2)
    }
    one, two = costs[1], costs[2]
    measured = f"{two.rate / one.rate:.2f}× ({two.rate:.0f} / {one.rate:.0f} a second; CPU each {two} / {one})"
    return Line("queued no-ops a second on one machine, 2 workers against 1", measured, "for scale")


def _waiting(ours: _Ours) -> Line:
    """Measure invocations that mostly wait, few at once: the number of workers bounds them, not the cores."""
    rates: dict[int, float] = {}
    ours.slots = _SLOTS
    for workers in (1, 2):
        with _running(ours, workers):
            ours.submit(_WARM)
            _wait(ours)
            began = time.monotonic()
            ours.jackfield.enqueue_many([{**_CALL, "action": "wait"}] * _WAITING)
            _wait(ours)
            rates[workers] = _WAITING / (time.monotonic() - began)
    ours.slots = 8
    ratio = rates[2] / rates[1]
    what = f"queued invocations a second that wait for 20 ms, {_SLOTS} at once in each worker, 2 workers against 1"
    return Line(what, f"{ratio:.2f}× ({rates[2]:.0f} / {rates[1]:.0f} a second)", "≥ 1.7×", ratio >= 1.7)


def _cost(side: _Ours | _Theirs, workers: int) -> _Cost:
    """Measure no-ops through a number of workers."""
    with _running(side, workers) as pids:
        side.submit(_WARM)
        _wait(side)
        groups = {"workers": pids, **side.services}
        before = {name: sum(map(_used, group)) for name, group in groups.items()}
        began, started = time.monotonic(), time.process_time()
        side.submit(_COUNT)
        submitting = time.process_time() - started
        _wait(side)
        seconds = time.monotonic() - began
        used = {name: sum(map(_used, group)) - before[name] for name, group in groups.items()}
    return _Cost({name: cpu / _COUNT for name, cpu in {"submission": submitting, **used}.items()}, _COUNT / seconds)


def _wait(side: _Ours | _Theirs) -> None:
    while not side.finished():
        threading.Event().wait(0.1)


@contextmanager
def _running(side: _Ours | _Theirs, workers: int) -> Iterator[list[int]]:
    """Start workers, and yield their process IDs."""
    processes = [
        subprocess.Popen(side.command(), env=side.environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(workers)
    ]
    try:
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.terminate()
            process.wait(60)


def _used(pid: int) -> float:
    """Return the CPU seconds of a process and of its children, ended ones too; 0 if it has ended itself."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS + sum(_used(int(child)) for child in children)


def _singles(ours: _Ours) -> Line:
    journal = ours.jackfield.journal
    assert journal is not None
    with _running(ours, 1):
        ours.submit(20)
        _wait(ours)
        ids = []
        for _ in range(_SINGLES):
            ids += ours.submit(1)
            threading.Event().wait(0.05)
        _wait(ours)
    entries = [journal.find(identifier) for identifier in ids]
    took = sorted(((entry.settled_at or 0.0) - entry.created_at) * 1000 for entry in entries)
    measured = f"p50 {took[len(took) // 2]:.0f} ms, p99 {took[int(len(took) * 0.99)]:.0f} ms"
    return Line("a queued no-op from its submission to its end, 20 a second", measured, "for scale")
