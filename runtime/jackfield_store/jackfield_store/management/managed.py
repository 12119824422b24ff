"""Management of one workspace, one per runtime: connections, and a caller's view of journal and
events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from jackfield.call.unstored import required
from jackfield_store.access import Audit
from jackfield_store.management.connections import ManagedConnections

if TYPE_CHECKING:
    from jackfield.call.events import Events
    from jackfield.call.pipe import Pipe
    from jackfield.callers import Authorizer, Caller
    from jackfield.callers.actor import Actor
    from jackfield.catalog import Catalog
    from jackfield.catalog.offering import Audience
    from jackfield.connector.lending import Lent
    from jackfield.invocation import Result
    from jackfield.kernel.secrecy import Hidden
    from jackfield_store.access import WorkspaceAccess
    from jackfield_store.management.visible_journal import SeenJournal
    from jackfield_store.resources.storage import Storage


class WorkspaceManagement:
    """Management of the workspace whose pipe is ``pipeline``, with or without a database."""

    def __init__(self, storage: Storage, pipeline: Pipe) -> None:
        self._storage, self._pipeline = storage, pipeline
        self._connections: dict[Audience, ManagedConnections] = {}

    def connections(self, audience: Audience, authorizer: Authorizer) -> ManagedConnections:
        """Return the connections that an audience sees and a caller may use."""
        is_unbound = not authorizer.is_bound and not authorizer.may_ask
        found = self._connections.get(audience) if is_unbound else None
        if found is not None:
            return found
        pipeline, plans = self._pipeline, self._pipeline.plans
        found = ManagedConnections(
            pipeline.known,
            pipeline.catalog.for_audience(audience),
            plans.opener,
            plans.targets,
            pipeline.dependencies.clock,
            self._audits,
            authorizer,
            lambda name, to: cast("WorkspaceAccess", pipeline.access).workspaces.rename_guard(
                pipeline.workspace, name, to
            ),
        )
        if is_unbound:
            self._connections[audience] = found
        return found

    @property
    def _audits(self) -> Callable[[Actor], Audit] | None:
        """Function that opens the audit log for an actor; None without a database. It does not
        refer to this object, which stores it.
        """
        return partial(_audit, self._storage, self._pipeline) if self._storage.enabled else None

    def journal(self, authorizer: Authorizer, owner: str | None) -> SeenJournal:
        """Return the journal, limited to a caller's view.

        :raises InvalidInvocation: if there is no journal.
        """
        from jackfield_store.management.visible_journal import SeenJournal

        return SeenJournal(
            required(self._pipeline.journal()),
            self._pipeline.workspace,
            self._pipeline.known,
            self._pipeline.catalog,
            authorizer,
            owner,
        )

    def events(
        self, authorizer: Authorizer, after: str | int | None, types: Sequence[str], wait: float
    ) -> Events:
        """Return the events after a cursor, limited to a caller's view.

        :raises InvalidInvocation: if there is no database, or cursor or types are not valid;
            ``CursorExpired`` if events are gone.
        """
        from jackfield_store.management.platform_part import platform_part

        return platform_part().events_of(
            self._storage,
            self._pipeline.workspace,
            self._pipeline.catalog,
            authorizer,
            after,
            types,
            wait,
        )

    def lend(self, name: str, connector: str | None) -> Lent:
        """Open a connection for a program's own use, and record that in the audit log.

        :raises JackfieldError: if the connection cannot be opened, or the rules do not allow every
            use of it.
        """
        from jackfield_store.management.lending import lend

        return lend(self._pipeline, name, connector, self._audits)

    def diagnose(
        self,
        catalog: Catalog,
        tested: Mapping[str, Any],
        inputs: Mapping[str, Any],
        invoke: Callable[[Mapping[str, Any]], Result],
    ) -> dict[str, Any]:
        """Run the action ``doctor`` of each connector that a ``tested`` connection serves, and
        return its diagnosis.
        """
        from jackfield_store.management.diagnosis import diagnosed

        return diagnosed(
            catalog,
            tested,
            inputs,
            invoke,
            (self._storage, self._pipeline.workspace, self._pipeline.dependencies.clock),
        )

    def options(
        self, connector: str, source: str, connection: str | None, caller: Caller, given: Hidden
    ) -> list[dict[str, str]]:
        """Return the choices of an option source.

        :raises JackfieldError: if there is no such source, an input is missing, or a live source
            fails.
        """
        from jackfield_store.management.options import choices

        return choices(self._pipeline, connector, source, connection, caller, given)


def _audit(storage: Storage, pipeline: Pipe, actor: Actor) -> Audit:
    return Audit(
        storage.database,
        lambda: storage.vault,
        pipeline.workspace,
        pipeline.dependencies.clock,
        actor,
    )
