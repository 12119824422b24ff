"""A backup that is restored with the queue held: nothing is sent before it is released, and then
everything that did not run, once.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from tests.jackfield_service.subjects.events.callback_stage import Place
from tests.jackfield_store.jobs.job_stage import JobStage, furnace

from clocks import StillClock
from jackfield.callers import LIBRARY
from jackfield.callers.actor import Actor
from jackfield.cli.main import main
from jackfield.kernel.clock import SystemClock, iso
from jackfield_service.subjects.callbacks.callbacks import Callbacks
from jackfield_service.subjects.callbacks.dispatcher import Dispatcher
from jackfield_service.subjects.callbacks.sending import Sender
from jackfield_service.subjects.schedules.loop import Scheduler
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules
from jackfield_store.journal import Queue
from plugboard import make_connector, plugged
from postgres import Server, use_programs
from receiver import Receiver, receiving
from waiting import until

_BELL = '''
"""Rings, and notes it."""
import os
from jackfield.connector import Connector, Field, Inputs, Output

class Ring(Inputs):
    """Which bell."""
    name: str = Field(title="Name")

class Rung(Output):
    """It was rung."""
    name: str

connector = Connector("bell", title="Bell", version="1.0.0")

@connector.action("ring", effect="write")
def ring(given: Ring) -> Rung:
    """Ring a bell."""
    with open(os.environ["BELLS"], "a") as log:
        log.write(given.name + "\\n")
    return Rung(name=given.name)
'''
_EVERY, _FIRST, _BETWEEN = 600, 60.0, 10.0
"""Seconds between slots; until the first delayed call is due; and between two of them."""


@dataclass(frozen=True)
class Size:
    """How much waits, and how many of the delayed calls run after the backup."""

    delayed: int
    ran: int
    slots: int
    deliveries: int
    jobs: int


SIZES = {"small": Size(10, 6, 2, 2, 1), "whole": Size(100, 60, 20, 20, 10)}


class Held(JobStage):
    """Processes over a database in which all kinds of things wait."""

    def __init__(self, environment: dict[str, str], provider: Any, clock: StillClock) -> None:
        super().__init__(environment, provider, clock)
        storage = self.pool.storage
        dispatcher = Dispatcher(
            lambda: storage.database, lambda: storage.vault, SystemClock(), Sender(), self._now
        )
        self.place = Place(database=storage.database, dispatcher=dispatcher, time=self._now)

    def _now(self) -> float:
        return self.clock.time()

    def ring(self, name: str, **more: Any) -> str:
        """Queue a call that notes its name."""
        found = self.runtime.enqueue(
            {"connector": "bell", "action": "ring", "inputs": {"name": name}, **more}
        )
        assert isinstance(found, str)
        return found

    def fill(self, size: Size, receiver: Receiver) -> None:
        """Let everything wait that is in the backup."""
        for _ in range(size.jobs):
            self.invoke(timeoutSeconds=5)
        now, storage, actor = self.clock.time(), self.pools[-1].storage, Actor("library")
        for number in range(size.delayed):
            self.ring(f"delayed-{number}", notBefore=iso(now + _FIRST + _BETWEEN * number))
        for number in range(size.slots):
            invocation = {
                "connector": "bell",
                "action": "ring",
                "inputs": {"name": f"slot-{number}"},
            }
            given = {
                "name": f"s{number}",
                "invocation": invocation,
                "every": _EVERY,
                "missed": "latest",
            }
            WorkspaceSchedules(self.runtime, LIBRARY, actor).add(given)
        callbacks = Callbacks(
            storage.database, storage.vault, "default", self.clock, actor, origin="operator"
        )
        callbacks.create({"url": receiver.url, "types": ["quota.*"]})
        self.place.happens(count=size.deliveries)

    def turn(self) -> None:
        """Let everything happen that is due: slots, calls, polls and deliveries."""
        scheduler = Scheduler(self.pools[-1], lambda: None)
        while scheduler.look() == 0:
            pass
        self.work()
        self.poll()
        self._deliver()

    def delivered(self, receiver: Receiver, count: int) -> None:
        """Deliver until a receiver has got so many, and on."""

        def enough() -> bool:
            self._deliver()
            return len(receiver.got) >= count

        until(enough)
        for _ in range(3):
            self._deliver()

    def _deliver(self) -> None:
        dispatcher = self.place.dispatcher
        dispatcher._reload_at = 0.0
        dispatcher.turn()
        # whose clock stands still, so that nothing is due yet
        for lane in dispatcher._lanes.values():
            lane.due_at = lane.rests_until = 0.0
        dispatcher.turn()
        until(lambda: not dispatcher._batches)


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """The URLs of a database, and of one into which its backup is restored."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/one.db", f"sqlite:///{tmp_path}/two.db"
    server: Server = request.getfixturevalue("postgres_server")
    return server.create(server.template()), server.create()


@contextmanager
def staged(folder: Path, url: str, clock: StillClock) -> Iterator[Held]:
    """Open processes over a database."""
    with (
        mock.patch.dict(os.environ, {"JACKFIELD_DATABASE_URL": url}),
        Held(dict(os.environ), None, clock) as stage,
    ):
        try:
            yield stage
        finally:
            stage.place.dispatcher.stop()


@pytest.fixture
def rung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Counter[str]]]:
    """Install the connectors; what is returned takes the names that were rung since."""
    bells = tmp_path / "bells"
    for name, value in {
        "JACKFIELD_HOME": tmp_path / "home",
        "FURNACE": tmp_path / "furnace",
        "BELLS": bells,
    }.items():
        monkeypatch.setenv(name, str(value))

    def taken() -> Counter[str]:
        found = Counter(bells.read_text().split()) if bells.exists() else Counter[str]()
        bells.write_text("")
        return found

    make_connector(tmp_path / "bell", "bell", _BELL)
    with furnace(tmp_path), plugged(tmp_path / "bell"):
        yield taken


@pytest.mark.parametrize("size", ["small", pytest.param("whole", marks=pytest.mark.campaign)])
def test_a_restored_queue_is_held(
    tmp_path: Path,
    urls: tuple[str, str],
    rung: Callable[[], Counter[str]],
    size: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of a backup with delayed calls, due slots, deliveries and jobs nothing is sent while the
    queue is held; what ran after the backup is cancelled by when it was due; then the rest happens
    once.
    """
    use_programs(monkeypatch)
    of, clock, backup = SIZES[size], StillClock(), str(tmp_path / "backup")

    def command(*words: str, url: str) -> Any:
        with mock.patch.dict(os.environ, {"JACKFIELD_DATABASE_URL": url}):
            assert main([*words, "--json"]) == 0
        return json.loads(capsys.readouterr().out or "null")

    with receiving() as receiver:
        with staged(tmp_path, urls[0], clock) as stage:
            stage.fill(of, receiver)
            command("db", "backup", backup, url=urls[0])
            stage.move(_FIRST + _BETWEEN * of.ran - 1.0)
            ended = clock.time()
            assert {stage.runtime.run(claimed).status for claimed in _claimed(stage)} == {
                "succeeded"
            }
            assert rung().total() == of.ran
        if urls[1].startswith("sqlite"):
            shutil.copy(backup, urls[1].removeprefix("sqlite:///"))
            command("queue", "hold", url=urls[1])
        else:
            command("db", "restore", backup, "--hold-queue", url=urls[1])
        with staged(tmp_path, urls[1], clock) as stage:
            stage.move(_EVERY)
            polls = len(_polls())
            for _ in range(3):
                stage.turn()
                stage.move(1.0)
            assert (rung(), receiver.got, len(_polls())) == (Counter(), [], polls)
            assert (
                command("invocations", "cancel", "--before", str(iso(ended)), url=urls[1])[
                    "cancelled"
                ]
                == of.ran
            )
            command("queue", "release", url=urls[1])
            stage.move(_BETWEEN * of.delayed)
            for _ in range(3):
                stage.turn()
            late, slots = range(of.ran, of.delayed), range(of.slots)
            assert rung() == Counter(
                [*(f"delayed-{number}" for number in late), *(f"slot-{number}" for number in slots)]
            )
            stage.delivered(receiver, of.deliveries)
            assert len(receiver.got) == len({got.id for got in receiver.got}) == of.deliveries
            assert len({*_polls()[polls:]}) == of.jobs


def _claimed(stage: Held) -> Any:
    return Queue(stage.pools[-1].storage.database, stage.clock).claim(10_000)


def _polls() -> list[str]:
    log = Path(os.environ["FURNACE"]) / "poll"
    return log.read_text().splitlines() if log.exists() else []
