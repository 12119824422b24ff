"""Operations of the HTTP API on subscriptions, and the receipt of webhooks."""

from __future__ import annotations

from jackfield_service.shell.http.resources import operations
from jackfield_service.subjects.triggers.http import hooks
from jackfield_service.subjects.triggers.subject import SUBSCRIPTIONS

__all__ = ["OPERATIONS"]

OPERATIONS = (*operations(SUBSCRIPTIONS), *hooks.OPERATIONS)
