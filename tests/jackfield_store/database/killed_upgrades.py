"""Upgrade a database in a child for each number of a statement, and kill the child there: ``python
killed_upgrades.py URL some|all``.

SIGKILL, as a machine that fails, or an operator without patience. Number 0 is the moment after all
statements, before the commit. Prints how many statements the upgrade has, and the exit codes of the
children.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from jackfield_store.database import open_database
from jackfield_store.database.migrations import Migrations
from jackfield_store.database.transaction import Mode, Transaction

_NONE = 10**6
"""A statement that no upgrade has: it is left before its commit by an exception."""


class _Upgrade:
    """One upgrade, which is killed at a statement. It stands for its transaction, too."""

    def __init__(self, number: int) -> None:
        self._number, self._done = number, 0

    def start(self, url: str) -> NoReturn:
        """Upgrade until the statement, or print how many there were."""
        with open_database(url, migrate=None) as database:
            process = database._process
            begin = process.begin

            @contextmanager
            def begun(mode: Mode) -> Iterator[Any]:
                with begin(mode) as transaction:
                    if mode is not Mode.MIGRATE:
                        yield transaction
                        return
                    self._transaction: Transaction = transaction
                    yield self
                    self._last()

            Migrations(process.dialect, begun).apply()
        os._exit(1)

    def execute(self, sql: str) -> Any:
        """Run a statement of the transaction; reads count for nothing."""
        if not sql.startswith("SELECT"):
            self._count()
        return self._transaction.execute(sql)

    def change(self, sql: str, values: Any) -> int:
        """Run the statement that records a version."""
        self._count()
        return self._transaction.change(sql, values)

    def _count(self) -> None:
        self._done += 1
        if self._done == self._number:
            os.kill(os.getpid(), signal.SIGKILL)

    def _last(self) -> None:
        if self._number == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        sys.stdout.write(f"{self._done}\n")
        sys.stdout.flush()
        os._exit(0)


def _ended(url: str, number: int) -> int:
    child = os.fork()
    if child == 0:
        _Upgrade(number).start(url)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(url: str, wanted: str, count: str = "") -> None:
    """Kill upgrades at some statements, or at all of them; without their number, only print it."""
    if not count:
        _ended(url, _NONE)
        return
    last = int(count)
    numbers = (
        range(last + 1)
        if wanted == "all"
        else {0, 1, 2, last // 2, last - 1, last} & {*range(last + 1)}
    )
    sys.stdout.write(" ".join(sorted({str(_ended(url, number)) for number in numbers})))


if __name__ == "__main__":
    main(*sys.argv[1:])
