"""Judge of a campaign with faults of the database: what callers were told, against the journal and
the provider's own count.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from database_proxy import DatabaseProxy
from http_stand import Client
from noted_calls import Noted
from replies import Reply

KINDS = ("plain", "keyed", "queued", "queued-keyed")
CONNECTION = "stored"
_PAUSE = threading.Event()


@dataclass
class Told:
    """What one caller was told of one write."""

    name: str
    kind: str
    status: int = 0
    body: Any = None
    took: float = 0.0

    @property
    def id(self) -> str | None:
        """Id of the invocation, if the caller has it."""
        body = self.body if isinstance(self.body, dict) else {}
        found: str | None = body.get("invocationId") or body.get("meta", {}).get("invocationId")
        return found

    @property
    def said(self) -> str:
        """In one word: ``succeeded``, ``failed``, ``in_doubt``, ``accepted``, or ``refused`` for an
        answer that is no Result.
        """
        if self.status == 202:
            return "accepted"
        return (
            str(self.body["status"])
            if isinstance(self.body, dict) and "meta" in self.body
            else "refused"
        )


@dataclass
class Figures:
    """Counts of a campaign; all of ``wrong`` has to be empty."""

    calls: int = 0
    effects: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)
    entries: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    lost: int = 0
    """Effects whose entries are in no database any more; only where one that was older took
    over.
    """
    wrong: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return what is printed."""
        return {**vars(self), "wrong": self.wrong[:40], "wrongs": len(self.wrong)}


@dataclass
class Callers:
    """Threads that write all the time, each write under a name of its own, ``rate`` a second
    together.
    """

    place: Noted
    rate: float = 50.0
    count: int = 12
    seconds: float = 6.0
    kinds: tuple[str, ...] = KINDS
    told: dict[str, Told] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        connected = self.place.client.post(
            "/v1/connections",
            {"name": CONNECTION, "type": "echo/token", "values": {"token": "secret-4711"}},
        )
        assert connected.status in {201, 409}, connected.json
        self._threads = [
            threading.Thread(target=self._call, args=(number,)) for number in range(self.count)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(120)

    def write(self, name: str, kind: str) -> Told:
        """Send one write, and note what was said."""
        told, began = Told(name, kind), time.monotonic()
        reply = write(self.place.client, name, kind, self.seconds)
        told.status, told.body, told.took = reply.status, reply.json, time.monotonic() - began
        if isinstance(told.body, list):  # of a batch
            told.body = told.body[0]
            # the status of a line that was refused is its own
            told.status = 503 if "meta" in told.body else 202
        self.told[name] = told
        return told

    def _call(self, caller: int) -> None:
        number, drawn = 0, random.Random(caller)
        while not self._over.is_set():
            began = time.monotonic()
            self.write(f"{caller}-{number}", drawn.choice(self.kinds))
            number += 1
            self._over.wait(max(0.0, self.count / self.rate - (time.monotonic() - began)))


def write(client: Client, name: str, kind: str, seconds: float) -> Reply:
    """Send one write under a name."""
    inputs = {"text": name, "fault": {"kind": "rejected", "name": name, "tries": 0}}
    body = {
        "connector": "echo",
        "action": "post",
        "connection": CONNECTION,
        "inputs": inputs,
        "timeoutSeconds": seconds,
    }
    body |= {"context": {"correlationId": name}} | (
        {"idempotencyKey": name} if "keyed" in kind else {}
    )
    if "batch" in kind:
        return client.post("/v1/invocations:batch", [body])
    return client.post(
        "/v1/invocations", body, **({"Prefer": "respond-async"} if "queued" in kind else {})
    )


COMMITS = (
    ("plain", "begin"),
    ("keyed", "begin"),
    ("plain", "end"),
    ("keyed", "end"),
    ("queued", "begin"),
    ("queued-keyed", "begin"),
    ("queued", "end"),
    ("batch-queued", "begin"),
    ("batch-queued-keyed", "begin"),
)
"""Kinds of calls, and the commit whose acknowledgement does not come."""


def write_unacknowledged(
    callers: Callers, proxy: DatabaseProxy, name: str, kind: str, which: str
) -> Told:
    """Send one write, and let the acknowledgement of the commit of its begin, or its end, not
    come.
    """
    before = proxy.swallowed
    proxy.swallow(1, name.encode() if which == "begin" else b"succeeded")
    told = callers.write(name, kind)
    until(
        lambda: proxy.swallowed > before,
        30.0,
        f"the acknowledgement of the {which} of {name} is swallowed",
    )
    return told


def settled(place: Noted, within: float = 90.0) -> list[str]:
    """Wait until nothing is queued or running; return what is left."""
    until = time.monotonic() + within
    while True:
        found = [
            f"{item['invocationId']} is {item['status']}"
            for status in ("running", "queued")
            for item in _listed(place.client, status)
        ]
        if not found or time.monotonic() > until:
            return found
        _PAUSE.wait(0.5)


def _listed(client: Client, status: str) -> list[Any]:
    reply = client.get(f"/v1/invocations?status={status}&limit=200")
    return (
        reply.json["items"]
        if reply.status == 200
        else [{"invocationId": "?", "status": f"not listed ({reply.status})"}]
    )


def judge(
    place: Noted, told: Iterable[Told], figures: Figures, *, may_lose: bool = False
) -> Figures:
    """Hold what was told against the journal and the provider's count. With ``may_lose``, a
    database that was older took over: entries may be gone, which is counted and nothing else.
    """
    figures.wrong += settled(place)
    counted = Counter(place.ledger.effects)
    rows: dict[str, str | None] = {}
    causes: dict[str, str] = {}

    def row(identifier: str | None) -> str | None:
        if identifier is not None and identifier not in rows:
            reply = place.client.get(f"/v1/invocations/{identifier}")
            assert reply.status in {200, 404}, reply.json
            rows[identifier] = reply.json["status"] if reply.status == 200 else None
            causes[identifier] = str(reply.json.get("error"))
        return None if identifier is None else rows[identifier]

    calls = list(told)
    figures.calls += len(calls)
    for one in calls:
        figures.said[f"{one.kind} {one.said} {one.status}"] += 1
        figures.slowest = max(figures.slowest, one.took)
        figures.wrong += [
            f"{one.name} ({one.kind}): {text}"
            for text in _faults(one, counted[one.name], row(one.id), may_lose=may_lose)
        ]
    for name, identifier in [sent for sent in place.ledger.sent if sent[1]]:  # others are polls
        figures.effects += 1
        found = row(identifier)
        figures.lost += found is None
        if found not in {"succeeded", "in_doubt"} and not (may_lose and found is None):
            figures.wrong.append(
                f"{name}: reached the provider as {identifier}, which the journal has as "
                f"{found}: {causes[identifier]}"
            )
    figures.entries += Counter(str(found) for found in rows.values())
    figures.wrong += [f"{name}: sent after its deadline" for name in place.ledger.late]
    return figures


def _faults(told: Told, effects: int, row: str | None, *, may_lose: bool) -> list[str]:
    found = (
        []
        if told.status in {200, 202, 503, 504}
        else [f"was answered {told.status}: {_words(told)}"]
    )
    if effects > 1 and not (may_lose and "queued" in told.kind):
        found.append(f"{effects} effects")
    if told.said == "succeeded" and effects == 0:
        found.append("was told a success, and nothing was sent")
    if _may_be_there(told):
        return found
    if told.said in {"failed", "refused"} and effects:
        found.append(f"was told {told.said} ({told.status}: {_words(told)}), and it was sent")
    if told.id is None or told.said == "refused" or (may_lose and row is None):
        return found
    wanted = {"accepted": {"succeeded", "in_doubt", "failed"}}.get(told.said, {told.said})
    if row is None and told.said == "failed":
        return found  # a refusal that the database could not take
    if row not in wanted and not (may_lose and row == "in_doubt"):
        found.append(f"was told {told.said}, and the journal has it as {row}")
    if row == "failed" and effects:
        found.append("failed in the journal, and was sent")
    if row == "succeeded" and not effects:
        found.append("succeeded in the journal, and was not sent")
    return found


def _may_be_there(told: Told) -> bool:
    """Return whether a caller whose call was to be queued was told that it may be there, so that he
    looks before he repeats it, or repeats it under its key.
    """
    error = told.body.get("error", {}) if isinstance(told.body, dict) else {}
    return f"{told.id} may be queued" in str(error.get("message")) and error.get("retryable") is (
        "keyed" in told.kind
    )


def _words(told: Told) -> str:
    body = told.body if isinstance(told.body, dict) else {}
    return str(body.get("error", {}).get("message") or body.get("detail") or body)


def repeat(place: Noted, told: Iterable[Told], figures: Figures) -> Figures:
    """Repeat each keyed call that was refused, or whose outcome was doubtful: it is sent once over
    all, or stays in doubt.
    """
    for one in [
        one for one in told if "keyed" in one.kind and one.said in {"refused", "failed", "in_doubt"}
    ]:
        before = place.ledger.effects[one.name]
        reply = write(place.client, one.name, "keyed", 30.0)
        after = place.ledger.effects[one.name]
        # one in doubt is a Result, too, with status 504
        status = reply.json["status"] if "meta" in reply.json else reply.status
        figures.repeated[f"{one.said}, then {status}"] += 1
        good = {"succeeded": after == 1, "in_doubt": after == before}.get(str(status), False)
        if not good:
            figures.wrong.append(
                f"{one.name}: {before} effects, its key again: {status}, {after} effects: "
                f"{reply.json}"
            )
    return figures


def until(holds: Callable[[], object], within: float, what: str) -> float:
    """Wait until something holds; return for how long.

    :raises TimeoutError: if it does not.
    """
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > within:
            raise TimeoutError(f"not within {within:g} seconds: {what}")
        _PAUSE.wait(0.05)
    return time.monotonic() - began
