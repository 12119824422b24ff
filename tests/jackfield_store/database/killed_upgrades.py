"""Upgrade a database in a child for each number of a statement, and kill the child there: ``python killed_upgrades.py URL some|all``.

SIGKILL, as a machine that fails, or an operator without patience. Number 0 is the moment after all statements, before the commit. Prints
how many statements the upgrade has, and the exit codes of the children.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from jackfield_store.database import open_database
from jackfield_store.database.migrations import Migrations
from jackfield_store.database.transaction import Transaction

_NONE = 10**6
"""A statement that no upgrade has: it is left before its commit by an exception."""
_run = Migrations._run


def _method(run: Callable[..., None]) -> Callable[..., None]:
    """Return a function, which a class binds, of a bound method, which it does not."""

    def bound(*given: Any) -> None:
        run(*given)

    return bound


class _Upgrade:
    """One upgrade, which is killed at a statement."""

    def __init__(self, number: int) -> None:
        self._number, self.done = number, 0

    def start(self, url: str) -> NoReturn:
        """Upgrade until the statement; the exit code is the number of statements."""
        changed: Any = Migrations
        changed._run = _method(self._ran)
        with open_database(url, migrate=None) as database:
            database.migrate(lambda _transaction, _names: self._last())
        os._exit(1)

    def _ran(self, migrations: Migrations, transaction: Transaction, statement: str) -> None:
        self.done += 1
        if self.done == self._number:
            os.kill(os.getpid(), signal.SIGKILL)
        _run(migrations, transaction, statement)

    def _last(self) -> None:
        if self._number == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        sys.stdout.write(f"{self.done}\n")
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
    numbers = range(last + 1) if wanted == "all" else (0, 1, 2, last // 2, last - 1, last)
    sys.stdout.write(" ".join(sorted({str(_ended(url, number)) for number in numbers})))


if __name__ == "__main__":
    main(*sys.argv[1:])
