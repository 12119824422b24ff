"""``jackfield db``: upgrade, check, back up, restore and move the database."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.session import declare_nothing
from jackfield.kernel.database_urls import url_in_file
from jackfield.kernel.local import account_key
from jackfield.kernel.signals import ending_programs
from jackfield_store.commands.stored import open_storage
from jackfield_store.database.check import check
from jackfield_store.database.hold import Hold
from jackfield_store.management.platform_part import platform_part
from jackfield_store.resources.sealed_rows import STORE_ROWS
from jackfield_store.resources.storage import UPKEEP
from jackfield_store.resources.verify import with_contents

if TYPE_CHECKING:
    from jackfield_store.database import Database
    from jackfield_store.keys.vault import SealedRows

_FAILED = 1
_KEPT = (
    "the journal keeps the inputs of a call in doubt, encrypted, until it is settled; "
    "'jackfield workspaces set NAME --keep-doubts no' switches that off"
)


@contextmanager
def _unmigrated() -> Iterator[Database]:
    """Open the configured database without migrating it."""
    with open_storage().opened(migrate=None, most=UPKEEP) as database:
        yield database


def _upgrade(_arguments: Namespace, output: Output) -> int:
    with _unmigrated() as database:
        applied = database.migrate()
        made = {"database": database.location, "version": database.version(), "applied": applied}
    output.value(made)
    if applied:
        sys.stderr.write(f"jackfield: {_KEPT}\n")
    return 0


def _sealed_rows() -> Sequence[SealedRows]:
    return *STORE_ROWS, *platform_part().SEALED_ROWS


def _check(_arguments: Namespace, output: Output) -> int:
    with _unmigrated() as database:
        report = check(database)
    if report.sound:
        with open_storage() as storage:
            report = with_contents(storage, report, _sealed_rows())
    output.value(report.to_json())
    return 0 if report.sound else _FAILED


def _declare_path(parser: Parser) -> None:
    parser.add_argument("path", metavar="PATH")


def _backup(arguments: Namespace, output: Output) -> int:
    from jackfield_store.database.backup import backup

    with _unmigrated() as database, ending_programs():
        made = backup(database, arguments.path)
    output.value({"path": made.path, "size": made.size, "version": made.version})
    return 0


def _declare_restore(parser: Parser) -> None:
    _declare_path(parser)
    text = (
        "hold the queue in the same transaction: nothing is sent before 'jackfield queue release'"
    )
    parser.add_argument("--hold-queue", action="store_true", help=text)


def _restore(arguments: Namespace, output: Output) -> int:
    from jackfield_store.database.backup import restore

    hold = (
        Hold(time.time(), account_key(), f"restored from {os.path.basename(arguments.path)}")
        if arguments.hold_queue
        else None
    )
    with _unmigrated() as database, ending_programs():
        applied = restore(database, arguments.path, hold=hold)
        made = {"database": database.location, "version": database.version(), "applied": applied}
    output.value(made if hold is None else {**made, "held": hold.to_json()})
    return 0


def _declare_move(parser: Parser) -> None:
    parser.add_argument(
        "source", metavar="FROM", help="the database's URL, or @FILE for a file that contains it"
    )
    parser.add_argument("target", metavar="TO", help="the URL of a new database, or @FILE")
    text = (
        "copy the content of stored files from JACKFIELD_FILES_URL to this store: "
        "file:///path or s3://bucket/prefix"
    )
    parser.add_argument("--files-to", metavar="URL", help=text)


def _move(arguments: Namespace, output: Output) -> int:
    from jackfield_store.files.moving import FileMove
    from jackfield_store.resources.move import move

    move_files = FileMove(os.environ, arguments.files_to)
    source, target = _url(arguments.source), _url(arguments.target)
    moved = move(
        source,
        target,
        lambda text: sys.stderr.write(f"jackfield: {text}\n"),
        move_files,
        _sealed_rows(),
    )
    output.value(moved.to_json())
    return 0 if moved.report.sound else _FAILED


def _url(text: str) -> str:
    """Return a database's URL; ``@FILE`` keeps its password out of the list of processes."""
    return url_in_file(text[1:], "@FILE") if text.startswith("@") else text


VERBS = {
    "upgrade": Verb("Upgrade the tables.", declare_nothing, _upgrade),
    "check": Verb(
        "Check that the database is intact and up to date; exit code 1 if not.",
        declare_nothing,
        _check,
    ),
    "backup": Verb(
        "Back up the database to a new file, without stopping calls.", _declare_path, _backup
    ),
    "restore": Verb(
        "Restore a backup of PostgreSQL into an empty database.", _declare_restore, _restore
    ),
    "move": Verb(
        "Move everything to a new database: from SQLite to PostgreSQL, or back.",
        _declare_move,
        _move,
    ),
}
