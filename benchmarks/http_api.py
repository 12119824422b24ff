"""The HTTP API: a no-op against a bare Starlette application, real calls against the fair bound,
tails, and memory over many requests.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.http_load import ROUNDS, SECONDS, bare, bound, lane, load, said, serving
from benchmarks.measure import Line, Scene, compared, per_second, shown
from benchmarks.own_server import running
from benchmarks.scenes import database, databases

_REQUESTS = 50_000
_CALLS = (
    ("upstream", "GET", {1: 0.8, 16: 0.9, 64: 0.9}),
    ("upstreamWrite", "POST", {1: 0.75, 16: 0.9, 64: 0.9}),
    ("upstreamKeyed", "POST, new key,", {1: 0.75, 16: 0.9, 64: 0.9}),
)
"""Lanes, and the least share of the rate of the bound with threads, by the number of
connections.
"""


def lines() -> Iterator[Line]:
    """All lines about a no-op."""
    for name, action, connections, goal in (
        ("async", "an async", 64, 0.25),
        ("read", "a sync", 64, 0.18),
        ("read", "a sync", 1, 0.25),
    ):
        ours = lane(name, connections)
        found = compared(
            ours,
            Scene(bare, ("read", connections), said("rate"), count=1),
            rounds=ROUNDS,
            show=per_second,
        )
        tail = statistics.median(each["p99"] for each in ours.said)
        many = f"{connections} connection{'s' if connections > 1 else ''}"
        what = (
            f"requests a second of {action} no-op action, journalled, against bare "
            f"Starlette, {many}"
        )
        yield found.line(what, at_least=goal)
        yield Line(
            f"… p99, {action} action, {many}",
            shown(tail),
            *(("≤ 50 ms", tail <= 0.05) if connections > 1 else ()),
        )
    with running("benchmarks.http_client") as provider:
        for kind in databases():
            with database(kind) as (own, _), database(kind, has_tables=False) as (other, _):
                yield from _bounded(
                    provider, kind, *(("", "") if kind == "SQLite" else (own, other))
                )
    yield _memory()


def _bounded(provider: str, kind: str, own: str, other: str) -> Iterator[Line]:
    """Compare with the bound on a kind of database: ``own`` is ours, ``other`` the bound's.
    jackfield's connectors are plain functions, so the one with threads counts. The other one is how
    far there is to go.
    """
    for name, what, goals in _CALLS:
        many = ", ".join(map(str, goals))
        for client, where in (
            ("threads", f"{what} over the bound: {kind}, {many}"),
            ("loop", f"… its client on the loop: {many}"),
        ):
            found, texts = [], []
            for connections in goals:
                mine = lane(name, connections, provider, 1, SECONDS, own)
                theirs = Scene(
                    bound, (name, connections, provider, client, other), said("rate"), count=1
                )
                ratio = compared(mine, theirs, rounds=3, show=per_second, is_cost=False)
                cpu, tail = (_of(value, mine) / _of(value, theirs) for value in ("cpu", "p99"))
                found.append(ratio.ratio)
                texts.append(
                    (f"{ratio.ratio:.2f}×", f"{cpu:.1f}×", f"{tail:.1f}×", per_second(ratio.mine))
                )
            ratios, costs, tails, rates = (", ".join(each) for each in zip(*texts, strict=True))
            line = Line(where, f"{ratios}; CPU {costs}")
            if client == "threads":
                met = all(ratio >= goal for ratio, goal in zip(found, goals.values(), strict=True))
                least = f"≥ {', '.join(f'{goal:g}' for goal in goals.values())}"
                line = Line(where, f"{line.measured}; p99 {tails}; {rates}", least, met)
            yield line


def _of(value: str, side: Scene) -> float:
    return float(statistics.median(each[value] for each in side.said))


def _memory() -> Line:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:

        def until(count: int) -> None:
            done = 0.0
            while done < count:
                done += load(
                    server.port, server.process.pid, "read", 64, token=server.token, seconds=5.0
                )["count"]

        until(_REQUESTS // 5)
        before = server.rss()
        until(_REQUESTS)
        grown = (server.rss() - before) / 1024**2
        measured = f"{server.rss() / 1024**2:.0f} MiB, grown by {grown:.1f} MiB"
    return Line(f"memory after {_REQUESTS:,} requests more", measured, "≤ 3 MiB more", grown <= 3)
