"""Copy of all rows from one database to another of the same version, of either kind: in order,
resumable, verified by digest.

The tables come from the schema, so that a new table is moved without a change here. Rows are copied
in the order of their primary key, some thousand per commit, without triggers, whose effects are
among the copied rows already. An interrupted move continues after the last key in the target. Until
the target is verified, its table ``unfinished_move`` keeps every other process out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256

from jackfield.kernel.dataclass import dataclass
from jackfield_store.database.engine import Database, open_database
from jackfield_store.database.epoch import RAISE
from jackfield_store.database.faults import (
    ConstraintViolation,
    DatabaseUnfit,
    StatementInvalid,
    UsageFault,
)
from jackfield_store.database.hold import move_hold
from jackfield_store.database.lost_numbers import note_place
from jackfield_store.database.migrations import UNFINISHED, declared, known_migrations
from jackfield_store.database.statements import Row
from jackfield_store.database.table_shapes import (
    TableShape,
    continue_numbers,
    shape_of,
    without_triggers,
)
from jackfield_store.database.transaction import Transaction

NOT_MOVED = ("clock", "dispatchers", "epoch", "instances", "schema_migrations")
"""Tables that describe one database and its processes, and are not moved. From ``dispatchers``,
only the queue's hold is moved.
"""
_ROWS = 2000
"""Maximum number of rows per commit."""
_BYTES = 8 * 1024 * 1024
"""Maximum bytes of text and blobs per commit, unless a single row has more."""
_EMPTY = "Give a new database without tables, or one that only 'jackfield db upgrade' has used."
_VERSIONS = "Run 'jackfield db upgrade' on both databases with this jackfield, then move again."
_AGAIN = (
    "Stop every process that uses either database, then run the same command again: it goes "
    "on where it stopped."
)


@dataclass(frozen=True, slots=True)
class MovedTable:
    """Number of rows of a table, and the SHA-256 of all rows in the order of their key, in
    hexadecimal.
    """

    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class CompletedMove:
    """Completed move: tables by name, and whether an earlier one was continued."""

    tables: Mapping[str, MovedTable]
    resumed: bool


Progress = Callable[[str, int, int], object]
"""Function called with a table, the number of its rows in the target, and the number in the
source.
"""


def moved_tables() -> list[str]:
    """Return the names of the moved tables, each after the tables that it refers to."""
    return [name for name in declared("TABLE", known_migrations()) if name not in NOT_MOVED]


def move(
    source: Database,
    target: Database,
    progress: Progress,
    finish: Callable[[], object] = lambda: None,
) -> CompletedMove:
    """Copy all rows of ``source`` to ``target``, verify them, and open ``target`` for use. Nothing
    can be written to ``source`` meanwhile.

    After an interruption, call it again with the same databases. A table with rows that have
    changed since is copied anew. ``finish`` moves data outside of the database; if it is
    interrupted, so is the move.

    :raises UsageFault: if ``target`` is in use, or holds a part of another database.
    :raises DatabaseUnfit: if the databases have other versions, or a row cannot be stored in
        ``target``.
    :raises Unavailable: if a database cannot be read or written; the move can be continued.
    """
    _require_one_version(source, target)
    with source.write() as reading:
        shapes = [shape_of(reading, source.dialect, table) for table in moved_tables()]
        if source.dialect.name != "sqlite":
            _lock(reading, shapes)
        resumed = _begin(source, target)
        tables = {}
        for shape in shapes:
            count = _count(reading, shape)
            _copy(
                reading,
                target,
                shape,
                lambda done, shape=shape, count=count: progress(shape.name, done, count),  # type: ignore[misc]
            )
            tables[shape.name] = _verified(reading, target, shape)
        finish()
        with target.write() as writing:
            move_hold(reading, writing)
            note_place(writing, target.dialect)
            writing.change(f"DROP TABLE {UNFINISHED}")
            writing.change(RAISE)
    return CompletedMove(tables, resumed)


def _require_one_version(source: Database, target: Database) -> None:
    if source.location == target.location:
        raise UsageFault("the database cannot be moved to itself", hint="Give two different URLs.")
    if not source.version():
        raise UsageFault(
            f"there is nothing to move: {source.location} has no tables",
            hint="Check the first URL.",
        )
    versions, known = (source.version(), target.version()), known_migrations()[-1].version
    if set(versions) != {known}:
        raise DatabaseUnfit(
            f"the databases have the versions {versions[0]} and {versions[1]}, and this "
            f"jackfield has {known}",
            hint=_VERSIONS,
        )


def _lock(reading: Transaction, shapes: list[TableShape]) -> None:
    """Lock out PostgreSQL's writers until the end of the transaction, however long that takes."""
    reading.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    reading.execute("SET LOCAL statement_timeout = 0")
    reading.execute(f"LOCK TABLE {', '.join(shape.name for shape in shapes)} IN SHARE MODE")


def _begin(source: Database, target: Database) -> bool:
    """Mark a new target as incomplete and delete its initial rows. Return True, without a change,
    if this move has marked the target before.

    :raises UsageFault: if the target has other data, or part of another move.
    """
    with target.write() as writing:
        if any(row.name == UNFINISHED for row in writing.execute(target.dialect.tables)):
            begun = writing.find(f"SELECT source FROM {UNFINISHED}")
            if begun is None or begun.source != source.location:
                raise UsageFault(
                    f"{target.location} has a part of another database: "
                    f"{'' if begun is None else begun.source}",
                    hint="Continue that move, or give a new, empty database.",
                )
            return True
        seeded = _require_empty(writing)
        writing.execute(
            "CREATE TABLE {0} (source {text} NOT NULL)".format(UNFINISHED, **target.dialect.types)
        )
        writing.change(
            f"INSERT INTO {UNFINISHED} (source) VALUES (:source)", {"source": source.location}
        )
        for table in seeded:
            writing.change(f"DELETE FROM {table}")
    return False


def _require_empty(writing: Transaction) -> list[str]:
    """Check that the tables have only the rows of a new database, and return those with any
    rows.
    """
    seeded = []
    with open_database("sqlite://") as new, new.read() as reading:
        for table in moved_tables():
            statement = f"SELECT COUNT(*) AS number FROM {table}"
            present, expected = (one.execute(statement)[0].number for one in (writing, reading))
            if present != expected:
                raise UsageFault(
                    f"the database to move to is not empty: its table '{table}' has {present:,} "
                    "rows",
                    hint=_EMPTY,
                )
            if expected:
                seeded.append(table)
    return seeded


def _count(transaction: Transaction, shape: TableShape) -> int:
    found: int = transaction.execute(f"SELECT COUNT(*) AS number FROM {shape.name}")[0].number
    return found


def _copy(
    reading: Transaction, target: Database, shape: TableShape, progress: Callable[[int], object]
) -> None:
    """Copy the rows after the last one in the target. If earlier rows have changed since they were
    copied, copy all.
    """
    last = _last(target, shape)
    if last is not None and _digest(reading, shape, last) != _digest_of(target, shape):
        with target.write() as writing, without_triggers(writing, target.dialect, shape.name):
            writing.change(f"DELETE FROM {shape.name}")
        last = None
    with target.read() as present:
        done = _count(present, shape)
    for rows in _pages(reading, shape, last):
        with (
            _naming(shape),
            target.write() as writing,
            without_triggers(writing, target.dialect, shape.name),
        ):
            writing.change_many(shape.insert, [row.as_dict() for row in rows])
        done += len(rows)
        progress(done)
    with target.write() as writing:
        continue_numbers(writing, target.dialect, shape.name)


def _last(database: Database, shape: TableShape) -> Row | None:
    with database.read() as transaction:
        return transaction.find(shape.last)


@contextmanager
def _naming(shape: TableShape) -> Iterator[None]:
    """Name the table in the error if the target refuses a row."""
    try:
        yield
    except (ConstraintViolation, StatementInvalid) as fault:
        raise DatabaseUnfit(
            f"rows of the table '{shape.name}' cannot be stored: {fault}",
            hint=(
                "Run 'jackfield db check' on the database that is moved. PostgreSQL stores "
                "no NUL characters."
            ),
        ) from None


def _pages(
    transaction: Transaction, shape: TableShape, after: Row | None, upto: Row | None = None
) -> Iterator[list[Row]]:
    """Generate the rows after one key and up to another, in the order of their keys, in pages of at
    most ``_ROWS`` and ``_BYTES``.
    """
    while True:
        sizes = transaction.execute(
            shape.sizes(after, upto), shape.bounds(after, upto) | {"page": _ROWS}
        )
        last = _end_of_page(sizes)
        if last is None:
            return
        yield transaction.execute(shape.rows(after, last), shape.bounds(after, last))
        after = last


def _end_of_page(sizes: list[Row]) -> Row | None:
    """Return the last row of a page; None if there are no more rows."""
    total, last = 0, None
    for row in sizes:
        total += row.bytes_in_row
        if last is not None and total > _BYTES:
            break
        last = row
    return last


def _verified(reading: Transaction, target: Database, shape: TableShape) -> MovedTable:
    expected = _digest(reading, shape)
    if _digest_of(target, shape) != expected:
        raise DatabaseUnfit(
            f"the rows of the table '{shape.name}' differ after the move", hint=_AGAIN
        )
    return expected


def _digest_of(database: Database, shape: TableShape) -> MovedTable:
    with database.read() as transaction:
        return _digest(transaction, shape)


def _digest(transaction: Transaction, shape: TableShape, upto: Row | None = None) -> MovedTable:
    digest, count = sha256(), 0
    for rows in _pages(transaction, shape, None, upto):
        for row in rows:
            digest.update(
                repr(
                    [sha256(value).digest() if type(value) is bytes else value for value in row]
                ).encode()
            )
        count += len(rows)
    return MovedTable(count, digest.hexdigest())
