"""Conditions under which a process is ready: the needs of all calls, the needs of some calls, and
the kinds of faults.

Strangers get a kind and its general sentence (``SAID``): the full text can name hosts, accounts,
workspaces and packages.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from jackfield.kernel.clock import Clock, within
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import JackfieldError
from jackfield_store.access import DEFAULT
from jackfield_store.database import Database
from jackfield_store.database.blocked import blocked_workspaces
from jackfield_store.database.faults import (
    KeyServiceRefused,
    KeyServiceUnavailable,
    SchemaUnfit,
    Trouble,
    WrongMasterKey,
    cause_of,
)
from jackfield_store.database.hold import find_hold
from jackfield_store.database.migrations import declared, known_migrations
from jackfield_store.database.shared_clock import SharedClock
from jackfield_store.journal.went_back import return_warning
from jackfield_store.resources.storage import Storage

Look = Callable[[Database, Clock], "str | None"]
"""Check of a usable database; returns a warning for operators, or None."""
_LOCK_WAIT = 2.0
_ROOM = 256 * 1024
"""Minimum number of free bytes on the disk: SQLite needs them for the next commits."""
_NO_KEYS = "the key service of JACKFIELD_KEY_WRAPPERS cannot be used"
_CACHED = "workspaces whose keys are cached are served"
_PROBE = (
    "UPDATE schema_migrations SET applied_at = applied_at WHERE version = (SELECT "
    "MAX(version) FROM schema_migrations)"
)
_SHOWN = 5
"""Maximum number of table names that a text lists."""

SAID: Mapping[str, str] = {
    "starting": "the process is starting",
    "stopping": "the process is stopping",
    "configuration": "the settings of the database cannot be used",
    "key": "the master key does not open the database",
    "key_service": "a key service cannot be used",
    "schema": "the tables of the database are not those of this version",
    "encoding": "the database cannot hold all text",
    "privilege": "the account of the database may not do what is needed",
    "pooler": "the pooler in front of the database does not keep a session for a transaction",
    "read_only": "the database cannot be written",
    "disk": "the disk of the database is full or failing",
    "locked": "another process keeps the database locked",
    "moved": "the file of the database was moved or replaced",
    "unreachable": "the database cannot be reached",
    "silent": "the database does not answer in time",
    "busy": "all connections to the database are in use",
    "damaged": "the database is damaged",
    "database": "the database cannot be used",
    "broker": "the broker of queued invocations cannot be used",
    "clock": "the clock of this process differs from the database's",
    "workspaces": "some workspaces are not served",
    "went_back": "the database went back to an earlier state",
    "held": "the queue is held",
    "schedules": "some schedules are silent",
    "settings": "processes of this database have different settings",
    "packages": "an installed package warns of something",
    "shortage": "this process has no memory or threads left",
}
"""General sentence of each kind of fault, for strangers."""
_KINDS = {
    Trouble.FULL: "disk",
    Trouble.FAILING: "disk",
    Trouble.READ_ONLY: "read_only",
    Trouble.MOUNTED: "read_only",
    Trouble.DENIED: "privilege",
    Trouble.ENCODED: "encoding",
    Trouble.POOLED: "pooler",
    Trouble.LOCKED: "locked",
    Trouble.GONE: "moved",
    Trouble.UNREACHABLE: "unreachable",
    Trouble.UNOPENED: "unreachable",
    Trouble.CLOSED: "unreachable",
    Trouble.SILENT: "silent",
    Trouble.SLOW: "silent",
    Trouble.BUSY: "busy",
    Trouble.DAMAGED: "damaged",
}


@dataclass(frozen=True, slots=True)
class FoundCondition:
    """One fault: its kind, and for people on the host the text and the remedy."""

    kind: str
    text: str
    hint: str = ""

    def shown(self, *, full: bool) -> str:
        """Return the full text or, for strangers, the general sentence."""
        return self.text if full else SAID[self.kind]

    def members(self, *, full: bool) -> dict[str, str]:
        """Return the further members of a Problem: the kind and, with ``full``, the remedy."""
        return {"kind": self.kind, "hint": self.hint} if full and self.hint else {"kind": self.kind}


@dataclass(frozen=True, slots=True)
class Condition:
    """Condition of a process: the reason why it can serve no call, None if it can, and warnings for
    an operator even though it serves calls.
    """

    fault: FoundCondition | None = None
    warnings: tuple[FoundCondition, ...] = ()


def examine(
    storage: Storage,
    clock: Clock,
    broker: Callable[[], str | None],
    more: Mapping[str, Look] = MappingProxyType({}),
    stage: Callable[[str], object] = bool,
) -> Condition:
    """Check the needs of each call (database, tables, rights, a commit, disk, master key), then the
    needs of some calls.

    ``more`` are further checks of a usable database, by the kind of their findings. ``stage`` gets
    the name of the current check, for a report if the checks take too long.
    """
    step = "configuration"
    try:
        stage("silent")
        with within(_LOCK_WAIT):
            database = storage.database
            step = "database"
            fault = _of_tables(database)
            if fault is not None:
                return Condition(fault)
            with database.write() as transaction:
                transaction.change(_PROBE, {})
            warnings = list(_of_database(database, clock, more))
        step = "key"
        stage("key_service" if storage.asks_key_services else "silent")
        fault, told = key_state(storage)
        stage("broker")
        step = "broker"
        warnings += [
            FoundCondition(kind, text)
            for kind, text in (("key_service", told), ("broker", broker()))
            if text is not None
        ]
    except JackfieldError as error:
        return Condition(_of_error(error, step))
    return Condition(fault or _full(getattr(database.dialect, "path", None)), tuple(warnings))


def answer_of(findings: Iterable[FoundCondition], *, full: bool) -> dict[str, Any]:
    """Return the answer of a ready process to a probe. Repeated sentences appear once."""
    found = tuple(findings)
    if not found:
        return {"status": "ok"}
    texts = dict.fromkeys(one.shown(full=full) for one in found)
    return {
        "status": "ok",
        "warnings": [*texts],
        "kinds": [*dict.fromkeys(one.kind for one in found)],
    }


def of_packages(texts: Iterable[str]) -> list[FoundCondition]:
    """Return the warnings of installed packages as findings."""
    return [FoundCondition("packages", text) for text in texts]


def _of_error(error: JackfieldError, step: str) -> FoundCondition:
    """Return the finding for an error in a step of the examination."""
    trouble = cause_of(error)
    if trouble is not None:
        kind = _KINDS[trouble]
    elif isinstance(error, KeyServiceUnavailable | KeyServiceRefused):
        kind = "key_service"
    elif isinstance(error, WrongMasterKey):
        kind = "key"
    else:
        kind = "schema" if isinstance(error, SchemaUnfit) else step
    return FoundCondition(kind, error.message, str(error.hint or ""))


def _of_tables(database: Database) -> FoundCondition | None:
    """Return the fault of the tables: they are older or newer, incomplete, or the account may not
    use them. None without a fault.
    """
    pending = database.pending()
    if pending:
        return FoundCondition(
            "schema", f"{len(pending)} migrations are pending: run 'jackfield db upgrade'"
        )
    wanted, dialect = declared("TABLE", known_migrations()), database.dialect
    with database.read(flush=False) as transaction:
        present = {row.name for row in transaction.execute(dialect.tables)}
        missing = [name for name in wanted if name not in present]
        barred = (
            {row.name for row in transaction.execute(dialect.barred)}
            if dialect.barred and not missing
            else set[str]()
        )
    if missing:
        return FoundCondition(
            "schema",
            f"the database has no table {_text_of_names(missing)}",
            "Restore a backup; 'jackfield db check' shows more.",
        )
    if barred.intersection(wanted):
        text, hint = Trouble.DENIED.value
        return FoundCondition(
            "privilege",
            f"{text}: it may not read and change the table "
            f"{_text_of_names(sorted(barred.intersection(wanted)))}",
            hint,
        )
    return None


def _text_of_names(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} others" if len(names) > _SHOWN else ""
    return ", ".join(f"'{name}'" for name in names[:_SHOWN]) + more


def _of_database(
    database: Database, clock: Clock, more: Mapping[str, Look]
) -> Iterator[FoundCondition]:
    """Yield warnings for an operator about a usable database."""
    looks: Mapping[str, Callable[[], str | None]] = {
        "clock": lambda: clock_warning(database, clock),
        "workspaces": lambda: blocked_warning(database, clock),
        "went_back": lambda: return_warning(database),
        "held": lambda: hold_warning(database),
        **{kind: partial(look, database, clock) for kind, look in more.items()},
    }
    for kind, look in looks.items():
        text = look()
        if text is not None:
            yield FoundCondition(kind, text)


def key_state(storage: Storage) -> tuple[FoundCondition | None, str | None]:
    """Return a fault if no workspace can be served for lack of its key, and a warning if only
    workspaces with cached keys can; else None.

    :raises JackfieldError: if the master key is missing, or does not decrypt this database: every
        call would be refused.
    """
    vault = storage.vault
    try:
        vault.prepare(DEFAULT)
    except (KeyServiceUnavailable, KeyServiceRefused) as error:
        return (
            (None, f"{_NO_KEYS}; {_CACHED}")
            if vault.cached
            else (FoundCondition("key_service", error.message, str(error.hint or "")), None)
        )
    return None, f"{_NO_KEYS}; {_CACHED}" if storage.asks_key_services and vault.trouble else None


def blocked_warning(database: Database, clock: Clock) -> str | None:
    """Return a warning with the number of blocked workspaces; None without any."""
    count = len(blocked_workspaces(database, clock.time()))
    noun = "1 workspace is" if count == 1 else f"{count:,} workspaces are"
    return (
        (
            f"{noun} blocked, since their keys or settings cannot be used: 'jackfield queue "
            "stats' says why"
        )
        if count
        else None
    )


def hold_warning(database: Database) -> str | None:
    """Return a warning about the queue's hold: since when, by whom and why; None if it is not
    held.
    """
    hold = find_hold(database)
    return None if hold is None else hold.warning


def clock_warning(database: Database, clock: Clock) -> str | None:
    """Return a warning with the difference between this process's clock and the database's; None if
    they agree.
    """
    shared = SharedClock.of(database, clock)
    shared.look()
    return shared.warning


def _full(path: str | None) -> FoundCondition | None:
    if path is None or sys.platform == "win32":
        return None
    try:
        found = os.statvfs(path)
    except OSError:
        return None  # the write has just succeeded
    if found.f_bavail * found.f_frsize >= _ROOM:
        return None
    return FoundCondition("disk", "the disk of the database is full", Trouble.FULL.value[1])
