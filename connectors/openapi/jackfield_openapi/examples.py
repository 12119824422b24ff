"""Examples of actions: the document's examples where they fit the schemas, else minimal values made
from the schemas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs

from jackfield.connector.evidence import put
from jackfield.connector.evidence_places import nodes
from jackfield.connector.success_signs import NO_CONTENT, showing_members
from jackfield.kernel.definitions import references
from jackfield.kernel.pointers import names
from jackfield_openapi.curation import documented, shortened
from jackfield_openapi.instances import Instances, TooLarge
from jackfield_openapi.proof import DIALECT, Draft, closure
from jackfield_openapi.report import Report

_SIMPLE = frozenset({"string", "integer", "number"})
MOST_ACTIONS = 300
"""Maximum number of actions for which examples are made: each example is validated, and few people
read thousands of them.
"""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """Examples that the document has for one operation: inputs by key, and the response."""

    at: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    response: Any = None


def add_examples(
    drafts: list[Draft], shown: Mapping[str, Shown], definitions: Json, report: Report
) -> None:
    """Add an example to each action without one, if the document's or a minimal example fits the
    action's schemas.
    """
    if len(drafts) > MOST_ACTIONS:
        report.assumed(
            "no examples",
            "/paths",
            f"a connector of more than {MOST_ACTIONS} actions has only the examples of its overlay",
        )
        return
    uses = {name: tuple(references(schema)) for name, schema in definitions.items()}
    for action, _ in drafts:
        if action["examples"]:
            continue
        about = shown[action["key"]]
        inputs = _first_valid(
            _inputs(action["inputs"], about.inputs, definitions),
            action["inputs"],
            definitions,
            uses,
        )
        output = _first_valid(
            _showing(
                action,
                _outputs(_with_member(action, definitions), about.response, definitions),
                definitions,
            ),
            action["output"],
            definitions,
            uses,
        )
        if inputs is None or output is None:
            report.assumed(
                "no example",
                about.at,
                f"no short value fits the schema of the {'inputs' if inputs is None else 'output'}",
            )
        else:
            action["examples"] = [
                {"title": action["title"][:80], "inputs": inputs, "output": output}
            ]


def minimal(action: Json, output: Json, definitions: Json) -> tuple[Json, Json] | None:
    """Return minimal inputs that fit an action's schema, and an output that fits ``output``; None
    if none are found.
    """
    uses = {name: tuple(references(schema)) for name, schema in definitions.items()}
    inputs = _first_valid(
        _inputs(action["inputs"], {}, definitions), action["inputs"], definitions, uses
    )
    made = ({**one, **output} for one in _outputs(action["output"], None, definitions))
    found = _first_valid(made, action["output"], definitions, uses)
    return None if inputs is None or found is None else (inputs, found)


def _inputs(schema: Json, known: Mapping[str, Any], definitions: Json) -> Iterator[Any]:
    minimal = _made(schema, definitions)
    fitting = {name: value for name, value in known.items() if name in schema["properties"]}
    yield {**minimal, **fitting}
    yield {name: fitting.get(name, value) for name, value in minimal.items()}
    for name, value in fitting.items():
        yield {**minimal, name: value}
    yield minimal
    yield _made(schema, definitions, shown=False)


def _outputs(schema: Json, response: Any, definitions: Json) -> Iterator[Any]:
    if response is not None:
        yield documented(shortened(response))
    yield _made(schema, definitions)
    yield _made(schema, definitions, shown=False)
    yield {}


def _showing(action: Json, outputs: Iterator[Any], definitions: Json) -> Iterator[Any]:
    """Yield outputs with the sign of success that the action names; then as they are."""
    made, sign = list(outputs), action.get("sign")
    values = {}
    if isinstance(sign, dict):
        values = {at: one[0] if isinstance(one, list) else one for at, one in sign.items()}
    elif sign is not None and sign != NO_CONTENT:
        values = {sign: _sample(action["output"], names(sign), definitions)}
    for output in made:
        found = output
        for at, value in values.items():
            found = put(found, names(at), value) if isinstance(found, dict) else found
        yield found
    yield from made


def _sample(schema: Any, steps: list[str], definitions: Json) -> Any:
    """Return a value for a member of an output that shows a success."""
    root = {**schema, "$defs": definitions}
    for name in steps:
        found = (node.get("properties", {}).get(name) for node in nodes(root, schema))
        schema = next((one for one in found if one is not None), {})
    return _made(schema, definitions)


def _with_member(action: Json, definitions: Json) -> Json:
    """Return the schema of an action's output; of a change with a member that it does not require,
    by which the change shows its success.
    """
    schema: Json = action["output"]
    if action["effect"] == "read" or "sign" in action:
        return schema
    members = showing_members({**schema, "$defs": definitions})
    simple = [name for name, kinds in members.items() if kinds and kinds <= _SIMPLE]
    wanted = next(iter([*simple, *members]), None)
    required = schema.get("required", [])
    return schema if wanted is None else {**schema, "required": [*required, wanted]}


def _made(schema: Json, definitions: Json, *, shown: bool = True) -> Any:
    """Return a value made from a schema; an empty object if the value exceeds the size budget."""
    try:
        return Instances(definitions, shown=shown).value(schema)
    except TooLarge:
        return {}


def _first_valid(
    values: Iterator[Any], schema: Json, definitions: Json, uses: Mapping[str, tuple[str, ...]]
) -> Any:
    used = closure(schema, definitions, uses)
    judge = jsonschema_rs.Draft202012Validator(
        {"$schema": DIALECT, **schema, "$defs": used}, validate_formats=True, offline=True
    )
    return next(
        (value for value in values if isinstance(value, dict) and judge.is_valid(value)), None
    )
