"""The connections of a workspace as one caller may see, use and change them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from jackfield.access import INLINE, SeenCatalog
from jackfield.connections.connection_types import Kinds
from jackfield.errors import UnknownConnection
from jackfield.invocation import DEFAULT_TIMEOUT
from jackfield.management.connections import ManagedConnections
from jackfield.management.drafts import Provenance

if TYPE_CHECKING:
    from jackfield.access import Actor, Audit, Authorizer
    from jackfield.catalog import Catalog
    from jackfield.clock import Clock
    from jackfield.connections.connection_lookup import Connections
    from jackfield.connections.named_connection import NamedConnection
    from jackfield.pipe.admit import Targets
    from jackfield.pipe.open import Opener

_OPERATOR = Provenance()


class GuardedConnections(ManagedConnections):
    """Managed connections under rules.

    A connection is visible if some action may be run over it. Looking up a hidden one gives the same error as a missing one. Use and
    change are refused by the name alone, whether or not the connection exists.
    """

    def __init__(
        self,
        known: Connections,
        catalog: Catalog,
        opening: Opener,
        targets: Targets,
        clock: Clock,
        audit: Callable[[Actor], Audit] | None,
        authorizer: Authorizer,
    ) -> None:
        super().__init__(known, catalog, opening, targets, clock, audit)
        self._authorizer = authorizer
        self._installed = self.kinds
        self.kinds = Kinds(SeenCatalog(catalog, authorizer))
        self._seen: dict[tuple[str, tuple[bool, ...]], bool] = {}

    @property
    def problems(self) -> tuple[str, ...]:
        """Nothing: sentences about files may name hidden connections."""
        return ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Nothing: sentences about files may name hidden connections."""
        return ()

    def sees(self, name: str, kind: str) -> bool:
        """Return whether the caller may see a connection of this name and type."""
        group = kind, self._authorizer.likeness(name)
        if group not in self._seen:
            found = self._installed.known(kind)
            self._seen[group] = found is not None and self._authorizer.sees_connection(name, kind, found.manifests)
        return self._seen[group]

    def find(self, name: str) -> NamedConnection:
        """Return the visible connection of this name.

        :raises UnknownConnection: if there is none.
        """
        try:
            found = super().find(name)
        except UnknownConnection:
            raise self.known.unknown(name, self.sees) from None
        if not self.sees(found.name, found.type):
            raise self.known.unknown(name, self.sees)
        return found

    def show(self, name: str) -> dict[str, Any]:
        """Return a visible connection as JSON.

        :raises UnknownConnection: if there is none.
        """
        try:
            row = super().show(name)
        except UnknownConnection:
            raise self.known.unknown(name, self.sees) from None
        if not self.sees(name, row["type"]):
            raise self.known.unknown(name, self.sees)
        return row

    def add(
        self,
        name: str,
        type: str,
        values: Mapping[str, Any],
        *,
        test: bool = True,
        force: bool = False,
        provenance: Provenance = _OPERATOR,
        timeout_seconds: float = DEFAULT_TIMEOUT,
    ) -> dict[str, Any]:
        """Add a connection under a name that the caller may use.

        :raises NotAllowed: if rules forbid it.
        """
        self._require_use(name, type)
        add = super(GuardedConnections, self._for_new(name)).add
        return add(name, type, values, test=test, force=force, provenance=provenance, timeout_seconds=timeout_seconds)

    def replace(
        self,
        name: str,
        values: Mapping[str, Any],
        version: int | None = None,
        *,
        test: bool = True,
        force: bool = False,
        provenance: Provenance = _OPERATOR,
        timeout_seconds: float = DEFAULT_TIMEOUT,
    ) -> dict[str, Any]:
        """Change a connection that the caller may use.

        :raises NotAllowed: if rules forbid it.
        """
        self.require(name)
        return super().replace(name, values, version, test=test, force=force, provenance=provenance, timeout_seconds=timeout_seconds)

    def rename(self, name: str, new_name: str) -> dict[str, Any]:
        """Rename a connection that the caller may use, to a name that allows no more than the old one.

        :raises NotAllowed: if rules forbid it.
        """
        self.require(name)
        row = self.show(name)
        self._require_use(new_name, row["type"])
        self._authorizer.require_rename(name, new_name, row["type"], self._installed.find(row["type"]).manifests)
        return super().rename(name, new_name)

    def remove(self, name: str) -> None:
        """Remove a connection that the caller may use.

        :raises NotAllowed: if rules forbid it.
        """
        self.require(name)
        super().remove(name)

    def test(self, name: str, *, timeout_seconds: float = DEFAULT_TIMEOUT) -> dict[str, Any]:
        """Test a connection with the connectors for which the caller may use it.

        :raises NotAllowed: if rules forbid it.
        """
        self.require(name)
        return super().test(name, timeout_seconds=timeout_seconds)

    def test_draft(
        self,
        type: str,
        values: Mapping[str, Any],
        *,
        name: str | None = None,
        provenance: Provenance = _OPERATOR,
        timeout_seconds: float = DEFAULT_TIMEOUT,
    ) -> dict[str, Any]:
        """Test values without storing them, as an inline connection or as the future connection ``name``.

        :raises NotAllowed: if rules forbid it.
        """
        self._require_use(name or INLINE, type)
        test_draft = super(GuardedConnections, self._for_new(name or INLINE)).test_draft
        return test_draft(type, values, name=name, provenance=provenance, timeout_seconds=timeout_seconds)

    def external_id(self, name: str) -> str | None:
        """Return the External ID of a visible connection."""
        self.find(name)
        return super().external_id(name)

    def export(self, names: Iterable[str] | None = None, *, secrets: bool = False) -> dict[str, Any]:
        """Export visible connections.

        :raises UnknownConnection: if one of the names is not visible.
        """
        wanted = [name for name, kind in self.known.named() if self.sees(name, kind)] if names is None else list(names)
        return super().export([self.find(name).name for name in wanted], secrets=secrets)

    def policy(
        self,
        name: str,
        actions: Sequence[str] | None = None,
        principal_arn: str | None = None,
        sender: str | None = None,
        connector: str | None = None,
    ) -> dict[str, Any]:
        """Make the policies of a visible connection for visible actions."""
        self.find(name)
        return super().policy(name, actions, principal_arn, sender, connector)

    def require(self, name: str) -> None:
        """Require a connection of this name that the caller may use.

        :raises NotAllowed: if rules forbid every use of the name, whether or not the connection exists.
        :raises UnknownConnection: if rules allow the name, but the connection does not exist or is hidden for its type.
        """
        self._authorizer.require_connection(name, [(kind.full_name, kind.manifests) for kind in self._installed.all()])
        self.find(name)

    def _require_use(self, name: str, kind: str) -> None:
        """Require that a new connection may have this name and type. A type that is not installed is refused later."""
        found = self._installed.known(kind)
        if found is not None:
            self._authorizer.require_connection(name, [(found.full_name, found.manifests)])

    def _for_new(self, name: str) -> GuardedConnections:
        """Return a copy with the types that a new connection of this name may have: no action runs over it yet, so it is not visible
        itself."""
        found = copy(self)
        found.kinds = Kinds(SeenCatalog(self._catalog, self._authorizer, name))
        return found

    def _catalog_for(self, stored: NamedConnection) -> Catalog:
        return SeenCatalog(self._catalog, self._authorizer, stored.name)
