"""The bar of a release: CPU time of calls and commands against the baseline, on one core, judged
only if ours against ours again (A/A) differs by less than 1.01.

A *sitting* starts ours, ours again and the baseline's code, each in a new process, and runs some
rounds of them in turns. The memory layout of a process makes it up to 5 % faster or slower than
another process of the same code, for as long as it lives. More rounds of one process do not average
that out, more sittings do: a figure is the median of the sittings.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.cold import COMMAND, invoke
from benchmarks.http_load import lane
from benchmarks.journal import send_recorded
from benchmarks.measure import Command, Compared, Line, Scene, Side, compared, endpoint, shown
from benchmarks.no_op import no_op
from benchmarks.own_server import running
from benchmarks.scenes import send
from benchmarks.trees import extracted

GOAL = 1.03
"""No goal is finer: it is three times what A/A may be off."""
_EVEN = 1.01
_FEWEST = 10
_LONGEST = float(os.environ.get("LONGEST", "600"))
"""Seconds after which a line has no verdict."""
_ROUNDS = 30
_FEW_ROUNDS = 6
"""Rounds of a sitting with a server, whose start takes the most time, or with commands."""
_SECONDS = 0.3
_CONNECTIONS = 16
"""Enough that the server always has a request to answer."""


def lines() -> Iterator[Line]:
    """Calls in process, through the server, and cold, of the files as they are now."""
    tree = extracted()
    with (
        endpoint(blind=True) as aws,
        running("benchmarks.http_client") as provider,
        tempfile.TemporaryDirectory() as folder,
        _one_core(),
    ):
        for what, scene in (
            ("a no-op in process", Scene(no_op, ("none", "say"))),
            ("sendEmail in process", Scene(send, (aws.url,))),
            ("sendEmail in process, journal in SQLite", Scene(send_recorded, (aws.url, "SQLite"))),
        ):
            yield judged(what, scene.sized(), _ROUNDS, tree)
        for what, name in (
            ("a no-op write with an idempotency key", "keyed"),
            ("a GET (http.request)", "upstream"),
            ("a no-op over MCP", "mcp"),
        ):
            served = lane(name, _CONNECTIONS, provider, 1, _SECONDS, value="cpu")
            yield judged(f"{what} through the server", served, _FEW_ROUNDS, tree)
        for words, command in _commands(Path(folder), aws.url):
            yield judged(f"cold `jackfield {words}", command, _FEW_ROUNDS, tree)


def _commands(folder: Path, url: str) -> Iterator[tuple[str, Command]]:
    home = folder / "home"
    home.mkdir()
    for words in ("connectors list", "tokens list"):
        listed = Command(
            [COMMAND, *words.split()],
            {"JACKFIELD_DATABASE_URL": ""},
            home=home,
            first=[COMMAND, "tokens", "create", "--scope", "read"],
            is_cpu=True,
        )
        yield f"{words}`, over a SQLite database", listed
    yield "--help`", Command([COMMAND, "--help"], is_cpu=True)
    yield "invoke` of sendEmail", replace(invoke(folder, url), is_cpu=True)


@contextmanager
def _one_core() -> Iterator[None]:
    """Keep what is started to one core; what loads a server leaves it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True)
class Middle:
    """Median of ratios, with its 95 % confidence interval."""

    ratio: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, ratios: Sequence[float]) -> Middle:
        """Take the interval from the order of the ratios, which assumes no distribution."""
        ordered = sorted(ratios)
        count = len(ordered)
        rank = max(0, int(count / 2 - 0.98 * count**0.5))
        return cls(statistics.median(ordered), ordered[rank], ordered[-1 - rank], count)

    @property
    def is_even(self) -> bool:
        """Check that the interval is within 1.01, and of enough sittings."""
        return self.count >= _FEWEST and self.low >= 1 / _EVEN and self.high <= _EVEN

    def __str__(self) -> str:
        return f"{self.ratio:.3f}× ({self.low:.3f}–{self.high:.3f})"


def judged(what: str, side: Side, rounds: int, tree: Path) -> Line:
    """Repeat sittings until A/A is even or the time of a line is over, and judge the change."""
    sittings: list[Compared] = []
    until = time.monotonic() + _LONGEST
    while True:
        # of three processes of the same code, the one that was opened last took 1 to 2 % less
        sittings.append(compared(side, side, rounds=rounds, tree=tree, first=len(sittings)))
        again = Middle.of([sitting.ratio for sitting in sittings])
        changes = [sitting.change for sitting in sittings if sitting.change is not None]
        if again.is_even or len(changes) < len(sittings) or time.monotonic() > until:
            break
    mine = shown(statistics.median(sitting.mine for sitting in sittings))
    measured = f"{mine}, A/A {again}, {again.count} sittings"
    goal = f"≤ {GOAL:g}× of the baseline"
    if len(changes) < len(sittings):
        return Line(what, f"{measured}: no baseline, no verdict", goal)
    change = Middle.of(changes)
    if not again.is_even:
        return Line(what, f"{measured}: no verdict", goal, before=str(change))
    return Line(what, measured, goal, change.ratio <= GOAL, str(change))
