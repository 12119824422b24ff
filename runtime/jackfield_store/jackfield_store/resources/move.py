"""Move of a database's whole content to another database, for ``jackfield db move``: from one
machine to many, and back.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from jackfield.kernel.clock import SystemClock
from jackfield.kernel.dataclass import dataclass
from jackfield_store.database import Database
from jackfield_store.database.check import CheckReport, check
from jackfield_store.database.faults import UsageFault
from jackfield_store.database.moving import NOT_MOVED, CompletedMove
from jackfield_store.database.moving import move as move_rows
from jackfield_store.journal.instance import LEASE
from jackfield_store.journal.statements import LIVE_INSTANCE
from jackfield_store.keys.vault import SealedRows
from jackfield_store.resources.storage import UPKEEP, Storage
from jackfield_store.resources.verify import with_contents

_SAID_EVERY = 5.0
"""Seconds between two reports on the progress of one table."""
_IN_MEMORY = "sqlite://"
_FILE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class MovedFiles:
    """Content of stored files: its location, the number of files and their bytes, and the number of
    files that this move has copied. ``problems`` has a sentence for each damaged or missing file.
    """

    location: str
    files: int
    size: int
    copied: int
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the moved files as a JSON object."""
        return {
            "location": self.location,
            "files": self.files,
            "bytes": self.size,
            "copied": self.copied,
        }


@dataclass(frozen=True, slots=True)
class Move:
    """Completed move: locations without passwords, the moved rows and files, and the check of the
    target.
    """

    source: str
    target: str
    moved: CompletedMove
    files: MovedFiles
    report: CheckReport

    def to_json(self) -> dict[str, Any]:
        """Return the move as a JSON object."""
        tables = self.moved.tables
        return {
            "from": self.source,
            "to": self.target,
            "version": self.report.version,
            "resumed": self.moved.resumed,
            "rows": sum(table.rows for table in tables.values()),
            "tables": {
                name: {"rows": table.rows, "sha256": table.digest} for name, table in tables.items()
            },
            "files": self.files.to_json(),
            "notMoved": list(NOT_MOVED),
            "ok": self.report.sound,
            "problems": list(self.report.problems),
            **({"notChecked": list(self.report.not_checked)} if self.report.not_checked else {}),
        }


def move(
    source_url: str,
    target_url: str,
    say: Callable[[str], object],
    move_files: Callable[[Storage, Callable[[str], object]], MovedFiles],
    more: Sequence[SealedRows] = (),
) -> Move:
    """Copy all rows from one database to a new one, verify and check it, with ``more`` rows
    (``Contents``). ``say`` gets sentences on the progress.

    Sealed values stay sealed by the same data keys, which the same master key decrypts. An
    interrupted move is continued. ``move_files`` moves or verifies the content of the source's
    stored files before the new database can be used.

    :raises UsageFault: if there is nothing to move, the target is in use, or a process uses either
        database.
    :raises WrongMasterKey: if the master key does not decrypt the data keys.
    :raises DatabaseUnfit: if the databases cannot be moved.
    :raises Unavailable: if a database cannot be read or written.
    """
    _require_file(source_url)
    if target_url == _IN_MEMORY:
        raise UsageFault(
            "a database in memory would be lost with this command",
            hint="Write the second URL as sqlite:////path.db.",
        )
    with ExitStack() as stack:
        source, target = (
            stack.enter_context(Storage(url, os.environ, SystemClock()))
            for url in (source_url, target_url)
        )
        reading, writing = (
            stack.enter_context(storage.opened(migrate=None, most=UPKEEP))
            for storage in (source, target)
        )
        if not writing.version():
            writing.migrate()
        for database in (reading, writing):
            _require_unused(database)
        source.migrates = False
        source.vault.verify()
        found: list[MovedFiles] = []
        moved = move_rows(
            reading, writing, _Progress(say), lambda: found.append(move_files(source, say))
        )
        say(f"checking {writing.location}")
        report = with_contents(target, check(writing), more).and_more(found[0].problems)
        return Move(reading.location, writing.location, moved, found[0], report)


def _require_file(url: str) -> None:
    """Check that a SQLite database exists: opening it would create it."""
    if url.startswith(_FILE) and not os.path.exists(url.removeprefix(_FILE)):
        raise UsageFault(
            f"there is nothing to move: {url} does not exist", hint="Check the first URL."
        )


def _require_unused(database: Database) -> None:
    """Check that no process has a lease on the database's invocations."""
    if not database.version():
        return
    found = database.look_up(LIVE_INSTANCE.format(now=database.dialect.now), {"lease": LEASE})
    if found is not None:
        raise UsageFault(
            f"the process {found.pid} on {found.host} uses {database.location}",
            hint=(
                "Stop every server and worker first. A process that was killed counts for "
                f"{LEASE:g} seconds more."
            ),
        )


class _Progress:
    """Reports on the tables that have rows: at the end of each table, and every few seconds
    before.
    """

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._said_at = time.monotonic()

    def __call__(self, table: str, done: int, count: int) -> None:
        now = time.monotonic()
        if done >= count or now - self._said_at >= _SAID_EVERY:
            self._said_at = now
            self._say(f"{table}: {done:,} of {count:,} rows")
