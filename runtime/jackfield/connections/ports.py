"""Ports to stored connections. They are only types: no call imports them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from jackfield.connections.host_access import HostAccess
    from jackfield.connections.named_connection import NamedConnection
    from jackfield.connections.oauth_clients import OAuthClient
    from jackfield.connector.context import Minted
    from jackfield.kernel.clock import Deadline


class SharedLeases(Protocol):
    """Leases of one version of a connection, which all processes share."""

    def lease(
        self,
        key: str,
        mint: Callable[[], Minted],
        renew_at: Callable[[Minted], float],
        deadline: Deadline,
    ) -> Minted:
        """Return the credential under ``key``; when it is due for renewal, exactly one process
        mints a new one.

        :raises TimedOut: if the deadline passes while another process mints.
        """

    def drop(self, key: str, used: Minted) -> None:
        """Drop ``used``, which the provider reports as expired, unless another lease has replaced
        it.
        """


class FileOutcomes(Protocol):
    """Outcomes of the tests of connections in files."""

    def note_used(self, connection: NamedConnection) -> None:
        """Mark an untested connection of a file as working."""


class RegisteredClients(Protocol):
    """OAuth clients that connections refer to."""

    def find(self, name: str) -> OAuthClient | None:
        """Return the client of this name; None if no such client is registered."""


class StoredConnection(Protocol):
    """Stored connection without its values."""

    @property
    def name(self) -> str:
        """Name of the connection."""

    @property
    def type(self) -> str:
        """Full name of the connection's type."""


class StoredConnections(Protocol):
    """Connections of one workspace in a database."""

    @property
    def file_tests(self) -> FileOutcomes:
        """Outcomes of the tests of connections in files."""

    @property
    def oauth_clients(self) -> RegisteredClients:
        """OAuth clients of the workspace, and the server's."""

    @property
    def answers_locally(self) -> bool:
        """True if the database is in this process."""

    def find(self, name: str) -> NamedConnection | None:
        """Return the connection called ``name`` with its secrets decrypted; None if no such
        connection is stored.

        :raises InvalidConnection: if one of its values or secrets was changed, moved or removed in
            the database.
        """

    def name_of(self, identifier: str) -> str | None:
        """Return the name of the connection with this ID; None if no such connection is stored."""

    def knows(self, name: str) -> bool:
        """Return whether ``find`` needs no SQL for this name now."""

    def show(self, name: str) -> StoredConnection | None:
        """Return the connection called ``name`` without its secrets; None if no such connection is
        stored.
        """

    def list(self, *, limit: int) -> Sequence[StoredConnection]:
        """Return up to ``limit`` connections by name."""

    def names(self, types: Iterable[str], limit: int, *, granted: bool = False) -> Sequence[str]:
        """Return the names of up to ``limit`` connections of each of ``types``, optionally only
        approved ones.
        """

    def named(self) -> Sequence[tuple[str, str]]:
        """Return name and type of every connection, by name."""

    def access(self) -> HostAccess:
        """Return the access of remote callers' connections to the server.

        :raises Unavailable: if the workspace's settings cannot be read.
        """

    def note_used(self, identifier: str, version: int) -> None:
        """Mark a stored connection as working."""

    def note_expired(self, identifier: str, version: int) -> None:
        """Mark a stored connection as expired."""
