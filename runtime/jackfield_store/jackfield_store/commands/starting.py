"""Startup checks of long-running commands: ``serve``, ``worker`` and ``mcp``."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from jackfield.cli.logs import configure
from jackfield.cli.quantities import DAY, duration
from jackfield.cli.session import import_modules
from jackfield.connections.connection_lookup import Connections, sources_from
from jackfield.kernel.errors import InvalidInvocation, Unavailable
from jackfield.kernel.local import keep_memory_private
from jackfield.kernel.tracing_variables import remarks
from jackfield.wire.outbound import check_outbound, ignored_proxy
from jackfield.wire.tls import broken_authorities
from jackfield_store.access import DEFAULT
from jackfield_store.database.faults import DatabaseUnfit, KeyServiceRefused

if TYPE_CHECKING:
    from jackfield.catalog import Catalog
    from jackfield.cli.parsing import Parser
    from jackfield_store.resources.storage import Storage

_LOG = logging.getLogger("jackfield.connections")


def prepare_process(modules: Iterable[str] = ()) -> None:
    """Configure the log of a process that runs for long, keep its memory private, and import the
    modules of ``--import``.

    :raises InvalidInvocation: if a module cannot be imported.
    """
    configure(serves=True)
    keep_memory_private()
    import_modules(modules)


def check_surroundings(environment: Mapping[str, str]) -> None:
    """Log remarks for the operator about the variables of other software: OpenTelemetry's, proxies
    and certificate authorities.

    :raises InvalidInvocation: if the operator's setting for proxies is not valid.
    """
    check_outbound(environment)
    for text in remarks(environment):
        logging.getLogger("jackfield.tracing").warning("%s", text)
    for found in (ignored_proxy(environment), broken_authorities()):
        if found is not None:
            logging.getLogger("jackfield.network").warning("%s", found)


def declare_migrate(parser: Parser) -> None:
    """Add ``--migrate``."""
    parser.add_argument(
        "--migrate",
        action="store_true",
        help="first upgrade the database, like 'jackfield db upgrade'",
    )


def declare_stop_within(parser: Parser) -> None:
    """Add ``--stop-within``."""
    parser.add_argument(
        "--stop-within",
        type=duration(DAY),
        default=30.0,
        metavar="DURATION",
        help="time for running invocations to finish on shutdown (default 30s)",
    )


def require_connection_files(environment: Mapping[str, str]) -> None:
    """Check that everything named in JACKFIELD_CONNECTIONS exists.

    :raises InvalidInvocation: for a missing file or folder, or an unset variable.
    """
    for source in sources_from(environment):
        if source.startswith("$"):
            missing, reason = source[1:] not in environment, "is not set"
        else:
            missing, reason = not os.path.exists(os.path.expanduser(source)), "does not exist"
        if missing:
            hint = "Correct JACKFIELD_CONNECTIONS, or unset it."
            raise InvalidInvocation(
                f"JACKFIELD_CONNECTIONS lists '{source[:200]}', which {reason}", hint=hint
            )


def check_connection_files(environment: Mapping[str, str], catalog: Catalog) -> None:
    """Log a warning for each part of the connection files that cannot be used."""
    for problem in Connections(
        sources_from(environment), catalog=catalog, environment=environment
    ).problems:
        _LOG.warning("JACKFIELD_CONNECTIONS: %s", problem)


def check_key(storage: Storage) -> None:
    """Refuse a master key that does not decrypt the database: every call would be refused. Wait for
    a key service that is unreachable.

    :raises DatabaseUnfit: if the key does not decrypt, is missing, or is not a key.
    """
    try:
        storage.vault.prepare(DEFAULT)
    except Unavailable as error:
        if isinstance(error, DatabaseUnfit) and not isinstance(error, KeyServiceRefused):
            raise


def prepare_database(storage: Storage, *, migrate: bool) -> str:
    """Open the database and return its location, without password; ``migrate`` upgrades its tables
    first.

    :raises DatabaseUnfit: if its tables are not up to date, or the master key does not decrypt it.
    :raises Unavailable: if it cannot be reached.
    """
    if migrate:
        storage.opened(migrate=True).close()
    location = storage.database.location
    check_key(storage)
    return location
