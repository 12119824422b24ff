"""Objects of Python in an invocation that a caller of the library passes: dates, numbers, models, where JSON has text and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from jackfield.schema.python_values import as_json, moment

_TEXTS = ("idempotencyKey", "notBefore", "notAfter")


def plain(given: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return an invocation with JSON in place of what its members and the ``schema`` of its inputs take as objects."""
    found = dict(given)
    for name in _TEXTS:
        value = found.get(name)
        if isinstance(value, UUID) or moment(value) is not None:
            found[name] = moment(value) or str(value)
    if "inputs" in found:
        found["inputs"] = as_json(found["inputs"], schema)
    return found
