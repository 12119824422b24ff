"""Part of a runtime that manages: connections, and what a caller may see of catalog, journal and events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield import access, callers
from jackfield.callers.caller import LIBRARY, Caller
from jackfield.callers.visible_catalog import seen_catalog
from jackfield.frames import bordered
from jackfield.invocation import DEFAULT_TIMEOUT
from jackfield.management.options import choices
from jackfield.pipe.recording import required
from jackfield.secrecy import Hidden

if TYPE_CHECKING:
    from collections.abc import Callable

    from jackfield.access import Actor, Audit, WorkspaceAccess
    from jackfield.callers import Authorizer
    from jackfield.catalog import Catalog
    from jackfield.catalog.offering import Audience
    from jackfield.clock import Clock
    from jackfield.connections.connection_lookup import Connections
    from jackfield.connector.lending import Lent
    from jackfield.events import Events
    from jackfield.invocation import Result
    from jackfield.management.connections import ManagedConnections
    from jackfield.management.visible_journal import SeenJournal
    from jackfield.pipe.admit import Targets
    from jackfield.pipe.invoke import Pipeline
    from jackfield.pipe.open import Opener
    from jackfield.resources.storage import Storage


@bordered
class Managed:
    """Base of ``Jackfield``, which has the pipe, the catalog and the database."""

    workspace: str
    catalog: Catalog
    storage: Storage
    clock: Clock
    access: WorkspaceAccess
    pipeline: Pipeline
    open_connections: Opener
    _known: Connections
    _managed: dict[Audience, ManagedConnections]
    _targets: Targets
    invoke: Callable[..., Result]

    @property
    def connections(self) -> ManagedConnections:
        """Connections of the workspace, to read and to change."""
        return self._managed_for("operator", callers.UNBOUND)

    def _managed_for(self, audience: Audience, authorizer: Authorizer) -> ManagedConnections:
        found = None if authorizer.is_bound else self._managed.get(audience)
        if found is not None:
            return found
        from jackfield.management.connections import ManagedConnections

        catalog, audit = self.catalog.for_audience(audience), self._audit if self.storage.enabled else None
        found = ManagedConnections(
            self._known, catalog, self.open_connections, self._targets, self.clock, audit, authorizer,
            lambda name, to: self.access.workspaces.rename_guard(self.workspace, name, to),
        )  # fmt: skip
        if not authorizer.is_bound:
            self._managed[audience] = found
        return found

    def _audit(self, actor: Actor) -> Audit:
        return access.Audit(self.storage.database, lambda: self.storage.vault, self.workspace, self.clock, actor)

    def connections_of(self, caller: Caller) -> ManagedConnections:
        """Return the workspace's connections, limited to what a caller may see and change; reads the rules from the database."""
        return self._managed_for(caller.audience, self.access.authorizer(caller))

    def catalog_of(self, caller: Caller) -> Catalog:
        """Return the connectors and actions that a caller may see; reads the rules from the database."""
        return seen_catalog(self.catalog.for_audience(caller.audience), self.access.authorizer(caller))

    def journal_of(self, caller: Caller = LIBRARY) -> SeenJournal:
        """Return the journal, limited to what a caller may see: list entries, find one, resolve a doubt.

        :raises InvalidInvocation: if this runtime has no journal.
        """
        from jackfield.management.visible_journal import SeenJournal

        return SeenJournal(required(self.pipeline.journal()), self.workspace, self.catalog, self.access.authorizer(caller), caller.owner)

    def events(self, *, after: str | int | None = None, types: Sequence[str] = (), wait: float = 0.0, caller: Caller = LIBRARY) -> Events:
        """Return the workspace's events after a cursor (``event.cursor``, or ``event.sequence``; default: all), oldest first, for ``for``
        or ``async for``, until none of the ``types`` (``invocation.finished``, ``connection.*``; default: all) came for ``wait`` seconds.

        :raises InvalidInvocation: if there is no database, or cursor or types are not valid; ``CursorExpired`` if events are gone.
        """
        from jackfield.management.visible_events import events_of

        return events_of(self.storage, self.workspace, self.catalog, self.access.authorizer(caller), after, types, wait)

    def lend(self, name: str, connector: str | None = None) -> Lent:
        """Open a connection for this program's own use: a family's library makes its provider's SDK of it. Recorded in the audit log.

        :raises JackfieldError: if it cannot be opened, or the rules allow less than everything over it.
        """
        from jackfield.management.lending import lend

        return lend(self.pipeline, name, connector, self._audit if self.storage.enabled else None)

    def show(self, name: str) -> dict[str, Any]:
        """Return a connection as docs/reference/http.md describes it, secrets masked.

        :raises UnknownConnection: if there is none with that name.
        """
        return self.connections.show(name)

    def test(self, name: str, *, timeout_seconds: float = DEFAULT_TIMEOUT) -> dict[str, Any]:
        """Test a connection without changing anything; return it as ``show`` does, with the outcome.

        :raises UnknownConnection: if there is none with that name.
        :raises InvalidConnection: if its values break its type's schema.
        """
        return self.connections.test(name, timeout_seconds=timeout_seconds)

    def diagnose(
        self, name: str, inputs: Mapping[str, Any] | None = None, *, caller: Caller = LIBRARY, actor: Actor | None = None
    ) -> dict[str, Any]:
        """Test a connection, then run the action ``doctor`` of each connector that it serves, with ``inputs``. ``actor`` is recorded in the
        audit log.

        Return ``connection``, ``type``, ``healthy`` and ``findings``, each with ``code``, ``severity`` (``error``, ``warning``),
        ``message``, ``evidence`` and ``cure``.

        :raises UnknownConnection: if there is none with that name.
        :raises JackfieldError: if its values, the inputs or the rules do not allow the examination.
        """
        from jackfield.management.diagnosis import diagnosed

        connections = self.connections_of(caller)
        tested = (connections if actor is None else connections.acting_as(actor)).test(name)
        return diagnosed(self.catalog_of(caller), tested, inputs or {}, partial(self.invoke, caller=caller))

    def options(
        self,
        connector: str,
        source: str,
        *,
        connection: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        caller: Caller = LIBRARY,
    ) -> list[dict[str, str]]:
        """List the choices from an option source. A live source queries the provider over ``connection``, if the rules allow ``caller`` to.

        ``inputs`` are those that a form has so far: the choices of some sources depend on them (a repository's labels).

        :raises UnknownName: no such connector or option source.
        :raises JackfieldError: if an input is missing, or a live source fails.
        """
        given = Hidden(inputs or {})
        del inputs
        return choices(self.pipeline, connector, source, connection, caller, given)
