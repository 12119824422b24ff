"""Unkeyed writes that an open equal one would answer (``JACKFIELD_TWINS=join``), beside the same
without: the digest of their inputs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import Line, Scene, compared
from benchmarks.scenes import PLAIN, database

_SIZES = {"1 kB": 1_000, "10 MB": 10_000_000}


def lines() -> Iterator[Line]:
    """A small write has a goal; a large one is for scale."""
    for name, size in _SIZES.items():
        found = compared(Scene(write, ("join", size)), Scene(write, ("allow", size)))
        yield found.line(
            f"unkeyed write of {name} that joins its twin / that does not, journal in SQLite, CPU",
            at_most=1.03 if size == 1_000 else None,
        )


@contextmanager
def write(twins: str, size: int) -> Iterator[Callable[[], object]]:
    """Keep a note of so many characters, as a token's caller does."""
    from jackfield import Jackfield
    from jackfield.callers import Caller
    from plugboard import make_connector, plugged

    caller = Caller("agent", "invoke", remote=True, token="01991c8e-7a8a-7c6e-8d1e-0f4f3a2b1c0d")
    call: dict[str, Any] = {"connector": "plain", "action": "keep", "inputs": {"text": "x" * size}}
    with tempfile.TemporaryDirectory() as folder, database("SQLite") as (url, home):
        make_connector(Path(folder), "plain", PLAIN)
        environment = {"JACKFIELD_HOME": str(home), "JACKFIELD_TWINS": twins}
        with (
            plugged(folder),
            Jackfield(connections=(), database_url=url, environment=environment) as jackfield,
        ):
            yield lambda: jackfield.invoke(call, caller=caller).unwrap()
