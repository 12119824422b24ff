"""Deliveries to many receivers, some of them bad, by two processes of which one is killed every two
seconds: issue 28, acceptance 1.

``make campaign events`` runs it in full (100,000 events, 50 callbacks) on PostgreSQL, ``make
campaign events-sqlite`` on SQLite, and ``make campaign events-pending`` measures the memory of a
dispatcher while a million deliveries wait. ``SIZE=1000`` gives each another number of events, and
``KILL_EVERY=5`` kills every five seconds. By hand::

    export PYTHONPATH=.:tests/support
    SIZE=1000 python tests/campaigns/events_campaign.py [sqlite|postgresql|pending]

Of the callbacks ten are dead, five answer after 14 s and five fail half the time. The receivers are
one process, which counts what it got; that is the truth. The first part has kills, the second none,
but a pace: it measures the time from commit to receipt.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield_service.subjects.callbacks.callbacks import Callbacks
from jackfield_store.database import Database
from jackfield_store.database.outbox import record
from jackfield_store.resources.storage import Storage

_DISPATCH = """
import os, sys, threading
from jackfield.kernel.clock import SystemClock
from jackfield_service.subjects.callbacks.dispatcher import Dispatcher
from jackfield_service.subjects.callbacks.sending import Sender
from jackfield_store.resources.storage import Storage
storage = Storage(sys.argv[1], os.environ, SystemClock())
Dispatcher(lambda: storage.database, lambda: storage.vault, SystemClock(), Sender()).start()
print("ready", flush=True)
threading.Event().wait()
"""
DEAD, SLOW, FLAKY, HEALTHY = 10, 5, 5, 30
_TAKEN = b"HTTP/1.1 204 Taken\r\n\r\n"
_SLOW_SECONDS = 14.0
_KILL_EVERY = float(os.environ.get("KILL_EVERY", "2"))
_PENDING = 20_000
"""Events to 50 callbacks that take none: a million deliveries."""
_MOST_MEMORY = 150 * 1024
"""Kilobytes of memory of a server with so many deliveries."""
_PACED, _PACED_SECONDS = 5.0, 30.0
"""Events per second of the part that measures latency, and how long it lasts."""
_PATIENCE = 300.0
"""Seconds without progress after which the campaign fails."""


class Receivers:
    """The receivers' side: an asyncio server that counts requests by path and event, and notes when
    the first one of each came.

    ``/figures`` tells what it has counted; ``/until/N`` is answered when it has taken so many
    requests.
    """

    def __init__(self) -> None:
        self.counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self.lags: list[float] = []
        self._taken = 0
        self._came = asyncio.Condition()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.decode().split("\r\n")
                fields = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
                body = await reader.readexactly(int(fields["content-length"]))
                path = lines[0].split(" ")[1]
                if path == "/figures":
                    text = json.dumps({"counts": self._summary(), "lags": self.lags}).encode()
                    answer, self.lags = (
                        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text),
                        [],
                    )
                elif path.startswith("/until/"):
                    await self._until(int(path.removeprefix("/until/")))
                    answer = _TAKEN
                else:
                    answer = await self._take(path, fields["webhook-id"], body)
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _until(self, count: int) -> None:
        async with self._came:
            await self._came.wait_for(lambda: self._taken >= count)

    async def _take(self, path: str, identifier: str, body: bytes) -> bytes:
        if path.startswith("/slow"):
            await asyncio.sleep(_SLOW_SECONDS)
        if path.startswith("/flaky") and random.random() < 0.5:
            return b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
        counts = self.counts[path]
        if path.startswith("/ok") and identifier not in counts:
            self.lags.append(time.time() - json.loads(body)["data"]["payload"].get("at", 0.0))
        counts[identifier] += 1
        self._taken += 1
        async with self._came:
            self._came.notify_all()
        return _TAKEN

    def _summary(self) -> dict[str, tuple[int, int]]:
        return {path: (len(found), sum(found.values())) for path, found in self.counts.items()}


async def _serve() -> None:
    server = await asyncio.start_server(Receivers().talk, "127.0.0.1", 0, backlog=2048)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


class Figures(dict[str, float]):
    """What came out, by name."""


@contextmanager
def receivers() -> Iterator[str]:
    """Start the receivers in a process of their own; yield their origin."""
    with _process([sys.executable, __file__, "receivers"], dict(os.environ)) as (_, port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _process(
    command: list[str], environment: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a process until the end; yield it with its first line."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


class Campaign:
    """One campaign on one database."""

    def __init__(self, events: int, url: str, folder: Path, stack: ExitStack) -> None:
        self.events, self.url, self._stack = events, url, stack
        self.environment = {**os.environ, "JACKFIELD_HOME": str(folder)}
        self.storage = stack.enter_context(Storage(url, self.environment, SystemClock()))
        self.storage.opened(migrate=True).close()
        self.origin = stack.enter_context(receivers())
        callbacks = Callbacks(
            self.storage.database,
            self.storage.vault,
            "default",
            SystemClock(),
            Actor("library"),
            origin="operator",
        )
        for kind, count in (("slow", SLOW), ("flaky", FLAKY), ("ok", HEALTHY)):
            for number in range(count):
                callbacks.create({"url": f"{self.origin}/{kind}/{number}", "types": ["quota.low"]})
        for _ in range(DEAD):
            callbacks.create({"url": "http://127.0.0.1:9/", "types": ["quota.low"]})

    @property
    def database(self) -> Database:
        """The database."""
        return self.storage.database

    def dispatcher(self) -> subprocess.Popen[str]:
        """Start a process that dispatches."""
        process, ready = self._stack.enter_context(
            _process([sys.executable, "-c", _DISPATCH, self.url], self.environment)
        )
        assert ready == "ready"
        return process

    def happen(self, count: int) -> None:
        """Record events in one commit."""
        with self.database.write() as transaction:
            for _ in range(count):
                record(transaction, "default", "quota.low", "s", time.time(), {"at": time.time()})

    def figures(self) -> tuple[list[int], int, list[float]]:
        """Return the events that each healthy receiver got, their requests in all, and the lags
        since the last time.
        """
        import httpx2

        found = httpx2.post(f"{self.origin}/figures", content=b"", timeout=60.0).json()
        healthy = [pair for path, pair in found["counts"].items() if path.startswith("/ok")]
        got = [one for one, _ in healthy] + [0] * (HEALTHY - len(healthy))
        return got, sum(many for _, many in healthy), found["lags"]

    def wait(self, events: int) -> None:
        """Wait until each healthy receiver has got so many events; fail without progress."""
        seen, since = -1, time.monotonic()
        while True:
            got, _, _ = self.figures()
            if min(got) >= events:
                return
            if sum(got) > seen:
                seen, since = sum(got), time.monotonic()
            assert time.monotonic() - since < _PATIENCE, f"no progress: {sorted(got)} of {events}"
            time.sleep(1.0)


def killed(campaign: Campaign) -> Figures:
    """Deliver all events while the older of two dispatchers is killed every two seconds."""
    begun, done = time.monotonic(), threading.Event()
    processes = [campaign.dispatcher(), campaign.dispatcher()]
    kills = 0

    def kill() -> None:
        nonlocal kills
        while not done.wait(_KILL_EVERY):
            processes.pop(0).send_signal(signal.SIGKILL)
            kills += 1
            processes.append(campaign.dispatcher())

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        for _ in range(campaign.events // 100):
            campaign.happen(100)
        campaign.wait(campaign.events)
    finally:
        done.set()
        killer.join()
        for process in processes:
            process.kill()
    got, requests, _ = campaign.figures()
    seconds, wanted = time.monotonic() - begun, campaign.events * HEALTHY
    lost = sum(campaign.events - one for one in got)
    twice = requests - wanted
    return Figures(
        kills=kills,
        lost=lost,
        duplicates=twice / wanted,
        per_kill=twice / kills,
        seconds=seconds,
        per_second=wanted / seconds,
    )


def paced(campaign: Campaign) -> Figures:
    """Measure the time from commit to receipt without kills, while the bad receivers have all that
    they have missed before them.
    """
    campaign.dispatcher()
    campaign.dispatcher()
    time.sleep(5.0)
    campaign.figures()
    before = min(campaign.figures()[0])
    count = int(_PACED * _PACED_SECONDS)
    for _ in range(count):
        campaign.happen(1)
        time.sleep(1 / _PACED)
    lags: list[float] = []
    until = time.monotonic() + _PATIENCE
    while len(lags) < count * HEALTHY and time.monotonic() < until:
        lags += campaign.figures()[2]
        time.sleep(0.5)
    assert min(campaign.figures()[0]) == before + count
    cuts = statistics.quantiles(lags, n=100)
    return Figures(p50=cuts[49], p99=cuts[98], most=max(lags))


def pending(campaign: Campaign) -> Figures:
    """Measure the most memory that a dispatcher takes while deliveries to callbacks that were
    paused pile up, and as they are sent.
    """
    with campaign.database.write() as transaction:
        transaction.change("UPDATE callbacks SET status = 'paused'")
    begun, process = time.monotonic(), campaign.dispatcher()
    for _ in range(campaign.events // 100):
        campaign.happen(100)
    count = "SELECT COUNT(*) AS many FROM deliveries WHERE state = 'pending'"
    found, moved = -1, time.monotonic()
    while found < campaign.events * (DEAD + SLOW + FLAKY + HEALTHY):
        with campaign.database.read() as transaction:
            (row,) = transaction.execute(count)
        found, moved = row.many, time.monotonic() if row.many > found else moved
        assert time.monotonic() - moved < _PATIENCE, f"no progress: {found} are pending"
        time.sleep(2.0)
    waited, made_in = _most_memory(process.pid), time.monotonic() - begun
    with campaign.database.write() as transaction:
        transaction.change("UPDATE callbacks SET status = 'active'")
    time.sleep(_PACED_SECONDS)
    return Figures(
        pending=found,
        seconds=made_in,
        kilobytes_pending=waited,
        kilobytes=_most_memory(process.pid),
    )


def _most_memory(pid: int) -> int:
    """Return the most kilobytes of memory that a process has had (proc(5), VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def _tell(figures: Figures) -> None:
    sys.stdout.write(", ".join(f"{name} {value:.4g}" for name, value in figures.items()) + "\n")
    sys.stdout.flush()


def run(events: int, url: str, folder: Path) -> tuple[Figures, Figures]:
    """Run both parts."""
    with ExitStack() as stack:
        first = killed(Campaign(events, url, folder, stack))
        _tell(first)
    with ExitStack() as stack:
        campaign = Campaign(events, url, folder, stack)
        second = paced(campaign)
        _tell(second)
    return first, second


def _main(arguments: list[str]) -> int:
    if arguments[:1] == ["receivers"]:
        asyncio.run(_serve())
        return 0
    from postgres import running_server

    kind = arguments[0] if arguments else "postgresql"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = (
            f"sqlite:///{folder / 'jackfield.db'}"
            if kind == "sqlite"
            else stack.enter_context(running_server()).create()
        )
        if kind == "pending":
            found = pending(Campaign(int(os.environ.get("SIZE", _PENDING)), url, folder, stack))
            _tell(found)
            return int(found["kilobytes"] > _MOST_MEMORY)
        first, second = run(int(os.environ.get("SIZE", "100000")), url, folder)
    return int(first["lost"] > 0 or first["duplicates"] > 0.01 or second["p99"] > 2.0)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
