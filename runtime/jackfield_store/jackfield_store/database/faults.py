"""Database errors, in sentences that give the remedy.

::

    Unavailable (kernel.errors)   cannot be written, reached or opened; nothing was committed
    ├── Contended                    another transaction interfered; an immediate retry may work
    ├── CommitUnknown (kernel)       the connection was lost during the commit: it may have been
    │                                done
    ├── NoAnswer                     the database kept silent for as long as anybody waits for it
    ├── KeyServiceUnavailable        the key service that wraps the data keys gives no answer
    └── DatabaseUnfit                a retry does not help: bad URL, pending or newer schema
        ├── SchemaUnfit              its tables are older or newer than this program's, or
        │                            incomplete
        ├── WrongMasterKey           the data keys were wrapped by another master key
        ├── KeyServiceRefused        the key service does not let jackfield use its key
        ├── DataKeyDamaged           the row of a data key was changed, or is another workspace's
        └── RowDamaged               settings or rules that cannot be read
    Internal (kernel.errors)
    ├── StatementInvalid             a statement that the database does not understand: a bug of
    │                                jackfield
    └── SealBroken                   a sealed value was changed or moved to another place
    ConstraintViolation              for the stores: not null, check, foreign key
    └── UniqueViolation              for the stores: ``name`` is that of the index

Driver messages are never passed on: they can quote values.
"""

from __future__ import annotations

from enum import Enum

from jackfield.kernel import commits
from jackfield.kernel.errors import Internal, JackfieldError, Unavailable


class Contended(Unavailable):
    """Interference by another transaction (a lock, a deadlock). Nothing was done; an immediate
    retry may work.
    """


class NoAnswer(Unavailable):
    """Database that has not answered in time. The connection is closed: a later answer over it
    would belong to another request.
    """


class KeyServiceUnavailable(Unavailable):
    """Key service that cannot be reached, or gave no answer. Nothing was changed."""


class DatabaseUnfit(Unavailable):
    """Database that cannot be used in its present state. A retry does not help."""

    retryable = False


class UsageFault(DatabaseUnfit):
    """Invalid database URL or file, given in a command or its environment. No operation was
    attempted.
    """

    code = "invalid_invocation"
    http_status = 400
    exit_code = 2


class SchemaUnfit(DatabaseUnfit):
    """Tables that are older or newer than this program's, or incomplete."""


class NotUpgraded(UsageFault, SchemaUnfit):
    """Older tables, which this command does not upgrade."""


class WrongMasterKey(DatabaseUnfit):
    """Data keys wrapped by a master key that is not available. Nothing was changed."""


class KeyServiceRefused(DatabaseUnfit):
    """Key service that refuses to use its key: it is disabled or deleted, or this machine's
    identity has no permission.
    """


class DataKeyDamaged(DatabaseUnfit):
    """Error for a data key that its own master key cannot unwrap: the row was changed, or moved to
    another workspace.
    """


class RowDamaged(DatabaseUnfit):
    """Row that decides access and was changed in the database: it permits nothing."""


KEY_FAULTS = (DataKeyDamaged, WrongMasterKey, KeyServiceRefused, KeyServiceUnavailable)
"""Errors of one workspace whose keys are unavailable; other workspaces go on."""


class StatementInvalid(Internal):
    """Statement or parameter that the database does not understand: a bug in jackfield."""


class SealBroken(Internal):
    """Sealed value that was changed, or moved to a place for which it was not sealed."""


class ConstraintViolation(Exception):
    """Violated constraint. ``name`` is the constraint's if the database reports it, else its
    kind.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"a row violates the constraint '{name}'")
        self.name = name

    def __reduce__(self) -> tuple[type[ConstraintViolation], tuple[str]]:
        return type(self), (self.name,)


class UniqueViolation(ConstraintViolation):
    """Duplicate key. ``name`` is the index's, or ``<table>_pkey`` for a primary key."""


class Trouble(Enum):
    """Kinds of database faults: cause, and remedy."""

    FULL = (
        "the database cannot be written: the disk is full",
        "Free space on the disk that holds the database, then try again.",
    )
    READ_ONLY = (
        "the database cannot be written: it is read-only",
        (
            "Give the account that runs jackfield write permission on the database (for SQLite "
            "on its file and its folder)."
        ),
    )
    DENIED = (
        "the account of the database may not do what jackfield needs",
        (
            "Let it own the database (ALTER DATABASE name OWNER TO account), or GRANT it USAGE "
            "and CREATE ON SCHEMA public and all"
            " rights on the tables there: PostgreSQL 15 and newer give nobody CREATE on the "
            "schema public."
        ),
    )
    ENCODED = (
        "the database cannot hold text as jackfield writes it",
        (
            "Create one with the encoding UTF8: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE "
            "template0."
        ),
    )
    MOUNTED = (
        "the database cannot be written: its file system is read-only",
        (
            "Mount the file system for writing, or put the database elsewhere: JACKFIELD_HOME, "
            "or JACKFIELD_DATABASE_URL."
        ),
    )
    LOCKED = (
        "the database cannot be written: it is locked by another process",
        "End the process that keeps a transaction open on it, then try again.",
    )
    GONE = (
        "the database cannot be written: its file was moved, deleted or replaced",
        "Put the file back, or restart jackfield to create a new one.",
    )
    POOLED = (
        "the pooler in front of the database lends a session for one statement only",
        "Set its pool_mode to 'transaction' or 'session', or connect to the database itself.",
    )
    UNREACHABLE = (
        "the database cannot be reached",
        "Check that it is running and that JACKFIELD_DATABASE_URL is correct.",
    )
    SILENT = (
        "the database does not answer",
        (
            "Check the network between jackfield and the database, and whether the database is "
            "overloaded; jackfield goes on by itself."
        ),
    )
    UNOPENED = (
        "the database cannot be opened",
        (
            "Check that the path is right, and that the account that runs jackfield may read and "
            "write the file and its folder."
        ),
    )
    DAMAGED = ("the database is damaged", "Run 'jackfield db check', and restore the last backup.")
    FAILING = (
        "the database cannot be written: its disk is failing",
        "Check the system log for disk errors.",
    )
    SLOW = commits.SLOW
    BUSY = (
        "the database is busy: all its connections are in use",
        "Try again, or run fewer calls at once.",
    )
    CLOSED = ("the database is closed", "Open it again before using it.")


def unavailable(
    trouble: Trouble, detail: str = "", kind: type[Unavailable] = Unavailable
) -> Unavailable:
    """Return the error for ``trouble``. ``detail`` follows a colon and must not contain a
    secret.
    """
    sentence, hint = trouble.value
    return kind(f"{sentence}: {detail}" if detail else sentence, hint=hint)


def cause_of(error: JackfieldError) -> Trouble | None:
    """Return the trouble of an error that ``unavailable`` has made; None for any other error."""
    return next(
        (trouble for trouble in Trouble if error.message.startswith(trouble.value[0])), None
    )


def other_database() -> DatabaseUnfit:
    """Return the error for a renewed URL that names another database than the present one."""
    return DatabaseUnfit(
        "the database's URL names another database now", hint="Restart jackfield to use that one."
    )


def damaged_settings(workspace: str) -> RowDamaged:
    """Return the error for a workspace whose settings cannot be read."""
    return RowDamaged(
        f"the settings of the workspace '{workspace}' cannot be read: their row in the database "
        "is damaged",
        hint=(
            "Restore a backup; 'jackfield db check' shows what is damaged. The operator can also "
            "delete the workspace for good: "
            f"'jackfield workspaces delete {workspace} --purge'."
        ),
    )
