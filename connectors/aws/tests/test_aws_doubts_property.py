"""Nothing is sent twice and nothing is settled wrongly, whatever is lost: AWS's answers, records of
its log, and processes.
"""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from forking import alone
from jackfield.connector import Wire
from jackfield_store.journal import record_reads
from postgres import new_database
from trail_stage import TrailStage, trail_stage

pytest_plugins = ["postgres"]
_LOST = (["cut"] * 12, ["lost"] * 3, ["throttled-cut"] * 3, ["broken"] * 2)


def _dies_at(*_: object) -> None:
    os._exit(9)


class _Campaign:
    """Writes with keys of their own, one in five of which gets no answer."""

    def __init__(self, stage: TrailStage, writes: int, seed: int) -> None:
        self.stage, self.draw, self.writes = stage, random.Random(seed), writes
        self.doubts: dict[str, str] = {}
        self.replayed: set[str] = set()
        self.kills = 0
        stage.aws.omits = lambda: self.draw.random() < 0.05

    def run(self) -> None:
        """Make the calls, some by processes that die, with time between them."""
        stage, lost = self.stage, [step for steps in _LOST for step in steps]
        deaths = {self.draw.randrange(self.writes) for _ in range(4)}
        for number in range(self.writes):
            stage.aws.delay = (
                10_800.0 if self.draw.random() < 0.05 else self.draw.uniform(30.0, 900.0)
            )
            if number in deaths:
                stage.aws.script = ["done"]
                self._dies(number)
                continue
            is_lost = self.draw.random() < 0.2
            before = ["throttled"] if self.draw.random() < 0.05 else []
            stage.aws.script = [*before, self.draw.choice(lost) if is_lost else "done"]
            found = self.call(number)
            if found.status == "in_doubt":
                self.doubts[str(number)] = found.meta.invocation_id
            if self.draw.random() < 0.05:
                self._forge()
            stage.move(self.draw.uniform(0.0, 3.0))

    def call(self, number: int) -> Any:
        """Make one call."""
        return self.stage.call(inputs={"Description": str(number)}, idempotencyKey=f"k-{number}")

    def _dies(self, number: int) -> None:
        real = Wire.send

        def dying(*given: Any) -> Any:
            real(*given)
            os._exit(9)

        def step() -> None:
            with mock.patch.object(Wire, "send", dying):
                self.call(number)

        self.stage.killed(step)
        self.kills += 1
        left = self.stage.journal.held(f"k-{number}")
        assert left is not None
        self.doubts[str(number)] = left.id

    def _forge(self) -> None:
        """Write a record that proves nothing: a made-up marker, another region, service, or time,
        or one of an old call.
        """
        aws, what = self.stage.aws, self.draw.randrange(4)
        agent = self.draw.choice(aws.requests)["agent"] if what else "md/jackfield#" + "a" * 26
        told = aws.record(agent, "CreateKey", "kms.amazonaws.com", "eu-west-1")
        told |= (
            {},
            {"awsRegion": "eu-central-1"},
            {"eventSource": "iam.amazonaws.com"},
            {"eventTime": "2020-01-01T00:00:00Z"},
        )[what]

    def settle(self) -> None:
        """Let a day pass, a look at a time; some processes die between the reading of a page and
        its commit.
        """
        for _ in range(3):
            self.stage.move(100.0)
            self.stage.killed(self._dying_look)
            self.kills += 1
        for seconds in (*[20.0] * 30, *[300.0] * 12, *[1_800.0] * 14, *[7_200.0] * 12):
            self.stage.look(seconds)
            for _ in range(40):
                self.stage.look(1.5)
            self._replay()

    def _replay(self) -> None:
        """Use each key again whose doubt has settled as a success since: nothing is sent."""
        before = len(self.stage.aws.requests)
        for number, identifier in self.doubts.items():
            if number not in self.replayed and self.stage.settled(identifier)[0] == "succeeded":
                self.replayed.add(number)
                assert self.call(int(number)).meta.replayed
        assert len(self.stage.aws.requests) == before

    def _dying_look(self) -> None:
        with mock.patch.object(record_reads, "put", side_effect=_dies_at):
            self.stage.look(30.0)
        os._exit(9)


def _ran(folder: str, url: str, settle: str, writes: int, seed: int) -> dict[str, Any]:
    with trail_stage(Path(folder), url, settle) as stage:
        campaign = _Campaign(stage, writes, seed)
        campaign.run()
        campaign.settle()
        took = Counter(one["inputs"]["Description"] for one in stage.aws.took)
        ends = {number: stage.settled(identifier) for number, identifier in campaign.doubts.items()}
        true = [number for number in ends if number in took]
        found: dict[str, Any] = {
            "doubts": len(ends),
            "took": len(true),
            "settled": sum(ends[number][0] == "succeeded" for number in true),
            "refused": sum(status == "failed" for status, _ in ends.values()),
            "pages": len(stage.aws.lookups),
            "wrong": [
                number
                for number, (status, by) in ends.items()
                if by and (status == "succeeded") != (number in took)
            ],
        }
        untold = [number for number in true if not stage.looks(campaign.doubts[number])]
        return {
            **found,
            "replayed": len(campaign.replayed),
            "most": max(took.values()),
            "kills": campaign.kills,
            "untold": untold,
        }


_RUNS = int(os.environ.get("SIZE", "10000")) // 200
_LONG = (pytest.mark.campaign, pytest.mark.timeout(7_200))


def _cases() -> Iterator[Any]:
    """A short run on SQLite; in campaigns 10,000 writes on each database."""
    yield pytest.param("on", "sqlite", 60, [60], id="sqlite")
    for settle in ("on", "show"):
        for engine in ("sqlite", "postgresql"):
            yield pytest.param(
                settle, engine, 200, [*range(_RUNS)], id=f"{settle}-{engine}-200", marks=_LONG
            )


@pytest.mark.parametrize(("settle", "engine", "writes", "seeds"), [*_cases()])
def test_no_write_is_sent_twice_and_no_doubt_is_settled_wrongly(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    settle: str,
    engine: str,
    writes: int,
    seeds: list[int],
) -> None:
    """One answer in five is lost; looks miss one record in 20, one comes hours late, one in 20 is
    forged; processes die in calls and in looks. Each outcome by evidence is what happened, at least
    99 of 100 doubts that took effect settle, and no key sends again. With ``show`` none settles,
    and each has its looks.
    """
    total = Counter[str]()
    for seed in seeds:
        folder = tmp_path / str(seed)
        folder.mkdir()
        with ExitStack() as stack:
            url = f"sqlite:///{folder}/j.db" if engine == "sqlite" else new_database(request, stack)
            found = alone(_ran, str(folder), url, settle, writes, seed)
        sys.stdout.write(f"aws {settle} {engine}: {writes} writes: {found}\n")
        assert (found["wrong"], found["most"], found["replayed"], found["untold"]) == (
            [],
            1,
            found["settled"],
            [],
        )
        assert found["took"] > writes / 20
        total.update(
            {name: found[name] for name in ("kills", "doubts", "took", "settled", "refused")},
            writes=writes,
        )
    sys.stdout.write(f"aws {settle} {engine}, in all: {dict(total)}\n")
    if settle == "show":
        assert (total["settled"], total["refused"]) == (0, 0)
    else:
        assert total["settled"] >= 0.99 * total["took"]


def _scripted(folder: str, number: int, seed: int) -> dict[str, Any]:
    """Make calls of up to four attempts, each but the last of which is refused with an answer;
    return what became of them.
    """
    draw, ends = random.Random(seed), Counter[str]()
    with trail_stage(Path(folder), f"sqlite:///{folder}/j.db") as stage:
        calls: dict[str, tuple[str, str]] = {}
        for text in map(str, range(number)):
            stage.aws.delay = draw.uniform(30.0, 4_000.0)
            last = draw.choice(("cut", "cut", "lost", "throttled-cut", "broken"))
            stage.aws.script = [*["throttled"] * draw.randrange(4), last]
            found = stage.call(inputs={"Description": text}, idempotencyKey=f"k-{text}")
            assert found.status == "in_doubt", found.error
            calls[text] = found.meta.invocation_id, last
            stage.move(draw.uniform(0.0, 3.0))
        for seconds in (*[60.0] * 10, *[600.0] * 12, *[3_600.0] * 24):
            stage.look(seconds)
            for _ in range(20):
                stage.look(1.5)
        took = Counter(one["inputs"]["Description"] for one in stage.aws.took)
        for text, (identifier, last) in calls.items():
            ends[f"{last}: {stage.settled(identifier)[0]}"] += 1
            assert (took[text] == 1) is (last == "cut")
    return dict(ends)


@pytest.mark.parametrize(
    ("number", "seed"),
    [(40, 4), *(pytest.param(250, seed, marks=pytest.mark.campaign) for seed in range(4))],
)
def test_a_throttled_attempt_never_speaks_for_one_that_took_effect(
    tmp_path: Path, number: int, seed: int
) -> None:
    """Attempts are throttled, with records of that, before the last one takes effect and its answer
    is lost: never ``failed``. Only a last attempt that AWS has refused on record is; what is
    nowhere on record stays in doubt.
    """
    found = alone(_scripted, str(tmp_path), number, seed)
    sys.stdout.write(f"{number} scripts: {found}\n")
    assert found.keys() <= {
        "cut: succeeded",
        "lost: in_doubt",
        "throttled-cut: failed",
        "broken: in_doubt",
    }
    assert found["cut: succeeded"] > number / 5
