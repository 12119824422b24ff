"""A no-op of the echo connector in process, which is the cost of the pipe alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import Line, Scene, compared
from benchmarks.scenes import PLAIN, database
from jackfield import Jackfield


def lines() -> Iterator[Line]:
    """Without and with a connection, without a journal and with one."""
    for kind in ("none", "SQLite"):
        for action, what in (
            ("plain", "without a connection"),
            ("say", "with a connection"),
            ("post", "with a connection, a write"),
        ):
            if (kind, action) != ("none", "post"):
                journal = "" if kind == "none" else f", journal in {kind}"
                found = compared(Scene(no_op, (kind, action)))
                yield found.line_of_change(f"no-op in process {what}{journal}, CPU")


@contextmanager
def no_op(kind: str, action: str) -> Iterator[Callable[[], object]]:
    """Invoke an action of the echo connector, or one of a connector without connections."""
    from plugboard import make_connector, make_echo, plugged

    connection = {"hall": {"type": "echo/token", "values": {"token": "t"}}}
    call: dict[str, Any] = {
        "connector": "echo",
        "action": action,
        "connection": "hall",
        "inputs": {"text": "hello"},
    }
    if action == "plain":
        call = {"connector": "plain", "action": "say", "inputs": {"text": "hello"}}
    with tempfile.TemporaryDirectory() as folder, database(kind) as (url, home):
        make_connector(Path(folder), "plain", PLAIN)
        with (
            plugged(*make_echo(Path(folder))),
            Jackfield(
                connections=[connection],
                database_url=url,
                environment={"JACKFIELD_HOME": str(home)},
            ) as jackfield,
        ):
            yield lambda: jackfield.invoke(call).unwrap()
