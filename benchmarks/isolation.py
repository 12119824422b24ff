"""What isolation adds to a call, how many calls a child takes, how fast it starts, and what it
costs in memory.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import Answer, Line, Scene, compared, per_second, shown
from jackfield import Jackfield
from jackfield.catalog import Catalog, EntryPoint
from jackfield_isolation.children import Children

_THREADS = 16
_CONNECTIONS: Any = [{"mine": {"type": "plain/token", "values": {"token": "tick-tock"}}}]
_CALLS: dict[str, dict[str, Any]] = {
    "noop": {"connector": "plain", "action": "noop", "inputs": {"text": "hi"}},
    "read": {
        "connector": "plain",
        "action": "read",
        "connection": "mine",
        "inputs": {"text": "hi"},
    },
}


def lines() -> Iterator[Line]:
    """The same connector in this process and in a child, one call at a time; then calls from many
    threads; then the child itself.
    """
    for action, what in (
        ("noop", "a warm isolated call of an action without a connection"),
        ("read", "… with a connection and an announced request"),
    ):
        found = compared(
            *(Scene(scene, (action,), Answer.wall_each) for scene in (isolated, in_process))
        )
        yield found.line_of_difference(f"{what}, added to the call in this process", at_most=0.001)
    for action, what, goal in (
        ("noop", "an action without a connection", 2000),
        ("read", "with a connection", None),
    ):
        found = compared(Scene(isolated, (action,), Answer.rate, _THREADS), show=per_second)
        yield found.line_of_value(
            f"calls a second of one child, {_THREADS} threads, {what}", at_least=goal
        )
    with _isolating() as (jackfield, children):
        began = time.perf_counter()
        jackfield.invoke(_CALLS["noop"]).unwrap()
        yield Line("start of a child, until its first answer", shown(time.perf_counter() - began))
        yield Line(
            "memory of an idle child, not shared with others",
            f"{_private(children.processes()[0]):.0f} MiB",
        )


@contextmanager
def isolated(action: str) -> Iterator[Callable[[], object]]:
    """Call an action that runs in a child."""
    with _isolating() as (jackfield, _):
        yield lambda: jackfield.invoke(_CALLS[action]).unwrap()


@contextmanager
def in_process(action: str) -> Iterator[Callable[[], object]]:
    """Call the same action of the same connector in this process."""
    from isolated import install_from

    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, str(install_from(Path(folder), "plain", "plain.py")))
        with _running(
            Catalog([EntryPoint("plain", "jackfield_plain:connector", "jackfield-plain")])
        ) as jackfield:
            yield lambda: jackfield.invoke(_CALLS[action]).unwrap()


@contextmanager
def _isolating() -> Iterator[tuple[Jackfield, Children]]:
    from isolated import install_from

    with tempfile.TemporaryDirectory() as folder:
        install_from(Path(folder), "plain", "plain.py")
        environment = {"JACKFIELD_HOME": folder}
        with (
            closing(Children(environment)) as children,
            _running(Catalog.installed({}, environment, children.load)) as jackfield,
        ):
            yield jackfield, children


def _running(catalog: Catalog) -> Jackfield:
    return Jackfield(
        connections=_CONNECTIONS, database_url="none", catalog=catalog, environment={}, groups={}
    )


def _private(process: int) -> float:
    """MiB of a process that no other process shares."""
    rows = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return (
        sum(
            int(row.split()[1])
            for row in rows
            if row.startswith(("Private_Dirty", "Private_Clean"))
        )
        / 1024
    )
