"""Redaction of secrets pasted as the name of a connector or action: at that point no open connection knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.errors import JackfieldError

if TYPE_CHECKING:
    from jackfield.catalog import Catalog
    from jackfield.connections import Connections
    from jackfield.invocation import Invocation, Meta
    from jackfield.redaction import Redactor

__all__ = ["covering", "mask_names", "stored_secrets"]

_TRUNCATED = (80, 200)
"""Lengths to which error messages and journal entries truncate names; the beginning of a longer secret must be redacted, too."""


def stored_secrets(invocation: Invocation, known: Connections, catalog: Catalog) -> Redactor | None:
    """Return a redactor of the secrets of the connection that an invocation names; None if that cannot be read."""
    from jackfield.connections.connection_types import Kinds
    from jackfield.redaction import Redactor, confidential_values, secret_values

    if not isinstance(invocation.connection, str):
        return None
    try:
        stored = known.find(invocation.connection)
    except JackfieldError:
        return None
    kind = Kinds(catalog).known(stored.type)
    if kind is None:
        return None
    return Redactor(secret_values(kind.schema, stored.values) | confidential_values(kind.schema, stored.values))


def covering(redactor: Redactor, invocation: Invocation) -> Redactor:
    """Extend a redactor to the truncated forms of names that contain a secret."""
    names = [name for name in (invocation.connector, invocation.action, invocation.connector_version or "") if redactor.holds(name)]
    return redactor.extended(name[:size] for name in names for size in _TRUNCATED if len(name) > size) if names else redactor


def mask_names(meta: Meta, redactor: Redactor) -> None:
    """Redact secrets in the names of a Result's meta that were not found."""
    if meta.connector is not None and meta.connector_version is None:
        meta.connector = redactor.clean(meta.connector)
    if meta.action is not None:
        meta.action = redactor.clean(meta.action)
