"""What pacing by the account's own limits adds to a call, in one process and through the database."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.journal import _server
from benchmarks.measure import ROOT, Line, cpu_each
from jackfield.clock import SystemClock
from jackfield.connector import Budget, Limits
from jackfield.database import open_database
from jackfield.pipe.pace_state import Request
from jackfield.pipe.shared_pace import Paces

__all__ = ["lines"]

assert (ROOT / "tests" / "support").is_dir()  # measure has put it on the path
_ROUNDS = 9
_CALLS = 400
_FAST = Budget("calls", lambda _inputs, _client: "account", lambda _client: Limits(per_second=1e9))
"""A rate so high that nothing waits: what is left is the cost of pacing."""


def lines() -> Iterator[Line]:
    """In one process; then on SQLite and PostgreSQL, from one caller and from eight."""
    with tempfile.TemporaryDirectory() as folder:
        yield _in_process(Path(folder))
    with tempfile.TemporaryDirectory() as folder, _server() as server:
        for name, url in (("SQLite", f"sqlite:///{folder}/pace.db"), ("PostgreSQL", server)):
            if url is not None:
                yield _shared(name, url)


def _in_process(folder: Path) -> Line:
    """CPU of a whole call of a connector whose provider answers at once, with the budget and without."""
    from scripted import Script, runtime, scripted

    with ExitStack() as stack:
        clock: Any = SystemClock()
        ours, theirs = (
            partial(
                stack.enter_context(runtime(folder / key, scripted(Script("done"), key=key, budget=budget), clock=clock)).ask, connector=key
            )
            for key, budget in (("paced", _FAST), ("bare", None))
        )
        for call in (ours, theirs):
            cpu_each(call, 100)
        added = statistics.median(cpu_each(ours, _CALLS) - cpu_each(theirs, _CALLS) for _ in range(_ROUNDS))
    return _line("what pacing adds to a call in one process, CPU", added, 20)


def _shared(name: str, url: str) -> Line:
    """Time of taking a place in the line that processes share: one transaction."""
    with open_database(url) as first, open_database(url) as second:
        one, two = (Paces("default", found, SystemClock()).find("c", "b", "s") for found in (_returning(first), _returning(second)))
        one.read(lambda: Limits(per_second=1e9), _deadline())
        taken = []
        for number in range(_ROUNDS * 100):
            pace = one if number % 2 else two
            began = time.perf_counter()
            pace.ask(Request(1, 60))
            taken.append(time.perf_counter() - began)
    return _line(f"what pacing adds to a call across processes ({name})", statistics.mean(taken[10:]), 300)


def _returning(found: Any) -> Callable[[], Any]:
    return lambda: found


def _deadline() -> Any:
    from jackfield.clock import Deadline

    return Deadline.after(5, SystemClock())


def _line(what: str, seconds: float, goal: int) -> Line:
    return Line(what, f"{seconds * 1e6:.0f} µs", f"≤ {goal} µs", seconds * 1e6 <= goal)
