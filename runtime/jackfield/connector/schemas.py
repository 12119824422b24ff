"""Checks of schemas for tools that make connectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jackfield.kernel.errors import Detail
from jackfield.schema import SchemaError, compile_schema
from jackfield.schema.compiling import check_cost, checked_schema


def schema_fault(schema: Mapping[str, Any]) -> str | None:
    """Return why jackfield would refuse a schema, with the place; None if it accepts the schema."""
    try:
        checked_schema(schema)
    except SchemaError as error:
        return str(error)
    return None


def inputs_judge(
    schema: Mapping[str, Any],
) -> Callable[[Mapping[str, Any]], tuple[dict[str, Any], tuple[Detail, ...]]]:
    """Return a function that checks inputs as a call does; it returns the prepared inputs and their
    faults.
    """
    compiled = compile_schema(schema)

    def judged(inputs: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Detail, ...]]:
        found = compiled.check(inputs)
        return found.value, found.details

    return judged


def cost_fault(schema: Mapping[str, Any]) -> str | None:
    """Return why jackfield would refuse a schema for its cost, without compiling it; None if it
    would not.
    """
    try:
        check_cost(schema)
    except SchemaError as error:
        return str(error)
    return None
