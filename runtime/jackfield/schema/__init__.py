"""Schemas compiled once, values checked often, faults explained in the words of JSON.

::

    value ─► to plain JSON ─► prepare (hints, lossless reading, defaults) ─► engine: valid? ─► no: why, part by part ─► Details

An engine (jsonschema-rs, or jsonschema) gives the verdict; the explanation is ours, so that it is the same with either, holds no word
of Python, and never quotes a secret. Importing this package imports no engine; its names are imported when they are first asked for
(PEP 562), since who only writes a JSON Pointer compiles nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from jackfield.exports import exports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jackfield.schema.compiled import MAX_DETAILS, Checked, CompiledSchema
    from jackfield.schema.kinds import SchemaError

__all__ = ["MAX_DETAILS", "Checked", "CompiledSchema", "SchemaError", "compile_schema"]

__getattr__, __dir__ = exports(
    __name__,
    {".compiled": ("MAX_DETAILS", "Checked", "CompiledSchema"), ".kinds": ("SchemaError",)},
)


def compile_schema(schema: Mapping[str, Any], *, engine: Literal["rs", "python"] | None = None, noun: str = "input") -> CompiledSchema:
    """Compile a JSON Schema (draft 2020-12). Later changes to ``schema`` have no effect.

    ``engine`` None takes jsonschema-rs, or jsonschema where that is not installed; both say the same. ``noun`` is what a top-level
    member is called in messages ("'subjct' is not an input").

    :raises SchemaError: the schema is not valid; with a JSON Pointer to the place.
    :raises ImportError: the engine is not installed.
    """
    from jackfield.schema.compiling import compiled_schema  # noqa: PLC0415 (engines, formats, plans: at the first schema only)

    return compiled_schema(schema, engine, noun)
