"""Files with the state of workspaces: read, merged in order, with their variables filled in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from jackfield.connections.document_limits import MAX_VALUES
from jackfield.connections.documents import MAX_FILE, DocumentError, documents, read_text, text_of
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Detail, InvalidInvocation, did_you_mean
from jackfield.kernel.pointers import child
from jackfield.redaction.messages import masked_url
from jackfield.redaction.redactor import Redactor

LABEL = "apply"
"""Default label of objects that files create."""
SETTINGS = "settings"
"""Member of a workspace for its settings, which are no kind."""
_MEMBERS = ("label", "variables", "workspaces")
_VARIABLE = "$var"
_MOST_LETTERS = 4 * MAX_FILE
_KNOWS_NOTHING = Redactor()

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stated:
    """Content of files: the label of the objects that they create, and the document of each
    workspace.
    """

    label: str
    workspaces: Mapping[str, Json]


def read_files(paths: Sequence[str]) -> Stated:
    """Read files, and merge each over the ones before it.

    :raises InvalidInvocation: with all faults of the first faulty file, or of the merged document.
    """
    whole: Any = {}
    for path in paths:
        name = "stdin" if path == "-" else os.path.basename(path)
        try:
            text = text_of(sys.stdin.buffer.read(MAX_FILE + 1)) if path == "-" else read_text(path)
            for document in documents(text, name):
                whole = merged(whole, members_of(document))
        except DocumentError as error:
            raise InvalidInvocation(
                f"{name[:200]}: {error}", hint="Give files in YAML or JSON with 'workspaces'."
            ) from None
    return stated(whole)


def stated(whole: Mapping[str, Any]) -> Stated:
    """Return the state in a document, with its variables filled in.

    :raises InvalidInvocation: if a variable has no value, or a part is not an object.
    """
    faults: list[Detail] = []
    variables = _Variables(whole.get("variables", {}))
    found = _filled(whole.get("workspaces", {}), variables, "/workspaces", faults)
    try:
        _check_values(found)
    except DocumentError as error:
        raise InvalidInvocation(
            f"what the files state is not valid: {error}", hint="Apply fewer workspaces at once."
        ) from None
    faults += _misshaped(found)
    label = whole.get("label", LABEL)
    if not isinstance(label, str) or not 1 <= len(label) <= 100 or not label.isprintable():
        faults.append(Detail("/label", "must be a text of 1 to 100 printable characters"))
    if faults:
        raise InvalidInvocation(
            "what the files state is not valid",
            details=faults,
            hint=f"{faults[0].path}: {faults[0].message}.",
        )
    return Stated(label, {name: _without_taken(document) for name, document in found.items()})


def _without_taken(document: Mapping[str, Any]) -> Json:
    """Return a workspace's state without null objects, which would remove objects of an earlier
    file.
    """
    return {
        kind: things
        if kind == SETTINGS
        else {name: one for name, one in things.items() if one is not None}
        for kind, things in document.items()
        if things is not None
    }


def merged(base: Any, over: Any) -> Any:
    """Merge a document over another: its members replace members of the same name, objects are
    merged recursively, and null removes (RFC 7386). A reference is replaced as a whole.
    """
    if (
        not isinstance(over, Mapping)
        or not isinstance(base, Mapping)
        or _is_reference(over)
        or _is_reference(base)
    ):
        return over
    return {
        **{name: value for name, value in base.items() if name not in over},
        **{
            name: merged(base.get(name), value)
            for name, value in over.items()
            if value is not None or name not in base
        },
    }


def _is_reference(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and str(next(iter(value))).startswith("$")


def members_of(document: Any) -> Mapping[str, Any]:
    """Return a document after checking that it has the form of a state file.

    :raises DocumentError: if it has another form.
    """
    if not isinstance(document, Mapping):
        raise DocumentError("it must be an object with 'workspaces'")
    if unknown := [one for one in document if one not in _MEMBERS and not _is_note(one)]:
        raise DocumentError(
            f"the member '{str(unknown[0])[:80]}' is "
            f"unknown{did_you_mean(str(unknown[0]), _MEMBERS)}"
        )
    _check_values(document)
    return document


def shown_name(name: str) -> str:
    """Return the name of an object for a report that it is refused: a callback's name is its URL,
    which may be refused because it has a password.
    """
    return masked_url(name, _KNOWS_NOTHING) if "://" in name else name


def _is_note(name: object) -> bool:
    """Return whether a member of a file states nothing: the address of its schema, or a place for
    anchors.
    """
    return name == "$schema" or str(name).startswith("x-")


def _check_values(document: Any) -> None:
    """Check the values of a document whose aliases and variables are expanded, which can multiply
    its size.

    :raises DocumentError: if they are too many, too long, or not JSON.
    """
    waiting, values, letters = [document], 0, 0
    while waiting:
        item = waiting.pop()
        values += 1
        if isinstance(item, Mapping):
            letters += sum(len(str(name)) for name in item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, str):
            letters += len(item)
        elif not isinstance(item, int | None) and not (isinstance(item, float) and isfinite(item)):
            raise DocumentError(
                "it has a value that JSON does not have: put it in quotes if it is meant as text"
            )
        if values > MAX_VALUES or letters > _MOST_LETTERS:
            raise DocumentError(
                f"it expands to more than {MAX_VALUES:,} values or {_MOST_LETTERS:,} characters"
            )


class _Variables:
    """Variables of a document, each filled in once; a value may refer to other variables."""

    def __init__(self, given: Any) -> None:
        self._given: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
        self._filled: Json = {}
        self._open: list[str] = []

    def value(self, name: Any, path: str, faults: list[Detail]) -> Any:
        """Return the value of a variable; record a fault if it has none, or contains itself."""
        if name in self._open:
            ways = " → ".join([*self._open, name])
            faults.append(Detail(path, f"the variable '{name[:80]}' contains itself: {ways[:300]}"))
        elif not isinstance(name, str) or name not in self._given:
            reason = "has no value: give it one below 'variables'"
            faults.append(Detail(path, f"the variable '{str(name)[:80]}' {reason}"))
        elif name in self._filled:
            return self._filled[name]
        else:
            self._open.append(name)
            self._filled[name] = _filled(self._given[name], self, path, faults)
            self._open.pop()
            return self._filled[name]
        return None


def _filled(value: Any, variables: _Variables, path: str, faults: list[Detail]) -> Any:
    if isinstance(value, Mapping) and value.keys() == {_VARIABLE}:
        return variables.value(value[_VARIABLE], path, faults)
    if isinstance(value, Mapping):
        return {
            str(name): _filled(one, variables, child(path, shown_name(str(name))), faults)
            for name, one in value.items()
        }
    return (
        [_filled(one, variables, child(path, place), faults) for place, one in enumerate(value)]
        if isinstance(value, list)
        else value
    )


def _misshaped(workspaces: Any) -> Iterator[Detail]:
    """Yield the faults of parts that must be objects: workspaces, their kinds, and the objects of
    the kinds.
    """
    if not isinstance(workspaces, Mapping):
        yield Detail("/workspaces", "must be an object by workspace")
        return
    for name, document in workspaces.items():
        if not isinstance(document, Mapping):
            yield Detail(child("/workspaces", name), "must be an object")
            continue
        for kind, things in document.items():
            is_settings = kind == SETTINGS
            each = things.values() if isinstance(things, Mapping) and not is_settings else ()
            if not isinstance(things, Mapping | None) or not all(
                isinstance(one, Mapping | None) for one in each
            ):
                expected = (
                    "must be an object of settings"
                    if is_settings
                    else "must be an object of objects by name"
                )
                yield Detail(child(child("/workspaces", name), kind), expected)
