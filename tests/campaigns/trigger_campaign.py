"""Triggers at full size: 200 made-up lists of 10,000 items, a month with a provider that is down
for a fifth of the time and loses 30 % of its webhooks, and receipts a second against bare inserts.

By hand::

    export PYTHONPATH=.:tests/support:connectors/http/tests
    python tests/campaigns/trigger_campaign.py [seeds] [items] [days] [URL]

The URL is of the database, default: a file of SQLite.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

from tests.jackfield_service.subjects.triggers.trigger_stage import TriggerStage, trigger_stage

from jackfield.connector import TriggerEvent
from jackfield_service.subjects.triggers.arrivals import ArrivalUnit, Sealer
from jackfield_service.subjects.triggers.subscription import Subscription
from jackfield_service.subjects.triggers.table import SubscriptionTable
from polled_source import missed

EVERY = 300.0
"""Seconds between two polls."""
_LEAST = 10.0
_THREADS, _RECEIPTS, _ROUNDS = 16, 500, 8


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def lists(seeds: int, items: int) -> int:
    """Poll made-up lists; return how many items were missed."""
    found = [missed(seed, items) for seed in range(seeds)]
    lost = sum(row[1] for row in found)
    _say(
        f"{seeds} lists of {items:,} items, {sum(row[0] for row in found):,} versions: {lost} "
        "missed"
    )
    return lost


class Month:
    """A provider that is down for a fifth of the time, in outages of up to 6 hours, drops
    registrations while it is, and loses webhooks.
    """

    def __init__(self, stage: TriggerStage) -> None:
        self._stage = stage
        self._choose = random.Random(30)
        self.down_until = 0.0
        self._next_outage = 0.0
        self.came: dict[str, float] = {}
        self.told: dict[str, float] = {}
        self.up_at = stage.now()

    def send(self, *_given: Any) -> None:
        """Answer, unless it is down.

        :raises EchoFault: while it is down.
        """
        from jackfield_echo.client import EchoFault

        if self._stage.now() < self.down_until:
            raise EchoFault("refusedConnection")

    def live(self, days: float) -> float:
        """Live through some days; return the longest time from when an event could be known until
        it was told.
        """
        begin, worst, cursor = self._stage.now(), 0.0, None
        while self._stage.now() - begin < days * 86_400 or len(self.told) < len(self.came):
            self._stage.move(20.0)
            now = self._stage.now()
            if now - begin < days * 86_400:
                self._happen(now)
            self._stage.look(self._choose.randrange(2))
            for event in self._stage.runtime.events(types=["echo.kept"], after=cursor):
                cursor, name = event.cursor, event.data["payload"]["id"]
                assert name not in self.told, f"{name} was told twice"
                self.told[name] = now
                worst = max(worst, now - max(self.came[name], min(self.down_until, now)))
        return worst

    def _happen(self, now: float) -> None:
        from jackfield_echo.watching import NOTES, REGISTERED

        if now >= self._next_outage:
            lasts = self._choose.uniform(600, 6 * 3600)
            self.down_until, self._next_outage = now + lasts, now + 5 * lasts
            REGISTERED.clear()
        if self._choose.random() < 0.1:
            name = f"n-{len(self.came)}"
            self.came[name] = now
            NOTES.append({"id": name, "at": now, "text": "hello"})
            if REGISTERED and now >= self.down_until and self._choose.random() > 0.3:
                _receive(self._stage, [TriggerEvent({"id": name, "text": "hello"}, name)])


def _named(stage: TriggerStage, name: str) -> Subscription:
    storage = stage.pools[0].storage
    return SubscriptionTable(storage.database, storage.vault, "default", stage.clock).find(name)


def _receive(
    stage: TriggerStage, events: list[TriggerEvent], found: Subscription | None = None
) -> None:
    storage, subscription, now = (
        stage.pools[0].storage,
        found or _named(stage, "one"),
        stage.clock.time(),
    )
    sealed = Sealer(storage.database, storage.vault, "default", subscription).arrivals(events, now)
    storage.database.record(ArrivalUnit(subscription, sealed, now, _LEAST))


def month(stage: TriggerStage, days: float) -> int:
    """Watch such a provider; return the number of events that were told later than an interval
    after they could be.
    """
    from jackfield_echo.client import EchoClient

    provider = Month(stage)
    with mock.patch.object(EchoClient, "send", lambda _client, *given: provider.send(*given)):
        stage.add("kept", every=EVERY)
        worst = provider.live(days)
    _say(
        f"{days:g} days, {len(provider.came):,} events: told once, at the latest {worst:.0f} s "
        f"after they could be (every {EVERY:.0f} s)"
    )
    return int(worst > 1.1 * EVERY + 40)


def receipts(stage: TriggerStage) -> int:
    """Compare receipts with bare inserts through the same group commit, in turn, since other
    processes run; the middle ratio of several rounds counts. Return 1 if receipts are less than
    half as fast.
    """
    stage.add("posted", "two")
    storage = stage.pools[0].storage
    _receive(stage, [TriggerEvent({"id": "first", "text": "hello"}, "first")], _named(stage, "two"))
    found = _named(stage, "two")  # as a request that comes within a second finds it
    bare = (
        "INSERT INTO event_keys (workspace, subscription_id, digest, at) VALUES ('default', "
        "'bare', :digest, 0)"
    )

    def insert(name: str) -> None:
        digest = sha256(name.encode()).hexdigest()
        storage.database.record(lambda one: one.change(bare, {"digest": digest}))

    ratios = []
    with ThreadPoolExecutor(_THREADS) as threads:
        for place in range(_ROUNDS):
            names = [f"{place}-{number}" for number in range(_RECEIPTS)]
            inserted = _seconds(threads, insert, names)
            received = _seconds(
                threads,
                lambda name: _receive(
                    stage, [TriggerEvent({"id": name, "text": "hello"}, name)], found
                ),
                names,
            )
            ratios.append(inserted / received)
            _say(
                f"{_THREADS} threads: {_RECEIPTS / received:.0f} receipts/s, "
                f"{_RECEIPTS / inserted:.0f} bare inserts/s: {ratios[-1]:.2f}"
            )
    ratio = median(ratios)
    _say(f"{storage.database.dialect.name}: {ratio:.2f}; load {os.getloadavg()[0]:.1f}")
    return int(ratio < 0.5)


def _seconds(threads: ThreadPoolExecutor, step: Callable[[str], None], names: list[str]) -> float:
    began = time.perf_counter()
    list(threads.map(step, names))
    return time.perf_counter() - began


def _main(seeds: str = "200", items: str = "10_000", days: str = "30", url: str = "") -> int:
    faults = lists(int(seeds), int(items))
    with (
        tempfile.TemporaryDirectory() as folder,
        trigger_stage(Path(folder), url or f"sqlite:///{folder}/campaign.db") as stage,
    ):
        return faults + month(stage, float(days)) + receipts(stage)


if __name__ == "__main__":
    sys.exit(min(1, _main(*sys.argv[1:])))
