"""All that a server does beside a database that is cut off in every way a network can.

``make campaign database-proxy`` runs it. By hand::

    PYTHONPATH=.:tests/support python tests/campaigns/proxy_campaign.py [SECONDS]

Direct calls with and without keys, queued ones, jobs, a schedule, a poll, a callback and the page
of a connect session go on all the time, while one fault comes after the other. Then what was told
is held against the journal and the provider: nothing is sent twice or late, or told as what it is
not; each slot and each job is begun at most once, each event of the poll is there once, and each
end is delivered.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.jackfield_service.subjects.connect.connect_browser import Person
from tests.jackfield_store.jobs.job_stage import Folder, furnace

from database_proxy import DatabaseProxy
from http_stand import Client
from jackfield.callers.actor import Actor
from jackfield_service.subjects.callbacks.callbacks import Callbacks
from jackfield_store.access.platform_tokens import PlatformTokens
from jackfield_store.database import open_database
from noted_calls import Noted, noting
from postgres import running_server
from receiver import Receiver, receiving
from told import CONNECTION, Callers, Figures, judge, repeat, settled, until

SECONDS = 900.0
_FAULT, _REST = 7.0, 6.0
"""Seconds that a fault lasts, and that follow it."""
_WORKS = 20.0
_PAUSE = threading.Event()
_SESSIONS = "/v1/workspaces/acme-1/connect-sessions"


@dataclass
class Scene:
    """A server, and all that goes on in it."""

    place: Noted
    proxies: tuple[DatabaseProxy, DatabaseProxy]
    provider: Folder
    receiver: Receiver
    platform: Client
    figures: Figures = field(default_factory=Figures)
    jobs: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    first: int = 0
    """Number of an event after which all are delivered to the callback."""
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def proxy(self) -> DatabaseProxy:
        """The proxy in which faults happen."""
        return self.proxies[0]

    def set_up(self) -> None:
        """Add what runs by itself: a schedule, a subscription and a callback."""
        client, storage, clock = (
            self.place.client,
            self.place.stand.host.storage,
            self.place.stand.host.clock,
        )
        slot = {"$slot": "rfc3339"}
        inputs = {"text": slot, "fault": {"kind": "rejected", "name": slot, "tries": 0}}
        invocation = {
            "connector": "echo",
            "action": "post",
            "connection": CONNECTION,
            "inputs": inputs,
        }
        made = client.post(
            "/v1/schedules", {"name": "beat", "invocation": invocation, "every": "2s"}
        )
        assert made.status == 201, made.json
        made = client.post(
            "/v1/subscriptions",
            {"name": "notes", "trigger": "echo/notes", "connection": CONNECTION, "every": 10},
        )
        assert made.status == 201, made.json
        callbacks = Callbacks(
            storage.database, storage.vault, "default", clock, Actor("library"), origin="operator"
        )
        callbacks.create({"url": self.receiver.url, "types": ["invocation.finished"]})
        self.first = max(
            (event["sequence"] for event in self._events(client, "invocation.finished")), default=0
        )

    @contextmanager
    def going(self) -> Iterator[None]:
        """Start jobs, take notes and open connect pages until left."""
        threads = [
            threading.Thread(target=self._repeated, args=(step,))
            for step in (self._job, self._note, self._connect)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join(120)

    def _repeated(self, step: Callable[[int], None]) -> None:
        for number in itertools.count():
            if self._over.wait(0.7):
                return
            step(number)

    def _job(self, number: int) -> None:
        body = {
            "connector": "furnace",
            "action": "melt",
            "inputs": {"metal": f"m{number}"},
            "timeoutSeconds": 6,
        }
        self.jobs[f"m{number}"] = self.place.client.post("/v1/invocations", body).json

    def _note(self, number: int) -> None:
        from jackfield_echo.watching import NOTES

        self.notes.append(f"note-{number}")
        NOTES.append({"id": f"note-{number}", "at": time.time(), "text": "kept"})

    def _connect(self, number: int) -> None:
        began = time.monotonic()
        asked = {
            "user": f"u{number}",
            "returnTo": "https://shop.example/",
            "types": ["echo/token"],
            "connection": "main",
        }
        reply = self.platform.post(_SESSIONS, asked)
        self._look(f"connect session {reply.status}", reply.status, {201, 503}, began)
        if reply.status == 201:
            began = time.monotonic()
            person = Person(self.place.stand.port)
            person.go(reply.json["url"])
            assert person.page is not None
            self._look(f"connect page {person.page.status}", person.page.status, {200, 503}, began)

    def _look(self, what: str, status: int, good: set[int], began: float) -> None:
        self.figures.said[what] += 1
        took = time.monotonic() - began
        if status not in good or took > _WORKS:
            self.figures.wrong.append(f"{what} after {took:.1f} s")

    def faults(self) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
        """The faults by name: how each begins, and ends."""
        one, other = self.proxies
        return {
            "hold, deliver": (one.hold, one.deliver),
            "hold, reset": (one.hold, one.reset),
            "hold answers, deliver": (lambda: one.hold("client"), one.deliver),
            "hold questions, reset": (lambda: one.hold("server"), one.reset),
            "late": (lambda: one.delay(0.3), lambda: one.delay(0.0)),
            "drop": (one.drop, one.reset),
            "drop answers": (lambda: one.drop("client"), one.reset),
            "swallow": (lambda: one.swallow(30), lambda: one.swallow(0)),
            "swallow begins": (lambda: one.swallow(30, b"running"), lambda: one.swallow(0)),
            "swallow ends": (lambda: one.swallow(30, b"succeeded"), lambda: one.swallow(0)),
            "reset": (one.reset, one.reset),
            "points elsewhere": (
                lambda: one.point_at(other.port),
                lambda: one.point_at(other.target),
            ),
            "points nowhere": (lambda: one.point_at(1), lambda: one.point_at(other.target)),
        }

    def compare(self, callers: Callers) -> None:
        """Hold all that happened against what was told."""
        client, wrong = self.place.client, self.figures.wrong
        self.place.ledger.effects.pop("back", None)
        self.place.ledger.sent[:] = [sent for sent in self.place.ledger.sent if sent[0] != "back"]
        judge(self.place, callers.told.values(), self.figures)
        repeat(self.place, callers.told.values(), self.figures)
        slots = {
            name: count
            for name, count in self.place.ledger.effects.items()
            if name.startswith("20")
        }
        self.figures.faults |= Counter(
            {"slots": len(slots), "jobs": len(self.jobs), "notes": len(self.notes)}
        )
        wrong += [f"slot {name}: {count} effects" for name, count in slots.items() if count > 1]
        started = Counter(line.split()[0] for line in self.provider.reached("start"))
        for name, body in self.jobs.items():
            self.figures.said[f"job {body.get('status')}"] += 1
            if started[name] > 1 or (body.get("status") == "succeeded" and not started[name]):
                wrong.append(f"job {name}: started {started[name]} times, and told {body}")
            if (
                body.get("status") in {"failed", 503, 504}
                and started[name]
                and "error" in body
                and body["error"]["code"] != "timeout"
            ):
                wrong.append(f"job {name}: started, and told {body}")
        events = self._events(client, "echo.*,invocation.finished")
        polled = Counter(
            str(event["data"].get("id", event["data"]))
            for event in events
            if event["type"].startswith("echo.")
        )
        self.figures.faults["notes told"] = len(polled)
        wrong += [
            f"note {name} is told {count} times" for name, count in polled.items() if count != 1
        ]
        missing = [name for name in self.notes[:-12] if not any(name in text for text in polled)]
        wrong += [f"note {name} is not told" for name in missing]
        ended = {
            event["id"]
            for event in events
            if event["type"] == "invocation.finished" and event["sequence"] > self.first
        }
        until(
            lambda: ended <= {got.id for got in self.receiver.got}, 120.0, "each end is delivered"
        )
        got = Counter(one.id for one in self.receiver.got)
        self.figures.faults |= Counter(
            {"ends": len(ended), "delivered twice": sum(count > 1 for count in got.values())}
        )

    def _events(self, client: Client, types: str) -> list[Any]:
        found, after = [], ""
        while items := (page := client.get(f"/v1/events?types={types}&limit=200{after}").json)[
            "items"
        ]:
            found += items
            after = f"&after={page['nextCursor']}"
        return found


@contextmanager
def staged() -> Iterator[Scene]:
    """Serve on a database behind a proxy, with a second one to which its name may point."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        server = stack.enter_context(running_server())
        url = server.create()
        open_database(url).close()
        proxies = tuple(stack.enter_context(DatabaseProxy(server.port)) for _ in range(2))
        provider, receiver = stack.enter_context(furnace(folder)), stack.enter_context(receiving())
        provider.answers({"weight": 1})
        more = {"FURNACE": str(provider.folder), "JACKFIELD_DATABASE_WAIT": "3"}
        place = stack.enter_context(noting(folder, proxies[0].url(url), **more))
        place.until_it_works(60)
        storage = place.stand.host.storage
        token = PlatformTokens(
            storage.database, storage.vault, place.stand.host.clock, Actor("library")
        ).create("acme-*", "The Shop")
        platform = Client(place.stand.port, token.text)
        assert platform.call("PUT", "/v1/workspaces/acme-1", {}).status == 201
        yield Scene(place, (proxies[0], proxies[1]), provider, receiver, platform)


def play(scene: Scene, seconds: float) -> Figures:
    """Let one fault come after the other, each at least once, for so long; then compare."""
    end, slowest = time.monotonic() + seconds, 0.0
    with Callers(scene.place, rate=30.0) as callers:
        scene.set_up()
        with scene.going():
            for name, (begin, finish) in itertools.cycle(scene.faults().items()):
                _PAUSE.wait(random.uniform(0.2, 1.0))
                begin()
                _PAUSE.wait(_FAULT)
                finish()
                took = until(
                    lambda: scene.place.post("back", keyed=False, seconds=6.0).status == 200,
                    60.0,
                    f"calls work after '{name}'",
                )
                slowest = max(slowest, took)
                scene.figures.faults[name] += 1
                sys.stderr.write(f"{name}: calls worked after {took:.2f} s\n")
                _PAUSE.wait(_REST)
                if time.monotonic() > end and len(scene.figures.faults) >= len(scene.faults()):
                    break
    scene.place.client.call("DELETE", "/v1/schedules/beat")
    scene.figures.faults["slowest return in ms"] = round(1000 * slowest)
    settled(scene.place)
    _PAUSE.wait(15.0)  # for the next poll
    scene.compare(callers)
    return scene.figures


def _main(seconds: float = SECONDS) -> int:
    with staged() as scene:
        figures = play(scene, seconds)
    sys.stdout.write(json.dumps(figures.to_json(), indent=2, default=str) + "\n")
    return int(bool(figures.wrong))


if __name__ == "__main__":
    sys.exit(_main(*map(float, sys.argv[1:2])))
