"""Protocols of a stored connection that a program of the operator uses outside invocations, for its
family's library.
"""

from __future__ import annotations

from typing import Any, Protocol


class Lent(Protocol):
    """Stored connection that a program uses with its provider's own SDK. The workspace's rules are
    checked each time it is opened.
    """

    @property
    def name(self) -> str:
        """Name of the connection."""

    def client(self) -> Any:
        """Open the connection now, and return the client that an action gets; its leases are
        shared, and renewed before they expire.

        :raises JackfieldError: if the rules now forbid it, the connection is deleted, or the
            provider refuses.
        """


class Lender(Protocol):
    """Runtime of a workspace that opens its connections for the operator's program: a
    ``Jackfield``.
    """

    def lend(self, name: str, connector: str | None = None) -> Lent:
        """Return the connection ``name`` for a program's own use, with the values that
        ``connector`` gets.
        """
