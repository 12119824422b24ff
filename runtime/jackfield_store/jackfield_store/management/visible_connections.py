"""The connections of a workspace that one caller may see and use: all of them if no rules bind the
caller.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from jackfield.callers import seen_catalog
from jackfield.connections.connection_types import Kinds
from jackfield.connections.named_connection import IN_CODE
from jackfield.kernel.errors import JackfieldError, UnknownConnection
from jackfield_store.connections.connection_table import ConnectionTable, NotStored

if TYPE_CHECKING:
    from jackfield.callers import Authorizer
    from jackfield.callers.rules import Request
    from jackfield.catalog import Catalog
    from jackfield.connections.connection_lookup import Connections
    from jackfield.connections.named_connection import NamedConnection


class VisibleConnections:
    """Lookup of connections and types under a caller's rules. ``kinds`` are the types that the
    caller may see.

    A connection is visible if some action may be run over it. Hidden and missing connections give
    the same error. Use and change are refused by the name alone, whether or not the connection
    exists.
    """

    def __init__(self, known: Connections, catalog: Catalog, authorizer: Authorizer) -> None:
        self._known = known
        self._catalog = catalog
        self._authorizer = authorizer
        self._installed = Kinds(catalog)
        self.kinds = self.kinds_for(None)
        self._seen: dict[tuple[str, tuple[bool, ...]], bool] = {}

    @property
    def problems(self) -> tuple[str, ...]:
        """Sentences about connection files; nothing under rules, since such a sentence may name
        hidden connections.
        """
        return () if self._authorizer.is_bound else self._known.problems

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about stored connections that a file hides; nothing under rules."""
        return () if self._authorizer.is_bound else self._known.warnings

    def kinds_for(self, name: str | None) -> Kinds:
        """Return the types that a new connection of this name may have. Before it exists, no action
        runs over it, so visibility does not apply.
        """
        return Kinds(self.catalog_for(name)) if self._authorizer.is_bound else self._installed

    def catalog_for(self, name: str | None) -> Catalog:
        """Return the connectors and actions that the caller may use over the connection of this
        name.
        """
        return seen_catalog(self._catalog, self._authorizer, name)

    def allows(self, request: Request) -> bool:
        """Return whether the rules allow a request; the token's scope is ignored."""
        return self._authorizer.allows(request)

    def sees(self, name: str, kind: str) -> bool:
        """Return whether the caller may see a connection of this name and type."""
        if not self._authorizer.is_bound:
            return True
        group = kind, self._authorizer.likeness(name)
        if group not in self._seen:
            found = self._installed.known(kind)
            self._seen[group] = found is not None and self._authorizer.sees_connection(
                name, kind, found.manifests
            )
        return self._seen[group]

    def find(self, name: str) -> NamedConnection:
        """Return the visible connection of this name.

        :raises UnknownConnection: if the caller sees no such connection.
        :raises InvalidConnection: if two files define it.
        """
        try:
            found = self._known.find(name)
        except UnknownConnection:
            raise self.unknown(name) from None
        if not self.sees(found.name, found.type):
            raise self.unknown(name)
        return found

    def unknown(self, name: str) -> UnknownConnection:
        """Return the error for a missing or hidden name, with the most similar visible name."""
        return self._known.unknown(name, self.sees if self._authorizer.is_bound else None)

    def require(self, name: str) -> None:
        """Require that the rules let the caller use the connection of this name; without rules,
        nothing is read.

        :raises NotAllowed: if they forbid every use of the name, whether or not the connection
            exists.
        :raises UnknownConnection: if they allow the name, but the connection does not exist or is
            hidden for its type.
        """
        if self._authorizer.is_bound:
            self._authorizer.require_connection(
                name, ((kind.full_name, kind.manifests) for kind in self._installed.all())
            )
            self.find(name)

    def require_new(self, name: str, kind: str) -> None:
        """Require that a new connection may have this name and type. A type that is not installed
        is refused later.

        :raises NotAllowed: if the rules forbid it.
        """
        found = self._installed.known(kind) if self._authorizer.is_bound else None
        if found is not None:
            self._authorizer.require_connection(name, [(found.full_name, found.manifests)])

    def require_rename(self, name: str, new_name: str) -> None:
        """Require that the caller may use a connection, and that its new name allows no more than
        the old one.

        :raises NotAllowed: if the rules forbid it.
        """
        if self._authorizer.is_bound or self._authorizer.may_ask:
            self.require(name)
            kind = self.find(name).type
            self.require_new(new_name, kind)
            self._authorizer.require_rename(
                name, new_name, kind, self._installed.find(kind).manifests
            )

    def names(self) -> Iterator[str]:
        """Yield the names of all visible connections."""
        return (name for name, kind in self._known.named() if self.sees(name, kind))


def table_of(known: Connections) -> ConnectionTable | None:
    """Return the table behind the connections of a workspace; None without a database.

    :raises Unavailable: if it cannot be opened.
    """
    return cast("ConnectionTable | None", known.store)


def not_stored(known: Connections, name: str) -> JackfieldError:
    """Return the error about a connection that is not in the database: it is defined in a file, or
    does not exist.
    """
    file = known.in_files(name)
    if file is None:
        return known.unknown(name)
    if file.source == IN_CODE:
        return NotStored(
            f"the connection '{name}' is {IN_CODE}, not stored in the database",
            hint="Edit the code.",
        )
    return NotStored(
        f"the connection '{name}' is defined in {file.source}, not in the database",
        hint=f"Edit {file.source}.",
    )
