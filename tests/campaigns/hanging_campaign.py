"""Twenty healthy workspaces beside one whose key service hangs, for ten minutes and a real worker:
nothing of theirs comes late: issue 46.

``make campaign hanging`` runs it on SQLite, then on PostgreSQL if it is installed, for SECONDS
each. By hand::

    export PYTHONPATH=.:tests/support
    python tests/campaigns/hanging_campaign.py [SECONDS] [sqlite|postgresql]

Each workspace has a schedule of 10 s, a poll of 10 s whose event goes to a callback, a job every 30
s, and a queued call every 5 s. The sick one has the same; its key service takes its requests and
never answers. The longest gap between two marks of each is printed. It may be the interval and one
look more, and one look more than the same worker needed without the sick workspace, which is
measured first.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from tests.jackfield_vault.vault_server import VaultServer

from jackfield.callers import LIBRARY
from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield.testing import Answer, Request
from jackfield_service.subjects.callbacks.callbacks import Callbacks
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules
from jackfield_service.subjects.triggers.subscriptions import WorkspaceSubscriptions
from jackfield_store.access import Workspaces
from jackfield_store.database import open_database
from jackfield_store.database.blocked import blocked_workspaces
from jackfield_store.runtime.runtime_pool import RuntimePool
from plugboard import make_connector, plugged
from postgres import missing, own_database
from receiver import Receiver, receiving

HEALTHY, SICK = [f"h{number:02}" for number in range(20)], "a-sick"
SECONDS = 600.0
_LOOK = 2.0
"""Longest pause of a worker between two looks at what is due."""
_FIRST = 40.0
"""Seconds for which nothing is measured: until a worker has begun, and everything was due once."""
_EVERY: Mapping[str, float] = {
    "queue": 5.0,
    "schedules": 10.0,
    "polls": 10.0,
    "deliveries": 10.0,
    "jobs": 30.0,
}
_BEAT = '''
"""Notes in a folder when it was called, and for whom."""
import os, time
from jackfield.connector import ConnectionType, Connector, Field, Inputs, Output, Polled, Progress, Since, TriggerEvent

class Who(Inputs):
    """Whose beat it is."""
    who: str = Field(title="Who")
    what: str = Field("queue", title="What")

class Beat(Output):
    """When it was."""
    at: float = Field(title="At")

class Long(Output):
    """Handle of a job."""
    who: str

class Door(ConnectionType):
    """Nothing to sign in with."""
    key, title = "door", "Door"
    token: str = Field("open", title="Token")
    def open(self, context):
        return self

connector = Connector("beat", title="Beat", version="1.0.0", connections=[Door])

def note(what, who):
    now = time.time()
    with open(os.path.join(os.environ["BEATS"], what), "a") as log:
        log.write(f"{who} {now}\\n")
    return now

@connector.action("beat", effect="read", needs_connection=False)
def beat(given: Who) -> Beat:
    """Note a beat."""
    return Beat(at=note(given.what, given.who))

@connector.action("long", kind="job", effect="read", needs_connection=False)
class Later:
    """Note a beat a little later."""
    def start(self, given: Who) -> Long:
        return Long(who=given.who)
    def poll(self, long: Long) -> Progress | Beat:
        return Beat(at=note("jobs", long.who))

@connector.poll("beats", inputs=Who, event=Beat, every=10, least=10)
def beats(given: Who, _door: Door, since: Since) -> Polled:
    """Beats."""
    at = note("polls", given.who)
    return Polled([TriggerEvent(Beat(at=at), f"{at}", at=at)], {})
'''


@contextmanager
def _place(folder: Path, database_url: str, vault: VaultServer) -> Iterator[dict[str, str]]:
    make_connector(folder / "plugs", "beat", _BEAT)
    (folder / "beats").mkdir()
    environment = {
        **os.environ,
        **vault.environment(),
        "JACKFIELD_HOME": str(folder / "home"),
        "JACKFIELD_DATABASE_URL": database_url,
        "BEATS": str(folder / "beats"),
        "PYTHONPATH": str(folder / "plugs"),
        "JACKFIELD_PUBLIC_URL": "http://127.0.0.1:9",
    }
    open_database(database_url, migrate=True).close()
    with mock.patch.dict(os.environ, environment, clear=True), plugged(folder / "plugs"):
        yield environment


def _set_up(pool: RuntimePool, receiver: Receiver, name: str) -> None:
    runtime, clock = pool.find(name), SystemClock()
    invocation = {
        "connector": "beat",
        "action": "beat",
        "inputs": {"who": name, "what": "schedules"},
    }
    WorkspaceSchedules(runtime, LIBRARY, Actor("library")).add(
        {"name": "one", "invocation": invocation, "every": "10s"}
    )
    runtime.connections.add("hall", "beat/door", {})
    subscriptions = WorkspaceSubscriptions(runtime, LIBRARY, Actor("library"), "http://127.0.0.1:9")
    subscriptions.add(
        {
            "name": "one",
            "trigger": "beat/beats",
            "connection": "hall",
            "inputs": {"who": name},
            "every": 10,
        }
    )
    place = (pool.storage.database, pool.storage.vault, name, clock, Actor("library"))
    Callbacks(*place, origin="operator").create(
        {"url": f"{receiver.url}/{name}", "types": ["beat.beats"]}
    )


def _noting(path: Path) -> Callable[[Request], Answer]:
    """Return an answer to deliveries that notes when they came, and for whom."""

    def note(request: Request) -> Answer:
        with path.open("a", encoding="utf-8") as log:
            log.write(f"{request.path.rpartition('/')[2]} {time.time()}\n")
        return Answer(status=204)

    return note


@contextmanager
def _working(environment: Mapping[str, str], folder: Path) -> Iterator[None]:
    """Run a real worker."""
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jackfield", "worker"],
            env=dict(environment),
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def _feed(pool: RuntimePool, names: list[str], seconds: float) -> None:
    """Queue a call for each workspace every 5 s, and a job every 30 s, from a process that has
    their keys.
    """
    begun, turn = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        for name in names:
            runtime = pool.find(name)
            runtime.enqueue({"connector": "beat", "action": "beat", "inputs": {"who": name}})
            if turn % 6 == 0:
                runtime.enqueue({"connector": "beat", "action": "long", "inputs": {"who": name}})
        turn += 1
        threading.Event().wait(max(0.0, begun + turn * _EVERY["queue"] - time.monotonic()))


def _gaps(folder: Path, since: float, until: float) -> dict[str, tuple[float, int]]:
    """Return the longest gap between two marks of one healthy workspace, and how many marks there
    were, by what is marked.
    """
    marks: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for what in _EVERY:
        for line in (folder / "beats" / what).read_text(encoding="utf-8").splitlines():
            who, at = line.split()
            marks[what][who].append(float(at))
    found = {}
    for what, by_name in marks.items():
        longest, count = 0.0, 0
        for name in HEALTHY:
            times = sorted(at for at in by_name[name] if since <= at <= until)
            longest = max(
                [
                    longest,
                    *(
                        after - before
                        for before, after in zip([since, *times], [*times, until], strict=True)
                    ),
                ]
            )
            count += len(times)
        found[what] = (longest, count)
    return found


def _measured(database_url: str, seconds: float) -> bool:
    with tempfile.TemporaryDirectory() as text, VaultServer() as vault, receiving() as receiver:
        folder, over = Path(text), threading.Event()
        with _place(folder, database_url, vault) as environment:
            receiver.answer = _noting(folder / "beats" / "deliveries")
            pool = RuntimePool(environment, SystemClock())
            workspaces = Workspaces(pool.storage.database, pool.storage.vault, SystemClock())
            for name in (*HEALTHY, SICK):
                workspaces.create(name)
            vault.transit.make("cust")
            pool.storage.vault.assign(SICK, "vault-transit://transit/cust")
            for name in HEALTHY:
                _set_up(pool, receiver, name)
            with _working(environment, folder):
                alone = _rounds(pool, folder, HEALTHY, max(100.0, seconds / 10))
            _set_up(pool, receiver, SICK)
            vault.transit.before = over.wait  # this process has the key cached: the worker has not
            try:
                with _working(environment, folder):
                    beside = _rounds(pool, folder, [*HEALTHY, SICK], seconds)
                    told = blocked_workspaces(pool.storage.database, time.time())
            finally:
                over.set()
                pool.close()
    return _judged(alone, beside, [one.workspace for one in told])


def _rounds(
    pool: RuntimePool, folder: Path, names: list[str], seconds: float
) -> dict[str, tuple[float, int]]:
    """Feed for some time, and return the gaps from 40 s on, once the worker has begun."""
    since = time.time() + _FIRST
    _feed(pool, names, seconds)
    return _gaps(folder, since, time.time() - _LOOK)


def _judged(
    alone: Mapping[str, tuple[float, int]], beside: Mapping[str, tuple[float, int]], told: list[str]
) -> bool:
    fine = told == [SICK]
    _say(f"blocked: {told}")
    for what, every in _EVERY.items():
        (before, _), (longest, count) = alone[what], beside[what]
        limit = max(every, before) + _LOOK
        fine = fine and longest <= limit and count > 0
        _say(
            f"{what:12} {count:6} marks; longest gap {longest:5.1f} s beside the sick one, "
            f"{before:5.1f} s alone; at most {limit:5.1f}"
        )
    return fine


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _main(words: list[str]) -> int:
    seconds = float(words[0]) if words else SECONDS
    kinds = words[1:] or (["sqlite"] if missing() else ["sqlite", "postgresql"])
    outcomes = []
    for kind in kinds:
        _say(f"{kind}, {seconds:g} s")
        with tempfile.TemporaryDirectory() as folder, own_database(kind, Path(folder)) as url:
            outcomes.append(_measured(url, seconds))
    return int(not all(outcomes))


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
