"""Port to the package above the store, if one is installed: objects that follow connections, and
the reading of events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from jackfield.catalog.loading import part
from jackfield.kernel.errors import InvalidInvocation

if TYPE_CHECKING:
    from jackfield.call.events import Events
    from jackfield.callers import Authorizer
    from jackfield.catalog import Catalog
    from jackfield.connections.named_connection import NamedConnection
    from jackfield.connector.grants import Grant
    from jackfield.kernel.clock import Clock
    from jackfield_store.database import Database, Transaction
    from jackfield_store.keys.vault import SealedRows, Vault
    from jackfield_store.resources.storage import Storage


class Platform(Protocol):
    """Port to the package that the entry point ``platform`` names."""

    SEALED_ROWS: Sequence[SealedRows]
    """Rows with sealed values in the package's tables."""

    def part(
        self,
        transaction: Transaction,
        vault: Vault,
        workspace: str,
        now: float,
        connection: NamedConnection,
        grant: Grant | None,
    ) -> Sequence[tuple[str, str]]:
        """Stop the automatic users of a connection that is being removed, in the same transaction.
        Return the event and the object of each, for the audit log.
        """

    def look_again(
        self,
        transaction: Transaction,
        vault: Vault,
        workspace: str,
        connection: str,
        now: float,
        renamed: str | None = None,
    ) -> None:
        """Wake the subscriptions over a changed or tested connection; schedules and subscriptions
        follow a renamed one.
        """

    def is_parting(self, database: Database, workspace: str, connection: str) -> bool:
        """Return whether a provider has not yet been notified that webhooks over a removed
        connection are gone.
        """

    def findings(
        self, storage: Storage, workspace: str, clock: Clock, tested: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]]:
        """Return findings about a ``tested`` connection, for its diagnosis."""

    def events_of(
        self,
        storage: Storage,
        workspace: str,
        catalog: Catalog,
        authorizer: Authorizer,
        after: str | int | None,
        types: Sequence[str],
        wait: float,
    ) -> Events:
        """Return an iterable of a workspace's events."""


class _NoPlatform:
    """Substitute without a package above the store: there are no subscriptions, and events are not
    numbered.
    """

    SEALED_ROWS: Sequence[SealedRows] = ()

    def part(self, *_about: object) -> Sequence[tuple[str, str]]:
        """Pause nothing."""
        return ()

    def look_again(self, *_about: object) -> None:
        """Wake nothing."""

    def is_parting(self, *_about: object) -> bool:
        """Return False."""
        return False

    def findings(self, *_about: object) -> Sequence[Mapping[str, Any]]:
        """Return nothing."""
        return ()

    def events_of(self, *_about: object) -> Events:
        """Refuse.

        :raises InvalidInvocation: always.
        """
        text = "events need the package jackfield_service, which is not there"
        raise InvalidInvocation(text, hint="Install it again: pip install 'jackfield[store]'.")


def platform_part() -> Platform:
    """Return the installed package's part, or an empty substitute."""
    found: Platform | None = part("platform")
    return _NoPlatform() if found is None else found
