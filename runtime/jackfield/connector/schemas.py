"""Check of schemas for tools that make connectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.schema import SchemaError
from jackfield.schema.compiling import checked_schema


def schema_fault(schema: Mapping[str, Any]) -> str | None:
    """Return why jackfield would refuse a schema, with the place; None if it takes it."""
    try:
        checked_schema(schema)
    except SchemaError as error:
        return str(error)
    return None
