"""Values of a connection, typed by the author's model of its type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.connector.model_faults import model_faults
from jackfield.kernel.errors import InvalidConnection

if TYPE_CHECKING:
    from jackfield.connector.models import ConnectionType


def connection_values(
    model: type[ConnectionType], values: Mapping[str, Any], name: str | None
) -> ConnectionType:
    """Return a connection's values as the author's typed object. ``name`` is the connection's, None
    for an inline connection.

    :raises InvalidConnection: if the model refuses the values.
    """
    try:
        return model.model_validate(values)
    except ValueError as error:
        faults = model_faults(error)
    which = f"the connection '{name}'" if name else "the inline connection"
    raise InvalidConnection(
        f"the values of {which} ({model.key}) do not fit together",
        details=faults,
        hint="See the details.",
    )
