"""Writes whose answers are lost, at providers that lag, throttle and have others' things: each that
took effect settles, none wrongly.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import pytest

from clocks import StillClock, look_while_due, time_passes
from jackfield.kernel.clock import iso
from jackfield.testing import Answer, Provider, Request
from jackfield_store.access import Workspaces
from jackfield_store.runtime.evidence_loop import EvidenceLoop
from jackfield_store.runtime.runtime_pool import RuntimePool
from settling_home import settling_home

Json = dict[str, Any]
_LAGS = (0.0, 0.0, 0.0, 10.0, 100.0, 1_000.0)
"""Seconds after which a read shows a thing."""


class _Fake:
    """Provider with one kind of thing. ``fate`` says what becomes of the next write, ``lag`` how
    long its reads lag behind.
    """

    connector = action = kind = ""

    def __init__(self, clock: StillClock) -> None:
        self.clock, self.fate, self.lag = clock, "done", 0.0
        self.things: list[Json] = []
        self.effects: list[str] = []

    def inputs(self, text: str) -> Json:
        """Return the inputs of a call that makes a thing with a text."""
        raise NotImplementedError

    def made(self, request: Request) -> Json:
        """Return the thing that a request makes."""
        raise NotImplementedError

    def read(self, path: str, asked: Mapping[str, str], seen: list[Json]) -> Any:
        """Answer a read, of things that can be ``seen``."""
        raise NotImplementedError

    def __call__(self, _number: int, request: Request) -> Any:
        """Take a write, or answer a read."""
        place = urlsplit(request.path)
        if request.method == "GET":
            seen = [
                thing for thing in self.things if thing["at"] + thing["lag"] <= self.clock.time()
            ]
            return self.read(
                place.path,
                {name: values[0] for name, values in parse_qs(place.query).items()},
                seen,
            )
        if self.fate == "throttled":
            self.fate = "cut"
            return Answer({"error": "ratelimited"}, status=429, headers={"Retry-After": "0"})
        key = request.headers.get("Idempotency-Key")
        if self.fate != "lost" and (
            key is None or key not in [one.get("key") for one in self.things]
        ):
            number = len(self.things) + 1
            self.things.append(
                {
                    "id": number,
                    "at": self.clock.time(),
                    "lag": self.lag,
                    "key": key,
                    **self.made(request),
                }
            )
            self.effects.append(self.things[-1]["text"])
        return "close" if self.fate != "done" else self.answer(self.things[-1])

    def answer(self, thing: Json) -> Any:
        """Answer a write."""
        return Answer(self.shown(thing))

    def shown(self, thing: Json) -> Json:
        """Return a thing as reads show it."""
        return {name: value for name, value in thing.items() if name not in ("lag", "key", "at")}

    def by_others(self, thing: Json) -> None:
        """Let somebody else make the like, without the marker."""
        self.things.append({**thing, "id": len(self.things) + 1, "key": None, **self.unmarked})

    unmarked: Mapping[str, Any] = MappingProxyType({})
    """Members that others' things have in place of the marker."""


class _GitHub(_Fake):
    connector, action, kind = "github", "createIssue", "github/accessToken"
    unmarked = MappingProxyType({"body": "as above"})

    def inputs(self, text: str) -> Json:
        return {"owner": "octocat", "repo": "Hello-World", "title": text, "body": "It rains in."}

    def made(self, request: Request) -> Json:
        found = json.loads(request.body)
        return {
            "number": len(self.things) + 1,
            "text": found["title"],
            "title": found["title"],
            "body": found["body"],
        }

    def read(self, path: str, asked: Mapping[str, str], seen: list[Json]) -> Any:
        assert path == "/repos/octocat/Hello-World/issues"
        found = [thing for thing in reversed(seen) if str(iso(thing["at"])) >= asked["since"]]
        size, page = int(asked["per_page"]), int(asked.get("page", "1"))
        more = (
            f"<http://{self.host}{path}?since={asked['since']}&per_page={size}&page={page + 1}>; "
            'rel="next"'
        )
        headers = {"Link": more} if len(found) > size * page else {}
        return Answer(
            [self.shown(thing) for thing in found[size * (page - 1) : size * page]], headers=headers
        )

    host = ""


class _Slack(_Fake):
    connector, action, kind = "slack", "postMessage", "slack/botToken"
    unmarked = MappingProxyType(
        {"metadata": {"event_type": "other", "event_payload": {"marker": "x"}}}
    )

    def inputs(self, text: str) -> Json:
        thread = {"threadTs": "1.0001"} if int(text) % 3 == 0 else {}
        return {"channel": "C1", "text": text, **thread}

    def made(self, request: Request) -> Json:
        found = json.loads(request.body)
        return {"ts": f"{self.clock.time():.6f}", "type": "message", **found}

    def answer(self, thing: Json) -> Any:
        return Answer(
            {"ok": True, "channel": "C1", "ts": thing["ts"], "message": self.shown(thing)}
        )

    def read(self, path: str, asked: Mapping[str, str], seen: list[Json]) -> Any:
        found = [
            thing
            for thing in seen
            if float(thing["ts"]) > float(asked["oldest"])
            and thing.get("thread_ts") == asked.get("ts")
        ]
        place, size = int(asked.get("cursor", "0")), int(asked["limit"])
        hidden = () if asked.get("include_all_metadata") == "true" else ("metadata",)
        page = [
            {name: value for name, value in self.shown(one).items() if name not in hidden}
            for one in found[place : place + size]
        ]
        following = str(place + size) if len(found) > place + size else ""
        return Answer(
            {"ok": True, "messages": page, "response_metadata": {"next_cursor": following}}
        )


class _Stripe(_Fake):
    connector, action, kind = "stripe", "createCustomer", "stripe/secretKey"
    unmarked = MappingProxyType({"metadata": {"jackfield": "x"}})

    def inputs(self, text: str) -> Json:
        return {"name": text, "metadata": {"order": text}}

    def made(self, request: Request) -> Json:
        found = dict(parse_qsl(request.body.decode()))
        metadata = {
            name[9:-1]: value for name, value in found.items() if name.startswith("metadata[")
        }
        return {
            "object": "customer",
            "text": found["name"],
            "name": found["name"],
            "metadata": metadata,
        }

    def shown(self, thing: Json) -> Json:
        return {**super().shown(thing), "id": f"cus_{thing['id']}"}

    def read(self, path: str, asked: Mapping[str, str], seen: list[Json]) -> Any:
        assert path == "/v1/customers"
        found = [
            self.shown(thing)
            for thing in reversed(seen)
            if thing["at"] >= float(asked["created[gte]"])
        ]
        after = (
            [one["id"] for one in found].index(asked["starting_after"]) + 1
            if "starting_after" in asked
            else 0
        )
        size = int(asked["limit"])
        return Answer(
            {
                "object": "list",
                "data": found[after : after + size],
                "has_more": len(found) > after + size,
            }
        )


class _Salesforce(_Fake):
    """Its external IDs are fields of each organization, so that callers name them, by a request of
    their own.
    """

    connector, action, kind = "http", "request", "http/bearer"
    unmarked = MappingProxyType({"External_Id__c": "x"})

    def inputs(self, text: str) -> Json:
        path = "/sobjects/Contact"
        return {
            "method": "POST",
            "url": path,
            "json": {"LastName": text, "External_Id__c": {"$marker": {}}},
            "evidence": {
                "url": f"{path}/External_Id__c/{{marker}}?nonce={{fresh}}",
                "pointer": "/External_Id__c",
                "absentAfter": 7_200,
                "canary": path,
                "canaryShows": {"/objectDescribe/name": "Contact"},
                "looks": [5, 30, 300, 3600, 10_000, 13_000, 17_000],
                "page": "https://developer.salesforce.com/docs, a test's words for it",
            },
        }

    def made(self, request: Request) -> Json:
        found = json.loads(request.body)
        return {"text": found["LastName"], **found}

    def read(self, path: str, asked: Mapping[str, str], seen: list[Json]) -> Any:
        if path.endswith("/Contact"):
            return Answer({"objectDescribe": {"name": "Contact"}, "recentItems": []})
        found = [one for one in seen if one["External_Id__c"] == unquote(path.rpartition("/")[2])]
        return (
            Answer(self.shown(found[0]))
            if found
            else Answer([{"errorCode": "NOT_FOUND"}], status=404)
        )


FAKES = {"github": _GitHub, "slack": _Slack, "stripe": _Stripe, "salesforce": _Salesforce}


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A home where evidence settles doubts, absence too."""
    with settling_home(tmp_path) as found:
        yield found


class _Campaign:
    """Calls whose answers are lost, at one provider."""

    def __init__(self, pool: RuntimePool, fake: _Fake, seed: int) -> None:
        self.pool, self.fake, self.draw = pool, fake, random.Random(seed)
        self.runtime = pool.find("default")
        self.calls: dict[str, tuple[str, bool]] = {}

    def run(self, number: int) -> None:
        """Make the calls, and look meanwhile."""
        for text in map(str, range(number)):
            self.fake.lag = self.draw.choice(_LAGS)
            fate = self.fake.fate = self.draw.choices(("cut", "throttled", "lost"), (80, 10, 10))[0]
            given = {
                "connector": self.fake.connector,
                "action": self.fake.action,
                "connection": "mine",
                "timeoutSeconds": 5,
            }
            found = self.runtime.invoke({**given, "inputs": self.fake.inputs(text)})
            assert found.status == "in_doubt", found.error
            self.calls[found.meta.invocation_id] = text, fate != "lost"
            if self.draw.random() < 0.3 and self.fake.things:
                self.fake.by_others(self.fake.things[-1])
            self.look(self.draw.uniform(5.0, 60.0))
        for _ in range(24):
            self.look(900.0)

    def look(self, seconds: float) -> None:
        """Let time pass, then make the looks that are due."""
        clock = self.fake.clock
        clock.advance(seconds)
        time_passes(0.0, clock, self.pool.storage.database)
        look_while_due(EvidenceLoop(self.pool))

    def ends(self) -> list[tuple[str, str | None, bool, Any]]:
        """Return status, who has settled it, whether it took effect, and the output, of each
        call.
        """
        journal = self.runtime.journal
        assert journal is not None
        entries = [(journal.find(identifier), took) for identifier, (_, took) in self.calls.items()]
        return [
            (entry.status, entry.resolved_by, took, (entry.result or {}).get("output"))
            for entry, took in entries
        ]


@pytest.mark.parametrize("number", [25, pytest.param(1_000, marks=pytest.mark.campaign)])
@pytest.mark.parametrize("provider", FAKES)
def test_each_lost_write_that_took_effect_settles(
    environment: dict[str, str], provider: str, number: int
) -> None:
    """Reads lag by up to a quarter of an hour, one write in ten is throttled before, one in ten
    never arrives, others make the like. Nothing is sent for evidence; what never arrived stays in
    doubt, or has failed where absence is declared and allowed.
    """
    clock = StillClock()
    fake = FAKES[provider](clock)
    with Provider(fake) as server:
        if isinstance(fake, _GitHub):
            fake.host = server.url.removeprefix("http://")
        pool = RuntimePool(environment, clock)
        try:
            time_passes(0.0, clock, pool.storage.database)
            Workspaces(pool.storage.database, pool.storage.vault, clock).set(
                "default", {"settleAbsent": True}
            )
            campaign = _Campaign(pool, fake, number)
            values = {"token": "sk_test_a-secret-of-the-account", "server": server.url}
            campaign.runtime.connections.add("mine", fake.kind, values, test=False)
            campaign.run(number)
            ends = campaign.ends()
        finally:
            pool.close()
    took = [(status, by) for status, by, was, _ in ends if was]
    never = [(status, by) for status, by, was, _ in ends if not was]
    sys.stdout.write(
        f"{provider}: {len(took)} of {len(ends)} took effect, "
        f"{took.count(('succeeded', 'evidence'))} settled\n"
    )
    assert {*took} == {("succeeded", "evidence")}
    assert {*never} <= (
        {("failed", "evidence")} if provider == "salesforce" else {("in_doubt", None)}
    )
    assert len({*fake.effects}) == len(fake.effects) == len(took)
