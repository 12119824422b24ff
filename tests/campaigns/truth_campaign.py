"""Writes whose answers are lost at a provider that lies when it is asked for evidence, beside
processes that are killed.

``make campaign truth`` runs it with 20,000 calls (``SIZE`` is another number): on SQLite, on
PostgreSQL behind Redis and behind RabbitMQ. By hand::

    export PYTHONPATH=.:tests/support
    SIZE=2000 python tests/campaigns/truth_campaign.py sqlite|postgresql|redis|rabbitmq

Half of the calls have a key, some are queued, and some wait for a person who approves them.
Evidence settles doubts. The provider counts what took effect; what the journal says in the end is
held against that.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from http_stand import Client, clean, mint
from jackfield_market.testing.loopback_provider import (
    CLOSE,
    RESET,
    Answer,
    Provider,
    Request,
    Step,
    throttled,
)
from queue_campaign import _served, _Worker

ENDINGS = (
    "answered",
    "answered",
    "answered",
    "refused",
    "throttled",
    "unavailable",
    "taken_500",
    "taken_cut",
    "taken_reset",
    "taken_late",
    "lost_cut",
    "failing",
    "endless",
    "half",
)
"""How the provider ends a write. ``failing`` makes a thing that says that it failed, ``endless``
one that never ends.
"""
LIES = ("none", "none", "gone", "gateway", "echo", "unavailable", "sign_in", "shifted", "late")
"""How it answers the read of a thing."""
_CALLERS = 16
_TIMEOUT = 4.0
_PATIENCE = 120.0
_LOOKS = [1, 20]
_LOOK_PATIENCE = float(os.environ.get("LOOK_PATIENCE", "600"))
"""How long the looks of a run may take: they have a small share of a processor."""
_WHEN = {"took": {"/status": ["done"]}, "refused": {"/status": ["failed"]}, "code": "/reason"}


_REFUSED = {
    "refused": Answer({"error": "refused"}, 400),
    "unavailable": Answer({"error": "busy"}, 503),
}
_LIES = {
    "gone": Answer({"error": "gone"}, 410),
    "unavailable": Answer({"error": "busy"}, 503),
    "sign_in": Answer({"error": "who"}, 401),
    "gateway": Answer(
        status=404, content=b"<html>default backend</html>", headers={"Content-Type": "text/html"}
    ),
}


class _Things:
    """The provider's script: things by their reference, and how often each call took effect."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.effects: Counter[str] = Counter()
        self.things: dict[str, dict[str, Any]] = {}
        self.asked: dict[str, str] = {}
        """By reference, how its reads lie."""
        self.begun: set[str] = set()
        self.read: set[str] = set()

    def __call__(self, _number: int, request: Request) -> Step:
        """Take a write, or not, and answer it, or not; answer a read."""
        return self._write(request) if request.changes else self._read(request)

    def _write(self, request: Request) -> Step:
        body = request.json()
        name, reference = body["name"], str(body["reference"])
        ending, lie = request.path.split("/")[2:4]
        with self.lock:
            self.asked[reference] = lie
            first = name not in self.begun
            self.begun.add(name)
        if ending == "throttled" and first:
            return throttled(0)
        return _REFUSED.get(ending) or self._took(ending, name, reference)

    def _took(self, ending: str, name: str, reference: str) -> Step:
        """Let a write take effect, unless it is lost, and end it."""
        if ending != "lost_cut":
            status = {"failing": "failed", "endless": "processing"}.get(ending, "done")
            thing = {"reference": reference, "status": status, "reason": "declined"}
            with self.lock:
                self.effects[name] += status == "done"
                self.things[reference] = {"id": f"{name}-{len(self.things)}", **thing}
        if ending == "taken_late":
            threading.Event().wait(_TIMEOUT + 2.0)
        if ending == "taken_reset":
            return RESET
        made = Answer(
            {"id": name},
            500 if ending == "taken_500" else 200,
            missing=500 if ending == "half" else 0,
        )
        return (
            made
            if ending in ("answered", "throttled", "taken_500", "taken_late", "half")
            else CLOSE
        )

    def _read(self, request: Request) -> Step:
        """Answer a read: of one thing, of the list, or of what repeats the question."""
        place, asked = urlsplit(request.path).path, parse_qs(urlsplit(request.path).query)
        reference = (asked.get("reference") or [place.rpartition("/")[2]])[0]
        with self.lock:
            lie, things = self.asked.get(reference, "none"), [*self.things.values()][-400:]
            thing, first = self.things.get(reference), reference not in self.read
            self.read.add(reference)
        lists = {"/things": things[::-1], "/shifted": [*things[::-1], *things[::-1][:3]]}
        if place in lists:
            return Answer({"things": lists[place]})
        if place == "/find":
            return Answer(
                {"query": {"reference": reference}, "status": "done", "found": thing is not None}
            )
        if lie == "late" and first:
            return Answer({"error": "not yet"}, 404)
        return _LIES.get(lie) or (
            Answer({"error": "no such thing"}, 404) if thing is None else Answer(thing)
        )


@dataclass
class Told:
    """One call: its name, how the provider ends it, and what was told."""

    name: str
    ending: str
    lie: str
    key: str | None
    identifier: str | None = None
    status: str = "unanswered"
    error: str = ""

    @property
    def is_sure(self) -> bool:
        """True if the caller was told how it ended: not that it may be queued, or that the database
        does not answer.
        """
        return self.status == "succeeded" or (
            self.status == "failed" and not self.error.startswith("unavailable")
        )


@dataclass
class Figures:
    """What came of it."""

    calls: int = 0
    faulted: int = 0
    effects: int = 0
    kills: int = 0
    approved: int = 0
    settled: int = 0
    looks: int = 0
    unlooked: int = 0
    """Doubts of which a look was still due when the patience ended."""
    open: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


@dataclass
class Scene:
    """A server, workers, and the clients of each kind."""

    provider: _Things
    manage: Client
    held: Client
    boss: Client
    workers: list[_Worker]
    told: list[Told] = field(default_factory=list)
    approvals: list[str] = field(default_factory=list)


def _evidence(lie: str) -> dict[str, Any]:
    if lie == "echo":
        return {"url": "/find?reference={marker}", "pointer": "/query/reference"}
    if lie == "shifted":
        return {"url": "/shifted", "each": "/things", "pointer": "/reference", "when": _WHEN}
    if lie == "none":
        return {"url": "/things", "each": "/things", "pointer": "/reference", "when": _WHEN}
    return {
        "url": "/thing/{marker}",
        "pointer": "/reference",
        "absentAfter": 300,
        "page": "https://docs.example/, 2026-11-28",
        "when": _WHEN,
    }


def call_of(told: Told) -> dict[str, Any]:
    """Return the invocation of a call."""
    evidence = {**_evidence(told.lie), "looks": _LOOKS}
    body = {"name": told.name, "reference": {"$marker": {}}}
    inputs = {
        "method": "POST",
        "url": f"/t/{told.ending}/{told.lie}",
        "json": body,
        "evidence": evidence,
    }
    keyed = {} if told.key is None else {"idempotencyKey": told.key}
    return {
        "connector": "http",
        "action": "request",
        "connection": "mine",
        "inputs": inputs,
        "timeoutSeconds": _TIMEOUT,
        **keyed,
    }


def _calls(size: int, drawn: random.Random) -> Iterator[Told]:
    for number in range(size):
        name = f"c{number}"
        yield Told(
            name, drawn.choice(ENDINGS), drawn.choice(LIES), name if drawn.random() < 0.5 else None
        )


def _make(scene: Scene, told: Told, route: float) -> None:
    """Make a call: at once, queued, or by a caller whose calls wait for an approval."""
    client = scene.held if route > 0.9 else scene.manage
    with suppress(OSError):
        reply = client.post(
            "/v1/invocations",
            call_of(told),
            **({"Prefer": "respond-async"} if 0.5 < route <= 0.9 else {}),
        )
        body = reply.json if isinstance(reply.json, dict) else {}
        meta = body.get("meta") or {}
        told.identifier = body.get("invocationId") or meta.get("invocationId")
        told.status = str(body.get("status", reply.status))
        error = body.get("error") or {}
        told.error = f"{error.get('code')}: {error.get('message')}" if error else ""
        if "approval" in meta:
            scene.boss.post(f"/v1/approvals/{meta['approval']['id']}:approve", {})
            scene.approvals.append(told.name)


def play(scene: Scene, size: int) -> Figures:
    """Make all calls beside kills, wait until nothing is open, and judge."""
    figures, drawn, lock = (
        Figures(calls=size),
        random.Random(int(os.environ.get("SEED", "75"))),
        threading.Lock(),
    )
    calls, over = _calls(size, drawn), threading.Event()

    def caller() -> None:
        while True:
            with lock:
                told, route = next(calls, None), drawn.random()
            if told is None:
                return
            scene.told.append(told)
            _make(scene, told, route)

    def killer() -> None:
        while not over.wait(4.0):
            scene.workers[figures.kills % len(scene.workers)].kill()
            figures.kills += 1

    threads = [threading.Thread(target=caller) for _ in range(_CALLERS)]
    killing = threading.Thread(target=killer)
    for thread in (*threads, killing):
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    killing.join()
    _until_quiet(scene, figures)
    _until_looked(scene)
    _judge(scene, figures)
    return figures


def _until_quiet(scene: Scene, figures: Figures) -> None:
    began = time.monotonic()
    while time.monotonic() - began < _PATIENCE:
        found = [
            len(scene.manage.get(f"/v1/invocations?status={status}&limit=200").json["items"])
            for status in ("queued", "running")
        ]
        figures.open = sum(found)
        if not figures.open:
            return
        threading.Event().wait(1.0)


def _until_looked(scene: Scene) -> None:
    """Wait until no look is due any more, of one doubt after the other."""
    until = time.monotonic() + _LOOK_PATIENCE
    for told in scene.told:
        while (
            told.identifier is not None
            and _is_due(scene, told.identifier)
            and time.monotonic() < until
        ):
            threading.Event().wait(1.0)


def _is_due(scene: Scene, identifier: str) -> bool:
    """Return whether a look will be made soon: those for an absence that is never concluded come
    later.
    """
    due = scene.manage.get(f"/v1/invocations/{identifier}").json.get("nextLookAt")
    return due is not None and datetime.fromisoformat(due) < datetime.now(UTC) + timedelta(
        seconds=max(_LOOKS)
    )


def _judge(scene: Scene, figures: Figures) -> None:
    statuses: Counter[str] = Counter()
    effects, figures.approved = scene.provider.effects, len(scene.approvals)
    figures.effects = sum(effects.values())
    figures.faulted = sum(told.ending != "answered" for told in scene.told)
    for told in scene.told:
        if told.identifier is None:
            statuses["unanswered"] += 1
            continue
        entry = scene.manage.get(f"/v1/invocations/{told.identifier}").json
        status, done, by = entry.get("status"), effects[told.name], entry.get("resolvedBy")
        statuses[f"{status}{' by evidence' if by == 'evidence' else ''}"] += 1
        figures.settled += by == "evidence"
        figures.looks += len(entry.get("looks") or ())
        figures.unlooked += _is_due(scene, told.identifier)
        if (status == "succeeded" and not done) or (status == "failed" and done):
            figures.wrong.append(
                f"{told}: {done} effects, and the journal says {json.dumps(entry)[:1500]}"
            )
        if (
            told.status == "failed"
            and not told.is_sure
            and status not in ("failed", 404)
            and "may" not in told.error
        ):
            figures.wrong.append(
                f"{told}: told that nothing was done, and the journal says {status}"
            )
        if told.is_sure and told.status != status:
            figures.wrong.append(f"{told}: told, and the journal says {status}")
    figures.wrong += [f"{name}: {count} effects" for name, count in effects.items() if count > 1]
    figures.statuses = dict(sorted(statuses.items()))


def staged(folder: Path, url: str, stack: ExitStack, **more: str) -> Scene:
    """Start the provider, a server and two workers."""
    from jackfield_store.runtime import Jackfield

    things = _Things()
    far = stack.enter_context(Provider(things, keeps=True))
    settings = {
        "JACKFIELD_DATABASE_URL": url,
        "JACKFIELD_SETTLE": "on",
        "JACKFIELD_ALLOW_HOSTS": "127.0.0.1",
        **more,
    }
    environment = clean(folder / "home", **settings)
    manage, boss = (
        mint(folder / "home", "manage", **settings),
        mint(folder / "home", "approve", **settings),
    )
    held = _held_token(folder, settings)
    with closing(Jackfield(environment=environment)) as runtime:
        values = {"server": far.url}
        runtime.connections.add("mine", "http/anonymous", values, test=False)
    _, port = _served(environment, folder, stack, "0")
    workers = [_Worker(environment, folder / f"worker-{number}.log", None) for number in range(2)]
    for worker in workers:
        stack.callback(worker.stop)
    by_manage, by_held, by_boss = (
        Client(port, token, timeout=60.0) for token in (manage, held, boss)
    )
    return Scene(things, by_manage, by_held, by_boss, workers)


def _held_token(folder: Path, settings: dict[str, str]) -> str:
    """Return a token whose calls wait for an approval."""
    from jackfield.callers import Rules
    from jackfield.kernel.clock import SystemClock
    from jackfield_store.access import Tokens
    from jackfield_store.resources.storage import Storage

    with Storage(None, clean(folder / "home", **settings), SystemClock()) as storage:
        tokens = Tokens(storage.database, storage.vault, "default", SystemClock())
        return tokens.create("invoke", rules=Rules(approve=("http/request",))).text


def run(kind: str, size: int) -> Figures:
    """Run it on a database, and behind the broker of this kind."""
    from jackfield_store.database import open_database
    from postgres import running_server

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        url = (
            f"sqlite:///{folder}/truth.db"
            if kind == "sqlite"
            else stack.enter_context(running_server()).create()
        )
        open_database(url, migrate=True).close()
        more: dict[str, str] = {}
        if kind in ("redis", "rabbitmq"):
            broker = _broker(kind)
            stack.callback(broker.close)
            more["JACKFIELD_QUEUE_URL"] = broker.url
        return play(staged(folder, url, stack, **more), size)


def _broker(kind: str) -> Any:
    if kind == "redis":
        from redis_server import Redis

        return Redis()
    from rabbitmq import Node

    return Node()


def _main(kinds: list[str]) -> int:
    size, wrong = int(os.environ.get("SIZE", "20000")), 0
    chosen = kinds or ["sqlite", "redis", "rabbitmq"]
    for kind in chosen:
        figures = run(kind, size // len(chosen))
        sys.stdout.write(json.dumps({"kind": kind, **vars(figures)}, indent=2) + "\n")
        wrong += len(figures.wrong) + figures.open
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
