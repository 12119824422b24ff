"""Connections for a program of the operator to use outside invocations, by its family's library
(``jackfield_aws.boto3_session``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jackfield.callers import LIBRARY
from jackfield.callers.actor import LIBRARY as PROGRAM
from jackfield.invocation import DEFAULT_TIMEOUT
from jackfield.kernel.errors import InvalidConnection, NotAllowed, UnknownConnector
from jackfield.kernel.frames import bordered
from jackfield.kernel.hints import NextStep
from jackfield.kernel.secrecy import SecretHolder
from jackfield_store.management.connection_test import serving
from jackfield_store.management.provider_steps import call_of, over_connection

if TYPE_CHECKING:
    from jackfield.call.pipe import Pipe
    from jackfield.callers import Authorizer
    from jackfield.callers.actor import Actor
    from jackfield.connections.named_connection import NamedConnection
    from jackfield.manifest.manifest import Manifest
    from jackfield_store.access import Audit


def lend(
    stages: Pipe, name: str, connector: str | None, audit: Callable[[Actor], Audit] | None
) -> LentConnection:
    """Open a connection, record its opening in the audit log, and return it for a program's own
    use.

    :raises UnknownConnection: if no connection has that name.
    :raises UnknownConnector: if the connection does not serve ``connector``.
    :raises NotAllowed: if the workspace's rules do not allow all that the connection could do, or
        its guard has paused it.
    :raises JackfieldError: if it cannot be opened.
    """
    found = LentConnection(stages, name, connector)
    found.client()
    if audit is not None:
        audit(PROGRAM).record(
            "connection.lent", f"connection:{name}", {"connector": found.manifest().key}
        )
    return found


@bordered
class LentConnection(SecretHolder):
    """Connection that the operator's program uses. Each opening reads it and applies the rules
    anew: a change of either takes effect at once.
    """

    def __init__(self, stages: Pipe, name: str, connector: str | None) -> None:
        self.name = name
        self._stages = stages
        self._connector = connector
        self._known: tuple[str, Manifest] | None = None

    def client(self) -> Any:
        """Open the connection now, and return the client that an action gets.

        :raises JackfieldError: as ``lend`` does.
        """
        stages, stored = self._stages, self._stages.known.find(self.name)
        self._require(stages.access.authorizer(LIBRARY), stored)
        manifest = self.manifest(stored)
        call = call_of(stages, DEFAULT_TIMEOUT)
        return over_connection(
            stages,
            manifest,
            stages.catalog.load(manifest.key),
            stored,
            call,
            lambda client: client,
            "the connection could not be opened",
        )

    def manifest(self, stored: NamedConnection | None = None) -> Manifest:
        """Return the manifest of the connector that opens the connection: the named one, else the
        first that the connection serves.

        :raises UnknownConnector: if the connection does not serve it.
        :raises InvalidConnection: if the connector runs in a process of its own, which cannot
            return a client.
        """
        stored = self._stages.known.find(self.name) if stored is None else stored
        if self._known is None or self._known[0] != stored.type:
            self._known = stored.type, self._find_manifest(stored)
        return self._known[1]

    def _find_manifest(self, stored: NamedConnection) -> Manifest:
        catalog = self._stages.catalog.for_audience(LIBRARY.audience)
        if self._connector is None:
            fitting = serving(catalog, stored)
            found = next((manifest for manifest in fitting if not manifest.isolated), fitting[0])
        else:
            found = catalog.find(self._connector)
        if found.connection_type(stored.type) is None:
            text = f"the connection '{self.name}' does not serve the connector '{found.key}'"
            raise UnknownConnector(text, hint=NextStep("connectors"))
        if found.isolated:
            text = (
                f"the connection '{self.name}' serves a connector that runs in a process of "
                "its own, which gives no client away"
            )
            raise InvalidConnection(text, hint="Call its actions instead.")
        return found

    def _require(self, authorizer: Authorizer, stored: NamedConnection) -> None:
        """Check the rules, and the guard of the workspace."""
        served = (manifest.key for manifest in self._stages.catalog.with_type(stored.type))
        authorizer.require_all(stored.name, stored.type.partition("/")[0], served)
        access = self._stages.access
        guard = access.settings.guard_of(stored.name) if access.storage.enabled else None
        if guard is not None and "paused" in guard:
            hint = (
                "Find out why; who controls the workspace resumes the connection by setting "
                "its guard again."
            )
            raise NotAllowed(
                f"not allowed: the workspace's guard has paused the connection '{stored.name}'",
                hint=hint,
            )
