"""Comparison of evidence with the inputs of actions: of a marker's place with its own action, and
of a look's inputs with its read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.connector.evidence import (
    PREFIX,
    Marker,
    is_placeholder,
    placeholders,
    put,
    sent_as,
    stamped,
)
from jackfield.connector.evidence_places import admits
from jackfield.kernel.dataclass import replace
from jackfield.kernel.pointers import names
from jackfield.schema import compile_schema

if TYPE_CHECKING:
    from jackfield.kernel.errors import Detail

_LACKS = frozenset({"required", "anyOf", "oneOf", "dependentRequired", "minProperties"})
"""Keywords that a value may fail by what is absent from it."""
_MARKER = "a" * 26
_KEY = "0f8fad5b-d9cb-469f-a165-70867728950e"
_ADDRESS = "https://hooks.example/"


def unfit_place(manifest: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence if the marker of an action is at a place that the action's inputs do not
    admit, or is no valid value there.
    """
    at = row.get("marker", {}).get("at")
    if at is None:
        return
    said = f"the marker of '{row['key']}' is at '{at}'"
    lost = next(
        (
            one
            for one in (at, *row["marker"].get("beside", ()))
            if not admits(manifest, row["inputs"], names(one))
        ),
        None,
    )
    if lost is not None:
        yield f"the marker of '{row['key']}' names '{lost}', which is no input of the action"
        return
    marker, given = replace(Marker.from_json(row["marker"]), beside=()), dict[str, Any]()
    joins = (
        marker.text is not None
        or marker.query is not None
        or isinstance(marker.value, list | tuple)
    )
    if not joins and _is_always_given(row["inputs"], names(at)):
        yield (
            f"{said}, which the caller always gives: the caller's value wins, and no call "
            "has a marker; 'text' appends it to a text"
        )
        return
    if marker.query is not None:
        given = put({}, names(at), _ADDRESS)
    filled = marker.filled(_inputs, given, {}, _MARKER)
    yield from (
        f"{said}, where it is not valid: {one.message}"
        for one in _faults(manifest, row, filled)
        if one.keyword not in _LACKS
    )


def unfit_match(row: Mapping[str, Any], look: Mapping[str, Any]) -> Iterator[str]:
    """Yield the end of a sentence for each member that a look compares with the marker alone,
    although it is appended to a text there.
    """
    marker = row.get("marker", {})
    if marker.get("text", "{marker}") == "{marker}":
        return
    for one in look.get("match", ()):
        if one.get("is") == {"$marker": {}} and names(one["at"])[-1:] == names(marker["at"])[-1:]:
            yield (
                f"compares '{one['at']}' with the marker alone, which is appended to a text "
                "there: 'contains' finds it"
            )


def unfit_inputs(
    manifest: Mapping[str, Any],
    row: Mapping[str, Any],
    look: Mapping[str, Any],
    read: Mapping[str, Any],
) -> Iterator[str]:
    """Yield the end of a sentence for each input that a look of an action lacks, or that its read
    does not take.
    """
    inputs = look.get("inputs", {})
    declared = read["inputs"].get("properties", {})
    yield from (
        f"gives '{read['key']}' the input '{name}', which it does not have"
        for name in sorted(inputs.keys() - declared.keys())
    )
    lost = (name for name in sorted(read["inputs"].get("required", ())) if name not in inputs)
    yield from (
        f"does not give '{read['key']}' the input '{name}', which it requires" for name in lost
    )
    for at in _asked(inputs):
        if not admits(manifest, row["inputs"], names(at)):
            yield (
                f"gives '{read['key']}' the input '{at}' of '{row['key']}', which that does "
                "not have"
            )
    sample = {
        name: _sample(value)
        for name, value in inputs.items()
        if name in declared and "$input" not in placeholders(value)
    }
    for one in _faults(manifest, read, sample):
        if one.keyword not in _LACKS:
            yield f"gives '{read['key']}' an input that is not valid, '{one.path}': {one.message}"


def _is_always_given(schema: Mapping[str, Any], path: Iterable[str]) -> bool:
    for name in path:
        if name not in schema.get("required", ()):
            return False
        schema = schema.get("properties", {}).get(name, {})
    return True


def _inputs(values: dict[str, Any], **_: object) -> dict[str, Any]:
    return values


def _faults(manifest: Mapping[str, Any], row: Mapping[str, Any], values: Any) -> tuple[Detail, ...]:
    shared = (
        {"$defs": manifest["$defs"]}
        if "$defs" in manifest and '"$ref"' in json.dumps(row["inputs"])
        else {}
    )
    return compile_schema({**shared, **row["inputs"]}).judge(values)


def _asked(value: Any) -> Iterator[str]:
    """Yield the pointers into a call's inputs in a value with placeholders."""
    if isinstance(value, Mapping):
        if "$input" in value:
            yield value["$input"]
        for one in value.values():
            yield from _asked(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _asked(one)


def _sample(value: Any) -> Any:
    """Return a value with what may stand in place of its placeholders."""
    if isinstance(value, Mapping):
        if "$sent" in value:
            return sent_as(value, 0.0)
        if "$fresh" in value:
            return _MARKER
        if "$marker" in value:
            return stamped(value, f"{PREFIX}{_MARKER}")
        return (
            _KEY if is_placeholder(value) else {name: _sample(one) for name, one in value.items()}
        )
    return [_sample(one) for one in value] if isinstance(value, list | tuple) else value
