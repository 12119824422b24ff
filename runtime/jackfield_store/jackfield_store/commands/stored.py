"""Parts of a command that works on the database: the actor of the audit log, the database itself,
the selected workspace.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jackfield.cli import logs
from jackfield.cli.parsing import Namespace, UsageError
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.local import account, sudo_account
from jackfield_store.access.platform_tokens import home_of

if TYPE_CHECKING:
    from jackfield.callers.actor import Actor
    from jackfield_store.access import Workspaces
    from jackfield_store.database import Database
    from jackfield_store.keys.vault import Vault
    from jackfield_store.resources.storage import Storage


def actor() -> Actor:
    """Return the actor that the audit log records: the account and, for root, the account that ran
    ``sudo``.
    """
    from jackfield.callers.actor import Actor

    return Actor("cli", account() or "", sudo_account())


def open_storage() -> Storage:
    """Return the configured database and vault, both opened on first use, and configure logging. An
    older database is not upgraded.
    """
    from jackfield_store.resources.storage import Storage

    logs.configure()
    storage = Storage(None, os.environ, SystemClock())
    storage.migrates = False
    return storage


def workspaces_of(storage: Storage) -> Workspaces:
    """Return the workspaces of the database."""
    from jackfield_store.access import Workspaces

    return Workspaces(storage.database, storage.vault, SystemClock(), actor())


def selected_workspace(arguments: Namespace, storage: Storage) -> str:
    """Return the name of the selected workspace.

    :raises UnknownWorkspace: if it does not exist.
    """
    named: str | None = getattr(arguments, "workspace", None)
    name = named or os.environ.get("JACKFIELD_WORKSPACE") or "default"
    storage.require(name)
    return name


@contextmanager
def open_events(arguments: Namespace) -> Iterator[tuple[Database, Vault, str]]:
    """Open the database for the events of the selected workspace, or of the platform in
    ``--workspaces``.

    :raises InvalidInvocation: if there is no database, or the platform's pattern is not valid.
    """
    with open_storage() as storage:
        if not storage.enabled:
            text = "events need a database, and there is none: JACKFIELD_DATABASE_URL is 'none'"
            raise InvalidInvocation(text, hint="Unset it, or set it to a database URL.")
        pattern: str | None = getattr(arguments, "workspaces", None)
        if pattern is not None and arguments.workspace:
            raise UsageError(
                "--workspace and --workspaces exclude each other", usage=arguments.usage
            )
        yield (
            storage.database,
            storage.vault,
            selected_workspace(arguments, storage) if pattern is None else home_of(pattern),
        )
