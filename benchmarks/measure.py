"""How things are measured: sides take turns in short rounds, and a figure is the median of the
ratios within rounds.

A *side* is a ``Scene`` (calls in a child process), or a ``Command`` (a process for each round).
``compared`` runs ours, theirs and ours with the baseline's code in turns.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from benchmarks.trees import ROOT, TREE, baseline, environment

__all__ = [
    "CAMPAIGN",
    "ROOT",
    "TREE",
    "Answer",
    "Command",
    "Compared",
    "Line",
    "Scene",
    "Turn",
    "compared",
    "endpoint",
    "per_second",
    "run_child",
    "shown",
]

CAMPAIGN = bool(os.environ.get("CAMPAIGN"))
"""Whether the sizes are those of a campaign; without it each part takes at most five minutes."""
_ROUND = 0.02
"""Seconds of a round, of CPU or passed, unless one call (in each thread) takes longer."""
_ROUNDS = int(os.environ.get("ROUNDS", "61"))
_WARM = 0.5
_UNPACED = {"max24HourSend": -1, "maxSendRate": 1_000_000}
"""An account whose limits pace nothing."""
Turn = Callable[[], float]
"""One round of a side: its value, for each call."""


@dataclass(frozen=True)
class Line:
    """One line of the report: what was compared, what came out, the same against the baseline, and
    the goal.
    """

    what: str
    measured: str
    goal: str = "for scale"
    met: bool | None = None
    before: str = "–"


@dataclass(frozen=True)
class Answer:
    """What a child says about a round."""

    count: int
    cpu: float
    wall: float
    said: Any

    def cpu_each(self) -> float:
        """Seconds of CPU time for each call, with what was deferred."""
        return self.cpu / self.count

    def wall_each(self) -> float:
        """Seconds passed for each call."""
        return self.wall / self.count

    def rate(self) -> float:
        """Calls a second."""
        return self.count / self.wall


class Side(Protocol):
    """What can be measured with the code of a tree."""

    def opened(self, tree: Path) -> AbstractContextManager[Turn]:
        """Have it ready, warm, for rounds."""
        ...


class Failed(Exception):
    """A side does not run in a tree."""


@dataclass(frozen=True)
class Scene:
    """Calls in a child process. ``function`` is a context manager that yields the call; ``value``
    is what counts of an answer.

    A round has as many calls as ``_ROUND`` takes, or ``count`` of them. A call may return a
    dictionary, kept in ``said`` for the sides that run in this tree.
    """

    function: Callable[..., AbstractContextManager[Callable[[], Any]]]
    arguments: tuple[Any, ...] = ()
    value: Callable[[Answer], float] = Answer.cpu_each
    threads: int = 1
    count: int | None = None
    said: list[Any] = field(default_factory=list, compare=False)

    @contextmanager
    def opened(self, tree: Path) -> Iterator[Turn]:
        """Start a child of ``tree``, and find the size of a round."""
        with self._started(tree) as ask:
            count = self.count or self._size(ask)
            ask(count)

            def turn() -> float:
                answer = ask(count)
                if tree == TREE:
                    self.said.append(answer.said)
                return self.value(answer)

            yield turn

    def sized(self) -> Scene:
        """Find the number of calls of a round once, for all processes of the scene: the first calls
        of a round are slower, and count for less in a larger one.
        """
        with self._started(TREE) as ask:
            return replace(self, count=self._size(ask))

    @contextmanager
    def _started(self, tree: Path) -> Iterator[Callable[[int], Answer]]:
        name = f"{self.function.__module__}:{self.function.__qualname__}"
        command = [
            sys.executable,
            "-m",
            "benchmarks.child",
            name,
            json.dumps(self.arguments),
            str(self.threads),
        ]
        with (
            tempfile.TemporaryFile() as faults,
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=faults,
                text=True,
                cwd=ROOT,
                env=environment(tree),
            ) as child,
        ):

            def ask(count: int) -> Answer:
                assert child.stdin is not None
                assert child.stdout is not None
                try:
                    print(count, file=child.stdin, flush=True)
                    return Answer(**json.loads(child.stdout.readline()))
                except (OSError, ValueError) as error:
                    faults.seek(0)
                    raise Failed(
                        f"{name} in {tree}: "
                        f"{faults.read().decode(errors='replace').strip()[-2000:]}"
                    ) from error

            yield ask
            assert child.stdin is not None
            child.stdin.close()

    def _size(self, ask: Callable[[int], Answer]) -> int:
        """Warm up, and return the number of calls of a round."""
        count, until = self.threads, time.perf_counter() + _WARM
        ask(count)
        while True:
            answers = [ask(count) for _ in range(4)]
            # the least: a busy machine makes some rounds several times as long
            spent = min(
                answer.cpu if self.value is Answer.cpu_each else answer.wall
                for answer in answers[1:]
            )
            if spent < _ROUND / 2:
                count *= 2
            elif time.perf_counter() > until:
                return max(1, int(count * _ROUND / spent / self.threads)) * self.threads


@dataclass(frozen=True)
class Command:
    """A process for each round; the value is the seconds until it has ended, its seconds of CPU
    time (``is_cpu``), or the member ``value`` of the last line of its output, JSON.

    ``home`` is a data folder that each tree gets a copy of, and keeps; ``first`` is a command that
    fills it. PYTHONPATH in ``settings`` comes after that of the tree. ``said`` has the last lines
    of the runs in this tree.
    """

    words: Sequence[str]
    settings: Mapping[str, str] = field(default_factory=dict)
    value: str | None = None
    home: Path | None = None
    first: Sequence[str] = ()
    is_cpu: bool = False
    said: list[dict[str, Any]] = field(default_factory=list, compare=False)

    @contextmanager
    def opened(self, tree: Path) -> Iterator[Turn]:
        """Run it once, so that its modules are compiled and its database is made."""
        with tempfile.TemporaryDirectory() as folder:
            home = (
                {}
                if self.home is None
                else {"JACKFIELD_HOME": str(shutil.copytree(self.home, Path(folder, "home")))}
            )
            found = environment(tree, {**self.settings, **home})
            if self.first:
                _output(self.first, found)
            self._run(found)
            yield lambda: self._run(found)

    def _run(self, environment: Mapping[str, str]) -> float:
        cpu, began = _cpu_of_children(), time.perf_counter()
        output = _output(self.words, environment)
        seconds = time.perf_counter() - began
        if self.is_cpu:
            return _cpu_of_children() - cpu
        if self.value is None:
            return seconds
        said = json.loads(output.strip().splitlines()[-1])
        if environment["BENCH_TREE"] == str(TREE):
            self.said.append(said)
        return float(said[self.value])


def _output(words: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a command in the environment of a tree, and return its output."""
    done = subprocess.run(
        words, check=False, capture_output=True, text=True, cwd=ROOT, env=environment
    )
    if done.returncode:
        raise Failed(
            f"{' '.join(words)} in {environment['BENCH_TREE']}: {done.stderr.strip()[-2000:]}"
        )
    return done.stdout


def _cpu_of_children() -> float:
    """Return the seconds of CPU time of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def shown(value: float) -> str:
    """Write seconds as people do."""
    return (
        f"{value * 1e6:.0f} µs"
        if value < 2e-3
        else f"{value * 1e3:.{1 if value < 0.1 else 0}f} ms"
        if value < 2
        else f"{value:.1f} s"
    )


def per_second(value: float) -> str:
    """Write a rate."""
    return f"{value:,.0f}/s" if value >= 100 else f"{value:.1f}/s"


@dataclass(frozen=True)
class Compared:
    """Values of all rounds: ours, theirs (empty without them), and ours with the baseline's code
    (empty if that cannot run it).
    """

    ours: Sequence[float]
    theirs: Sequence[float]
    before: Sequence[float]
    show: Callable[[float], str] = shown

    @property
    def mine(self) -> float:
        """Median of ours."""
        return statistics.median(self.ours)

    @property
    def ratio(self) -> float:
        """Median of the ratios of ours to theirs within rounds."""
        return _ratio(self.ours, self.theirs)

    @property
    def change(self) -> float | None:
        """Median of the ratios of ours to the baseline's."""
        return _ratio(self.ours, self.before) if self.before else None

    @property
    def added(self) -> float:
        """Median of the differences."""
        return statistics.median(
            our - their for our, their in zip(self.ours, self.theirs, strict=True)
        )

    def line(
        self,
        what: str,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
        more: str = "",
    ) -> Line:
        """Make the line of the ratio; ``more`` is said behind the medians."""
        measured = (
            f"{self.ratio:.2f}× ({self.show(self.mine)} / "
            f"{self.show(statistics.median(self.theirs))}{more})"
        )
        return Line(what, measured, *_judged(self.ratio, at_most, at_least, "×"), self._before())

    def line_of_change(self, what: str, *, more: str = "") -> Line:
        """Make the line of ours alone, beside the baseline; ``calls`` has the goals."""
        return Line(what, f"{self.show(self.mine)}{more}", before=self._before())

    def line_of_difference(self, what: str, *, at_most: float | None = None) -> Line:
        """Make the line of what ours takes more than theirs; ``at_most`` in seconds."""
        measured = (
            f"{shown(self.added)} ({self.show(self.mine)} / "
            f"{self.show(statistics.median(self.theirs))})"
        )
        goal = "for scale" if at_most is None else f"≤ {at_most * 1e6:g} µs"
        return Line(
            what, measured, goal, None if at_most is None else self.added <= at_most, self._before()
        )

    def line_of_value(
        self, what: str, *, at_most: float | None = None, at_least: float | None = None
    ) -> Line:
        """Make the line of ours alone."""
        limit = at_least if at_most is None else at_most
        goal, met = _judged(self.mine, at_most, at_least, "")
        return Line(
            what,
            self.show(self.mine),
            goal if limit is None else f"{goal[0]} {self.show(limit)}",
            met,
            self._before(),
        )

    def _before(self) -> str:
        return "–" if self.change is None else f"{self.change:.2f}×"


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return statistics.median(our / their for our, their in zip(ours, theirs, strict=True))


def _judged(
    value: float, at_most: float | None, at_least: float | None, unit: str
) -> tuple[str, bool | None]:
    if at_most is not None:
        return f"≤ {at_most:g}{unit}", value <= at_most
    if at_least is not None:
        return f"≥ {at_least:g}{unit}", value >= at_least
    return "for scale", None


def compared(
    ours: Side,
    theirs: Side | None = None,
    *,
    rounds: int = _ROUNDS,
    show: Callable[[float], str] = shown,
    is_cost: bool = True,
    tree: Path = TREE,
    first: int = 0,
) -> Compared:
    """Measure ours, theirs, and (if it is a cost of ours) ours with the baseline's code, in turns
    whose order rotates. They are opened in this order, from the one with the number ``first`` on.
    """
    sides = {"ours": (ours, tree)}
    if theirs is not None:
        sides["theirs"] = (theirs, tree)
    if is_cost and (before := baseline()) is not None:
        sides["before"] = (ours, before)
    turns: dict[str, Turn] = {}
    with ExitStack() as stack:
        for name in _rotated(list(sides), first):
            side, source = sides[name]
            try:
                turns[name] = stack.enter_context(side.opened(source))
            except Failed as error:
                if name != "before":
                    raise
                _say_why(error)
        columns = _alternated(turns, rounds)
    return Compared(columns["ours"], columns.get("theirs", ()), columns.get("before", ()), show)


def _say_why(error: Failed) -> None:
    """Say why there is no comparison with the baseline."""
    last = str(error).rpartition("\n")[2]
    is_older = last.startswith(("ModuleNotFoundError: ", "ImportError: "))
    print(
        f"not against the baseline: {f'it has no such part ({last})' if is_older else error}",
        file=sys.stderr,
    )


def _alternated(turns: Mapping[str, Turn], rounds: int) -> dict[str, list[float]]:
    """Take turns in an order that rotates: no side has the processor's caches from its own last
    turn more often than another.
    """
    columns: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(rounds):
        for name in _rotated(list(turns), number):
            columns[name].append(turns[name]())
    return columns


def _rotated(names: list[str], number: int) -> list[str]:
    begin = number % len(names)
    return names[begin:] + names[:begin]


@contextmanager
def endpoint(**options: Any) -> Iterator[Any]:
    """Our fake AWS in a process of its own, so that its CPU time is not ours."""
    from fake_aws import FakeAwsProcess

    with FakeAwsProcess(**{"quota": _UNPACED, **options}) as fake:
        yield fake


def run_child(
    module: str, *arguments: str, settings: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run a module of benchmarks in a process of its own; it prints one line of JSON."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(settings=settings),
    )
    said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return said
