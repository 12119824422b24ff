"""The HTTP API: a no-op against a bare Starlette application, tails, and memory over many requests."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.http_load import ROUNDS, bare, lane, load, said, serving
from benchmarks.measure import Line, Scene, compared, per_second, shown

_REQUESTS = 50_000


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
    yield _memory()


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
