"""CPU time of a server for each kind of request, against the baseline; MCP against HTTP; how evenly
refusals are served.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.http_load import ROUNDS, lane
from benchmarks.measure import Line, compared
from benchmarks.own_server import running


def lines() -> Iterator[Line]:
    """All lanes."""
    for name, what in (
        ("read", "a no-op"),
        ("write", "a no-op write"),
        ("keyed", "a no-op write with an idempotency key"),
    ):
        for connections in (1, 64):
            found = compared(lane(name, connections, value="cpu"), rounds=ROUNDS)
            many = f"{connections} connection{'s' if connections > 1 else ''}"
            yield found.line_of_change(f"CPU per request of the server, {what}, {many}")
    with running("benchmarks.http_client") as url:
        found = compared(lane("upstream", 64, url, value="cpu"), rounds=ROUNDS)
        yield found.line_of_change(
            "CPU per request of the server, a real HTTP call (http.request), 64 connections"
        )
    found = compared(lane("mcp", 64, value="cpu"), lane("read", 64, value="cpu"), rounds=ROUNDS)
    yield found.line("CPU of an MCP call over the same HTTP call, 64 connections", at_most=1.5)
    found = compared(
        lane("refused", 64, "", 1, 2.0, value="unfair"),
        rounds=ROUNDS,
        show=lambda value: f"{value:.1f}×",
    )
    yield found.line_of_value(
        "longest wait of a refused input over the mean, 64 connections", at_most=4
    )
