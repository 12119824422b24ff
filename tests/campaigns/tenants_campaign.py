"""Tenants at size: created by eight clients at once, listed, used by processes that are killed,
suspended, and deleted: issue 29.

``make campaign tenants`` runs it in full (10,000 workspaces, 50,000 calls). By hand, at another
size and on another database::

    export PYTHONPATH=.:tests/support
    python tests/campaigns/tenants_campaign.py WORKSPACES CALLS [sqlite|postgresql]

Each figure has its goal beside it; the campaign fails if one is missed. The rate of bare inserts is
measured between two rounds of creations, with the same clients: one row with as many bytes in a
transaction of its own.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

from inmemory import installed
from jackfield.callers.actor import Actor
from jackfield.connector import Connector, Forbidden, Inputs, Output
from jackfield.kernel.clock import SystemClock
from jackfield.runtime import Jackfield
from jackfield_service.subjects.events.numbering import Numbering
from jackfield_service.subjects.tenants import Tenants, usage
from jackfield_store.database.migrations import declared, known_migrations
from jackfield_store.database.table_shapes import shape_of
from jackfield_store.files import FileLimits, Files
from jackfield_store.resources.storage import Storage
from postgres import own_database

CLIENTS = 8
_KILL_EVERY = 1.0
_SHARE, _PAGE_SECONDS, _PAGE = 0.3, 0.05, 50
_CALLS = """
import sys
sys.path.insert(0, sys.argv[1])
from tenants_campaign import work
work(sys.argv[2], int(sys.argv[3]))
"""


class Text(Inputs):
    """What to say."""

    number: int


class Said(Output):
    """What was said."""

    number: int


def connector() -> Connector:
    """Return a connector without a provider, of which every seventh call fails."""
    made = Connector("counter", title="Counter", version="1.0.0")

    @made.action("count", effect="write")
    def count(text: Text) -> Said:
        """Count."""
        if text.number % 7 == 0:
            raise Forbidden("every seventh")
        return Said(number=text.number)

    return made


def work(workspace: str, calls: int) -> None:
    """Call until killed, or until as many calls were made; each process does so for one
    workspace.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        installed(Path(folder), connector()) as catalog,
        Jackfield(workspace, catalog=catalog) as jackfield,
    ):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        for number in range(calls):
            jackfield.invoke(
                {
                    "connector": "counter",
                    "action": "count",
                    "inputs": {"number": number},
                    "context": {"notify": True},
                }
            )


class Campaign:
    """One campaign on one database."""

    def __init__(self, storage: Storage, folder: Path, workspaces: int, calls: int) -> None:
        self.storage, self.folder, self.workspaces, self.calls = storage, folder, workspaces, calls
        self.clock = SystemClock()
        self.missed: list[str] = []

    def tenants(self) -> Tenants:
        """Return the tenants, as a platform manages them."""
        files = Files(self.storage, FileLimits(), self.clock)
        return Tenants(
            self.storage, files, self.clock, "shop-*", Actor("platform", "p", "The Shop")
        )

    def judge(self, what: str, figure: str, goal: str, *, met: bool) -> None:
        """Print a figure with its goal."""
        _say(f"{'ok    ' if met else 'MISSED'} {what}: {figure} (goal: {goal})")
        if not met:
            self.missed.append(what)

    def run(self) -> None:
        """Run all parts."""
        self.create()
        self.race()
        self.pages()
        self.use()
        self.delete()

    def create(self) -> None:
        """Create workspaces and insert bare rows in turns, by the same clients."""
        with self.storage.database.write() as transaction:
            transaction.change(
                "CREATE TABLE bare (id INTEGER PRIMARY KEY, name TEXT, settings TEXT, seal TEXT)",
                {},
            )
        rounds, ratios, rates = 10, list[float](), list[float]()
        each = self.workspaces // rounds
        for turn in range(rounds):
            first = turn * each
            bare = self._rate(self._insert, first, each)
            made = self._rate(
                lambda number: self.tenants().put(f"shop-{number:06}", {}), first, each
            )
            ratios.append(made / bare)
            rates.append(made)
        text = f"{median(rates):,.0f}/s, {median(ratios):.2f} of the rate of bare inserts"
        self.judge(
            f"{self.workspaces:,} workspaces created by {CLIENTS} clients",
            text,
            f">= {_SHARE}",
            met=median(ratios) >= _SHARE,
        )
        with self.storage.database.write() as transaction:
            transaction.change("DROP TABLE bare", {})

    def race(self) -> None:
        """Let all clients put the same workspaces at once."""
        tenants = self.tenants()
        with ThreadPoolExecutor(CLIENTS) as pool:
            new = [
                sum(
                    pool.map(
                        lambda one: tenants.put(one, {"retentionDays": 9})[1], [name] * CLIENTS
                    )
                )
                for name in _names("shop-race-", 50)
            ]
        self.judge(
            "raced PUTs that made a workspace",
            f"{sum(new)} of 50, {max(new)} at most each",
            "50, 1 each",
            met=set(new) == {1},
        )

    def pages(self) -> None:
        """List pages from the beginning, the middle and the end."""
        took = []
        for after in ("", f"shop-{self.workspaces // 2:06}", f"shop-{self.workspaces - 300:06}"):
            for _ in range(7):
                started = time.perf_counter()
                found, _ = self.tenants().list("", after, _PAGE)
                took.append(time.perf_counter() - started)
                assert len(found) == _PAGE
        fresh = self._fresh(lambda tenants: tenants.list("", "", _PAGE))
        text = (
            f"median {median(took) * 1000:.1f} ms; {fresh * 1000:.1f} ms in a process that "
            "has just begun"
        )
        self.judge(
            f"a page of {_PAGE} workspaces",
            text,
            f"<= {_PAGE_SECONDS * 1000:.0f} ms",
            met=median(took) <= _PAGE_SECONDS,
        )

    def use(self) -> None:
        """Call in processes of which one is killed every second, then compare the usage with the
        journal.
        """
        names = [f"shop-{number:06}" for number in range(4)]
        kills, chance = 0, random.Random(7)
        running = {name: self._start(name) for name in names}
        while self._settled(names) < self.calls:
            time.sleep(_KILL_EVERY)
            name = chance.choice(names)
            running[name].kill()
            running[name].wait()
            kills += 1
            running[name] = self._start(name)
        for process in running.values():
            process.kill()
            process.wait()
        for name in names:
            with Jackfield(name, storage=self.storage) as jackfield:  # what was killed is recovered
                assert jackfield.journal is not None
                jackfield.journal.entries(limit=1)
            Numbering(self.storage.database, self.storage.vault).run(name, 1000)
        wrong = [self._difference(name) for name in names]
        total = sum(
            usage(self.storage.database, name, 0, time.time() + 60)["total"]["calls"]
            for name in names
        )
        text = f"{sum(wrong)} of {total:,} calls after {kills} kills"
        self.judge(
            "differences between usage and journal",
            text,
            "0",
            met=not any(wrong) and total >= self.calls,
        )

    def delete(self) -> None:
        """Suspend and purge what was used, and two hundred others; nothing of them is left."""
        tenants, started = self.tenants(), time.perf_counter()
        names = [found.name for found in tenants.list("shop-0", "", 204)[0]]
        for name in names:
            tenants.suspend(name)
            with self.storage.database.write() as transaction:  # those that kills have left running
                transaction.change(
                    "UPDATE invocations SET status = 'in_doubt' WHERE workspace = :w AND status "
                    "= 'running'",
                    {"w": name},
                )
            tenants.purge(name)
        took = (time.perf_counter() - started) / len(names)
        rest = sum(self._rows(name) for name in names)
        self.judge(
            "rows of 204 deleted workspaces",
            f"{rest}, {took * 1000:.0f} ms each",
            "0",
            met=rest == 0,
        )

    def _rows(self, name: str) -> int:
        with self.storage.database.read() as transaction:
            shapes = [
                shape_of(transaction, self.storage.database.dialect, table)
                for table in declared("TABLE", known_migrations())
            ]
            return sum(
                int(
                    transaction.execute(
                        f"SELECT COUNT(*) AS n FROM {shape.name} WHERE workspace = :w", {"w": name}
                    )[0].n
                )
                for shape in shapes
                if "workspace" in shape.columns
            )

    def _difference(self, name: str) -> int:
        database, until = self.storage.database, time.time() + 60
        found = usage(database, name, 0, until, "status")
        with database.read() as transaction:
            rows = transaction.execute(
                "SELECT status, COUNT(*) AS n, SUM(attempts) AS attempts FROM invocations WHERE "
                "workspace = :w GROUP BY status",
                {"w": name},
            )
            events = transaction.execute(
                "SELECT COUNT(*) AS n FROM events WHERE workspace = :w", {"w": name}
            )[0].n
        counted = {row["status"]: (row["calls"], row["attempts"]) for row in found["items"]}
        there = {
            row.status: (int(row.n), int(row.attempts or 0))
            for row in rows
            if row.status not in ("running", "queued")
        }
        wrong = sum(counted.get(status) != there.get(status) for status in {*counted, *there})
        return wrong + abs(int(found["total"]["events"]) - int(events))

    def _settled(self, names: list[str]) -> int:
        return sum(
            int(usage(self.storage.database, name, 0, time.time() + 60)["total"]["calls"])
            for name in names
        )

    def _start(self, name: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", _CALLS, str(Path(__file__).parent), name, str(10**9)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def _fresh(self, step: Callable[[Tenants], Any]) -> float:
        with Storage(None, os.environ, self.clock) as storage:
            storage.vault.verify()
            other = Campaign(storage, self.folder, self.workspaces, self.calls)
            started = time.perf_counter()
            step(other.tenants())
            return time.perf_counter() - started

    def _insert(self, number: int) -> None:
        values = {
            "id": number,
            "name": f"shop-{number:06}",
            "settings": "{" + " " * 300 + "}",
            "seal": "s" * 60,
        }
        with self.storage.database.write() as transaction:
            transaction.change(
                "INSERT INTO bare (id, name, settings, seal) VALUES (:id, :name, :settings, :seal)",
                values,
            )

    def _rate(self, step: Callable[[int], object], first: int, count: int) -> float:
        """Run a step for each number by all clients at once; return how many were done in a
        second.
        """
        share, gate, clients = count // CLIENTS, threading.Barrier(CLIENTS + 1), []

        def client(place: int) -> None:
            gate.wait()
            for number in range(first + place * share, first + (place + 1) * share):
                step(number)

        for place in range(CLIENTS):
            clients.append(threading.Thread(target=client, args=(place,)))
            clients[-1].start()
        gate.wait()
        started = time.perf_counter()
        for thread in clients:
            thread.join()
        return share * CLIENTS / (time.perf_counter() - started)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def _main(workspaces: int, calls: int, kinds: tuple[str, ...]) -> int:
    missed = list[str]()
    for kind in kinds:
        _say(f"== {kind}")
        with tempfile.TemporaryDirectory() as home, own_database(kind, Path(home)) as url:
            known = {"JACKFIELD_HOME": home, "JACKFIELD_DATABASE_URL": url}
            with (
                mock.patch.dict(os.environ, known),
                Storage(None, os.environ, SystemClock()) as storage,
            ):
                campaign = Campaign(storage, Path(home), workspaces, calls)
                campaign.run()
                missed += campaign.missed
    return int(bool(missed))


if __name__ == "__main__":
    given = sys.argv[1:3] or ["10000", "50000"]
    sys.exit(_main(int(given[0]), int(given[1]), tuple(sys.argv[3:]) or ("sqlite", "postgresql")))
