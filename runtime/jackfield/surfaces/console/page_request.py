"""One request of somebody who is signed in: who, where, and what they sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jackfield.access import may
from jackfield.surfaces.shared.problem import Problem

if TYPE_CHECKING:
    from starlette.requests import Request

    from jackfield.access import Scope
    from jackfield.catalog import Catalog
    from jackfield.management.connections import ManagedConnections
    from jackfield.management.visible_journal import SeenJournal
    from jackfield.runtime import Jackfield
    from jackfield.surfaces.shared.identity import Identity
    from jackfield.surfaces.shared.server_context import ServerContext

__all__ = ["PageRequest"]


@dataclass(frozen=True, slots=True, repr=False)
class PageRequest:
    """``form`` has the fields of a POST, ``csrf`` is what its forms carry, ``operator`` whether it began with a one-time link."""

    request: Request
    server: ServerContext
    identity: Identity
    csrf: str
    operator: bool = False
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def runtime(self) -> Jackfield:
        """The runtime of the visitor's workspace."""
        return self.server.runtime(self.identity.workspace)

    @property
    def connections(self) -> ManagedConnections:
        """The connections that the visitor may see, changed in the visitor's name."""
        return self.runtime.connections_of(self.identity.caller).acting_as(self.identity.actor)

    @property
    def catalog(self) -> Catalog:
        """The connectors and actions that the visitor sees."""
        return self.runtime.catalog_of(self.identity.caller)

    @property
    def journal(self) -> SeenJournal:
        """The journal of the visitor's workspace, as far as the visitor may see it.

        :raises Problem: where there is none.
        """
        if self.runtime.journal is None:
            raise Problem(503, "this server has no journal")
        return self.runtime.journal_of(self.identity.caller)

    @property
    def query(self) -> Mapping[str, str]:
        """What stands behind the question mark."""
        return self.request.query_params

    @property
    def now(self) -> float:
        """Seconds since 1970."""
        return self.server.clock.time()

    @property
    def origin(self) -> str:
        """Where the server is, as its visitor sees it: ``https://jackfield.example.com``."""
        return str(self.request.base_url).rstrip("/")

    @property
    def partial(self) -> bool:
        """Whether a part of a page was asked for, not a page."""
        return "hx-request" in self.request.headers

    def may(self, scope: Scope) -> bool:
        """Whether the visitor's scope is enough."""
        return may(self.identity.scope, scope)

    def require(self, scope: Scope) -> None:
        """Do nothing where the visitor's scope is enough.

        :raises Problem: 403 where it is not.
        """
        self.identity.require(scope)

    def path(self, name: str) -> str:
        """A part of the address."""
        return str(self.request.path_params[name])
