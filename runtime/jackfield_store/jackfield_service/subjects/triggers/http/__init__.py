"""Operations of the HTTP API on subscriptions, and the receipt of webhooks."""

from __future__ import annotations

from jackfield_service.subjects.triggers.http import hooks, subscriptions

__all__ = ["OPERATIONS"]

OPERATIONS = (*subscriptions.OPERATIONS, *hooks.OPERATIONS)
