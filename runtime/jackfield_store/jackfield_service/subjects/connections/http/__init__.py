"""Operations of the HTTP API on connections, and on the authorizations that connect them."""

from __future__ import annotations

from jackfield_service.subjects.connections.http import authorizations, connections

__all__ = ["OPERATIONS"]

OPERATIONS = (*connections.OPERATIONS, *authorizations.OPERATIONS)
