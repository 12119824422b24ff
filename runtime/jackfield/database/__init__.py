"""One place for SQL: transactions, group commit, migrations, secrets at rest, backup; on SQLite and on PostgreSQL.

    from jackfield.database import MasterKey, UniqueViolation, Vault, open_database

    database = open_database("sqlite:////var/lib/jackfield/jackfield.db")       # or postgresql://…
    vault = Vault(database, MasterKey.from_environment(os.environ, home))

    with database.read() as transaction:                                        # one unchanging state, never blocks writers
        row = transaction.find("SELECT id, name FROM connections WHERE workspace = :workspace AND name = :name",
                               {"workspace": "default", "name": "acme-ses"})
        row.id, row.name                                                        # a row is a tuple with attributes; None: no row

    with database.write() as transaction:                                       # committed at the end, undone where it raises
        touched = transaction.change("UPDATE connections SET version = version + 1 WHERE id = :id AND version = :version", …)

    def admitted(transaction: Transaction) -> str:                              # many threads, one commit; on the disk on return
        transaction.change("INSERT INTO invocations (…) VALUES (…)", values)
        return identifier
    database.record(admitted)                                                   # may raise UniqueViolation: .name is the index's
    database.submit(admitted, lambda value, error: loop.call_soon_threadsafe(…))  # the same for an event loop

    sealed = vault.seal("default", ("connection", connection_id, field, str(version)), b"secret")
    vault.open("default", ("connection", connection_id, field, str(version)), sealed)      # SealBroken in any other place
    vault.hmac("default", canonical_json)                                       # a fingerprint that tells nothing

What every store can rely on:

- Parameters are ``:name`` and a mapping. The text is the same for both databases: ``INSERT … ON CONFLICT``, ``RETURNING``, partial
  unique indexes, ``CAST(… AS …)`` work on both. Text sorts by code point on both. PostgreSQL refuses NUL characters in text.
- Booleans are 0 and 1, times are seconds since 1970 (UTC, ``float``), JSON is text, blobs are ``bytes``.
- A statement that fails spoils its transaction, on SQLite too. What is to go on after a violation stands in a savepoint:
  ``with suppress(UniqueViolation), transaction.savepoint(): …``.
- ``read()`` and ``write()`` inside a transaction of the same thread join it; ``record()`` there is refused. ``seal`` and ``open`` may be
  called anywhere.
- Writers of SQLite come one after another. Writers of PostgreSQL see what others committed between two statements (READ COMMITTED):
  guard every UPDATE by a WHERE and look at the count, or let a unique index decide.
- Errors: ``UniqueViolation``, ``ConstraintViolation`` for the stores; everything else is a ``JackfieldError`` (see ``faults``). After an
  ``Unavailable`` nothing was committed; after its kind ``CommitInDoubt`` that is not known.
"""

from __future__ import annotations

from jackfield.database.engine import Database, open_database
from jackfield.database.faults import (
    CommitInDoubt,
    ConstraintViolation,
    Contended,
    DatabaseUnfit,
    DataKeyDamaged,
    SealBroken,
    StatementInvalid,
    UniqueViolation,
    WrongMasterKey,
)
from jackfield.database.keyring import MasterKey
from jackfield.database.rows import Row
from jackfield.database.transaction import Transaction
from jackfield.database.vault import Vault

__all__ = [
    "CommitInDoubt",
    "ConstraintViolation",
    "Contended",
    "DataKeyDamaged",
    "Database",
    "DatabaseUnfit",
    "MasterKey",
    "Row",
    "SealBroken",
    "StatementInvalid",
    "Transaction",
    "UniqueViolation",
    "Vault",
    "WrongMasterKey",
    "open_database",
]
