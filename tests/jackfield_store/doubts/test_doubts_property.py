"""Doubts as a property: calls, lost answers, late ones, looks, events, people, settings, deaths of
processes, used keys and jumps of the clock in any order, in two workspaces of one provider's
account, whose reads lag and miss things. No key sends twice, what evidence says is what happened,
it settles only where that is wanted, and nothing that a person has decided.
"""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from tests.jackfield_store.doubts.doubt_stage import DoubtStage, doubt_stage

from clocks import look_while_due
from forking import alone
from jackfield.invocation.entry import Entry
from jackfield.kernel.errors import InvalidInvocation
from jackfield_store.access.workspaces import Workspaces
from jackfield_store.journal import KEY_KEPT, Journal
from jackfield_store.journal.doubts import Doubts
from jackfield_store.recording.event_evidence import CANDIDATES
from jackfield_store.recording.expectations import marker_of
from jackfield_store.recording.record import Record
from jackfield_store.runtime.evidence_loop import EvidenceLoop, look_now
from postgres import new_database

_STEPS, _RUN = int(os.environ.get("SIZE", "20000")), 500
_WORKSPACES = ("default", "acme")
_ACTIONS = ("createTicket", "putTicket", "bothTicket", "mailTicket")
_LAG = 600.0
"""Seconds by which reads lag at most: those after which they are said to be complete."""
Place = tuple[str, str]
"""Workspace and key of a call."""


def _dies(*_: object, **_given: object) -> None:
    os._exit(9)


class _World:
    """Steps, and what is known of the calls without asking the journal: how often a person, or
    time, has freed each key.
    """

    def __init__(self, stage: DoubtStage, seed: int) -> None:
        self.stage, self.draw, self.steps = stage, random.Random(seed), Counter[str]()
        self.ids: dict[Place, list[str]] = {}
        self.freed = Counter[Place]()
        self.doubted: set[str] = set()
        """IDs of calls that have ended in doubt."""
        self.decided: dict[str, str] = {}
        """Status that a person has decided on, by ID."""
        self.filed_at: list[float] = []
        """When each ticket was filed."""
        self.lag = 0.0
        stage.begin()
        self.workspaces = Workspaces(stage.database, stage.pool.storage.vault, stage.clock)
        self.workspaces.create("acme")
        self.workspaces.set("acme", {"settleAbsent": True})
        stage.pool.find("acme").connections.add(
            "desk", "bureau/desk", {"token": "a-secret-of-the-desk"}
        )

    def run(self, steps: int) -> None:
        """Take steps at random."""
        kinds: dict[Callable[[], None], int] = {
            self.calls: 25,
            self.repeats: 20,
            self.looks: 30,
            self.is_told: 12,
            self.resolves: 8,
            self.asks: 4,
            self.dies: 2,
            self.dies_looking: 2,
            self.answers_late: 3,
            self.sleeps: 1,
            self.races: 6,
            self.sets: 3,
            self.files_elsewhere: 5,
        }
        for _ in range(steps):
            (step,) = self.draw.choices([*kinds], [*kinds.values()])
            step()
            self.steps[step.__name__] += 1
            new = len(self.stage.noted("tickets")) - len(self.filed_at)
            self.filed_at += [self.stage.clock.time()] * new
            self.stage.script()

    def calls(self) -> None:
        """Make a new call."""
        place = self.draw.choice(_WORKSPACES), f"k-{sum(map(len, self.ids.values()))}"
        self._call(
            place,
            *self.draw.choice(
                (
                    ["done"],
                    ["cut"],
                    ["lost"],
                    ["throttled", "cut"],
                    ["throttled", "lost"],
                    ["rejected"],
                )
            ),
        )

    def repeats(self) -> None:
        """Use a key again, mostly one of a doubt: nothing is sent unless it is free."""
        doubted = [place for place, ids in self.ids.items() if ids[-1] in self.doubted]
        if doubted:
            self._call(
                self.draw.choice(doubted if self.draw.random() < 0.8 else [*self.ids]),
                self.draw.choice(("done", "cut", "lost")),
            )

    def looks(self) -> None:
        """Let time pass, and make the looks that are due; reads may lag."""
        self._move(self.draw.choice((1.0, 7.0, 40.0, 400.0, 4_000.0)))
        self._look()

    def is_told(self) -> None:
        """Let an event arrive of a ticket, late or once more; or one that proves nothing, with a
        marker that is made up or copied.
        """
        tickets = [
            one
            for one in self.stage.noted("tickets")
            if one["external_id"] and one["id"].startswith("t-")
        ]
        if tickets and self.draw.random() < 0.5:
            ticket = self.draw.choice(tickets)
            self.stage.told(ticket, workspace=ticket["subject"].partition("/")[0])
            return
        places = [
            place
            for place, ids in self.ids.items()
            if ids[-1] in self.doubted and _action(place) == "mailTicket"
        ]
        if places:
            workspace, key = self.draw.choice(places[-5:])
            known = marker_of(self._journal(workspace), self.ids[workspace, key][-1], 0, 1)
            marker = known if self.draw.random() < 0.8 else "a" * 26
            other = {"name": "other", "id": "4711", "version": 1, "type": "bureau/desk"}
            elsewhere = {"workspace": _WORKSPACES[workspace == "default"]}
            told: dict[str, Any] = {
                "workspace": workspace,
                **self.draw.choice(({"connection": other}, {"trigger": "other"}, elsewhere)),
            }
            self.stage.told({"id": "t-0", "external_id": f"jf1-{marker}"}, **told)

    def resolves(self) -> None:
        """Let a person say what became of a call, rightly or not; of what evidence has settled,
        too.
        """
        if self.ids:
            place = self.draw.choice([*self.ids])
            self._resolve(place, self.ids[place][-1])

    def asks(self) -> None:
        """Let a person look, or two, a minute apart; mostly for a call that was made a moment
        ago.
        """
        if self.ids:
            (workspace, _), ids = self.draw.choice(
                [*self.ids.items()][-12 if self.draw.random() < 0.7 else 0 :]
            )
            for _ in range(self.draw.choice((1, 2))):
                self._ask(workspace, ids[-1] if self.draw.random() < 0.7 else self.draw.choice(ids))
                self._move(self.draw.choice((1.0, 70.0)))

    def races(self) -> None:
        """While a process reads what became of a doubt, let a person look for it or decide, or
        another process look: what that has found is kept, and nothing settles twice.
        """
        read = [
            place
            for place, ids in self.ids.items()
            if ids[-1] in self.doubted and _action(place) != "mailTicket"
        ]
        if open_ones := [
            place
            for place in read[-12:]
            if self._entry(place[0], self.ids[place][-1]).status == "in_doubt"
        ]:
            workspace, key = place = self.draw.choice(open_ones)
            known: list[Any] = []

            def step() -> None:
                self.stage.meanwhile()
                self.draw.choice(
                    (lambda: self._ask(*asked), lambda: self._resolve(place, asked[1]), self._look)
                )()
                known.extend(self._entry(*asked).looks)

            asked = workspace, self.ids[place][-1]
            self._move(self.draw.choice((7.0, 70.0, 400.0)))
            self.stage.meanwhile(step)
            self.draw.choice((lambda: self._ask(*asked), self._look))()
            self.stage.meanwhile()
            assert all(look in self._entry(*asked).looks for look in known[-10:]), (key, known)

    def sets(self) -> None:
        """Let a workspace change whether evidence settles."""
        self.workspaces.set(
            self.draw.choice(_WORKSPACES),
            {"settle": self.draw.choice(("on", "on", "on", "show", "off"))},
        )

    def files_elsewhere(self) -> None:
        """Let somebody else file a ticket about the same, whose ID is almost a marker."""
        if self.ids:
            (workspace, key), ids = self.draw.choice([*self.ids.items()][-6:])
            marker = marker_of(self._journal(workspace), ids[-1], 0, self.draw.choice((1, 2)))
            almost = (
                f"jf1-{marker}x",
                f"jf1-{marker[:-1]}",
                f"x-jf1-{marker}",
                f"JF1-{marker.upper()}",
                marker,
                None,
            )
            self.stage.file(
                f"x-{len(self.filed_at)}", f"{workspace}/{key}", self.draw.choice(almost)
            )

    def dies(self) -> None:
        """Let a process die in a call: after its request, or with the answer in its hands."""
        place = self.draw.choice([*self.ids, (self.draw.choice(_WORKSPACES), f"d-{len(self.ids)}")])

        def step() -> None:
            with mock.patch.object(Record, "end", _dies):
                self.stage.pool.find(place[0]).invoke(self._request(place))
            os._exit(9)

        before, may = self._sent(place), self._may_send(place)
        self.stage.script(
            *self.draw.choice((["dies"], ["done"], ["lost"], [*["throttled"] * 6, "dies"]))
        )
        self.stage.killed(step)
        assert self._sent(place) - before <= may
        held = self._journal(place[0]).held(place[1])
        if held is not None and held.id not in self.ids.get(place, ()):
            self.ids.setdefault(place, []).append(held.id)
            self.doubted.add(held.id)

    def dies_looking(self) -> None:
        """Let a process die between its looks and their commit."""
        self._move(self.draw.choice((7.0, 40.0)))

        def step() -> None:
            with mock.patch.object(Doubts, "looked", _dies):
                self._look()
            os._exit(9)

        self.stage.killed(step)

    def answers_late(self) -> None:
        """Let a call be given up as lost while it runs, and then answer. Meanwhile it is looked
        for, or a person decides.
        """
        place = self.draw.choice(_WORKSPACES), f"l-{len(self.ids)}"

        def step() -> None:
            self.stage.meanwhile()
            self.filed_at.append(self.stage.clock.time())
            journal = self._journal(place[0])
            (entry,) = journal.entries(status="running")[0]
            assert journal.recovery.recover(place[0], entry)
            self._move(self.draw.choice((7.0, 40.0)))
            self.draw.choice((self._look, lambda: self._resolve(place, entry.id), lambda: None))()

        self.stage.meanwhile(step)
        self._call(place, "late")
        self.stage.meanwhile()
        self.decided.pop(self.ids[place][-1], None)  # the call's own answer knows better
        assert self._entry(place[0], self.ids[place][-1]).status == "succeeded"

    def sleeps(self) -> None:
        """Let the clock jump."""
        self._move(self.draw.choice((25 * 3_600.0, 4 * 86_400.0, -3.0)))

    def ends(self) -> dict[str, Any]:
        """Let two days pass. Check each call and key; return what became of them."""
        for name in _WORKSPACES:
            self.workspaces.set(name, {"settle": "on"})
        for seconds in (*[60.0] * 10, *[1_800.0] * 8, *[7_200.0] * 18):
            self._move(seconds)
            self._look()
        tickets, found = (
            [one for one in self.stage.noted("tickets") if one["id"].startswith("t-")],
            Counter[str](),
        )
        self._looks_for_the_last_time({one["external_id"] for one in tickets})
        told = self._told()
        for (workspace, key), ids in self.ids.items():
            effects = sum(one["subject"] == f"{workspace}/{key}" for one in tickets)
            assert effects <= 1 + self.freed[workspace, key], (workspace, key)
            for identifier in ids:
                entry = self._entry(workspace, identifier)
                found[f"{entry.status} by {(entry.resolved_by or 'answer').partition(':')[0]}"] += 1
                assert self.decided.get(identifier, entry.status) == entry.status, entry
                if entry.resolved_by == "evidence":
                    self._check_settled(
                        workspace, entry, {one["id"]: one["external_id"] for one in tickets}, told
                    )
                is_contradicted = "contradictedBy" in (entry.result or {}).get("meta", {}).get(
                    "resolution", {}
                )
                found["contradicted"] += is_contradicted
                assert told["invocation.contradicted", identifier] == is_contradicted, entry
        return {
            "steps": dict(self.steps),
            "ends": dict(found),
            "effects": len(tickets),
            "freed": sum(self.freed.values()),
        }

    def _check_settled(
        self,
        workspace: str,
        entry: Entry,
        tickets: dict[str, str | None],
        told: Counter[tuple[str, str]],
    ) -> None:
        """Check what evidence says of a call: that it took effect, with which output, or that it
        did not; and that this was told once.
        """
        result = entry.result or {}
        assert (entry.status == "succeeded") is self._took(workspace, entry, {*tickets.values()}), (
            entry
        )
        # nobody else settles by what is missing
        assert workspace == "acme" or entry.status == "succeeded", entry
        output = result.get("output") or {}
        assert "id" not in output or self._took(workspace, entry, {tickets[output["id"]]}), entry
        assert entry.corrected_at is not None or told["invocation.resolved", entry.id] == 1, entry

    def _looks_for_the_last_time(self, markers: set[str | None]) -> None:
        """Look as a person, twice, when nothing is hidden: what took effect is found, and told if a
        person has decided otherwise. By themselves, no looks are made any more.
        """
        calls = [(place, identifier) for place, ids in self.ids.items() for identifier in ids]
        for _ in range(2):
            self._move(70.0)
            self.stage.hidden(hidden=False)
            self.stage.misses(misses=False)
            for place, identifier in calls:
                if self._ask(place[0], identifier) and _action(place) != "mailTicket":
                    self._check_found(place[0], identifier, markers)
        reads = len(self.stage.noted("looks"))
        for _ in range(3):
            self._move(86_400.0)
            self._look()
        assert len(self.stage.noted("looks")) == reads

    def _check_found(self, workspace: str, identifier: str, markers: set[str | None]) -> None:
        entry = self._entry(workspace, identifier)
        if self._took(workspace, entry, markers, CANDIDATES):
            resolution = (entry.result or {})["meta"].get("resolution", {})
            assert entry.status == "succeeded" or (
                entry.status == "failed" and "contradictedBy" in resolution
            ), entry

    def _told(self) -> Counter[tuple[str, str]]:
        """Count the events of each call."""
        with self.stage.database.read() as transaction:
            return Counter(
                (row.type, row.subject)
                for row in transaction.execute("SELECT type, subject FROM outbox", {})
            )

    def _took(
        self, workspace: str, entry: Entry, markers: set[str | None], attempts: int = 7
    ) -> bool:
        own = (
            marker_of(self._journal(workspace), entry.id, entry.delivery, attempt)
            for attempt in range(1, attempts + 1)
        )
        return any(f"jf1-{marker}" in markers for marker in own)

    def _call(self, place: Place, *fates: str) -> None:
        before, may = self._sent(place), self._may_send(place)
        self.stage.script(*fates)
        more = {"onDoubt": "settle"} if self.draw.random() < 0.1 else {}
        found = self._pool().find(place[0]).invoke({**self._request(place), **more})
        assert self._sent(place) - before <= may, (place, found)
        self.doubted |= {found.meta.invocation_id} if found.status == "in_doubt" else set()
        if not found.meta.replayed and found.meta.invocation_id not in self.ids.get(place, ()):
            self.ids.setdefault(place, []).append(found.meta.invocation_id)

    def _request(self, place: Place) -> dict[str, Any]:
        inputs, key = {"subject": "/".join(place)}, place[1]
        made = {
            "connector": "bureau",
            "action": _action(place),
            "connection": "desk",
            "inputs": inputs,
        }
        return {**made, "idempotencyKey": key, "timeoutSeconds": 60}

    def _may_send(self, place: Place) -> bool:
        """Return whether a key is free, and note if time has freed it: a day after the last word
        about a success.
        """
        if place not in self.ids:
            return True
        entry = self._entry(place[0], self.ids[place][-1])
        if (
            entry.status == "succeeded"
            and self.stage.clock.time() > _last_word(entry) + KEY_KEPT - 1.0
        ):
            self.freed[place] += 1
            return True
        return entry.status == "failed"

    def _resolve(self, place: Place, identifier: str) -> None:
        journal, outcome = self._journal(place[0]), self.draw.choice(("succeeded", "failed"))
        with suppress(InvalidInvocation):
            status = journal.resolve(identifier, outcome, "ada").status  # type: ignore[arg-type]
            self.freed[place] += status == "failed"
            self.decided[identifier] = status

    def _move(self, seconds: float) -> None:
        """Let time pass. How long reads lag from then on, and whether they miss a thing once, is
        drawn, too.
        """
        self.stage.move(seconds)
        if self.draw.random() < 0.4:
            self.lag = self.draw.choice((0.0, 0.0, self.draw.uniform(0.0, _LAG), _LAG))
        self.stage.hidden(
            hidden=self.lag > 0.0,
            besides=sum(at <= self.stage.clock.time() - self.lag for at in self.filed_at),
        )
        self.stage.misses(misses=self.draw.random() < 0.3)

    def _look(self) -> None:
        pool = self._pool()
        loop = EvidenceLoop(pool)
        loop.threads = 1  # a process with threads does not fork
        with self._settles_where_it_may(pool):
            look_while_due(loop)

    def _ask(self, workspace: str, identifier: str) -> bool:
        """Look as a person does; return whether anything can be looked up."""
        pool = self._pool()
        with suppress(InvalidInvocation), self._settles_where_it_may(pool):
            look_now(pool.find(workspace), identifier)
            return True
        return False

    @contextmanager
    def _settles_where_it_may(self, pool: Any) -> Iterator[None]:
        """Check that evidence settles nothing in workspaces that do not want it."""
        barred = [name for name in _WORKSPACES if pool.find(name).access.settle != "on"]
        before = [self._settled(name) for name in barred]
        yield
        assert [self._settled(name) for name in barred] == before, barred

    def _settled(self, workspace: str) -> int:
        with self.stage.database.read() as transaction:
            statement = (
                "SELECT COUNT(*) AS number FROM invocations WHERE workspace = :workspace AND "
                "resolved_by = 'evidence'"
            )
            return int(transaction.execute(statement, {"workspace": workspace})[0].number)

    def _sent(self, place: Place) -> int:
        return self.stage.noted("requests").count("/".join(place))

    def _pool(self) -> Any:
        return self.draw.choice(self.stage.pools)

    def _journal(self, workspace: str) -> Journal:
        found = self._pool().find(workspace).journal
        assert isinstance(found, Journal)
        return found

    def _entry(self, workspace: str, identifier: str) -> Entry:
        return self._journal(workspace).find(identifier)


def _action(place: Place) -> str:
    return _ACTIONS[sum(map(ord, place[1])) % len(_ACTIONS)]


def _last_word(entry: Entry) -> float:
    """Return when the last word about a success was said, in seconds since 1970."""
    resolved = (entry.result or {}).get("meta", {}).get("resolution", {}).get("at")
    told = [entry.settled_at or 0.0, entry.corrected_at or 0.0]
    return max(*told, datetime.fromisoformat(resolved).timestamp() if resolved else 0.0)


def _ran(folder: str, url: str, steps: int, seed: int) -> dict[str, Any]:
    os.environ["BUREAU_PAGE"] = "100000"
    with doubt_stage(Path(folder), url) as stage:
        world = _World(stage, seed)
        world.run(steps)
        return world.ends()


def _cases() -> Iterator[Any]:
    """A short run on SQLite; in campaigns 20,000 steps on each database."""
    yield pytest.param("sqlite", 120, 0, id="sqlite")
    for engine in ("sqlite", "postgresql"):
        for seed in range(_STEPS // _RUN):
            yield pytest.param(
                engine, _RUN, seed, id=f"{engine}-{seed}", marks=pytest.mark.campaign
            )


@pytest.mark.parametrize(("engine", "steps", "seed"), [*_cases()])
def test_no_key_sends_twice_and_evidence_is_true(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str, steps: int, seed: int
) -> None:
    """A key sends again only if it is free: its call has failed, a person has said so, or a day has
    passed since the last word. The provider counts one effect for each key, and one more for each
    time that a person, or time, has freed it.
    """
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path}/j.db" if engine == "sqlite" else new_database(request, stack)
        found = alone(_ran, str(tmp_path), url, steps, seed)
    sys.stdout.write(f"{engine}, seed {seed}: {found}\n")
    assert found["ends"]["succeeded by evidence"] > 0
