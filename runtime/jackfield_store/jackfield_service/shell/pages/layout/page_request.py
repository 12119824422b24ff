"""Authenticated request to a page of the console, with its identity, workspace and form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from jackfield.callers import Scope, may
from jackfield.catalog import Catalog
from jackfield.catalog.index import ActionIndex
from jackfield.invocation.entry import Entry
from jackfield.kernel.errors import JackfieldError
from jackfield.manifest.manifest import Manifest
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.problem import Problem
from jackfield_store.access import Tokens
from jackfield_store.management.connections import ManagedConnections
from jackfield_store.management.visible_journal import SeenJournal
from jackfield_store.runtime import Jackfield

_MONTH = 30 * 86_400.0


@dataclass(frozen=True, slots=True, repr=False)
class PageRequest:
    """Authenticated request; ``http`` is Starlette's. ``form`` has the fields of a POST, ``csrf``
    is the token for the page's forms, ``operator`` is true for sessions that began with a one-time
    link, and of platform admins. ``is_silent``: the database does not answer, and the page shows
    only parts that do not need it.
    """

    http: Request
    server: ServerContext
    identity: Identity
    csrf: str
    operator: bool = False
    form: Mapping[str, str] = field(default_factory=dict)
    is_silent: bool = False
    drawn: str = ""
    """Digest of the state that the form was rendered from."""

    @property
    def runtime(self) -> Jackfield:
        """Runtime of the caller's workspace."""
        return self.server.runtime(self.identity.workspace)

    @property
    def connections(self) -> ManagedConnections:
        """Connections that the caller may see; changes are audited in the caller's name."""
        return self.runtime.connections_of(self.identity.caller).acting_as(self.identity.actor)

    @property
    def catalog(self) -> Catalog:
        """Connectors and actions that the caller may see."""
        return self.runtime.catalog_of(self.identity.caller)

    @property
    def search(self) -> ActionIndex:
        """Search index of the actions: the operator's for a caller with the operator's offer, else
        the common one.
        """
        of_operator = (
            self.identity.caller.audience == "operator" and self.runtime.catalog.for_operator
        )
        return self.server.operator_search if of_operator else self.server.search

    @property
    def journal(self) -> SeenJournal:
        """Entries of the workspace's journal that the caller may see.

        :raises Problem: 503 if the server has no journal.
        """
        if self.runtime.journal is None:
            raise Problem(503, "this server has no journal")
        return self.runtime.journal_of(self.identity.caller)

    @property
    def uses(self) -> Counter[tuple[str, str]]:
        """Number of invocations in the last 30 days by connector and action, as far as the caller
        may count them.
        """
        return (
            self.journal.uses(self.now - _MONTH)
            if self.runtime.journal is not None and not self.is_silent
            else Counter()
        )

    def stored_connections(self, limit: int, type: str | None = None) -> list[dict[str, Any]]:
        """List the connections, or only those of a type. The list is empty while the database does
        not answer.
        """
        return [] if self.is_silent else list(self.connections.list(limit=limit, type=type).items)

    @property
    def tokens(self) -> Tokens:
        """Tokens of the workspace; changes are audited in the caller's name."""
        storage = self.server.storage
        return Tokens(
            storage.database,
            storage.vault,
            self.identity.workspace,
            self.server.clock,
            self.identity.actor,
            grants=self.identity.grants,
        )

    @property
    def query(self) -> Mapping[str, str]:
        """Query parameters."""
        return self.http.query_params

    @property
    def now(self) -> float:
        """Seconds since 1970."""
        return self.server.clock.time()

    @property
    def partial(self) -> bool:
        """True if htmx asks for a fragment instead of a page."""
        return "hx-request" in self.http.headers

    def may(self, scope: Scope) -> bool:
        """Return whether the caller's scope includes ``scope``."""
        return may(self.identity.scope, scope)

    def require(self, scope: Scope) -> None:
        """Require a scope.

        :raises Problem: 403 if the caller's scope does not include it.
        """
        self.identity.require(scope)

    def require_operator(self) -> None:
        """Require a session that began with a one-time link of the server.

        :raises Problem: 403 for tokens and JWTs, which belong to one workspace.
        """
        if not self.operator:
            raise Problem(
                403,
                "only the operator manages tenants: sign in with a one-time link of the server, "
                "or as a platform admin",
            )

    def manifest(self) -> Manifest:
        """Return the manifest of the connector that the path names by its ``key``.

        :raises Problem: 404 if the caller sees no such connector.
        """
        try:
            return self.catalog.find(self.path("key"))
        except JackfieldError as error:
            raise Problem(404, error.message) from None

    def entry(self) -> Entry:
        """Return the journal entry that the path names by its ``id``.

        :raises Problem: 404 if the caller sees no such entry.
        """
        try:
            return self.journal.find(self.path("id"))
        except JackfieldError as error:
            raise Problem(404, error.message) from None

    def path(self, name: str) -> str:
        """Return a path parameter."""
        return str(self.http.path_params[name])
