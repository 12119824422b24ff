"""Operations ``/v1/suppressions``: recipients who get no more messages."""

from __future__ import annotations

from jackfield_service.shell.http.resources import operations
from jackfield_service.subjects.suppressions.subject import SUPPRESSIONS

OPERATIONS = operations(SUPPRESSIONS)
