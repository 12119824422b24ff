"""Operations of the HTTP API on events, and the document that describes them."""

from __future__ import annotations

from jackfield_service.subjects.events.http.events import OPERATIONS

__all__ = ["OPERATIONS"]
