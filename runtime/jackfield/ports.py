"""Ports of a runtime to its management: connections, and the journal as a caller sees it. They are
only types: no call imports them.

The package with the store implements them; its own ``Jackfield`` has the full types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import os

    from jackfield.callers.actor import Actor
    from jackfield.connections.connection_page import ConnectionPage
    from jackfield.connections.host_access import HostAccess
    from jackfield.connections.named_connection import NamedConnection
    from jackfield.connections.provenance import Provenance
    from jackfield.invocation.entry import Entry


class Turns(Protocol):
    """Line of the threads of one process with long computations."""

    def turn(self, workspace: str, seconds: float = ...) -> AbstractContextManager[bool]:
        """Wait for a turn of ``workspace``, and hold it within the block. The block gets False if
        the turn has not come within ``seconds``.
        """


class SeenJournal(Protocol):
    """Journal of a workspace as one caller sees it: entries that the rules hide appear not to
    exist.
    """

    def entries(
        self, *, cursor: str | None = None, limit: int = 50, **filters: Any
    ) -> tuple[list[Entry], str | None]:
        """Return visible entries that match all filters, newest first, and the cursor of the next
        page; None after the last page.
        """

    def find(self, identifier: str) -> Entry:
        """Return the entry of an invocation.

        :raises InvalidInvocation: if there is no visible entry.
        """

    def exchanges(self, identifier: str) -> Mapping[str, Any]:
        """Return an invocation's exchanges with its provider.

        :raises InvalidInvocation: if there is no visible entry, or its exchanges were not recorded.
        """

    def resolve(
        self,
        identifier: str,
        outcome: Literal["succeeded", "failed"],
        by: str,
        note: str = "",
        because: int | None = None,
        output: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Resolve an in-doubt entry with a person's answer. ``note`` or the number of a look,
        ``because``, gives the reason. ``output`` is the output of a success; without it, the Result
        has no output, and a warning.

        :raises InvalidInvocation: if there is no such visible entry, it is not in doubt, or it
            accepts no output.
        :raises InvalidInput: if the output breaks the action's schema.
        """


class Approvals(Protocol):
    """Calls of one workspace that wait, or waited, for a person's approval."""

    def list(
        self, *, status: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return approvals, the newest first, without inputs, and the cursor of the next page; None
        after the last page.
        """

    def show(self, identifier: str) -> dict[str, Any]:
        """Return an approval; while the call waits, with the request to be sent, secrets masked.

        :raises InvalidInvocation: if there is no such approval that the caller may see.
        """

    def approve(self, identifier: str, why: str = "", digest: str | None = None) -> dict[str, Any]:
        """Approve a call, so that the workers start it. ``digest`` is the digest of the displayed
        request, if only this request may be approved.

        :raises NotAllowed: if the caller may not approve it, for instance because the call is the
            caller's own.
        :raises InvalidInvocation: if there is no such call that the caller may see, or it no longer
            waits.
        """

    def decline(self, identifier: str, why: str = "", digest: str | None = None) -> dict[str, Any]:
        """Decline a call: nothing is sent. ``digest`` is as for ``approve``.

        :raises NotAllowed: if the caller may not.
        :raises InvalidInvocation: if there is no such call that the caller may see, or it no longer
            waits.
        """


class ManagedConnections(Protocol):
    """Connections of one workspace: list, show, test, add and change. The package's class documents
    the errors of each.
    """

    def acting_as(
        self, actor: Actor, in_transaction: Callable[[Any], None] | None = None
    ) -> ManagedConnections:
        """Return a copy whose changes and tests the audit log attributes to ``actor``; each change
        runs ``in_transaction``, too.
        """

    @property
    def problems(self) -> tuple[str, ...]:
        """Sentences about the parts of the connection files that cannot be read."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about stored connections that a file hides, one for each."""

    def access(self) -> HostAccess:
        """Return the access of remote callers' connections to the server."""

    def require(self, name: str) -> None:
        """Require that the rules let the caller use the connection of this name."""

    def list(
        self,
        cursor: str | None = None,
        limit: int = 100,
        *,
        type: str | None = None,
        text: str | None = None,
    ) -> ConnectionPage:
        """Return connections by name, optionally only those of a type, or with ``text`` in name,
        type or account.
        """

    def find(self, name: str) -> NamedConnection:
        """Return a connection with its unmasked values, for the runtime's own use."""

    def show(self, name: str) -> dict[str, Any]:
        """Return a connection as JSON with masked secrets."""

    def check(self, type: str, values: Mapping[str, Any], provenance: Provenance = ...) -> None:
        """Validate ``values`` for a new connection of that type, without testing or storing
        them.
        """

    def add(
        self,
        name: str,
        type: str,
        values: Mapping[str, Any],
        *,
        test: bool = True,
        force: bool = False,
        provenance: Provenance = ...,
        timeout_seconds: float = ...,
    ) -> dict[str, Any]:
        """Validate the values, test the connection and store it; return it as ``show`` does, with
        ``warnings``.
        """

    def replace(
        self,
        name: str,
        values: Mapping[str, Any],
        version: int | None = None,
        *,
        test: bool = True,
        force: bool = False,
        provenance: Provenance = ...,
        timeout_seconds: float = ...,
    ) -> dict[str, Any]:
        """Replace the values of a stored connection. Omitted secrets stay unchanged."""

    def rename(self, name: str, new_name: str) -> dict[str, Any]:
        """Rename a stored connection and return it with its new name."""

    def remove(self, name: str) -> None:
        """Delete a stored connection and its secrets."""

    def test(self, name: str, *, timeout_seconds: float = ...) -> dict[str, Any]:
        """Test a connection without changing anything, store the outcome, and return the connection
        with it.
        """

    def test_draft(
        self,
        type: str,
        values: Mapping[str, Any],
        *,
        name: str | None = None,
        provenance: Provenance = ...,
        timeout_seconds: float = ...,
    ) -> dict[str, Any]:
        """Test values without storing them."""

    def import_document(
        self,
        document: str | os.PathLike[str],
        *,
        values: Any = None,
        replace: bool = False,
        test: bool = True,
        force: bool = False,
        provenance: Provenance = ...,
    ) -> Sequence[dict[str, Any]]:
        """Store the connections of a document, given as the path of a file or folder, or as text;
        return a row for each.
        """

    def export(
        self, names: Iterable[str] | None = None, *, secrets: bool = False
    ) -> dict[str, Any]:
        """Return connections in the format of a connection file."""

    def policy(
        self,
        name: str,
        actions: Sequence[str] | None = None,
        principal_arn: str | None = None,
        sender: str | None = None,
        connector: str | None = None,
        calls: Sequence[Mapping[str, Any]] | None = None,
        *,
        evidence: bool = False,
    ) -> dict[str, Any]:
        """Return the provider policies that the connection needs."""

    def external_id(self, name: str) -> str | None:
        """Return the connection's External ID; None if it has none."""
