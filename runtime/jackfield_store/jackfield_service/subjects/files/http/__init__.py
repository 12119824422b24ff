"""Operations of the HTTP API on stored files."""

from __future__ import annotations

from jackfield_service.subjects.files.http.files import OPERATIONS

__all__ = ["OPERATIONS"]
