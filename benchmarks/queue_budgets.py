"""Budgets of queued invocations, held by three worker processes: ``python -m
benchmarks.queue_budgets sqlite|postgres [celery]``.

One tenant has 5,000 invocations queued (20,000 in a campaign) and a rate of 10 a second; one worker
is killed and replaced meanwhile. Measured over 30 s: how many begin, how long single invocations of
another tenant wait for their start, and how far from its ``notBefore`` a delayed one begins.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

# first: it adds the folder of the next ones to the path
from benchmarks.measure import CAMPAIGN, Line
from http_stand import clean
from jackfield.kernel.clock import SystemClock
from jackfield_store.access import Workspaces
from jackfield_store.database import open_database
from jackfield_store.runtime.runtime_pool import RuntimePool
from plugboard import make_connector, plugged
from postgres import running_server

CROWD, RATE, SECONDS, WORKERS = 20_000 if CAMPAIGN else 5_000, 10, 30.0, 3
_AT_ONCE = 500
_TOLERANCE = 0.05
_WARM_UP = 3.0
"""Seconds from the first start: what is claimed while a worker still imports begins together."""
_SOURCE = '''
from jackfield.connector import Connector, Inputs, Output

connector = Connector("note", title="Note", version="1.0.0")

class Nothing(Inputs):
    """Nothing to give."""

class Noted(Output):
    """It was noted."""

@connector.action("keep", effect="read")
def keep(inputs: Nothing) -> Noted:
    """Keep a note."""
    return Noted()
'''
_CALL = {"connector": "note", "action": "keep", "inputs": {}}
_BEGUN = (
    "SELECT COUNT(*) AS begun FROM invocations WHERE workspace = 'crowd' AND started_at > :since"
)


def run(url: str, folder: Path, broker: str | None) -> dict[str, Any]:
    """Run the campaign on a database, with the local engine or a broker."""
    make_connector(folder / "plugs", "note", _SOURCE)
    paths = os.pathsep.join(filter(None, [str(folder / "plugs"), os.environ.get("PYTHONPATH")]))
    more = {
        "JACKFIELD_DATABASE_URL": url,
        "PYTHONPATH": paths,
        **({"JACKFIELD_QUEUE_URL": broker} if broker else {}),
    }
    environment = clean(folder / "home", **more)
    open_database(url, migrate=True).close()
    with plugged(folder / "plugs"), ExitStack() as stack:
        runtimes = RuntimePool(environment)
        stack.callback(runtimes.close)
        storage = runtimes.storage
        workspaces = Workspaces(storage.database, storage.vault, SystemClock())
        workspaces.create("crowd", {"queueRate": RATE})
        workspaces.create("small")
        filled = time.perf_counter()
        for _ in range(CROWD // _AT_ONCE):
            runtimes.find("crowd").enqueue_many([_CALL] * _AT_ONCE)
        filled = time.perf_counter() - filled
        workers = [
            stack.enter_context(_worker(environment, folder, number)) for number in range(WORKERS)
        ]
        while not _begun(runtimes, 0.0):
            _pause(0.05)
        _pause(_WARM_UP)
        since = time.time()
        waits, delays = _singles(
            runtimes, since, lambda: _replace(workers, environment, folder, stack)
        )
        _pause(max(0.0, since + SECONDS - time.time()))
        begun = _begun(runtimes, since)
        seconds = time.time() - since
        return {
            "queued per second": round(CROWD / filled),
            "begun": begun,
            "seconds": round(seconds, 2),
            "rate": round(begun / seconds, 2),
            "waits of the other tenant (s)": waits,
            "after notBefore (s)": delays,
        }


def _singles(runtimes: RuntimePool, since: float, replace: Any) -> tuple[list[float], list[float]]:
    """Queue single invocations of the other tenant, a delayed one with each, and replace a worker
    in between.
    """
    waits, delays = [], []
    small = runtimes.find("small")
    for number, at in enumerate((3.0, 9.0, 15.0, 21.0, 26.0)):
        _pause(max(0.0, since + at - time.time()))
        due = datetime.now(UTC) + timedelta(seconds=2)
        single, later = small.enqueue(_CALL), small.enqueue({**_CALL, "notBefore": due.isoformat()})
        waits.append(round(_started(small, single) - _created(small, single), 3))
        delays.append(round(_started(small, later) - due.timestamp(), 3))
        if number == 1:
            replace()
    return waits, delays


def _created(runtime: Any, identifier: Any) -> float:
    created: float = runtime.journal.find(identifier).created_at
    return created


def _started(runtime: Any, identifier: Any) -> float:
    while True:
        entry = runtime.journal.find(identifier)
        if entry.started_at is not None:
            started: float = entry.started_at
            return started
        _pause(0.02)


def _begun(runtimes: RuntimePool, since: float) -> int:
    found = runtimes.storage.database.look_up(_BEGUN, {"since": since})
    return 0 if found is None else int(found.begun)


@contextmanager
def _worker(
    environment: dict[str, str], folder: Path, number: int
) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"worker-{number}.log").open("ab") as log:
        command = [sys.executable, "-m", "jackfield", "worker", "--concurrency", "8"]
        process = subprocess.Popen(command, env=environment, stderr=log, stdout=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _replace(
    workers: list[subprocess.Popen[bytes]],
    environment: dict[str, str],
    folder: Path,
    stack: ExitStack,
) -> None:
    """Kill a worker and start another one: it must bring no burst."""
    workers[0].kill()
    workers[0].wait()
    workers[0] = stack.enter_context(_worker(environment, folder, len(workers)))


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)


def lines() -> Iterator[Line]:
    """The rate that is held, and how long the other tenant waits, on SQLite and through Celery."""
    from rabbitmq import missing

    for kind, broker in (("sqlite", None), ("postgres", "celery")):
        if broker is not None and missing() is not None:
            print(f"not measured: {missing()}")
            return
        found = _measured(kind, broker)
        where = "PostgreSQL and Celery" if broker else "SQLite"
        held = abs(found["rate"] / RATE - 1) <= _TOLERANCE
        yield Line(
            f"a budget of {RATE} a second over 30 s and {WORKERS} workers ({where})",
            f"{found['rate']}/s",
            "10/s ± 5 %",
            held,
        )
        worst = max(found["waits of the other tenant (s)"])
        what = (
            f"time until a single invocation begins while another tenant has {CROWD:,} "
            f"queued ({where})"
        )
        yield Line(what, f"at most {worst * 1000:.0f} ms of 5", "≤ 1 s", worst <= 1.0)


def _measured(kind: str, broker: str | None) -> dict[str, Any]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        url = (
            f"sqlite:///{folder}/queue.db"
            if kind == "sqlite"
            else stack.enter_context(running_server()).create()
        )
        if broker == "celery":
            from rabbitmq import Node

            node = Node()
            stack.callback(node.close)
            broker = node.url
        return run(url, folder, broker)


def _main(kind: str, broker: str | None) -> None:
    found = {"database": kind, "engine": broker or "local", **_measured(kind, broker)}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
