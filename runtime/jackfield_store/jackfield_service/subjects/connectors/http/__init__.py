"""Operations of the HTTP API on what is installed, and on what can be."""

from __future__ import annotations

from jackfield_service.subjects.connectors.http.catalogue import OPERATIONS

__all__ = ["OPERATIONS"]
