"""Calls beside a database that is killed, fails over, or is cut off: what callers were told,
against the journal and the provider's count.

``make campaign database-kills``, ``database-failover``, ``database-lossy`` and
``database-swallowed`` run it. By hand::

    export PYTHONPATH=.:tests/support
    python tests/campaigns/database_campaign.py KIND [SECONDS or calls] [SEED]

KIND ``kills``: SIGKILL of the primary at random moments, and its start again. ``failover``:
SIGKILL, and the promotion of its synchronous standby, by turns. ``lossy``: the same with an
asynchronous standby that lags by a second or two, so that commits are lost. ``swallowed``: each
COMMIT of 500 calls takes effect, and its acknowledgement does not come. The moments are drawn from
a seed, which is printed: the same seed draws the same pauses, and the machine's load still decides
what they hit.
"""

from __future__ import annotations

import json
import random
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psycopg

from database_proxy import DatabaseProxy
from event_view import EventView
from jackfield_store.database import open_database
from noted_calls import Noted, noting
from postgres import Server, running_server
from told import COMMITS, Callers, Figures, judge, repeat, until, write_unacknowledged

SECONDS = 1800.0
CALLS = 500
_PAUSE = threading.Event()
_OLDEST = re.compile(r"after '([^']+)'")
_WORKS = 20.0
"""Seconds within which calls must work again after the database does, on a machine that does much
else.
"""


@dataclass
class Reader:
    """Reads the feed of events by cursor, each ``every`` seconds, as a consumer does."""

    place: Noted
    every: float
    view: EventView = field(default_factory=EventView)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        self._thread.join(60)

    def _read(self) -> None:
        while not self._over.wait(self.every):
            read_all(self.place, self.view)


def read_all(place: Noted, view: EventView) -> EventView:
    """Read the feed from a consumer's cursor to the end, or to the first refusal."""
    while True:
        after = f"&after={view.cursor}" if view.cursor else ""
        reply = place.client.get(f"/v1/events?types=invocation.finished&limit=200{after}")
        if reply.status == 410:
            view.forget(_OLDEST.findall(reply.json["hint"])[0])
        if reply.status != 200:
            return view
        items = reply.json["items"]
        view.take(
            [(item["id"], item["sequence"], item["subject"]) for item in items],
            reply.json["nextCursor"],
        )
        if not items:
            return view


def _started(server: Server) -> None:
    """Start a server that was killed: its processes may need a moment to end."""
    end = time.monotonic() + 60
    while True:
        try:
            server.start()
        except AssertionError:
            if time.monotonic() > end:
                raise
            _PAUSE.wait(0.2)
        else:
            return


@contextmanager
def placed(url: str, folder: Path, **more: Any) -> Iterator[Noted]:
    """Serve on a database; wait until calls work."""
    with noting(folder, url, **more) as place:
        place.until_it_works(60)
        yield place


def kills(seconds: float, drawn: random.Random) -> Figures:
    """Kill the primary at random moments, and start it again."""
    figures, slowest = Figures(), 0.0
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        running_server() as primary,
    ):
        url = primary.create()
        open_database(url).close()
        with placed(url, Path(folder)) as place:
            end = time.monotonic() + seconds
            with Callers(place) as callers:
                while time.monotonic() < end:
                    _PAUSE.wait(drawn.uniform(1.0, 8.0))
                    primary.kill()
                    figures.faults["kills"] += 1
                    _PAUSE.wait(drawn.choice((0.0, 0.5, 3.0, 8.0)))
                    _started(primary)
                    slowest = max(slowest, _works(place))
            return _judged(place, callers, figures, slowest)


def _works(place: Noted) -> float:
    return until(
        lambda: place.post("back", keyed=False, seconds=6.0).status == 200, 60.0, "calls work again"
    )


def _judged(
    place: Noted, callers: Callers, figures: Figures, slowest: float, **how: bool
) -> Figures:
    figures.faults["slowest return in ms"] = round(1000 * slowest)
    if slowest > _WORKS:
        figures.wrong.append(f"calls worked again only {slowest:.1f} seconds after the database")
    place.ledger.effects.pop("back", None)
    place.ledger.sent[:] = [sent for sent in place.ledger.sent if sent[0] != "back"]
    judge(place, callers.told.values(), figures, **how)
    return repeat(place, callers.told.values(), figures)


@dataclass
class _Pair:
    """Two places for servers, of which one is the primary; the other streams from it by way of a
    proxy.
    """

    folder: Path
    primary: Server
    standby: Server
    stack: ExitStack
    is_synchronous: bool
    proxy: DatabaseProxy | None = None

    def stream(self) -> None:
        """Make the other server a standby of the primary, anew."""
        if self.proxy is not None:
            self.proxy.__exit__()
        self.proxy = DatabaseProxy(self.primary.port).__enter__()
        self.standby = Server.standby_of(
            self.primary, self.standby.folder, self.standby.port, self.proxy.port
        )
        with psycopg.connect(self.primary.url(), autocommit=True) as admin:
            if self.is_synchronous:
                admin.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
                admin.execute("SELECT pg_reload_conf()")
            state = ("sync",) if self.is_synchronous else ("async",)
            streams = (
                "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = %s"
            )
            until(
                lambda: admin.execute(streams, state).fetchone() is not None,
                60.0,
                "the standby streams",
            )

    def stop(self) -> None:
        """Stop both."""
        for server in (self.primary, self.standby):
            with suppress(AssertionError):
                server.stop()

    def fail_over(self) -> None:
        """Kill the primary and promote its standby, which takes its part."""
        self.primary.kill()
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary


def failover(seconds: float, drawn: random.Random, *, loses: bool = False) -> Figures:
    """Kill the primary and promote the standby, by turns. If the standby ``loses`` what came last,
    that has to be told.
    """
    figures, slowest = Figures(), 0.0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        primary = stack.enter_context(running_server())
        name = primary.create().rpartition("/")[2]
        open_database(primary.url(name)).close()
        other = Server.standby_of(primary, primary.folder.parent / "standby")
        other.stop()
        pair = _Pair(folder, primary, other, stack, not loses)
        stack.callback(pair.stop)
        pair.stream()
        hosts = f"127.0.0.1:{primary.port},127.0.0.1:{other.port}"
        url = f"postgresql://postgres@{hosts}/{name}?target_session_attrs=read-write"
        with placed(url, folder) as place:
            end = time.monotonic() + seconds
            with Reader(place, 0.3) as quick, Reader(place, 9.0) as slow, Callers(place) as callers:
                while time.monotonic() < end:
                    _PAUSE.wait(drawn.uniform(2.0, 6.0))
                    if loses and pair.proxy is not None:
                        pair.proxy.hold()
                        _PAUSE.wait(drawn.uniform(0.2, 2.5))
                    pair.fail_over()
                    figures.faults["failovers"] += 1
                    slowest = max(slowest, _works(place))
                    _PAUSE.wait(4.0)
                    pair.stream()
                _PAUSE.wait(10.0)
            _judged(place, callers, figures, slowest, may_lose=loses)
            _told_of_losses(place, figures, quick, slow)
            if pair.proxy is not None:
                pair.proxy.__exit__()
            return figures


def _told_of_losses(place: Noted, figures: Figures, *readers: Reader) -> None:
    """Hold what is lost against what an operator and readers were told: each reader knows exactly
    the events that are there.
    """
    returns = place.client.get("/v1/audit?event=database.wentBack&limit=200").json["items"]
    figures.faults["returns in the audit log"] = len(returns)
    said = place.client.get("/metrics").body.decode()
    noticed = "jackfield_database_went_back 1.0" in said
    figures.faults["told by the metric"] = int(noticed)
    if figures.lost and not noticed:
        figures.wrong.append(f"{figures.lost} entries are lost, and nobody was told")
    there = read_all(place, EventView())
    for reader in readers:
        view = read_all(place, reader.view)
        figures.faults |= Counter({f"cursors gone (read each {reader.every:g} s)": view.gone})
        figures.wrong += [
            f"a reader was not told that the end of {subject} is lost"
            for subject in view.lost(there)
        ]
        figures.wrong += [
            f"a reader has missed the end of {subject}" for subject in view.missed(there)
        ]


def swallowed(calls: float, _drawn: random.Random) -> Figures:
    """Let each call's COMMIT take effect, and its acknowledgement not come."""
    figures = Figures()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        running_server() as server,
    ):
        url = server.create()
        open_database(url).close()
        with (
            DatabaseProxy(server.port) as proxy,
            placed(proxy.url(url), Path(folder)) as place,
            Callers(place, count=0) as callers,
        ):
            for number in range(int(calls)):
                kind, which = COMMITS[number % len(COMMITS)]
                write_unacknowledged(callers, proxy, f"{number}-{which}-{kind}", kind, which)
                figures.faults[f"{kind} {which} swallowed"] += 1
            return _judged(place, callers, figures, 0.0)


PARTS: dict[str, Callable[[float, random.Random], Figures]] = {
    "kills": kills,
    "failover": failover,
    "lossy": lambda seconds, drawn: failover(seconds, drawn, loses=True),
    "swallowed": swallowed,
}


def _main(part: str, much: float | None = None, given: float | None = None) -> int:
    seed = random.randrange(1_000_000) if given is None else int(given)
    sys.stderr.write(f"seed {seed}\n")
    figures = PARTS[part](much or (CALLS if part == "swallowed" else SECONDS), random.Random(seed))
    sys.stdout.write(json.dumps({"seed": seed, **figures.to_json()}, indent=2, default=str) + "\n")
    return int(bool(figures.wrong))


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], *map(float, sys.argv[2:4])))
