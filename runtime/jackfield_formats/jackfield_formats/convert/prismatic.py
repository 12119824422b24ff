"""Flows of a Prismatic integration: each step of a component with an alias of a connector, as an
invocation. Values that only Prismatic can resolve are named and left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jackfield.connections.aliases import Alias
from jackfield.kernel.connection_names import connection_name
from jackfield.kernel.dataclass import dataclass, replace
from jackfield_formats.convert.mail import Note, RefusedError

_REFERENCES = {
    "configvar": "the configuration variable",
    "reference": "the output",
    "template": "the template",
}
_LEVELS = 50
"""Maximum depth of nested steps."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its invocation, and the parts of the step that were left out. ``name`` has flow and
    step, for a file.
    """

    name: str
    path: str
    invocation: dict[str, Any]
    differences: tuple[Note, ...]


def steps(
    document: object,
    known: Mapping[str, Alias],
    connection: str | None = None,
    region: str | None = None,
) -> Iterator[Step | RefusedError]:
    """Yield the steps of all flows that use a known component, and a refusal for each step whose
    action jackfield lacks. ``connection`` and ``region`` override the steps' own.

    :raises RefusedError: if the document has no flows, or none of their steps uses a known
        component.
    """
    flows = document.get("flows") if isinstance(document, Mapping) else None
    if not isinstance(flows, list) or not flows:
        raise RefusedError("", "it has no 'flows': give the YAML of a Prismatic integration")
    found = [
        item
        for number, flow in enumerate(flows)
        for item in _of_flow(flow, f"/flows/{number}", number, known)
    ]
    if not found:
        raise RefusedError(
            "/flows",
            "no step of the flows is of a component that an installed connector knows: "
            f"{', '.join(sorted(known))}",
        )
    yield from (
        item if isinstance(item, RefusedError) else _placed(item, connection, region)
        for item in found
    )


def _placed(step: Step, connection: str | None, region: str | None) -> Step:
    """Return the step with its connection and region; a step without a connection gets a note."""
    invocation, notes = dict(step.invocation), step.differences
    if connection is not None:
        invocation["connection"] = connection
    elif "connection" not in invocation:
        notes = (
            *notes,
            Note(f"{step.path}/inputs", "it names no connection: give one with --connection"),
        )
    if region is not None:
        invocation["inputs"] = {**invocation["inputs"], "awsRegion": region}
        notes = tuple(note for note in notes if note.path != f"{step.path}/inputs/awsRegion")
    return replace(step, invocation=invocation, differences=notes)


def _of_flow(
    flow: object, path: str, number: int, known: Mapping[str, Alias]
) -> Iterator[Step | RefusedError]:
    name = str(flow.get("name") or f"flow {number + 1}") if isinstance(flow, Mapping) else ""
    for at, step in _nested(flow, path, 0):
        action = step.get("action")
        component = action.get("component") if isinstance(action, Mapping) else None
        alias = known.get(str(component.get("key"))) if isinstance(component, Mapping) else None
        if isinstance(action, Mapping) and alias is not None:
            yield _converted(
                step,
                alias,
                str(action.get("key")),
                f"{name} {step.get('name') or at.rpartition('/')[2]}",
                at,
            )


def _nested(holder: object, path: str, level: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the steps in order; steps of loops and branches follow the step that contains them."""
    if not isinstance(holder, Mapping) or level > _LEVELS:
        return
    for member in ("steps", "branches"):
        inner = holder.get(member)
        for number, item in enumerate(inner if isinstance(inner, list) else ()):
            at = f"{path}/{member}/{number}"
            if member == "steps" and isinstance(item, Mapping):
                yield at, item
            yield from _nested(item, at, level + 1)


def _converted(
    step: Mapping[str, Any], alias: Alias, key: str, name: str, at: str
) -> Step | RefusedError:
    if key not in alias.operations:
        known = ", ".join(alias.operations)
        return RefusedError(
            f"{at}/action/key",
            f"jackfield has no counterpart of '{key[:80]}'; it has those of {known}",
        )
    given = _by_name(step.get("inputs"))
    inputs: dict[str, Any] = {}
    notes: list[Note] = []
    connection = None
    for member, value in given.items():
        place, kind, content = f"{at}/inputs/{member}", *_typed(value)
        if kind == "configvar" and "connection" in member.casefold():
            try:
                connection = connection_name(str(content))
            except ValueError as error:
                notes.append(Note(place, f"the connection '{str(content)[:80]}': {error}"))
        elif kind in _REFERENCES:
            notes.append(
                Note(
                    place,
                    f"{_REFERENCES[kind]} '{str(content)[:120]}' is Prismatic's: put the value "
                    "into the invocation",
                )
            )
        elif content not in (None, ""):
            inputs[member] = {"type": kind, "value": content} if kind == "complex" else content
    invocation: dict[str, Any] = {"connector": alias.connector, "action": alias.operations[key]}
    if connection is not None:
        invocation["connection"] = connection
    return Step(name, at, {**invocation, "inputs": inputs}, tuple(notes))


def _by_name(given: object) -> Mapping[str, Any]:
    """Return the inputs of a step, an object or a list of ``{name, value}``, by name."""
    if isinstance(given, list):
        return {
            str(item["name"]): item
            for item in given
            if isinstance(item, Mapping) and "name" in item
        }
    return given if isinstance(given, Mapping) else {}


def _typed(value: object) -> tuple[str, Any]:
    """Return the type and the content of an input, in either of Prismatic's forms."""
    if isinstance(value, Mapping) and "value" in value:
        return str(value.get("type") or "value").lower(), value["value"]
    return "value", value
