"""The engine, ``jsonschema-rs``: it validates values and reports faults as typed errors.

The schema that it compiles differs from the author's in two points. Patterns are spelt for the
engine, and slow ones are formats (``patterns``). And ``propertyNames`` becomes ``not not
propertyNames``: the engine copies the object into each error, so one error per bad name would take
quadratic space.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import jsonschema_rs as rs

from jackfield.kernel.patterns import SLOW, slow_format, sorted_pattern
from jackfield.kernel.pointers import pointer
from jackfield.kernel.walk import extension
from jackfield.schema.formats import JUDGED_HERE
from jackfield.schema.json_types import Json, SchemaError
from jackfield.schema.references import SUBSCHEMA, SUBSCHEMA_LISTS, SUBSCHEMA_MAPS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from jackfield.schema.json_types import Node

Validator = rs.Draft202012Validator

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MASK: Final = "***"
NAME: Final = "jackfield:///schema"
"""URI by which separately compiled parts refer to the whole schema."""


def check_form(schema: Json) -> None:
    """Check a schema against the meta-schema of draft 2020-12.

    :raises SchemaError: at the first fault.
    """
    dialect = schema.get("$schema", DIALECT) if isinstance(schema, dict) else DIALECT
    if not isinstance(dialect, str) or dialect.rstrip("#") != DIALECT:
        raise SchemaError("/$schema", f"must be {DIALECT}")
    if not isinstance(schema, dict | bool):
        raise SchemaError("", "a schema must be an object, true or false")
    try:
        rs.meta.validate(schema)
    except rs.ValidationError as error:
        raise _refusal(error) from None


def compile_validator(schema: Json, slow: Collection[str] = ()) -> Validator:
    """Compile a schema. ``slow`` are its formats for slow patterns.

    :raises SchemaError: if the engine refuses the schema.
    """
    return _compiled(schema, None, slow)


def compile_part(schemas: Mapping[str, Json], reference: str, slow: Collection[str]) -> Validator:
    """Compile the part of several schemas, given by their URIs, that ``reference`` leads to."""
    return _compiled({"$ref": reference}, rs.Registry(list(schemas.items())), slow)


def matcher(pattern: str) -> Callable[[str], bool]:
    """Compile a pattern of an engine schema to a function that searches a text for it."""
    found: Callable[[str], bool] = Validator(
        {"pattern": pattern}, pattern_options=rs.RegexOptions()
    ).is_valid
    return found


def _compiled(schema: Json, registry: rs.Registry | None, slow: Collection[str]) -> Validator:
    formats = {name: judged.holds for name, judged in JUDGED_HERE.items()} | dict(
        map(slow_format, slow)
    )
    try:
        # mask: the engine's own messages must never contain a value, not even in another library's
        # log. The base URI makes errors report the place of their keyword; a part refers to the
        # whole schema by that name.
        return Validator(
            schema,
            base_uri=NAME if registry is None else None,
            validate_formats=True,
            formats=formats,
            mask=MASK,
            offline=True,
            registry=registry,
            pattern_options=rs.RegexOptions(),
        )
    except ValueError as error:
        raise _refusal(error) from None


def _refusal(error: Any) -> SchemaError:
    place = pointer(*getattr(error, "instance_path", ()))
    if getattr(getattr(error, "kind", None), "name", "") == "format":
        return SchemaError(place, "not a regular expression of ECMA-262")
    return SchemaError(place, str(getattr(error, "message", error)).partition("\n")[0])


def for_engine(node: Json) -> Json:
    """Copy a schema and adapt it to the engine; see the module's docstring."""
    if not isinstance(node, dict):
        return node
    made = {
        keyword: _keyword(keyword, value)
        for keyword, value in node.items()
        if keyword != "propertyNames"
    }
    parts: list[Json] = []
    if "propertyNames" in node:
        parts.append({"not": {"not": {"propertyNames": for_engine(node["propertyNames"])}}})
    if "pattern" in node and sorted_pattern(node["pattern"]).limit is not None:
        del made["pattern"]
        parts.append({"format": SLOW + node["pattern"], "x-jackfield": extension(node)})
    if parts:
        made["allOf"] = [*made.get("allOf", ()), *parts]
    return made


def names_rule(node: Json) -> Node | None:
    """Return the schema for names from the form that ``for_engine`` gives to ``propertyNames``;
    None for other nodes.
    """
    refused = node.get("not")
    inner = (
        refused.get("not") if isinstance(refused, dict) and len(node) == len(refused) == 1 else None
    )
    return (
        inner["propertyNames"]
        if isinstance(inner, dict) and list(inner) == ["propertyNames"]
        else None
    )


def _keyword(keyword: str, value: Json) -> Json:
    if keyword == "pattern":
        return sorted_pattern(value).text
    if keyword in SUBSCHEMA:
        return for_engine(value)
    if keyword in SUBSCHEMA_LISTS:
        return [for_engine(sub) for sub in value]
    if keyword in SUBSCHEMA_MAPS:
        named = keyword == "patternProperties"
        return {
            sorted_pattern(name).text if named else name: for_engine(sub)
            for name, sub in value.items()
        }
    return value
