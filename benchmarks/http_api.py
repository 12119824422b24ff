"""The HTTP API: a no-op against a bare Starlette application, real calls against the fair bound, tails, and memory over many requests."""

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
    ("upstream", "a real GET", {1: 0.8, 16: 0.9, 64: 0.9}),
    ("upstreamWrite", "a real POST", {1: 0.75, 16: 0.9, 64: 0.9}),
    ("upstreamKeyed", "a real POST with a new idempotency key", {1: 0.75, 16: 0.9, 64: 0.9}),
)
"""Lanes, and the least share of the rate of the bound with threads, by the number of connections."""


def lines() -> Iterator[Line]:
    """All lines about a no-op."""
    for name, action, connections, goal in (("async", "an async", 64, 0.25), ("read", "a sync", 64, 0.18), ("read", "a sync", 1, 0.25)):
        ours = lane(name, connections)
        found = compared(ours, Scene(bare, ("read", connections), said("rate"), count=1), rounds=ROUNDS, show=per_second)
        tail = statistics.median(each["p99"] for each in ours.said)
        many = f"{connections} connection{'s' if connections > 1 else ''}"
        what = f"requests a second of {action} no-op action, journalled, against bare Starlette, {many}"
        yield found.line(what, at_least=goal)
        yield Line(f"… p99, {action} action, {many}", shown(tail), *(("≤ 50 ms", tail <= 0.05) if connections > 1 else ()))
    with running("benchmarks.http_client") as provider:
        for kind in databases():
            with database(kind) as (own, _), database(kind, has_tables=False) as (other, _):
                yield from _bounded(provider, kind, *(("", "") if kind == "SQLite" else (own, other)))
    yield _memory()


def _bounded(provider: str, kind: str, own: str, other: str) -> Iterator[Line]:
    """Compare with the bound on a kind of database: ``own`` is ours, ``other`` the bound's. jackfield's connectors are plain functions, so
    the one with threads counts. The other one is how far there is to go."""
    for name, what, goals in _CALLS:
        for connections, goal in goals.items():
            many = f"{kind}, {connections} connection{'s' if connections > 1 else ''}"
            for client, at_least in (("threads", goal), ("loop", None)):
                mine = lane(name, connections, provider, 1, SECONDS, own)
                theirs = Scene(bound, (name, connections, provider, client, other), said("rate"), count=1)
                found = compared(mine, theirs, rounds=3, show=per_second, is_cost=False)
                cpu, tails = ([statistics.median(each[value] for each in side.said) for side in (mine, theirs)] for value in ("cpu", "p99"))
                where = "in threads" if client == "threads" else "on the loop"
                line = f"requests a second of {what}, journalled, against the fair bound with its client {where}: {many}"
                yield found.line(line, at_least=at_least, more=f"; CPU {cpu[0] / cpu[1]:.2f}×, p99 {shown(tails[0])} / {shown(tails[1])}")


def _memory() -> Line:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:

        def until(count: int) -> None:
            done = 0.0
            while done < count:
                done += load(server.port, server.process.pid, "read", 64, token=server.token, seconds=5.0)["count"]

        until(_REQUESTS // 5)
        before = server.rss()
        until(_REQUESTS)
        grown = (server.rss() - before) / 1024**2
        measured = f"{server.rss() / 1024**2:.0f} MiB, grown by {grown:.1f} MiB"
    return Line(f"memory after {_REQUESTS:,} requests more", measured, "≤ 3 MiB more", grown <= 3)
