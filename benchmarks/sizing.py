"""The arithmetic of the sizing page, and a discrete-event simulation of it: arrival, API, journal,
broker, worker, provider, journal.

Figures come from ``sizing.json`` alone. Times are in seconds. The simulation is deterministic: its
only randomness is a seeded generator.
"""

from __future__ import annotations

import heapq
import json
import math
import random
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("sizing.json")
_FASTEST = 0.020
"""Least response time of the provider."""


@dataclass(frozen=True)
class Figures:
    """Measured figures, assumptions and scenarios."""

    data: dict[str, Any]

    @classmethod
    def read(cls) -> Figures:
        """Read the data file."""
        return cls(json.loads(_FILE.read_text(encoding="utf-8")))

    def micros(self, name: str) -> float:
        """Return a measured CPU time in seconds."""
        return float(self.data["figures"][name]["value"]) / 1e6

    def figure(self, name: str) -> float:
        """Return a measured figure in its own unit."""
        return float(self.data["figures"][name]["value"])

    def assumed(self, name: str) -> float:
        """Return an assumption."""
        return float(self.data["assumptions"][name]["value"])


@dataclass(frozen=True)
class Plan:
    """What a load needs. Cores, slots and processes are those of one shard."""

    rate: float
    shards: int
    shard_rate: float
    api_cores: int
    database_cores: int
    broker_cores: int
    worker_cores: int
    slots: int
    worker_processes: int
    memory_bytes: float
    disk_bytes_per_day: float

    @property
    def cores(self) -> int:
        """All cores of all shards."""
        return self.shards * (
            self.api_cores + self.database_cores + self.broker_cores + self.worker_cores
        )


def plan(figures: Figures, rate: float) -> Plan:
    """Compute what ``rate`` invocations a second need: cores by CPU time, slots by Little's law,
    both at the assumed utilisation.
    """
    shards = max(1, math.ceil(rate / figures.assumed("shardRate")))
    each = rate / shards
    share = figures.assumed("utilisation")

    def cores(*names: str) -> int:
        return max(1, _up(each * sum(map(figures.micros, names)) / share))

    workers = cores("runCpu", "actionCpu")
    slots = _up(each * _held(figures) / share)
    processes = max(workers, math.ceil(slots / figures.assumed("slotsPerProcess")))
    api = cores("acceptCpu")
    return Plan(
        rate=rate,
        shards=shards,
        shard_rate=each,
        api_cores=api,
        database_cores=cores("databaseAcceptCpu", "databaseRunCpu"),
        broker_cores=cores("brokerCpu"),
        worker_cores=workers,
        slots=slots,
        worker_processes=processes,
        memory_bytes=(
            processes * figures.figure("workerMemory") + api * figures.figure("apiMemory")
        )
        * 1024**2,
        disk_bytes_per_day=rate * 86_400 * figures.figure("rowBytes"),
    )


def _up(value: float) -> int:
    """Round up, but not for an error of floating-point arithmetic."""
    return math.ceil(round(value, 9))


def _held(figures: Figures) -> float:
    """Return the time for which an invocation holds a slot: claim and begin, the action and the
    provider, finish.
    """
    journal = (
        figures.micros("databaseRunCpu")
        + 2 * (figures.assumed("commitMs") + 2 * figures.assumed("networkMs")) / 1000
    )
    return (
        journal
        + figures.micros("runCpu")
        + figures.micros("actionCpu")
        + figures.assumed("providerMs") / 1000
    )


def stages_by_use(figures: Figures, rate: float, planned: Plan) -> list[tuple[str, float]]:
    """Return the utilisation of each stage of a shard at ``rate``, highest first."""
    used = {
        "API": figures.micros("acceptCpu") / planned.api_cores,
        "PostgreSQL": (figures.micros("databaseAcceptCpu") + figures.micros("databaseRunCpu"))
        / planned.database_cores,
        "RabbitMQ": figures.micros("brokerCpu") / planned.broker_cores,
        "workers' cores": (figures.micros("runCpu") + figures.micros("actionCpu"))
        / planned.worker_cores,
        "workers' slots": _held(figures) / planned.slots,
    }
    return sorted(((name, rate * each) for name, each in used.items()), key=lambda row: -row[1])


# The simulation


@dataclass(frozen=True)
class Outcome:
    """Latencies in seconds, sorted, and the measured utilisation of each stage."""

    accepted: list[float]
    """From arrival to the answer 202."""
    ended: list[float]
    """From arrival to the recorded outcome."""
    used: dict[str, float]


class _Stage:
    """Servers with one queue: cores of a process, or slots of workers. Counts the time for which
    they are in use.
    """

    def __init__(self, clock: _Clock, size: int) -> None:
        self._clock, self.size, self._free = clock, size, size
        self._waiting: deque[Callable[[], None]] = deque()
        self._since, self.busy = 0.0, 0.0

    def take(self, then: Callable[[], None]) -> None:
        """Call ``then`` as soon as a server is free, in the order of the calls."""
        if self._free:
            self._count()
            self._free -= 1
            then()
        else:
            self._waiting.append(then)

    def give_back(self) -> None:
        """Free a server, or hand it to the first that waits."""
        if self._waiting:
            self._waiting.popleft()()
        else:
            self._count()
            self._free += 1

    def _count(self) -> None:
        self.busy += (self.size - self._free) * (self._clock.now - self._since)
        self._since = self._clock.now

    def used(self) -> float:
        """Return the share of its servers that was in use so far."""
        self._count()
        return self.busy / (self.size * self._clock.now)


class _Clock:
    """Simulated time: calls in the order of their times, and of their scheduling where those are
    equal.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._calls: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    def after(self, seconds: float, then: Callable[[], None]) -> None:
        """Call ``then`` in ``seconds``."""
        self._number += 1
        heapq.heappush(self._calls, (self.now + seconds, self._number, then))

    def run(self) -> None:
        """Run until nothing is scheduled."""
        while self._calls:
            self.now, _, then = heapq.heappop(self._calls)
            then()


_Step = tuple[str, float]
"""``("use", …)`` of a stage, ``("take", 0)``, ``("leave", 0)`` of the slots, ``("wait", seconds)``,
or a ``("note", 0)``.
"""


def simulate(figures: Figures, planned: Plan, rate: float | None = None) -> Outcome:
    """Simulate one shard of ``planned`` under ``rate`` arrivals a second, by default those that it
    is planned for.
    """
    settings = figures.data["simulation"]
    return _Run(
        figures,
        planned,
        planned.shard_rate if rate is None else rate,
        random.Random(settings["seed"]),
    ).outcome(settings["seconds"], settings["warmUp"])


class _Run:
    """One simulation. Arrivals are a Poisson process; CPU times are exponentially distributed,
    which is worse than they are.
    """

    def __init__(self, figures: Figures, planned: Plan, rate: float, chance: random.Random) -> None:
        self._figures, self._rate, self._chance = figures, rate, chance
        self._clock = _Clock()
        self._stages = {
            "API": _Stage(self._clock, planned.api_cores),
            "PostgreSQL": _Stage(self._clock, planned.database_cores),
            "RabbitMQ": _Stage(self._clock, planned.broker_cores),
            "workers' cores": _Stage(self._clock, planned.worker_cores),
            "workers' slots": _Stage(self._clock, planned.slots),
        }
        self._accepted: list[float] = []
        self._ended: list[float] = []

    def outcome(self, seconds: float, warm_up: float) -> Outcome:
        """Let invocations arrive for ``seconds``, count those after ``warm_up``, and wait until all
        have ended.
        """
        self._arrive(seconds, warm_up)
        used: dict[str, float] = {}
        self._clock.after(
            seconds,
            lambda: used.update({name: stage.used() for name, stage in self._stages.items()}),
        )
        self._clock.run()
        return Outcome(sorted(self._accepted), sorted(self._ended), used)

    def _arrive(self, seconds: float, warm_up: float) -> None:
        def arrive() -> None:
            if self._clock.now < seconds:
                self._next(self._way(counted=self._clock.now >= warm_up))
                self._clock.after(self._chance.expovariate(self._rate), arrive)

        self._clock.after(0.0, arrive)

    def _way(self, *, counted: bool) -> Generator[_Step, None, None]:
        """Go through the stages as a queued invocation does."""
        network, commit = (
            self._figures.assumed("networkMs") / 1000,
            self._figures.assumed("commitMs") / 1000,
        )
        began = self._clock.now
        yield "API", self._cpu("acceptCpu")
        yield "wait", network
        yield "PostgreSQL", self._cpu("databaseAcceptCpu")
        yield "wait", commit + network
        if counted:
            self._accepted.append(self._clock.now - began)
        yield "wait", network
        yield "RabbitMQ", self._cpu("brokerCpu")
        yield "wait", network
        yield "take", 0.0
        yield "workers' cores", self._cpu("runCpu") / 2
        yield "wait", network
        yield "PostgreSQL", self._cpu("databaseRunCpu") / 2
        yield "wait", commit + network
        yield "workers' cores", self._cpu("actionCpu")
        yield (
            "wait",
            _FASTEST
            + self._chance.expovariate(1 / (self._figures.assumed("providerMs") / 1000 - _FASTEST)),
        )
        yield "workers' cores", self._cpu("runCpu") / 2
        yield "wait", network
        yield "PostgreSQL", self._cpu("databaseRunCpu") / 2
        yield "wait", commit + network
        yield "leave", 0.0
        if counted:
            self._ended.append(self._clock.now - began)

    def _cpu(self, name: str) -> float:
        return self._chance.expovariate(1 / self._figures.micros(name))

    def _next(self, way: Generator[_Step, None, None]) -> None:
        step = next(way, None)
        if step is None:
            return
        name, seconds = step

        def proceed() -> None:
            self._next(way)

        if name == "wait":
            self._clock.after(seconds, proceed)
        elif name == "take":
            self._stages["workers' slots"].take(proceed)
        elif name == "leave":
            self._stages["workers' slots"].give_back()
            proceed()
        else:
            self._use(self._stages[name], seconds, proceed)

    def _use(self, stage: _Stage, seconds: float, then: Callable[[], None]) -> None:
        def done() -> None:
            stage.give_back()
            then()

        stage.take(lambda: self._clock.after(seconds, done))


def percentile(values: list[float], share: float) -> float:
    """Return the value that ``share`` of the sorted values do not exceed."""
    return values[min(len(values) - 1, math.ceil(share * len(values)) - 1)]
