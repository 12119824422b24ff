"""All rows as JSON Lines: the backup of a PostgreSQL database, which ``restore`` reads into an empty one of either kind.

A header, a line per row, and an end that counts them: a file that was cut off is known by it. Blobs are ``{"$bytes": base64}``.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from jackfield.database.engine import Database
from jackfield.database.faults import DatabaseUnfit
from jackfield.database.migrations import declared, known_migrations
from jackfield.database.transaction import Transaction

__all__ = ["restore", "write_dump"]

_FORMAT = "jackfield-backup"
_FORMAT_VERSION = 1
_PAGE = 500
_NOT_KEPT = frozenset({"instances", "schema_migrations"})  # which processes live; what the header says
_NAME = re.compile(r"[a-z_]+\Z")
_SQLITE = b"SQLite format 3\0"


def write_dump(database: Database, file: BinaryIO) -> None:
    """Write all rows of a PostgreSQL database as they are at one moment."""
    version = database.version()
    _write(file, {"format": _FORMAT, "version": _FORMAT_VERSION, "schema": version, "createdAt": time.time()})
    count = 0
    with database.read() as transaction:
        for table in _tables():
            for row in _rows(transaction, table):
                _write(file, {"table": table, "row": row})
                count += 1
    _write(file, {"end": True, "rows": count})


def restore(database: Database, path: str | os.PathLike[str]) -> int:
    """Read a dump into ``database``, which must be up to date and empty; all rows or none. The number of rows. A dump of older tables is
    taken, since newer ones only have more (a migration that moves data about would have to be done to its rows as well).

    :raises DatabaseUnfit: where the file is no whole dump of this version or an older one, or the database is not empty.
    """
    try:
        with Path(path).open("rb") as file:
            return _restored(database, file, str(path))
    except OSError as fault:
        raise DatabaseUnfit(f"the backup '{path}' cannot be read: {fault.strerror}") from None


def _restored(database: Database, file: BinaryIO, path: str) -> int:
    lines = _lines(file, path)
    header = next(lines, {})
    if header.get("format") != _FORMAT or header.get("version") != _FORMAT_VERSION:
        raise _unfit(path, "is no backup that this jackfield can read")
    schema, version = header.get("schema"), database.version()
    if type(schema) is not int or not 1 <= schema <= version:
        raise _unfit(path, f"is of database version {schema}, the database has {version}")
    count = 0
    with database.write() as transaction:
        _refuse_rows(transaction)
        for line in lines:
            if line.get("end") is True:
                if line.get("rows") == count:
                    return count
                break
            _insert(transaction, line, path)
            count += 1
        raise _unfit(path, "is cut off")


def _tables() -> list[str]:
    return [name for name in declared("TABLE", known_migrations()) if name not in _NOT_KEPT]


def _rows(transaction: Transaction, table: str) -> Iterator[dict[str, Any]]:
    transaction.execute(f"DECLARE dump NO SCROLL CURSOR FOR SELECT * FROM {table}")  # noqa: S608 (our own name)
    while True:
        rows = transaction.execute(f"FETCH FORWARD {_PAGE} FROM dump")
        if not rows:
            break
        yield from (row.as_dict() for row in rows)
    transaction.execute("CLOSE dump")


def _write(file: BinaryIO, line: Mapping[str, Any]) -> None:
    file.write(json.dumps(line, default=_packed, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


def _packed(value: object) -> dict[str, str]:
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    raise TypeError(type(value).__name__)


def _lines(file: Iterable[bytes], path: str) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(file, 1):
        if number == 1 and line.startswith(_SQLITE):
            raise DatabaseUnfit(
                f"the backup '{path}' is a SQLite database", hint="Stop jackfield, copy it to the place of the database, and start again."
            )
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            raise _unfit(path, f"is not JSON in line {number}") from None
        if not isinstance(found, dict):
            raise _unfit(path, f"holds no object in line {number}")
        yield found


def _insert(transaction: Transaction, line: Mapping[str, Any], path: str) -> None:
    table, row = line.get("table"), line.get("row")
    if table not in _tables() or not isinstance(row, dict) or not row or not all(_NAME.match(name) for name in row):
        raise _unfit(path, "holds what is no row of a table")
    names = list(row)
    transaction.change(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})",  # noqa: S608 (checked above)
        {name: _unpacked(value, path) for name, value in row.items()},
    )


def _unpacked(value: object, path: str) -> object:
    if not isinstance(value, dict):
        return value
    try:
        return base64.b64decode(value["$bytes"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise _unfit(path, "holds a value that cannot be read") from None


def _refuse_rows(transaction: Transaction) -> None:
    for table in _tables():
        if transaction.execute(f"SELECT 1 AS one FROM {table} LIMIT 1"):  # noqa: S608 (our own name)
            raise DatabaseUnfit(f"the database is not empty: there are rows in '{table}'", hint="Restore into a new database.")


def _unfit(path: str, what: str) -> DatabaseUnfit:
    return DatabaseUnfit(f"the backup '{path}' {what}", hint="Take another backup file, or a jackfield of that version.")
