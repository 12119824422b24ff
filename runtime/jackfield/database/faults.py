"""How a database can fail, in sentences that say what to do.

::

    Unavailable (jackfield.errors)   cannot be written, reached or opened; nothing was committed
    ├── Contended                    another transaction stood in the way; the same may work at once
    ├── CommitInDoubt                the connection was lost in the commit: it may have been done
    └── DatabaseUnfit                trying again does not help: bad URL, pending or newer schema
        ├── WrongMasterKey           the data keys were wrapped by another master key
        └── DataKeyDamaged           the row of a data key was changed, or is another workspace's
    Internal (jackfield.errors)
    ├── StatementInvalid             a statement that the database does not understand: our bug
    └── SealBroken                   a sealed value was changed or moved to another place
    ConstraintViolation              for the stores: not null, check, foreign key
    └── UniqueViolation              for the stores: ``name`` is that of the index

No text of a driver is passed on: it can quote values.
"""

from __future__ import annotations

from enum import Enum

from jackfield.errors import Internal, Unavailable

__all__ = [
    "CommitInDoubt",
    "ConstraintViolation",
    "Contended",
    "DataKeyDamaged",
    "DatabaseUnfit",
    "SealBroken",
    "StatementInvalid",
    "Trouble",
    "UniqueViolation",
    "WrongMasterKey",
    "late",
    "unavailable",
]


class Contended(Unavailable):
    """Another transaction stood in the way (a lock, a deadlock); nothing was done and the same may work at once."""


class CommitInDoubt(Unavailable):
    """The connection was lost while the commit was under way: it may have been done, nobody knows."""


class DatabaseUnfit(Unavailable):
    """The database cannot be used as it is, and trying again does not help."""

    retryable = False


class UsageFault(DatabaseUnfit):
    """The command or its environment names a database or a file that cannot be meant: nothing was tried."""

    code = "invalid_invocation"
    http_status = 400
    exit_code = 2


class WrongMasterKey(DatabaseUnfit):
    """The database's data keys were wrapped by a master key that is not at hand. Nothing was changed."""


class DataKeyDamaged(DatabaseUnfit):
    """A data key cannot be unwrapped with the master key that wrapped it: its row was changed, or moved to another workspace."""


class StatementInvalid(Internal):
    """The database does not understand a statement or a parameter: a bug of ours."""


class SealBroken(Internal):
    """A sealed value was changed, or stands where it was not sealed for."""


class ConstraintViolation(Exception):
    """A row breaks a constraint; ``name`` is the constraint's where the database tells it, else its kind."""

    def __init__(self, name: str) -> None:
        super().__init__(f"a row breaks the constraint '{name}'")
        self.name = name

    def __reduce__(self) -> tuple[type[ConstraintViolation], tuple[str]]:
        return type(self), (self.name,)


class UniqueViolation(ConstraintViolation):
    """A row with the same key is there already; ``name`` is the index's, or ``<table>_pkey`` for a primary key."""


class Trouble(Enum):
    """What can be wrong with a database: what happened, and what to do next."""

    FULL = ("the database cannot be written: the disk is full", "Free space on the disk that holds the database, then try again.")
    READ_ONLY = (
        "the database cannot be written: it is read-only",
        "Give the account that runs jackfield write permission on the database (for SQLite on its file and its folder).",
    )
    MOUNTED = (
        "the database cannot be written: its file system is read-only",
        "Mount the file system for writing, or put the database elsewhere: JACKFIELD_HOME, or JACKFIELD_DATABASE_URL.",
    )
    LOCKED = (
        "the database cannot be written: it is locked by another process",
        "End the process that holds a transaction open on it, then try again.",
    )
    GONE = (
        "the database cannot be written: its file was moved, deleted or replaced",
        "Put the file back, or restart jackfield to begin with a new one.",
    )
    UNREACHABLE = ("the database cannot be reached", "Check that it runs, and that JACKFIELD_DATABASE_URL names it.")
    UNOPENED = (
        "the database cannot be opened",
        "Check that the path is right, and that the account that runs jackfield may read and write the file and its folder.",
    )
    DAMAGED = ("the database is damaged", "Run 'jackfield db check', and restore the last backup.")
    FAILING = ("the database cannot be written: its disk fails", "Look for disk errors in the system's log.")
    SLOW = ("the database did not answer in time", "Look for what keeps it busy; 'jackfield db check' tells how it is.")
    BUSY = ("the database is busy: all its connections are in use", "Try again, or run fewer calls at once.")
    CLOSED = ("the database is closed", "Open it again before it is used.")


def unavailable(trouble: Trouble, detail: str = "", kind: type[Unavailable] = Unavailable) -> Unavailable:
    """The error for ``trouble``; ``detail`` is put behind a colon and must hold no secret."""
    sentence, hint = trouble.value
    return kind(f"{sentence}: {detail}" if detail else sentence, hint=hint)


def late() -> Unavailable:
    """The error for what waited for its turn to be written until its time was over."""
    return unavailable(Trouble.SLOW, "what came before still waits for a lock, or for the disk; nothing was done")
