"""External IDs of roles: which values of a connection they are, and how they are generated and refused. ``external_ids`` stores them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from jackfield.errors import Detail, InvalidConnection

_BYTES = 24
"""Entropy of an External ID: 192 random bits."""


def generate() -> str:
    """Generate an External ID of 35 characters that AWS accepts."""
    return "jf-" + secrets.token_urlsafe(_BYTES)


def generated_fields(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the values of a connection type that are External IDs, which its schema marks ``"generated": "externalId"``."""
    fields = schema.get("properties", {})
    marks = {name: field.get("x-jackfield", {}) for name, field in fields.items() if isinstance(field, Mapping)}
    return tuple(name for name, mark in marks.items() if mark.get("generated") == "externalId")


def refused(fields: Iterable[str]) -> InvalidConnection:
    """Return the error for External IDs that a caller may not choose, or that another workspace has.

    Its text is the same for both, so that nobody learns which External IDs others use.
    """
    return InvalidConnection(
        "the External ID cannot be used",
        details=[Detail(f"/{field}", "is not one that this workspace may use") for field in fields],
        hint="Store the connection without it: jackfield generates one and shows it. To keep the one that a role demands already, ask "
        "the operator or the platform, who can store the connection with it or let the workspace choose ('allowOwnExternalId').",
    )
