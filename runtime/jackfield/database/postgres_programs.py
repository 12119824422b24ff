"""Backup and restore of a PostgreSQL database by PostgreSQL's own programs, ``pg_dump`` and ``pg_restore``."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from psycopg.conninfo import make_conninfo

from jackfield.database.dialect import Dialect
from jackfield.database.faults import DatabaseUnfit
from jackfield.database.postgres import PostgresDialect
from jackfield.errors import Unavailable

__all__ = ["dump", "restore_dump"]

_ARCHIVE = b"PGDMP"
_SQLITE = b"SQLite format 3\0"
_URL = '"$JACKFIELD_DATABASE_URL"'
_DUMP = ("--format=custom", "--exclude-table-data=instances", "--lock-wait-timeout=30s")  # which processes live is no part of a backup
_SECRET = ("password", "sslpassword")
_HINT = "Look for what the program says; it must not be older than the server."
_RESTORE = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")


def dump(dialect: Dialect, part: Path, path: Path) -> None:
    """Write an archive of the whole database, as it is at one moment, to ``part``, which is there; messages name ``path``.

    :raises DatabaseUnfit: where there is no ``pg_dump``; :raises Unavailable: where it fails.
    """
    program = _program("pg_dump", f"pg_dump --format=custom --file='{path}' --dbname={_URL}")
    _run(dialect, [program, *_DUMP, "--file", str(part)], failed="the backup was not made")


def restore_dump(dialect: Dialect, path: Path) -> None:
    """Read an archive that ``dump`` has written into an empty database: all of it or nothing.

    :raises DatabaseUnfit: where there is no ``pg_restore``, or the file is no archive; :raises Unavailable: where it fails.
    """
    _check_archive(path)
    program = _program("pg_restore", f"pg_restore {' '.join(_RESTORE)} --dbname={_URL} '{path}'")
    _run(dialect, [program, *_RESTORE, str(path)], failed="nothing was restored")


def _check_archive(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(len(_SQLITE))
    except OSError as fault:
        raise DatabaseUnfit(f"the backup '{path}' cannot be read: {fault.strerror}") from None
    if head == _SQLITE:
        raise DatabaseUnfit(
            f"the backup '{path}' is a SQLite database", hint="Stop jackfield, copy it to the place of the database, and start again."
        )
    if not head.startswith(_ARCHIVE):
        raise DatabaseUnfit(f"the backup '{path}' is no archive of pg_dump", hint="Give a file that 'jackfield db backup' has written.")


def _program(name: str, command: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise DatabaseUnfit(
            f"a backup of PostgreSQL needs '{name}', which is not on the PATH",
            hint=f"Install PostgreSQL's client programs of the server's version or newer, or run where they are: {command}",
        )
    return found


def _run(dialect: Dialect, command: list[str], *, failed: str) -> None:
    if not isinstance(dialect, PostgresDialect):
        raise TypeError(dialect.name)
    place = make_conninfo("", **{name: value for name, value in dialect.options.items() if name not in _SECRET})
    try:
        done = subprocess.run(  # noqa: S603 (a program of PostgreSQL's, and no shell)
            [*command, "--no-password", "--dbname", place],
            env=_environment(dialect.options),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as fault:
        raise Unavailable(f"{failed}: '{command[0]}' cannot be run: {fault.strerror}", hint="Look at what the PATH leads to.") from None
    if done.returncode != 0:
        raise Unavailable(f"{failed}: {dialect.without_secrets(_first(done.stderr, done.returncode))}", hint=_HINT)


def _first(said: str, code: int) -> str:
    """Return the first line of what a program said: the cause; further lines say where."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and "warning:" not in line]
    return lines[0][:300] if lines else f"exit code {code}"


def _environment(options: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the program: with the password, which other users could read in its arguments; without what is ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JACKFIELD_")}
    return kept | ({"PGPASSWORD": options["password"]} if "password" in options else {})
