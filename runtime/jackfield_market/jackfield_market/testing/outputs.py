"""Checks of an action's output, and inputs that lead to the action's other branches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from jackfield.connector import Action
from jackfield.connector.jobs import Started
from jackfield.kernel.failures import Raised
from jackfield_market.testing.driving import Drive, accepts
from jackfield_market.testing.subject import Subject

_VARIANTS = 12
"""Maximum number of further inputs with which an action is run."""


def output_faults(subject: Subject, action: Action, found: Drive) -> Iterator[str]:
    """Yield the faults of the output of an attempt that has ended without an error."""
    if action.job is not None and isinstance(found.output, Started):
        return
    if found.output is None:
        yield f"returns nothing (None), not {action.output.__name__}"
    elif not isinstance(found.output, action.output):
        yield f"returns {type(found.output).__name__}, not {action.output.__name__}"
    elif isinstance(found.answer, Raised):
        yield f"returns an output that the runtime refuses: {found.answer.error}"
    elif not _is_unicode(found.answer):
        yield "returns an output whose text is not Unicode: it has half of a surrogate pair"
    else:
        faults = subject.compiled(
            f"output of {action.key}", subject.manifest.actions[action.key].output
        ).judge(found.answer)
        yield from (
            f"returns an output that violates its schema at {fault.path or '/'}" for fault in faults
        )


def varied(
    subject: Subject, action: Action, example: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """Yield variants of the example's inputs: another value of an enumeration, a changed flag, an
    omitted optional input.

    Then yield the inputs of the action's other examples. Inputs of paging are not varied, since the
    runtime sets them.
    """
    given = example["invocation"].get("inputs", {})
    paging = action.pagination
    fixed = (
        {*(name for name, _ in paging.tokens), paging.all_input, paging.size_input}
        if paging is not None
        else set()
    )
    examples = next(raw for raw in subject.manifest.raw["actions"] if raw["key"] == action.key).get(
        "examples", ()
    )
    others = [dict(other["invocation"].get("inputs", {})) for other in examples[1:]]
    for name, schema in subject.manifest.actions[action.key].inputs.get("properties", {}).items():
        values = [True, False] if schema.get("type") == "boolean" else schema.get("enum", ())
        if name not in fixed:
            others += [
                {**given, name: value}
                for value in values
                if given.get(name, schema.get("default")) != value
            ]
            others += (
                [{other: given[other] for other in given if other != name}] if name in given else []
            )
    yield from islice((inputs for inputs in others if accepts(subject, action, inputs)), _VARIANTS)


def with_inputs(example: Mapping[str, Any], inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an example with other inputs."""
    return {**example, "invocation": {**example["invocation"], "inputs": inputs}}


def _is_unicode(output: Mapping[str, Any]) -> bool:
    try:
        json.dumps(output, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
