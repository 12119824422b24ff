"""JSON Schemas: compiled once, checked often, with faults explained in terms of JSON.

::

    value ─► to plain JSON ─► prepare (hints, lossless reading, defaults) ─► engine: valid?
     └─► no: its errors ─► sentences ─► Details

The engine (jsonschema-rs) decides and reports each fault. jackfield writes the sentences, so that
they contain no terms of Python or Rust and never quote a secret. The package does not load the
engine until a name that needs it is first accessed (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jackfield.kernel.exports import exports, late_hints

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jackfield.schema.compiled import CheckedValue, CompiledSchema
    from jackfield.schema.json_types import SchemaError

__all__ = ["CheckedValue", "CompiledSchema", "SchemaError", "compile_schema"]

if not TYPE_CHECKING:  # to type checkers, a name that is not there is a mistake
    __getattr__, __dir__ = exports(
        __name__,
        {
            ".compiled": "CheckedValue CompiledSchema",
            ".json_types": "SchemaError",
        },
    )


def compile_schema(schema: Mapping[str, Any], *, noun: str = "input") -> CompiledSchema:
    """Compile a JSON Schema (draft 2020-12). Later changes to ``schema`` have no effect.

    ``noun`` denotes a top-level member in messages ("'subjct' is not an input").

    :raises SchemaError: if the schema is invalid; with a JSON Pointer to the place.
    """
    from jackfield.schema.compiling import compiled_schema

    return compiled_schema(schema, noun)


late_hints(__name__)
