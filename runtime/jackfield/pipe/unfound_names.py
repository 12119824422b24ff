"""Secrets that stand where a connector or an action is named: nothing is open then that would know them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.errors import JackfieldError

if TYPE_CHECKING:
    from jackfield.catalog import Catalog
    from jackfield.connections import Connections
    from jackfield.invocation import Invocation, Meta
    from jackfield.redaction import Redactor

__all__ = ["covering", "mask_names", "stored_secrets"]

_CUT = (80, 200)
"""Characters that error messages and journal entries show of a name at most: the beginning of a longer secret is masked too."""


def stored_secrets(invocation: Invocation, known: Connections, catalog: Catalog) -> Redactor | None:
    """Mask the secrets of the connection that an invocation names; None where there is none that can be read."""
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
    """Mask names that hold a secret also where they are cut."""
    names = [name for name in (invocation.connector, invocation.action, invocation.connector_version or "") if redactor.holds(name)]
    return redactor.extended(name[:size] for name in names for size in _CUT if len(name) > size) if names else redactor


def mask_names(meta: Meta, redactor: Redactor) -> None:
    """Mask the secrets in the names that a Result tells, of what was not found."""
    if meta.connector is not None and meta.connector_version is None:
        meta.connector = redactor.clean(meta.connector)
    if meta.action is not None:
        meta.action = redactor.clean(meta.action)
