"""Queued invocations through Celery and RabbitMQ, from the call that queues them to their end in
the journal, against bare Celery.

All runs on one machine, so that no-ops are bound by its cores, however many workers there are. The
CPU time that each part takes tells what more machines could do. Each side has a broker and a
database of its own.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.child import Figures
from benchmarks.http_load import said
from benchmarks.measure import CAMPAIGN, ROOT, Line, Scene, compared, per_second, shown
from jackfield_store.database import open_database
from jackfield_store.runtime import Jackfield

_COUNT, _WAITING, _SINGLES = (1500, 600, 150) if CAMPAIGN else (400, 160, 40)
_ROUNDS = 3
_SLOTS = 2
"""Invocations that a worker runs at once if they wait for a provider, so that the cores do not bind
them.
"""
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
    """CPU time of each invocation, throughput of one and of two workers, and the time from
    submission to the end.
    """
    from postgres import missing as no_postgres
    from rabbitmq import missing

    reason = missing() or no_postgres()
    if reason is not None:
        print(f"not measured: {reason}")
        return
    found = compared(
        _scene(no_ops, "per core"), _scene(bare_tasks, "per core"), rounds=_ROUNDS, show=per_second
    )
    yield found.line(
        "queued no-ops a second and core through Celery, RabbitMQ and PostgreSQL against bare "
        "Celery",
        at_least=0.5,
    )
    two = _scene(no_ops, "rate", 2)
    found = compared(two, _scene(no_ops, "rate", 1), rounds=_ROUNDS, show=per_second, is_cost=False)
    parts = ", ".join(
        f"{name} {shown(statistics.median(run[name] for run in two.said))}"
        for name in two.said[0]
        if name not in ("rate", "per core")
    )
    yield found.line(
        "queued no-ops a second on one machine, 2 workers against 1", more=f"; CPU each: {parts}"
    )
    found = compared(
        *(_scene(waits, "rate", workers) for workers in (2, 1)),
        rounds=_ROUNDS,
        show=per_second,
        is_cost=False,
    )
    what = (
        f"queued invocations a second that wait for 20 ms, {_SLOTS} at once in each worker, "
        "2 workers against 1"
    )
    yield found.line(what, at_least=1.7)
    alone = _scene(singles, "p50")
    found = compared(alone, rounds=_ROUNDS)
    tail = statistics.median(run["p99"] for run in alone.said)
    yield found.line_of_change(
        "a queued no-op from its submission to its end, 20 a second, p50",
        more=f", p99 {shown(tail)}",
    )


def _scene(function: Callable[..., Any], value: str, *arguments: Any) -> Scene:
    return Scene(function, arguments, said(value), count=1)


@contextmanager
def no_ops(workers: int = 1) -> Iterator[Callable[[], Figures]]:
    """Queue no-ops of jackfield, and run them."""
    with _standing() as ours:
        yield lambda: _cost(ours, workers)


@contextmanager
def bare_tasks() -> Iterator[Callable[[], Figures]]:
    """Queue tasks of bare Celery, and run them."""
    from rabbitmq import Node

    node = Node()
    try:
        theirs = _Theirs(node.url, {**os.environ, "BARE_BROKER": node.url})
        yield lambda: _cost(theirs, 1)
    finally:
        node.close()


@contextmanager
def waits(workers: int) -> Iterator[Callable[[], Figures]]:
    """Queue invocations that mostly wait, few at once: the number of workers bounds them, not the
    cores.
    """
    with _standing(_SLOTS) as ours:

        def run() -> Figures:
            with _running(ours, workers):
                ours.submit(_WARM)
                _wait(ours)
                began = time.monotonic()
                ours.jackfield.enqueue_many([{**_CALL, "action": "wait"}] * _WAITING)
                _wait(ours)
                return Figures(rate=_WAITING / (time.monotonic() - began))

        yield run


@contextmanager
def singles() -> Iterator[Callable[[], Figures]]:
    """Queue no-ops one by one, 20 a second."""
    with _standing() as ours:
        journal = ours.jackfield.journal
        assert journal is not None

        def run() -> Figures:
            with _running(ours, 1):
                ours.submit(20)
                _wait(ours)
                ids = []
                for _ in range(_SINGLES):
                    ids += ours.submit(1)
                    threading.Event().wait(0.05)
                _wait(ours)
            entries = [journal.find(identifier) for identifier in ids]
            took = sorted((entry.settled_at or 0.0) - entry.created_at for entry in entries)
            return Figures(p50=took[len(took) // 2], p99=took[int(len(took) * 0.99)])

        yield run


@contextmanager
def _standing(slots: int = 8) -> Iterator[_Ours]:
    """Have a broker, a database and a runtime that queues."""
    from plugboard import make_connector, plugged
    from postgres import running_server
    from rabbitmq import Node

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(running_server())
        url = server.create()
        open_database(url, migrate=True).close()
        node = Node()
        stack.callback(node.close)
        make_connector(folder / "plugs", "noop", _NOTHING)
        paths = os.pathsep.join([str(folder / "plugs"), os.environ["PYTHONPATH"]])
        environment = {
            **os.environ,
            "JACKFIELD_HOME": str(folder),
            "JACKFIELD_DATABASE_URL": url,
            "JACKFIELD_QUEUE_URL": node.url,
            "PYTHONPATH": paths,
        }
        stack.enter_context(plugged(folder / "plugs"))
        jackfield = stack.enter_context(Jackfield(database_url=url, environment=environment))
        postmaster = int((server.data / "postmaster.pid").read_text(encoding="ascii").split()[0])
        yield _Ours(
            jackfield, environment, {"PostgreSQL": [postmaster], "RabbitMQ": node.pids}, slots
        )


class _Ours:
    """Queued invocations of jackfield."""

    def __init__(
        self,
        jackfield: Jackfield,
        environment: dict[str, str],
        services: Mapping[str, Sequence[int]],
        slots: int,
    ) -> None:
        self.jackfield = jackfield
        self.environment = environment
        self.services = services
        self.slots = slots

    def submit(self, count: int) -> list[str]:
        """Queue invocations one by one."""
        return [str(self.jackfield.enqueue(_CALL)) for _ in range(count)]

    def finished(self) -> bool:
        """Return whether nothing is queued or running."""
        with self.jackfield.storage.database.read() as transaction:
            return not transaction.execute(
                "SELECT id FROM invocations WHERE status IN ('queued', 'running') LIMIT 1"
            )

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
        return [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "benchmarks.bare_celery",
            "worker",
            "-c",
            "1",
            "-l",
            "ERROR",
            "--without-gossip",
            "--without-mingle",
        ]


def _cost(side: _Ours | _Theirs, workers: int) -> Figures:
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
    each = {name: cpu / _COUNT for name, cpu in {"submission": submitting, **used}.items()}
    return Figures(
        {"rate": _COUNT / seconds, "per core": 1 / (each["submission"] + each["workers"]), **each}
    )


def _wait(side: _Ours | _Theirs) -> None:
    while not side.finished():
        threading.Event().wait(0.1)


@contextmanager
def _running(side: _Ours | _Theirs, workers: int) -> Iterator[list[int]]:
    """Start workers, and yield their process IDs."""
    processes = [
        subprocess.Popen(
            side.command(),
            env=side.environment,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(workers)
    ]
    try:
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.terminate()
            process.wait(60)


def _used(pid: int) -> float:
    """Return the CPU seconds of a process and of its children, ended ones too; 0 if it has ended
    itself.
    """
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS + sum(_used(int(child)) for child in children)
