"""Operations of the HTTP API on installed and installable connectors."""

from __future__ import annotations

from jackfield_service.subjects.connectors.http.catalogue import OPERATIONS

__all__ = ["OPERATIONS"]
