"""``jackfield db``: upgrade, check, back up and restore the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.session import open_storage
from jackfield.database.check import check
from jackfield.resources.verify import Contents

if TYPE_CHECKING:
    from jackfield.database import Database
    from jackfield.database.check import Report
    from jackfield.resources.storage import Storage

_FAILED = 1


@contextmanager
def _unmigrated() -> Iterator[tuple[Storage, Database]]:
    """Open the configured database without migrating it."""
    storage = open_storage()
    with storage.opened(migrate=None) as database:
        yield storage, database


def _declare_nothing(_parser: Parser) -> None:
    """Add no arguments."""


def _upgrade(_arguments: Namespace, output: Output) -> int:
    with _unmigrated() as (storage, database):
        applied, sealed = storage.migrate(database)
        made = {"database": database.location, "version": database.version(), "applied": applied}
    output.value({**made, "sealed": sealed} if sealed else made)
    return 0


def _check(_arguments: Namespace, output: Output) -> int:
    with _unmigrated() as (_, database):
        report = check(database)
        if report.sound:
            report = _with_contents(database, report)
    output.value(report.to_json())
    return 0 if report.sound else _FAILED


def _with_contents(database: Database, report: Report) -> Report:
    """Extend the report by problems of individual rows."""
    with open_storage() as storage:
        contents = Contents(database, lambda: storage.vault)
        problems = list(contents.problems())
    return report.and_more(problems, contents.not_checked)


def _declare_path(parser: Parser) -> None:
    parser.add_argument("path", metavar="PATH")


def _backup(arguments: Namespace, output: Output) -> int:
    from jackfield.database.backup import backup

    with _unmigrated() as (_, database):
        made = backup(database, arguments.path)
    output.value({"path": made.path, "size": made.size, "version": made.version})
    return 0


def _restore(arguments: Namespace, output: Output) -> int:
    from jackfield.database.backup import restore

    with _unmigrated() as (storage, database):
        applied = restore(database, arguments.path, lambda restored: storage.migrate(restored).versions)
        output.value({"database": database.location, "version": database.version(), "applied": applied})
    return 0


VERBS = {
    "upgrade": Verb("Upgrade the tables.", _declare_nothing, _upgrade),
    "check": Verb("Check that the database is intact and up to date; exit code 1 if not.", _declare_nothing, _check),
    "backup": Verb("Back up the database to a new file, without stopping calls.", _declare_path, _backup),
    "restore": Verb("Restore a backup of PostgreSQL into an empty database.", _declare_path, _restore),
}
