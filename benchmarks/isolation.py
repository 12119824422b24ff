"""What isolation adds to a call, how many calls a child takes, how fast it starts, and what it costs in memory."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, Line
from jackfield import Jackfield
from jackfield.catalog import Catalog, EntryPoint
from jackfield.isolation.children import Children

assert (ROOT / "tests" / "support").is_dir()  # measure has put it on the path
_ROUNDS = 9
_CALLS = 200
_MANY = 4000
_THREADS = 16
_CONNECTIONS: Any = [{"mine": {"type": "plain/token", "values": {"token": "tick-tock"}}}]
_NOOP = {"connector": "plain", "action": "noop", "inputs": {"text": "hi"}}
_READ = {"connector": "plain", "action": "read", "connection": "mine", "inputs": {"text": "hi"}}


def lines() -> Iterator[Line]:
    """The same connector in this process and in a child, one call at a time; then calls from many threads; then the child itself."""
    from isolated import install_from

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        site = install_from(home, "plain", "plain.py")
        sys.path.insert(0, str(site))
        here = Catalog([EntryPoint("plain", "jackfield_plain:connector", "jackfield-plain")])
        with _running(here) as ours, _isolating(home) as (isolated, children):
            started = time.perf_counter()
            _call(isolated, _NOOP)()
            first = time.perf_counter() - started
            yield _added("a warm isolated call of an action without a connection", _call(isolated, _NOOP), _call(ours, _NOOP))
            yield _added("… with a connection and an announced request", _call(isolated, _READ), _call(ours, _READ))
            for name, invocation, goal in (("an action without a connection", _NOOP, 2000), ("with a connection", _READ, None)):
                rate = _rate(_call(isolated, invocation))
                wanted = "for scale" if goal is None else f"≥ {goal:,}/s"
                yield Line(
                    f"calls a second of one child, {_THREADS} threads, {name}",
                    f"{rate:,.0f}/s",
                    wanted,
                    None if goal is None else rate >= goal,
                )
            yield Line("start of a child, until its first answer", f"{first * 1000:.0f} ms", "for scale")
            yield Line("memory of an idle child, not shared with others", f"{_private(children.processes()[0]):.0f} MiB", "for scale")


@contextmanager
def _isolating(home: Path) -> Iterator[tuple[Jackfield, Children]]:
    environment = {"JACKFIELD_HOME": str(home)}
    with closing(Children(environment)) as children, _running(Catalog.installed({}, environment, children.load)) as jackfield:
        yield jackfield, children


def _running(catalog: Catalog) -> Jackfield:
    return Jackfield(connections=_CONNECTIONS, database_url="none", catalog=catalog, environment={}, points=())


def _call(jackfield: Jackfield, invocation: dict[str, Any]) -> Callable[[], object]:
    return lambda: jackfield.invoke(invocation).unwrap()


def _added(name: str, isolated: Callable[[], object], ours: Callable[[], object]) -> Line:
    """Difference of the medians, in alternating rounds."""
    for _ in range(_CALLS):
        isolated(), ours()
    pairs = [(_median(isolated), _median(ours)) for _ in range(_ROUNDS)]
    added = statistics.median(there - here for there, here in pairs)
    there, here = (statistics.median(column) for column in zip(*pairs, strict=True))
    measured = f"{added * 1000:.2f} ms ({there * 1e6:.0f} µs / {here * 1e6:.0f} µs)"
    return Line(f"{name}, added at p50 to the call in this process", measured, "≤ 1 ms", added <= 0.001)


def _median(call: Callable[[], object]) -> float:
    times = []
    for _ in range(_CALLS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _rate(call: Callable[[], object]) -> float:
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(lambda _: call(), range(_THREADS * 20)))
        started = time.perf_counter()
        list(pool.map(lambda _: call(), range(_MANY)))
        return _MANY / (time.perf_counter() - started)


def _private(process: int) -> float:
    """MiB of a process that no other process shares."""
    rows = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(row.split()[1]) for row in rows if row.startswith(("Private_Dirty", "Private_Clean"))) / 1024
