"""From a schema to a compiled one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jackfield.schema.compiled import CompiledSchema
from jackfield.schema.engines import find
from jackfield.schema.json_values import to_json
from jackfield.schema.kinds import SchemaError
from jackfield.schema.known import Known, is_sensitive
from jackfield.schema.planner import plan_for
from jackfield.schema.wellformed import check_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jackfield.schema.engines import Engine, EngineName

__all__ = ["compiled_schema"]


def compiled_schema(schema: Mapping[str, Any], engine: EngineName | None, noun: str) -> CompiledSchema:
    """Check the schema, then compile what judging, preparing and explaining need."""
    root, faults = to_json(schema)
    if faults:
        raise SchemaError(faults[0].path, faults[0].message)
    outline = check_schema(root)
    used = find(engine)
    known = Known(
        root=root,
        targets=outline.targets,
        matchers=_matchers(used, outline.patterns),
        noun=noun,
        has_secrets=any(map(is_sensitive, outline.nodes)),
    )
    return CompiledSchema(known, plan_for(known), used.judge(root), used.name)


def _matchers(engine: Engine, patterns: Mapping[str, str]) -> dict[str, Callable[[str], bool]]:
    matchers: dict[str, Callable[[str], bool]] = {}
    for pattern, place in patterns.items():
        try:
            matchers[pattern] = engine.matcher(pattern)
        except ValueError:
            raise SchemaError(place, "not a regular expression of ECMA-262") from None
    return matchers
