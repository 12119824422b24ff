"""Facts of a connection type that only its code knows, not its manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.kernel.errors import JackfieldError

if TYPE_CHECKING:
    from jackfield.catalog import Catalog
    from jackfield.connections.connection_types import ConnectionKind
    from jackfield.connector import ConnectionType


def needs_host(catalog: Catalog, kind: ConnectionKind) -> bool:
    """Return whether a connection of this type can only authenticate with the server's own
    identity.
    """
    model = None if kind.schema.get("required") else _model(catalog, kind)
    try:
        return model is not None and bool(model.model_validate({}).reads_host)
    except ValueError:
        return False


def has_policies(catalog: Catalog, kind: ConnectionKind) -> bool:
    """Return whether a type derives policies from the permissions of actions."""
    return hasattr(_model(catalog, kind), "policies")


def _model(catalog: Catalog, kind: ConnectionKind) -> type[ConnectionType] | None:
    """Return the class of a type; None if its connector is broken."""
    try:
        found: type[ConnectionType] = catalog.load(kind.manifests[0].key).connections[
            kind.about.key
        ]
    except (JackfieldError, KeyError):
        return None
    return found
