"""What it costs that a write with an idempotency key is answered after its outcome is committed:
its rate over that of one without a key.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.http_load import ROUNDS, SECONDS, lane
from benchmarks.measure import Line, compared, per_second
from benchmarks.scenes import database, databases


def lines() -> Iterator[Line]:
    """Each database, each number of connections."""
    for kind in databases():
        with database(kind) as (url, _):
            for connections in (1, 16, 64):
                keyed, plain = (
                    lane(name, connections, "", 1, SECONDS, "" if kind == "SQLite" else url)
                    for name in ("keyed", "write")
                )
                found = compared(keyed, plain, rounds=ROUNDS, show=per_second, is_cost=False)
                yield found.line(
                    f"writes with a new key over such without one, over HTTP: {kind}, {connections}"
                )
