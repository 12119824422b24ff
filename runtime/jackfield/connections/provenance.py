"""Origin of a connection's values, which decides the rules for them."""

from __future__ import annotations

from jackfield.connections.named_connection import Origin
from jackfield.kernel.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Provenance:
    """Origin of submitted values, and its rights.

    ``own_external_id`` is True if the values may contain an External ID. None: the operator's
    values may contain one, and values of remote callers if the workspace's settings allow it.
    Relative ``$file`` references start at ``folder``. ``source`` is the file from which the values
    are imported; a connection in that file may still hide the stored connection.
    """

    origin: Origin = "operator"
    own_external_id: bool | None = None
    folder: str = "."
    source: str | None = None
