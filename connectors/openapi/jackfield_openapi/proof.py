"""Proof that a converted connector compiles: definitions without circles, every schema valid, each
action compiled with its definitions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jsonschema_rs

from jackfield.connector.schemas import cost_fault, schema_fault
from jackfield.kernel.definitions import references
from jackfield_openapi.report import Report
from jackfield_openapi.security import Alternative

_PREFIX = "#/$defs/"
_IN_PLACE = ("allOf", "anyOf", "oneOf")
DIALECT = "https://json-schema.org/draft/2020-12/schema"

Json = dict[str, Any]
Draft = tuple[Json, list[Alternative]]
_Uses = Mapping[str, tuple[str, ...]]
_FaultOf = Callable[[Json], str | None]


def proven(actions: list[Draft], definitions: Json, report: Report) -> tuple[list[Draft], Json]:
    """Return the actions whose schemas compile, and the definitions that they need."""
    _break_circles(definitions, report)
    for name, schema in list(definitions.items()):
        fault = _form_fault(schema)
        if fault is not None:
            report.lossy(
                "schema is not valid",
                f"/components/schemas/{name[2:].rstrip('!')}",
                f"anything is accepted: {fault}",
            )
            definitions[name] = True
    uses = {name: tuple(references(schema)) for name, schema in definitions.items()}
    kept = []
    # before anything is compiled
    actions = list(_affordable(actions, definitions, uses, report, cost_fault))
    needed: dict[str, None] = {}
    for action, alternatives in actions:
        used = closure(action["inputs"], definitions, uses)
        fault = _form_fault(action["output"]) or _fault(action["inputs"], used)
        if fault is None:
            kept.append((action, alternatives))
            needed.update(dict.fromkeys([*used, *references(action["output"])]))
        else:
            report.left_out(
                "schema does not compile", action["http"]["path"], f"{action['key']}: {fault}"
            )
    kept = list(_affordable(kept, definitions, uses, report, schema_fault))
    everything = closure([{"$ref": _PREFIX + name} for name in needed], definitions, uses)
    return kept, {name: schema for name, schema in definitions.items() if name in everything}


def _affordable(
    kept: list[Draft], definitions: Json, uses: _Uses, report: Report, fault_of: _FaultOf
) -> Iterator[Draft]:
    """Yield the actions whose schemas ``fault_of`` accepts, mostly by their cost.

    An action with refused inputs is left out; a refused output schema is replaced by a schema for
    any object. All schemas are checked together first, which costs a hundredth of separate checks.
    """
    schemas = {
        f"{role}{number}": action[role]
        for number, (action, _) in enumerate(kept)
        for role in ("inputs", "output")
    }
    if (
        fault_of(
            {"properties": schemas, "$defs": closure(list(schemas.values()), definitions, uses)}
        )
        is None
    ):
        yield from kept
        return
    for action, alternatives in kept:
        inputs, output = (
            fault_of(_closed(action[role], definitions, uses)) for role in ("inputs", "output")
        )
        if inputs is not None:
            report.left_out(
                "schema is too costly", action["http"]["path"], f"{action['key']}: {inputs}"
            )
            continue
        if output is not None:
            report.lossy(
                "schema is too costly",
                action["http"]["path"],
                f"{action['key']}: any output is accepted: {output}",
            )
        yield (action if output is None else {**action, "output": {"type": "object"}}), alternatives


def _closed(schema: Json, definitions: Json, uses: _Uses) -> Json:
    """Return a schema with the definitions that it refers to."""
    used = closure(schema, definitions, uses)
    return {**schema, "$defs": used} if used else schema


def closure(schema: Any, definitions: Json, uses: _Uses) -> Json:
    """Return the definitions that a schema refers to, directly and through others; ``uses`` has the
    references of each definition.
    """
    found: Json = {}
    waiting = list(references(schema))
    while waiting:
        name = waiting.pop()
        if name not in found and name in definitions:
            found[name] = definitions[name]
            waiting.extend(uses[name])
    return found


def _form_fault(schema: Any) -> str | None:
    try:
        jsonschema_rs.meta.validate(
            {"$schema": DIALECT, **schema} if isinstance(schema, dict) else schema
        )
    except (jsonschema_rs.ValidationError, ValueError) as error:
        return str(getattr(error, "message", error)).partition("\n")[0][:200]
    return None


def _fault(schema: Json, used: Json) -> str | None:
    """Return the reason why a schema of inputs is refused; None if it is valid.

    Outputs need no compilation: their form, patterns and references are already checked.
    """
    fault = _form_fault(schema)
    if fault is not None:
        return fault
    try:
        jsonschema_rs.Draft202012Validator(
            {**schema, "$defs": used} if used else schema, offline=True
        )
    except (jsonschema_rs.ValidationError, ValueError) as error:
        return str(getattr(error, "message", error)).partition("\n")[0][:200]
    return None


def fits(value: Any, schema: Json, definitions: Json) -> bool:
    """Return whether a value fits a schema; True if the schema cannot be compiled."""
    try:
        judge = jsonschema_rs.Draft202012Validator(
            {**schema, "$defs": definitions}, validate_formats=True, offline=True
        )
        return judge.is_valid(value)
    except (jsonschema_rs.ValidationError, ValueError):
        return True


def _break_circles(definitions: Json, report: Report) -> None:
    """Remove each reference that leads back to its own schema without a member between: validation
    would never end.
    """
    done: set[str] = set()
    for start in definitions:
        if start not in done:
            _walk(start, definitions, done, report)


def _walk(start: str, definitions: Json, done: set[str], report: Report) -> None:
    open_names = {start: None}
    stack = [(start, _in_place(definitions[start]))]
    while stack:
        name, uses = stack[-1]
        found = next(uses, None)
        if found is None:
            stack.pop()
            open_names.pop(name)
            done.add(name)
            continue
        target, remove = found
        if target in open_names:
            remove()
            report.lossy(
                "reference in a circle",
                f"/components/schemas/{name[2:].rstrip('!')}",
                f"its reference to '{target[2:]}' is dropped",
            )
        elif target not in done and target in definitions:
            open_names[target] = None
            stack.append((target, _in_place(definitions[target])))


def _in_place(schema: Any) -> Iterator[tuple[str, Any]]:
    """Yield the definitions that apply to the same value as a schema, each with a function that
    removes the reference.
    """
    if not isinstance(schema, dict):
        return
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith(_PREFIX):
        yield reference.removeprefix(_PREFIX), lambda: schema.pop("$ref", None)
    for keyword in (*_IN_PLACE, "not", "if", "then", "else"):
        value = schema.get(keyword)
        for branch in value if isinstance(value, list) else [value]:
            yield from _in_place(branch)
