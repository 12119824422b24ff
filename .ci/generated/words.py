"""The words that all schemas share: the draft, names of things, and an object that takes nothing
else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield_http.words import Json, closed

__all__ = ["ACTION_KEY", "CONNECTOR_KEY", "Json", "closed", "document"]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_HOME = "https://jackfield.dev/schemas"

CONNECTOR_KEY = "^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
"""Kebab-case (contract §1)."""
ACTION_KEY = "^[a-z][A-Za-z0-9]*$"
"""camelCase (contract §1)."""


def document(name: str, title: str, description: str, body: Mapping[str, Any]) -> Json:
    """A schema document; its ``$id`` is a name that stays the same within major version 1, not an
    address to fetch.
    """
    return {
        "$schema": _DRAFT,
        "$id": f"{_HOME}/{name}/1",
        "title": title,
        "description": description,
        **body,
    }
