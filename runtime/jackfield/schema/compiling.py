"""Compilation of a schema."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.schema.compiled import CompiledSchema
from jackfield.schema.engine import ascii_edges, check_form, compile_part, compile_validator, for_engine, matcher
from jackfield.schema.facts import SchemaFacts, is_sensitive
from jackfield.schema.json_types import SchemaError
from jackfield.schema.json_values import to_json
from jackfield.schema.planner import plan_for
from jackfield.schema.references import check_references

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["compiled_schema"]


def compiled_schema(schema: Mapping[str, Any], noun: str) -> CompiledSchema:
    """Check a schema, then compile what preparing, validating and explaining need."""
    given, faults = to_json(schema)
    if faults:
        raise SchemaError(faults[0].path, faults[0].message)
    check_form(given)
    patterns = check_references(given, check_form).patterns
    root = for_engine(given)
    outline = check_references(root, check_form)
    validator = compile_validator(root)  # refuses invalid patterns too
    facts = SchemaFacts(
        root=root,
        targets=outline.targets,
        matchers={pattern: matcher(pattern) for pattern in outline.name_patterns},
        patterns={ascii_edges(pattern): pattern for pattern in patterns},
        noun=noun,
        has_secrets=any(map(is_sensitive, outline.nodes)),
        spread=max([1, *(sum(len(node.get(keyword, ())) for keyword in ("required", "anyOf", "oneOf")) for node in outline.nodes)]),
        validator=validator,
        compile_part=partial(compile_part, root),
    )
    return CompiledSchema(facts, plan_for(facts))
