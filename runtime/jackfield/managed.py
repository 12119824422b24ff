"""Part of a runtime that manages: connections, and what a caller may see of catalog, journal and events. The work is the management's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.callers.authorizer import UNBOUND
from jackfield.callers.caller import LIBRARY, Caller, seen_catalog
from jackfield.dataclass import replace
from jackfield.frames import bordered
from jackfield.invocation import DEFAULT_TIMEOUT
from jackfield.secrecy import Hidden

if TYPE_CHECKING:
    from jackfield.callers.actor import Actor
    from jackfield.catalog import Catalog
    from jackfield.composition import Management, Store
    from jackfield.connector.lending import Lent
    from jackfield.invocation import Result
    from jackfield.pipe.events import Events
    from jackfield.pipe.invoke import Pipeline
    from jackfield.pipe.ports import Access
    from jackfield.ports import Approvals, ManagedConnections, SeenJournal


@bordered
class Managed:
    """Base of ``Jackfield``, which has the pipe and the catalog."""

    catalog: Catalog
    access: Access
    pipeline: Pipeline
    _store: Store
    _made: Management | None = None
    invoke: Callable[..., Result]

    @property
    def _management(self) -> Management:
        found = self._made
        if found is None:
            found = self._made = self._store.management(self.pipeline)
        return found

    @property
    def connections(self) -> ManagedConnections:
        """Connections of the workspace, to read and to change."""
        return self._management.connections("operator", UNBOUND)

    def connections_of(self, caller: Caller) -> ManagedConnections:
        """Return the workspace's connections, limited to what a caller may see and change; reads the rules from the database."""
        return self._management.connections(caller.audience, self.access.authorizer(caller))

    def catalog_of(self, caller: Caller) -> Catalog:
        """Return the connectors and actions that a caller may see; reads the rules from the database."""
        return seen_catalog(self.catalog.for_audience(caller.audience), self.access.authorizer(caller))

    def journal_of(self, caller: Caller = LIBRARY) -> SeenJournal:
        """Return the journal, limited to what a caller may see: list entries, find one, resolve a doubt.

        :raises InvalidInvocation: if this runtime has no journal.
        """
        return self._management.journal(self.access.authorizer(caller), caller.owner)

    @property
    def approvals(self) -> Approvals:
        """Calls that wait until a person approves them: list, show, approve, decline."""
        return self.approvals_of(LIBRARY)

    def approvals_of(self, caller: Caller, actor: Actor | None = None) -> Approvals:
        """Return the calls that wait for an approval, limited to what a caller may see. ``actor`` is recorded in the audit log."""
        return self._store.approvals(self.pipeline, caller, actor)

    def events(self, *, after: str | int | None = None, types: Sequence[str] = (), wait: float = 0.0, caller: Caller = LIBRARY) -> Events:
        """Return the workspace's events after a cursor (``event.cursor``; default: all), oldest first, for ``for``
        or ``async for``, until none of the ``types`` (``invocation.finished``, ``connection.*``; default: all) came for ``wait`` seconds.

        :raises InvalidInvocation: if there is no database, or cursor or types are not valid; ``CursorExpired`` if events are gone.
        """
        return self._management.events(self.access.authorizer(caller), after, types, wait)

    def lend(self, name: str, connector: str | None = None) -> Lent:
        """Open a connection for this program's own use: a family's library makes its provider's SDK of it. Recorded in the audit log.

        :raises JackfieldError: if it cannot be opened, or the rules allow less than everything over it.
        """
        return self._management.lend(name, connector)

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
        connections = self.connections_of(caller)
        tested = (connections if actor is None else connections.acting_as(actor)).test(name)
        return self._management.diagnose(
            self.catalog_of(caller), tested, inputs or {}, partial(self.invoke, caller=replace(caller, waits=False))
        )

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
        return self._management.options(connector, source, connection, caller, given)
