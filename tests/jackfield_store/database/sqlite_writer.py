"""The SQLite connection on which a database writes, so that a test can fill its disk or get in its
way.
"""

from __future__ import annotations

import sqlite3

from jackfield_store.database import Database
from jackfield_store.database.sqlite import SqliteDialect


def writer(database: Database) -> sqlite3.Connection:
    """The connection that writes; it is idle."""
    dialect = database.dialect
    assert isinstance(dialect, SqliteDialect)
    with database.write():  # that of a migration is not used again
        pass
    return dialect._writer._idle[0].connection
