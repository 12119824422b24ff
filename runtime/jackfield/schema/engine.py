r"""The engine, ``jsonschema-rs``: it validates values and reports faults as typed errors.

The schema that it compiles differs from the author's in two points. ``\b`` is spelt out, because the engine uses Unicode word boundaries
and ECMA-262 ASCII ones. And ``propertyNames`` becomes ``not not propertyNames``: the engine copies the object into each error, so one error
per bad name would take quadratic space.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import jsonschema_rs as rs

from jackfield.json_pointer import pointer
from jackfield.schema.formats import JUDGED_HERE
from jackfield.schema.json_types import Json, SchemaError
from jackfield.schema.references import SUBSCHEMA, SUBSCHEMA_LISTS, SUBSCHEMA_MAPS

if TYPE_CHECKING:
    from collections.abc import Callable

    from jackfield.schema.json_types import Node

Validator = rs.Draft202012Validator

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MASK: Final = "***"
_NAME: Final = "jackfield:///schema"
_WORD = "0-9A-Za-z_"
_EDGE = f"(?:(?<![{_WORD}])(?=[{_WORD}])|(?<=[{_WORD}])(?![{_WORD}]))"
_EDGES = {"b": _EDGE, "B": f"(?!{_EDGE})"}
_MARKS = re.compile(r"\\.|.", re.DOTALL)


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


def compile_validator(schema: Json) -> Validator:
    """Compile a schema.

    :raises SchemaError: if the engine refuses it.
    """
    return _compiled(schema, None)


def compile_part(schema: Json, place: str) -> Validator:
    """Compile a part of a schema, which may refer to other parts. Its errors give places in the whole schema."""
    from urllib.parse import quote

    return _compiled({"$ref": f"{_NAME}#{quote(place)}"}, rs.Registry([(_NAME, schema)]))


def matcher(pattern: str) -> Callable[[str], bool]:
    """Compile a pattern of an engine schema to a function that searches a text for it."""
    found: Callable[[str], bool] = Validator({"pattern": pattern}).is_valid
    return found


def _compiled(schema: Json, registry: rs.Registry | None) -> Validator:
    formats = {name: judged.holds for name, judged in JUDGED_HERE.items()}
    try:
        # mask: the engine's own messages must never contain a value, not even in another library's log. The base URI makes errors report
        # the place of their keyword; a part refers to the whole schema by that name.
        base = _NAME if registry is None else None
        return Validator(schema, base_uri=base, validate_formats=True, formats=formats, mask=MASK, offline=True, registry=registry)
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
    made = {keyword: _keyword(keyword, value) for keyword, value in node.items() if keyword != "propertyNames"}
    if "propertyNames" in node:
        names = {"not": {"not": {"propertyNames": for_engine(node["propertyNames"])}}}
        made["allOf"] = [*made.get("allOf", ()), names]
    return made


def names_rule(node: Json) -> Node | None:
    """Return the schema for names from the form into which ``for_engine`` brings ``propertyNames``, or None for other nodes."""
    refused = node.get("not")
    inner = refused.get("not") if isinstance(refused, dict) and len(node) == len(refused) == 1 else None
    return inner["propertyNames"] if isinstance(inner, dict) and list(inner) == ["propertyNames"] else None


def _keyword(keyword: str, value: Json) -> Json:
    if keyword == "pattern":
        return ascii_edges(value)
    if keyword in SUBSCHEMA:
        return for_engine(value)
    if keyword in SUBSCHEMA_LISTS:
        return [for_engine(sub) for sub in value]
    if keyword in SUBSCHEMA_MAPS:
        rename = ascii_edges if keyword == "patternProperties" else str
        return {rename(name): for_engine(sub) for name, sub in value.items()}
    return value


def ascii_edges(pattern: str) -> str:
    r"""Spell out ``\b`` and ``\B`` with ECMA-262's meaning: between ASCII letters only; in a class ``\b`` is a backspace."""
    if "\\b" not in pattern and "\\B" not in pattern:
        return pattern
    parts, in_class = [], False
    for mark in _MARKS.findall(pattern):
        edge = _EDGES.get(mark[1:]) if mark[0] == "\\" else None
        parts.append(mark if edge is None else r"\x08" if in_class else edge)
        in_class = mark != "]" if in_class else mark == "["
    return "".join(parts)
