"""What pacing by the account's own limits adds to a call, in one process and through the
database.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

from benchmarks.measure import Line, Scene, compared
from benchmarks.scenes import database, databases
from jackfield.connector import Budget, Limits
from jackfield.kernel.clock import SystemClock

_FAST = Budget("calls", lambda _inputs, _client: "account", lambda _client: Limits(per_second=1e9))
"""A rate so high that nothing waits: what is left is the cost of pacing."""


def lines() -> Iterator[Line]:
    """In one process; then between two runtimes on SQLite and PostgreSQL."""
    found = compared(*(Scene(ask, ("none", is_paced)) for is_paced in (True, False)))
    yield found.line_of_difference("what pacing adds to a call in one process, CPU", at_most=20e-6)
    for kind, goal in zip(databases(), (15e-6, 60e-6), strict=False):
        found = compared(*(Scene(ask, (kind, is_paced)) for is_paced in (True, False)))
        yield found.line_of_difference(
            f"pacing across processes ({kind}), added per send, CPU", at_most=goal
        )


@contextmanager
def ask(kind: str, is_paced: bool) -> Iterator[Callable[[], object]]:
    """Read from a provider that answers at once, with the budget or without; with a database, by
    two runtimes in turn.
    """
    from scripted import Script, runtime, scripted

    with ExitStack() as stack:
        url, home = stack.enter_context(database(kind))
        clock: Any = SystemClock()
        runtimes = []
        for number in range(1 if kind == "none" else 2):
            connector = scripted(Script("done"), effect="read", budget=_FAST if is_paced else None)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()), str(number))
            options = {
                "clock": clock,
                "database_url": url,
                "environment": {"JACKFIELD_HOME": str(home)},
            }
            runtimes.append(stack.enter_context(runtime(folder, connector, **options)))
        turn = cycle(runtimes)
        yield lambda: next(turn).ask()
