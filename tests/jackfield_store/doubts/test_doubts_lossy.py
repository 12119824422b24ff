"""Writes over the HTTP kit and over Amazon SES of which one answer in five is lost, with processes
that die, and sources that lose, delay and forge: nothing is sent twice, nothing is settled wrongly,
and what took effect settles by itself.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from tests.jackfield_store.doubts.test_doubts_fakes import FAKES

from clocks import StillClock, look_while_due
from forking import alone
from jackfield.invocation.provider_ids import reference_of
from jackfield.testing import Answer, Provider, Request
from jackfield_store.journal import Journal
from jackfield_store.journal.doubts import Doubts
from jackfield_store.journal.marks import connection_facts, digest_of, keep, sealed_mark
from jackfield_store.recording.record import Record
from jackfield_store.runtime.evidence_loop import EvidenceLoop
from postgres import new_database
from processes import Processes, variables

_RUNS = int(os.environ.get("SIZE", "10000")) // 250
_BAD = 0.05
"""Share of what a source loses, delays and forges, each."""
_GITHUB: Any = FAKES["github"]


class _Issues(_GITHUB):  # type: ignore[misc]  # the fake is chosen by its name
    """GitHub, whose lists leave out things now and then, show some late, and have things with other
    markers.
    """

    def __init__(self, clock: StillClock, draw: random.Random) -> None:
        super().__init__(clock)
        self.draw = draw
        self.known: list[str] = []
        """Texts with markers of calls that were answered, which nobody looks for."""
        self.answers_nobody = False

    @property
    def values(self) -> dict[str, str]:
        """Values of a connection."""
        return {"token": "a-secret-of-the-account", "server": f"http://{self.host}"}

    def read(self, path: str, asked: Any, seen: Any) -> Any:
        """Leave out some of what can be seen."""
        return super().read(path, asked, [thing for thing in seen if self.draw.random() >= _BAD])

    def __call__(self, number: int, request: Request) -> Any:
        """Take a write, or answer a read. Some of others' things have a marker that is made up, or
        of an earlier call.
        """
        self.lag = (
            self.draw.uniform(1_000.0, 3_000.0)
            if self.draw.random() < _BAD
            else self.draw.uniform(0.0, 20.0)
        )
        if request.method == "GET":
            return super().__call__(number, request)
        if self.draw.random() < _BAD and self.things:
            marked = (
                self.draw.choice(self.known)
                if self.known and self.draw.random() < 0.5
                else f"<!-- jf1-{'a' * 26} -->"
            )
            self.things.append(
                {**self.things[-1], "id": len(self.things) + 1, "key": None, "body": marked}
            )
        answer, is_known = (
            super().__call__(number, request),
            self.fate == "done" and not self.answers_nobody,
        )
        self.known += [self.things[-1]["body"]] if is_known else []
        return answer

    def tell(self, _journal: Journal) -> None:
        """Nothing comes by itself."""


class _Mail:
    """Amazon SES, whose events come late, twice, or not at all, and some from elsewhere."""

    connector, action, kind = "aws-ses", "sendEmail", "aws/apiKeySecret"

    def __init__(self, clock: StillClock, draw: random.Random) -> None:
        self.clock, self.draw, self.fate, self.host = clock, draw, "done", ""
        self.answers_nobody = False
        self.effects: list[str] = []
        self.events: list[tuple[float, str, str, str | None]] = []

    @property
    def values(self) -> dict[str, str]:
        """Values of a connection."""
        keys = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "a-secret-of-the-account"}
        return {**keys, "endpoint": f"http://{self.host}", "region": "eu-west-1"}

    def inputs(self, text: str) -> dict[str, Any]:
        """A message."""
        return {
            "to": ["ada@example.com"],
            "sender": "a@example.com",
            "subject": text,
            "text": "Hi",
            "configurationSetName": "receipts",
        }

    def __call__(self, _number: int, request: Request) -> Any:
        """Take a message; tell no limits of the account."""
        if request.method == "GET":
            return Answer(
                {"message": "no"}, status=403, headers={"x-amzn-ErrorType": "AccessDeniedException"}
            )
        if self.fate == "throttled":
            self.fate = "cut"
            return Answer(
                {"message": "slow down"},
                status=429,
                headers={"x-amzn-ErrorType": "TooManyRequestsException"},
            )
        sent = json.loads(request.body)
        marker = next(tag["Value"] for tag in sent["EmailTags"] if tag["Name"] == "jackfield")
        if self.fate != "lost":
            self.effects.append(sent["Content"]["Simple"]["Subject"]["Data"])
            self._happens(marker, f"m-{len(self.effects)}")
        return Answer({"MessageId": f"m-{len(self.effects)}"}) if self.fate == "done" else "close"

    def _happens(self, marker: str, message: str) -> None:
        """Write the events of a message: sent and delivered."""
        now, draw = self.clock.time(), self.draw
        for _ in range(2):
            at = now + (
                draw.uniform(3_600.0, 100_000.0)
                if draw.random() < _BAD
                else draw.uniform(0.0, 60.0)
            )
            self.events += [(at, marker, message, None)] * (
                0 if draw.random() < _BAD else 2 if draw.random() < _BAD else 1
            )
        if draw.random() < _BAD:
            forged = (marker, "another") if draw.random() < 0.5 else (f"jf1-{'b' * 26}", None)
            self.events.append((now, forged[0], "m-forged", forged[1]))

    def tell(self, journal: Journal) -> None:
        """Let the events arrive whose time has come: signed ones, as the intake of a subscription
        keeps them.
        """
        now = self.clock.time()
        due, self.events = (
            [one for one in self.events if one[0] <= now],
            [one for one in self.events if one[0] > now],
        )
        for _, marker, message, account in due:
            over = {"name": "mine", **connection_facts(journal.database, "default", "mine")}
            over = {**over, "id": "4711"} if account else over
            about = {
                "trigger": "mailEvents",
                "type": "sent",
                "reference": message,
                "account": None,
                "connection": over,
            }
            digest = digest_of("aws-ses", marker.removeprefix("jf1-"))
            mark = sealed_mark(
                journal.vault, "default", digest, reference_of("aws-ses", message), now, about
            )
            journal.database.record(
                partial(keep, workspace="default", found=[mark], now=journal.time.now())
            )


SOURCES: dict[str, Any] = {"github": _Issues, "ses": _Mail}


def _dies(*_: object, **_given: object) -> None:
    os._exit(9)


class _Campaign(Processes):
    """Writes with keys of their own."""

    def __init__(
        self, environment: dict[str, str], source: Any, clock: StillClock, writes: int, seed: int
    ) -> None:
        super().__init__(environment, clock)
        self.source, self.writes, self.draw = source, writes, random.Random(seed + 1)
        self.doubts: dict[str, str] = {}
        self.replayed: set[str] = set()
        self.kills = 0

    def call(self, number: int) -> Any:
        """Make one call."""
        given = {
            "connector": self.source.connector,
            "action": self.source.action,
            "connection": "mine",
            "timeoutSeconds": 20,
        }
        return self.runtime.invoke(
            {**given, "inputs": self.source.inputs(str(number)), "idempotencyKey": f"k-{number}"}
        )

    def run(self) -> None:
        """Make the calls, some by processes that die with the answer in their hands, with time
        between them.
        """
        deaths = {*self.draw.sample(range(self.writes), max(2, self.writes // 50))}
        for number in range(self.writes):
            is_lost = self.draw.random() < 0.2
            self.source.fate = (
                self.draw.choices(("cut", "lost", "throttled"), (75, 15, 10))[0]
                if is_lost
                else "done"
            )
            if number in deaths:
                self._dies_in(number)
            elif (found := self.call(number)).status == "in_doubt":
                self.doubts[str(number)] = found.meta.invocation_id
            else:
                assert found.status == "succeeded", found.error
            self.look(self.draw.uniform(0.0, 4.0))

    def _dies_in(self, number: int) -> None:
        def step() -> None:
            with mock.patch.object(Record, "end", _dies):
                self.call(number)

        self.source.answers_nobody = True  # a copy of what is looked for would be ambiguous
        self.killed(step)
        self.source.answers_nobody = False
        self.kills += 1
        left = self.journal.held(f"k-{number}")
        assert left is not None
        self.doubts[str(number)] = left.id

    def settle(self) -> None:
        """Let two days pass. Some processes die between a look and its commit."""
        for seconds in (*[5.0] * 12, *[60.0] * 10, *[600.0] * 24, *[7_200.0] * 22):
            if self.kills and self.draw.random() < 0.2:
                self._dies_looking()
            self.look(seconds)
            self._replay(
                [
                    number
                    for number, one in self.doubts.items()
                    if self.entry(one).resolved_by is not None
                ]
            )
        self._replay([*self.doubts])

    def _replay(self, numbers: list[str]) -> None:
        """Use keys again, once each: nothing is sent, whether the doubt has settled or not."""
        before = len(self.source.effects)
        for number in [one for one in numbers if one not in self.replayed]:
            self.replayed.add(number)
            assert self.call(int(number)).meta.replayed
        assert len(self.source.effects) == before

    def _dies_looking(self) -> None:
        def step() -> None:
            with mock.patch.object(Doubts, "looked", _dies):
                self._looks()
            os._exit(9)

        self.killed(step)
        self.kills += 1

    def look(self, seconds: float) -> None:
        """Let time pass, then make the looks that are due."""
        self.move(seconds)
        self.source.tell(self.journal)
        self._looks()

    def _looks(self) -> None:
        loop = EvidenceLoop(self.pool)
        loop.threads = 1  # a process with threads does not fork
        look_while_due(loop)

    def found(self) -> dict[str, Any]:
        """What became of the doubts, against what had happened at the provider."""
        took = Counter(self.source.effects)
        entries = {number: self.entry(identifier) for number, identifier in self.doubts.items()}
        true = [number for number in entries if number in took]
        settled = [number for number in true if entries[number].resolved_by == "evidence"]
        return {
            "writes": self.writes,
            "kills": self.kills,
            "doubts": len(entries),
            "took": len(true),
            "settled": len(settled),
            "wrong": [
                number
                for number, one in entries.items()
                if one.resolved_by and (one.status == "succeeded") != (number in took)
            ],
            "most": max(took.values()),
            "replayed": len(self.replayed),
            "untold": [number for number in true if not entries[number].to_json().get("looks")],
        }


def _ran(
    folder: str, url: str, provider: str, settle: str, writes: int, seed: int
) -> dict[str, Any]:
    clock = StillClock()
    source = SOURCES[provider](clock, random.Random(seed))
    with (
        Provider(source) as server,
        variables(Path(folder), url, JACKFIELD_SETTLE=settle) as environment,
        _Campaign(environment, source, clock, writes, seed) as campaign,
    ):
        source.host = server.url.removeprefix("http://")
        campaign.runtime.connections.add("mine", source.kind, source.values, test=False)
        campaign.run()
        campaign.settle()
        return campaign.found()


_LONG = (pytest.mark.campaign, pytest.mark.timeout(7_200))


@pytest.mark.parametrize(
    ("engine", "writes", "runs"),
    [
        ("sqlite", 60, 1),
        *(pytest.param(engine, 250, _RUNS, marks=_LONG) for engine in ("sqlite", "postgresql")),
    ],
)
@pytest.mark.parametrize("settle", ["on", "show"])
@pytest.mark.parametrize("provider", SOURCES)
def test_nothing_is_sent_twice_and_what_took_effect_settles(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    provider: str,
    settle: str,
    engine: str,
    writes: int,
    runs: int,
) -> None:
    """One answer in five is lost; sources miss, delay and forge one thing in 20; processes die in
    calls and in looks. With ``on``, at least 99 of 100 that took effect settle, or all but one:
    what comes late may be missed as well. With ``show`` none settles, and each has its looks. Each
    outcome is what happened, and no key sends again.
    """
    total = Counter[str]()
    for seed in range(runs):
        folder = tmp_path / str(seed)
        folder.mkdir()
        with ExitStack() as stack:
            url = f"sqlite:///{folder}/j.db" if engine == "sqlite" else new_database(request, stack)
            found = alone(_ran, str(folder), url, provider, settle, writes, seed)
        sys.stdout.write(f"{provider} {settle} {engine}: {found}\n")
        assert (found["wrong"], found["most"], found["untold"]) == ([], 1, [])
        assert found["replayed"] == found["doubts"] > writes / 20
        total.update(
            {name: found[name] for name in ("writes", "kills", "doubts", "took", "settled")}
        )
    sys.stdout.write(f"{provider} {settle} {engine}, in all: {dict(total)}\n")
    if settle == "show":
        assert total["settled"] == 0
    else:
        assert total["settled"] >= total["took"] - max(1, total["took"] // 100)
