"""The database and the vault of one process, opened on first use."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from jackfield.connections.connection_lookup import Connections, barred_paths
from jackfield.connections.named_connection import Source
from jackfield.kernel.clock import in_turn, patience, seconds, unclear, within
from jackfield.kernel.database_urls import NONE, SQLITE, database_url, is_none, no_database
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.exports import late_hints
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.local import home
from jackfield_store.database.setting_rows import PUBLIC_URL
from jackfield_store.resources.process_settings import ProcessSettings
from jackfield_store.resources.tenant_limits import TenantLimits

if TYPE_CHECKING:
    from jackfield.catalog import Catalog
    from jackfield.kernel.clock import Clock
    from jackfield_store.connections.connection_table import ConnectionTable
    from jackfield_store.database import Database
    from jackfield_store.database.blocked import BlockedWorkspaces
    from jackfield_store.database.epoch import Epoch
    from jackfield_store.keys.vault import Vault

_BEGINS = logging.getLogger("jackfield.database.begins")
"""Logger for begins, with a level of its own if a program has set one."""
T = TypeVar("T")

_DURABILITY = "JACKFIELD_DURABILITY"
_WRAPPERS = "JACKFIELD_KEY_WRAPPERS"
_KEY_CACHE = "JACKFIELD_KEY_CACHE_SECONDS"
_WAIT = "JACKFIELD_DATABASE_WAIT"
_CONNECTIONS = "JACKFIELD_DATABASE_CONNECTIONS"
_NEW = "JACKFIELD_NEW_DATABASE"
_SERVER_WAIT, _LOCK_WAIT = 5.0, 30.0
_SHORTEST_WAIT, _LONGEST_WAIT = 1.0, 600.0
_FEWEST, _USUAL, _MOST = 2, 4, 200
"""Minimum, default and maximum of a process's connections to a server. Under load, less than 3 % of
the uses find four others in use (``docs/tutorial/shortage.md``).
"""
UPKEEP = 3600.0
"""Maximum seconds of a command's statement that reads or writes whole tables while a person
watches.
"""
_SHORTEST_CACHE, _LONGEST_CACHE = 60.0, 7 * 86_400.0
_ALWAYS = "default"
_ENDS = ("", "-wal", "-shm", "-journal", "-epoch")
"""Endings of the names of a SQLite database's files."""


def _syncs(environment: Mapping[str, str]) -> bool:
    """Return whether commits of the journal wait for the disk: ``JACKFIELD_DURABILITY`` is
    ``disk``, the default, and not ``process``.

    :raises InvalidInvocation: if it has another value.
    """
    found = environment.get(_DURABILITY) or "disk"
    if found not in {"disk", "process"}:
        raise InvalidInvocation(
            f"{_DURABILITY} is '{found[:80]}', which has no meaning",
            hint=(
                "Set it to 'disk' (the default), or to 'process' if a power failure may lose "
                "the last second of the journal."
            ),
        )
    return found == "disk"


def _key_cache(environment: Mapping[str, str]) -> float:
    """Return the seconds for which unwrapped data keys are cached.

    :raises InvalidInvocation: if ``JACKFIELD_KEY_CACHE_SECONDS`` is not a valid number.
    """
    text = environment.get(_KEY_CACHE)
    if not text:
        from jackfield_store.keys.data_keys import CACHE_SECONDS

        return CACHE_SECONDS
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not _SHORTEST_CACHE <= found <= _LONGEST_CACHE:
        raise InvalidInvocation(
            f"{_KEY_CACHE} is '{text[:80]}', and must be a number of seconds from "
            f"{_SHORTEST_CACHE:g} to {_LONGEST_CACHE:g}",
            hint="Unset it to cache unwrapped keys for a day (86400).",
        )
    return found


def _wait(environment: Mapping[str, str], *, near: bool) -> float:
    """Return the maximum seconds of a wait for the database, unless a call's deadline ends it
    before.

    :raises InvalidInvocation: if ``JACKFIELD_DATABASE_WAIT`` is not a valid number.
    """
    text = environment.get(_WAIT)
    if not text:
        return _LOCK_WAIT if near else _SERVER_WAIT
    found = seconds(text)
    if found is None or not _SHORTEST_WAIT <= found <= _LONGEST_WAIT:
        raise InvalidInvocation(
            f"{_WAIT} is '{text[:80]}', and must be a number of seconds from {_SHORTEST_WAIT:g} "
            f"to {_LONGEST_WAIT:g}{unclear(text)}",
            hint=(
                f"Unset it to wait {_SERVER_WAIT:g} seconds for a server, and {_LOCK_WAIT:g} "
                "for a lock of SQLite."
            ),
        )
    return found


def _connections(environment: Mapping[str, str]) -> int:
    """Return the maximum number of a process's connections to a server.

    :raises InvalidInvocation: if ``JACKFIELD_DATABASE_CONNECTIONS`` is not a valid number.
    """
    text = environment.get(_CONNECTIONS) or str(_USUAL)
    if not (text.isascii() and text.isdigit() and _FEWEST <= int(text) <= _MOST):
        raise InvalidInvocation(
            f"{_CONNECTIONS} is '{text[:80]}', and must be a number from {_FEWEST} to {_MOST}",
            hint=f"Unset it for {_USUAL} connections.",
        )
    return int(text)


class Storage(ProcessLocal):
    """Database and vault of one process. Thread-safe; nothing is opened, created or read before
    ``database`` or ``vault`` is used.

    ``url`` is the URL of the database; None reads it from the environment. A SQLite database is
    migrated when it is opened, unless ``migrates`` is false and it has tables. Then it must be up
    to date, as a PostgreSQL database must.
    """

    def __init__(self, url: str | None, environment: Mapping[str, str], clock: Clock) -> None:
        self.url = database_url(environment) if url is None else url
        self._follows = url is None
        self.enabled = not is_none(self.url)
        self.look_due: Callable[[Storage, Clock], object] | None = None
        """Lets looks at doubts be made that are due, after each renewal of this process's lease;
        None: there are none.
        """
        """True if there is a database."""
        self.environment = environment
        self.limits = TenantLimits(self, clock)
        """Limits of the workspaces."""
        self.shared = ProcessSettings(self, environment)
        """Settings that all processes on the database share, unless this one has others."""
        self._clock = clock
        self.migrates = True
        self.beginning = logging.DEBUG
        """Level of the line that says where a new database begins, unless a program has set one."""
        self._database: Database | None = None
        self._vault: Vault | None = None
        self._barred: tuple[str, ...] = ()
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:  # a URL may hold a password
        return (
            "<Storage "
            f"{'open' if self._database is not None else 'closed' if self.enabled else NONE}>"
        )

    @property
    def file(self) -> str:
        """Path of the SQLite database as its URL names it; empty for any other URL."""
        url = self.url.strip()
        return url.removeprefix(SQLITE) if url.startswith(SQLITE) else ""

    @property
    def is_new(self) -> bool:
        """True if the first use would create a new SQLite database in a file."""
        path = self.file
        return path not in {"", ":memory:"} and not os.path.exists(path)

    @property
    def answers_locally(self) -> bool:
        """True if reading the epoch takes no query."""
        return not self.enabled or self.url.startswith("sqlite:")

    @property
    def is_open(self) -> bool:
        """True if the database is open in this process."""
        return self._database is not None

    def bar(self, *paths: str) -> None:
        """Add files of this process that no tenant's ``$file`` reference may read, such as its TLS
        key.
        """
        self._barred += paths

    def barred_paths(self) -> tuple[str, ...]:
        """List the paths that no tenant's ``$file`` reference may read: paths in the environment,
        SQLite's files, and paths added by ``bar``.
        """
        path = self.file
        return barred_paths(
            self.environment, (*((path + end for end in _ENDS) if path else ()), *self._barred)
        )

    def allowed_hosts(self) -> tuple[str, ...]:
        """Return the internal hosts that connections made over HTTP or MCP, and callbacks, may
        reach now.
        """
        return tuple(self.shared_setting("allowHosts").split())

    def shared_setting(self, name: str) -> str:
        """Return a setting that all processes on the database share, or this process's own; empty
        if it is not set.
        """
        return self.shared.value(name)

    def lacks_policy(self) -> bool:
        """Return whether a policy judges the calls of this database, and this process has none.

        :raises JackfieldError: if the database does not answer.
        """
        return self.shared.lacks_policy()

    @property
    def database(self) -> Database:
        """Database, opened on first use.

        :raises InvalidInvocation: if no database is configured.
        :raises DatabaseUnfit: if the URL is wrong, or the tables of PostgreSQL are not up to date.
        :raises Unavailable: if it cannot be opened.
        """
        found = self._database
        return found if found is not None else self._shared()

    @property
    def epochs(self) -> Epoch | None:
        """Source of the database's readings of the epoch; None while no database is open."""
        found = self._database
        return None if found is None else found.epochs

    def epoch(self) -> int:
        """Return a reading of the database's epoch (``Database.epoch``); 0 if there is no
        database.
        """
        found = self._database
        if found is not None:
            return found.epoch()
        return 0 if not self.enabled else self.database.epoch()

    def one_state(self) -> AbstractContextManager[object]:
        """Make all readings in the block equal to the first: a call runs on one state, and queries
        the server's epoch once, within its deadline.
        """
        epochs = None if self.answers_locally else self.epochs
        return nullcontext() if epochs is None else epochs.held(later=True)

    def held(self, reading: int) -> AbstractContextManager[object]:
        """Make all readings in the block return ``reading``."""
        epochs = None if self.answers_locally else self.epochs
        return nullcontext() if epochs is None else epochs.held(reading)

    def in_one_state(
        self, work: Callable[[], Coroutine[Any, Any, T]], reading: int | None = None
    ) -> Coroutine[Any, Any, T]:
        """Return ``work()``, to be run in a task of its own, with one reading for all of it. The
        default is the reading at its first use, which ``fix_state`` reads without blocking.
        """
        epochs = None if self.answers_locally else self.epochs
        return work() if epochs is None else _in_one_state(epochs, work, reading)

    async def fix_state(self) -> None:
        """Read the server's epoch for this task's block, without blocking the event loop."""
        epochs = None if self.answers_locally else self.epochs
        if epochs is not None:
            await epochs.fix()

    @property
    def vault(self) -> Vault:
        """Vault on the database; its master key is read, or created, on first use.

        :raises DatabaseUnfit: if the master key cannot be read; otherwise as ``database`` does.
        """
        found = self._vault
        return found if found is not None else self._unlocked()

    @property
    def blocked(self) -> BlockedWorkspaces:
        """Workspaces that this process cannot serve at present.

        :raises Unavailable: as ``database`` does.
        """
        from jackfield_store.database.blocked import BlockedWorkspaces

        database = self.database
        return BlockedWorkspaces.of(database, self._clock, lambda: self._vault_of(database))

    @property
    def asks_key_services(self) -> bool:
        """True if keys of workspaces may need key services."""
        return self.enabled and bool(self.environment.get(_WRAPPERS))

    def opened(self, *, migrate: bool | None, most: float = 0.0) -> Database:
        """Open the database separately; the caller closes it. ``migrate`` decides about its tables,
        and ``most`` about the seconds of a statement, as in ``open_database``.

        :raises InvalidInvocation: if there is no database, or ``JACKFIELD_DURABILITY`` has another
            value; otherwise as ``database`` does.
        """
        if not self.enabled:
            raise no_database()
        from jackfield_store.database import open_database

        wait, syncs, most_open = (
            _wait(self.environment, near=self.answers_locally),
            _syncs(self.environment),
            _connections(self.environment),
        )
        return open_database(
            self.url, migrate=migrate, wait=wait, most=most, syncs=syncs, connections=most_open
        )

    def connections(
        self, sources: Iterable[Source] | Source, workspace: str, catalog: Catalog | None = None
    ) -> Connections:
        """Return the connections of a workspace: from files and, if there is a database, the stored
        ones.
        """
        table = partial(self.connection_table, workspace) if self.enabled else None
        return Connections(sources, table, catalog=catalog, environment=self.environment)

    def connection_table(self, workspace: str) -> ConnectionTable:
        """Return the stored connections of a workspace.

        :raises UnknownWorkspace: if the database has no such workspace.
        """
        from jackfield_store.connections.connection_table import ConnectionTable

        self.require(workspace)
        most = partial(self.limits.most, workspace, "connections")
        return ConnectionTable(
            self.database,
            lambda: self.vault,
            workspace,
            self._clock,
            most,
            partial(self.shared.value, PUBLIC_URL),
        )

    def renewed(self) -> list[Callable[[], None]]:
        """Read the current content of ``JACKFIELD_DATABASE_URL_FILE`` and the master key's file,
        and return functions that put it into use.

        :raises InvalidInvocation: if the file of the URL cannot be read.
        :raises Unavailable: as ``Database.renewed`` does, and if the master key's file cannot be
            used.
        """
        if not self.enabled:
            return []
        with self._lock:
            database, vault, url = (
                self._database,
                self._vault,
                database_url(self.environment) if self._follows else self.url,
            )
        steps: list[Callable[[], None]] = []
        if url != self.url:
            if database is not None:
                steps.append(database.renewed(url))
            steps.append(partial(setattr, self, "url", url))
        if vault is not None:
            vault.ring.check_files()
        return steps

    def require(self, workspace: str) -> None:
        """Check that the database has this workspace; ``default`` always exists.

        :raises UnknownWorkspace: if the database lacks it.
        """
        if workspace != _ALWAYS:
            from jackfield_store.access.workspaces import require

            require(self.database, workspace)

    def close(self) -> None:
        """Commit the submitted units and close all connections. The next use opens them again."""
        with self._lock:
            database, self._database, self._vault = self._database, None, None
        if database is not None:
            database.close()

    def _shared(self) -> Database:
        return self._alone(self._open)

    def _open(self) -> Database:
        if self._database is None:
            self._check_new()
            self._database = (
                self.opened(migrate=self.url.startswith("sqlite:"))
                if self.migrates
                else self._opened_as_it_is()
            )
        return self._database

    def _alone(self, step: Callable[[], T]) -> T:
        """Return ``step()``, which one thread at a time runs. The wait for other threads counts as
        part of the thread's own wait for the database: threads that arrive while a server gives no
        answer do not wait in turn.

        :raises Unavailable: if the others take too long.
        """
        most = patience(_wait(self.environment, near=self.answers_locally))
        with nullcontext() if self.answers_locally else within(most):
            return in_turn(
                self._lock,
                most,
                step,
                "the database does not answer: another call is still opening it",
            )

    def _check_new(self) -> None:
        """Log that a SQLite database will be new, or refuse to create it: after a typing error,
        journal, keys and tokens would seem to be gone.

        :raises InvalidInvocation: if ``JACKFIELD_NEW_DATABASE`` is ``refuse``, or has no meaning.
        """
        wanted = self.environment.get(_NEW) or "say"
        if wanted not in {"say", "refuse"}:
            raise InvalidInvocation(
                f"{_NEW} is '{wanted[:80]}', and must be 'say' or 'refuse'",
                hint="Unset it: a new database is said.",
            )
        if not self.is_new:
            return
        path = self.file
        if wanted == "refuse":
            raise InvalidInvocation(
                f"there is no database at '{path}', and {_NEW} is 'refuse'",
                hint=(
                    "Look at JACKFIELD_HOME and JACKFIELD_DATABASE_URL; 'jackfield db "
                    "upgrade' makes a new one."
                ),
            )
        _BEGINS.log(
            _BEGINS.level or self.beginning, "there was no database: a new one begins at '%s'", path
        )

    def _opened_as_it_is(self) -> Database:
        """Open the database without migrating it; tables of a new SQLite database are created."""
        from jackfield_store.database.faults import NotUpgraded

        database = self.opened(migrate=None)
        with OnFailure(database.close):
            if self.url.startswith("sqlite:") and not database.version():
                database.migrate()
            elif database.pending():
                raise NotUpgraded(
                    "the database is not up to date, and this command does not upgrade it: "
                    f"{database.location}",
                    hint=(
                        "Stop the processes of the older version, if any, then run "
                        "'jackfield db upgrade'."
                    ),
                )
        return database

    def _unlocked(self) -> Vault:
        return self._alone(self._unlock)

    def _unlock(self) -> Vault:
        if self._vault is None:
            self._vault = self._vault_on(self.database)
        return self._vault

    def _vault_of(self, database: Database) -> Vault:
        """Return the vault while ``database`` is open: a late thread must not open a closed
        database again, which would stay open.

        :raises Unavailable: if it is closed; otherwise as ``vault`` does.
        """
        from jackfield_store.database.faults import Trouble, unavailable

        def step() -> Vault:
            if self._database is not database:
                raise unavailable(Trouble.CLOSED)
            return self._unlock()

        found = self._vault
        return found if found is not None and self._database is database else self._alone(step)

    def _vault_on(self, database: Database) -> Vault:
        from jackfield_store.keys.key_ring import find_key_ring
        from jackfield_store.keys.vault import Vault

        ring = find_key_ring(self.environment, home(self.environment), lambda: _sealed_by(database))
        return Vault(database, ring, self._clock, lifetime=_key_cache(self.environment))


async def _in_one_state(
    epochs: Epoch, work: Callable[[], Coroutine[Any, Any, T]], reading: int | None
) -> T:
    with epochs.held(reading, later=True):
        return await work()


def _sealed_by(database: Database) -> str | None:
    """Return the id of the master key that the database needs; None if no master key wraps
    anything. Ids of key services are URIs.
    """
    row = database.look_up(
        "SELECT master_key_id FROM data_keys WHERE master_key_id NOT LIKE '%:%' ORDER BY "
        "created_at DESC LIMIT 1",
        {},
    )
    return None if row is None else str(row.master_key_id)


late_hints(__name__)
