"""Files that state what workspaces have: read, laid over one another, their variables put in."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jackfield.connections.documents import DocumentError, documents, read_text
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Detail, InvalidInvocation, did_you_mean
from jackfield.kernel.pointers import child

LABEL = "apply"
"""Label of what is made by files that name none."""
_MEMBERS = ("label", "variables", "workspaces")
_VARIABLE = "$var"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stated:
    """Content of files: the label of what they make, and the document of each workspace."""

    label: str
    workspaces: Mapping[str, Json]


def read_files(paths: Sequence[str]) -> Stated:
    """Read files, each of which is laid over those before it.

    :raises InvalidInvocation: with all faults of the first file that has one, or of what they state together.
    """
    whole: Any = {}
    for path in paths:
        name = os.path.basename(path)
        try:
            for document in documents(read_text(path), name):
                whole = merged(whole, _document(document))
        except DocumentError as error:
            raise InvalidInvocation(f"{name[:200]}: {error}", hint="Give files in YAML or JSON with 'workspaces'.") from None
    return stated(whole)


def stated(whole: Mapping[str, Any]) -> Stated:
    """Return what a document states, with its variables put in.

    :raises InvalidInvocation: if a variable has no value, or a part is no object.
    """
    faults: list[Detail] = []
    found = _filled(whole.get("workspaces", {}), whole.get("variables", {}), "/workspaces", faults)
    faults += _misshaped(found)
    label = whole.get("label", LABEL)
    if not isinstance(label, str) or not 1 <= len(label) <= 100 or not label.isprintable():
        faults.append(Detail("/label", "must be a text of 1 to 100 printable characters"))
    if faults:
        raise InvalidInvocation("what the files state is not valid", details=faults, hint=f"{faults[0].path}: {faults[0].message}.")
    return Stated(label, found)


def merged(base: Any, over: Any) -> Any:
    """Lay a document over another: its members replace those of the same name, objects are laid over one another, and null takes away
    (RFC 7386). A reference is replaced whole."""
    if not isinstance(over, Mapping) or not isinstance(base, Mapping) or _is_reference(over) or _is_reference(base):
        return over
    return {
        **{name: value for name, value in base.items() if name not in over},
        **{name: merged(base.get(name), value) for name, value in over.items() if value is not None or name not in base},
    }


def _is_reference(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and str(next(iter(value))).startswith("$")


def _document(document: Any) -> Mapping[str, Any]:
    if not isinstance(document, Mapping):
        raise DocumentError("it must be an object with 'workspaces'")
    if unknown := [one for one in document if one not in _MEMBERS]:
        raise DocumentError(f"the member '{str(unknown[0])[:80]}' is unknown{did_you_mean(str(unknown[0]), _MEMBERS)}")
    try:
        json.dumps(document, allow_nan=False)
    except (TypeError, ValueError):
        raise DocumentError("it has a value that JSON does not have: put it in quotes if it is meant as text") from None
    return document


def _filled(value: Any, variables: Any, path: str, faults: list[Detail]) -> Any:
    if isinstance(value, Mapping) and value.keys() == {_VARIABLE}:
        name = value[_VARIABLE]
        if isinstance(variables, Mapping) and name in variables:
            return variables[name]
        faults.append(Detail(path, f"the variable '{str(name)[:80]}' has no value: give it one below 'variables'"))
        return None
    if isinstance(value, Mapping):
        return {str(name): _filled(one, variables, child(path, str(name)), faults) for name, one in value.items()}
    return [_filled(one, variables, child(path, place), faults) for place, one in enumerate(value)] if isinstance(value, list) else value


def _misshaped(workspaces: Any) -> Iterator[Detail]:
    """Yield what is no object: workspaces, their kinds, and the things of these."""
    if not isinstance(workspaces, Mapping):
        yield Detail("/workspaces", "must be an object by workspace")
        return
    for name, document in workspaces.items():
        if not isinstance(document, Mapping):
            yield Detail(child("/workspaces", name), "must be an object")
            continue
        for kind, things in document.items():
            path = child(child("/workspaces", name), kind)
            if not isinstance(things, Mapping) or (kind != "settings" and not all(isinstance(one, Mapping) for one in things.values())):
                yield Detail(path, "must be an object of settings" if kind == "settings" else "must be an object of objects by name")
