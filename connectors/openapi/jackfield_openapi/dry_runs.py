"""Dry runs of a document's request examples: the generated connector should accept the calls that
the document shows.

A dry run prepares, checks and encodes an example like a call, without sending it. Inputs that the
example omits are not required. The report lists a refused example with its first faults: the
document contradicts itself, or the connector lacks a feature.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jackfield.connector import InvalidInput
from jackfield.connector.schemas import inputs_judge
from jackfield.kernel.definitions import references
from jackfield_http.bindings.requests import request_of
from jackfield_openapi.proof import Draft, closure
from jackfield_openapi.report import Report
from jackfield_openapi.shown_examples import Example

if TYPE_CHECKING:
    from jackfield_openapi.contents import RequestBody

_MOST_FAULTS = 3
"""Maximum number of an example's faults in the report."""
_MOST_REFERENCES = 10

Json = dict[str, Any]
Judge = Callable[[Mapping[str, Any]], tuple[dict[str, Any], tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Case:
    """Inputs of one dry run. ``whole`` enforces the body's required members; a parameter is checked
    alone.
    """

    at: str
    inputs: Json
    names: frozenset[str]
    """Names of the inputs that are checked."""
    whole: bool
    fault: str = ""
    """Reason why the example cannot be used as inputs; empty if it can."""


def cases_of(parameters: Iterable[tuple[str, Example]], body: RequestBody | None) -> Iterator[Case]:
    """Yield the dry runs for the examples of an operation's parameters and body."""
    for key, example in parameters:
        yield Case(example.at, {key: example.value}, frozenset({key}), whole=False)
    if body is None:
        return
    members = {str(name): key for key, name in body.row["members"].items()} if body.is_flat else {}
    for example in body.shown:
        value = _parse_value(example.value) if body.is_flat else None
        if not body.is_flat:
            yield Case(example.at, {"body": example.value}, frozenset({"body"}), whole=True)
        elif isinstance(value, dict):
            yield Case(
                example.at,
                {members.get(str(name), str(name)): item for name, item in value.items()},
                frozenset(members.values()),
                whole=True,
            )
        else:
            yield Case(
                example.at,
                {},
                frozenset(),
                whole=True,
                fault="the body is an object, and the example is none",
            )


def _parse_value(value: Any) -> Any:
    """Return the value of a JSON string, or the value unchanged: documents show JSON as strings,
    too.
    """
    if isinstance(value, str):
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def dry_run(
    drafts: list[Draft], cases: Mapping[str, tuple[Case, ...]], definitions: Json, report: Report
) -> None:
    """Prepare each case like a call, and report refused cases with the reason."""
    uses = {name: tuple(references(schema)) for name, schema in definitions.items()}
    for action, _ in drafts:
        judges: dict[tuple[frozenset[str], bool], Judge] = {}
        for case in cases.get(action["key"], ()):
            kind = (case.names, case.whole)
            if kind not in judges:
                judges[kind] = inputs_judge(_schema(action["inputs"], case, definitions, uses))
            faults = _faults(action["http"], case, judges[kind])
            if faults and (listed := _split_case(action, case)) is not None:
                faults = _faults(action["http"], listed, judges[kind])
            report.examples["refused" if faults else "accepted"] += 1
            if faults:
                report.assumed(
                    "example refused", case.at, f"'{action['key']}' does not accept it: {faults}"
                )


_DELIMITERS = {"spaceDelimited": " ", "pipeDelimited": "|", "tabDelimited": "\t"}


def _split_case(action: Json, case: Case) -> Case | None:
    """Return the case with its delimited string split into a list; None if the input is no list or
    the example no string.
    """
    key, value = next(iter(case.inputs.items()), ("", None))
    if (
        case.whole
        or not isinstance(value, str)
        or action["inputs"]["properties"][key].get("type") != "array"
    ):
        return None
    style = next(
        (row.get("style", "") for row in action["http"]["parameters"] if row["input"] == key), ""
    )
    return replace(case, inputs={key: value.split(_DELIMITERS.get(style, ","))})


def _schema(
    inputs: Json, case: Case, definitions: Json, uses: Mapping[str, tuple[str, ...]]
) -> Json:
    """Return the schema of a case's inputs, with the definitions that it uses."""
    schema: Json = {
        "type": "object",
        "properties": {
            name: about for name, about in inputs["properties"].items() if name in case.names
        },
        "additionalProperties": False,
    }
    if case.whole:
        schema["required"] = [name for name in inputs.get("required", ()) if name in case.names]
        schema |= (
            {"dependentRequired": inputs["dependentRequired"]}
            if "dependentRequired" in inputs
            else {}
        )
    used = closure(schema, definitions, uses)
    return {**schema, "$defs": used} if used else schema


def _faults(binding: Json, case: Case, judge: Judge) -> str:
    if case.fault:
        return case.fault
    inputs, faults = judge(case.inputs)
    if not faults:
        rows = [row for row in binding.get("parameters", ()) if row["input"] in inputs]
        without_path = {name: value for name, value in binding.items() if name != "query"} | {
            "path": "/",
            "parameters": rows,
        }
        try:
            request_of(without_path, inputs)
        except InvalidInput as error:
            return "; ".join(f"{detail.path} {detail.message}" for detail in error.details) or str(
                error
            )
    told = "; ".join(f"{detail.path} {detail.message}" for detail in faults[:_MOST_FAULTS])
    return f"{told}; {len(faults) - _MOST_FAULTS} more" if len(faults) > _MOST_FAULTS else told
