"""All SQL of jackfield: transactions, group commit, migrations and backups; on SQLite and
PostgreSQL.

    from jackfield_store.database import UniqueViolation, open_database

    database = open_database("sqlite:////var/lib/jackfield/jackfield.db")  # or postgresql://…

    with database.read() as transaction:  # a snapshot; never blocks writers
        row = transaction.find(
            "SELECT id, name FROM connections WHERE workspace = :workspace AND name = :name",
            {"workspace": "default", "name": "acme-ses"},
        )
        row.id, row.name  # a row is a tuple with attributes; None: no row

    with database.write() as transaction:  # commits at the end, rolls back if the block raises
        touched = transaction.change(
            "UPDATE connections SET version = version + 1 WHERE id = :id AND version = :version", …
        )

    def admitted(transaction: Transaction) -> str:  # many threads, one commit; durable on return
        transaction.change("INSERT INTO invocations (…) VALUES (…)", values)
        return identifier

    database.record(admitted)  # may raise UniqueViolation: .name is the index's
    # record() for an event loop:
    database.submit(admitted, lambda value, error: loop.call_soon_threadsafe(…))

Guarantees for every store:

- Parameters are ``:name`` with a mapping. Both databases get the same text: ``INSERT … ON
  CONFLICT``, ``RETURNING``, partial unique indexes, ``CAST(… AS …)`` work on both. Text sorts by
  code point on both. PostgreSQL refuses NUL characters in text.
- Booleans are 0 and 1, times are seconds since 1970 (UTC, ``float``), JSON is text, blobs are
  ``bytes``.
- A failed statement aborts its transaction, on SQLite too. Use a savepoint to continue after a
  violation: ``with suppress(UniqueViolation), transaction.savepoint(): …``.
- ``read()`` and ``write()`` inside a transaction of the same thread join it; ``record()`` is
  refused there.
- SQLite serialises writers. PostgreSQL writers see what others commit between two statements (READ
  COMMITTED): guard every UPDATE with a WHERE and check the count, or let a unique index decide.
- Errors: stores handle ``UniqueViolation`` and ``ConstraintViolation``; all others are a
  ``JackfieldError`` (see ``faults``). After ``Unavailable`` nothing was committed; after its
  subclass ``CommitUnknown`` the outcome is unknown.
"""

from __future__ import annotations

from jackfield.kernel.commits import CommitUnknown
from jackfield_store.database.engine import Database, open_database
from jackfield_store.database.faults import (
    ConstraintViolation,
    Contended,
    DatabaseUnfit,
    DataKeyDamaged,
    SealBroken,
    StatementInvalid,
    UniqueViolation,
    WrongMasterKey,
)
from jackfield_store.database.statements import Row
from jackfield_store.database.transaction import Transaction

__all__ = [
    "CommitUnknown",
    "ConstraintViolation",
    "Contended",
    "DataKeyDamaged",
    "Database",
    "DatabaseUnfit",
    "Row",
    "SealBroken",
    "StatementInvalid",
    "Transaction",
    "UniqueViolation",
    "WrongMasterKey",
    "open_database",
]
