"""``jackfield isolation``: show which layers of isolation hold on this machine."""

from __future__ import annotations

import os

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb

_COLUMNS = ("layer", "holds", "provides")
_FAILED = 1


def _declare(parser: Parser) -> None:
    """Declare no arguments."""


def _run(_arguments: Namespace, output: Output) -> int:
    from jackfield_isolation.examination import examine

    rows = examine(os.environ)
    more = tuple(name for name in ("reason", "allowed") if any(name in row for row in rows))
    output.rows(rows, (*_COLUMNS, *more))
    return 0 if all(row["holds"] for row in rows) else _FAILED


VERBS = {
    "": Verb(
        "Show which layers of isolation hold on this machine, by a process that tries to break "
        "each.",
        _declare,
        _run,
    )
}
