"""Terminal prompts for a connection's values, field by field, without echoing secrets."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.errors import Cancelled, Detail, InvalidConnection
from jackfield.kernel.walk import extension

if TYPE_CHECKING:
    from jackfield.connections.connection_types import ConnectionKind
    from jackfield.connections.named_connection import NamedConnection
    from jackfield_store.runtime import Jackfield

_YES = {"y", "yes", "true"}
_NO = {"n", "no", "false"}


def ask(jackfield: Jackfield, type: str) -> dict[str, Any]:
    """Prompt for the values of a connection type; repeat the prompt of each invalid field.

    :raises InvalidConnection: for a type that is not installed.
    :raises Cancelled: if the terminal is closed.
    """
    kind = jackfield.connections.kinds.find(type)
    fields = [
        name
        for name, field in kind.schema.get("properties", {}).items()
        if not extension(field).get("hidden")
    ]
    _say(f"{kind.about.title}: {kind.about.description}\nPress Enter to skip an optional value.\n")
    values = _ask_fields(jackfield, kind, fields)
    while True:
        faults = _faults(jackfield, kind, values)
        again = [
            name for name in fields if any(fault.path.split("/")[1:2] == [name] for fault in faults)
        ]
        if not again:
            return values  # saving reports errors that belong to no field
        for fault in faults:
            _say(f"{fault.path or '/'}: {fault.message}\n")
        values = {name: value for name, value in values.items() if name not in again} | _ask_fields(
            jackfield, kind, again
        )


def ask_missing(jackfield: Jackfield, item: NamedConnection) -> dict[str, Any]:
    """Prompt for the required values that a connection of a document lacks; return them, or an
    empty object if it lacks no value.

    :raises Cancelled: if the terminal is closed.
    """
    kind = jackfield.connections.kinds.known(item.type)
    faults = () if kind is None else _faults(jackfield, kind, item.values)
    lacking = [
        fault.path[1:]
        for fault in faults
        if fault.keyword == "required" and "/" not in fault.path[1:]
    ]
    if kind is None or not lacking:
        return {}
    _say(f"{item.name} ({kind.about.title}): {item.where} lacks {', '.join(lacking)}\n")
    return _ask_fields(jackfield, kind, lacking)


def _faults(
    jackfield: Jackfield, kind: ConnectionKind, values: Mapping[str, Any]
) -> Iterable[Detail]:
    try:
        jackfield.connections.check(kind.full_name, values)
    except InvalidConnection as error:
        return error.details
    return ()


def _ask_fields(jackfield: Jackfield, kind: ConnectionKind, names: Iterable[str]) -> dict[str, Any]:
    fields, required = kind.schema.get("properties", {}), set(kind.schema.get("required", ()))
    answers = {
        name: _answer(jackfield, kind, name, fields[name], needed=name in required)
        for name in names
    }
    return {name: value for name, value in answers.items() if value is not None}


def _answer(
    jackfield: Jackfield, kind: ConnectionKind, name: str, field: Mapping[str, Any], *, needed: bool
) -> Any:
    _say(_introduction(jackfield, kind, name, field, needed=needed))
    is_secret = field.get("writeOnly") is True or field.get("format") == "password"
    while True:
        text = _hidden(f"{name} (not shown): ") if is_secret else _line(f"{name}: ")
        if text.strip() or not needed:
            return _convert_answer(text, field) if text.strip() else None
        _say("A value is required.\n")


def _introduction(
    jackfield: Jackfield, kind: ConnectionKind, name: str, field: Mapping[str, Any], *, needed: bool
) -> str:
    marks = field.get("x-jackfield", {})
    notes = ["required" if needed else "optional"]
    if "default" in field:
        notes.append(f"default {json.dumps(field['default'], ensure_ascii=False)}")
    if "generated" in marks:
        notes.append("generated if left empty")
    if field.get("examples"):
        notes.append(f"such as {field['examples'][0]}")
    about = field.get("description", "")
    choices = _choices(jackfield, kind, field, marks)
    lines = [
        f"\n{field.get('title', name)} ({'; '.join(notes)})",
        *([f"  {about}"] if about else ()),
    ]
    return "\n".join([*lines, *([f"  One of: {', '.join(choices)}"] if choices else ())]) + "\n"


def _choices(
    jackfield: Jackfield, kind: ConnectionKind, field: Mapping[str, Any], marks: Mapping[str, Any]
) -> list[str]:
    if field.get("type") == "boolean":
        return ["yes", "no"]
    if "enum" in field:
        return [str(choice) for choice in field["enum"]]
    manifest = kind.manifests[0]
    sources = {source["key"]: source for source in manifest.raw.get("optionSources", ())}
    source = sources.get(marks.get("options"))
    if source is None or source.get("needsConnection"):
        return []
    return [option["value"] for option in jackfield.options(manifest.key, source["key"])]


def _convert_answer(text: str, field: Mapping[str, Any]) -> Any:
    """Convert an answer for its field: booleans and JSON; the schema check reads numbers from
    strings.
    """
    types = {
        field.get("type"),
        *(branch.get("type") for branch in field.get("anyOf", ()) if isinstance(branch, dict)),
    }
    word = text.strip().lower()
    if "boolean" in types and word in _YES | _NO:
        return word in _YES
    if types & {"object", "array"} and word.startswith(("{", "[")):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def _say(text: str) -> None:
    sys.stderr.write(
        "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)
    )
    sys.stderr.flush()


def _line(prompt: str) -> str:
    _say(prompt)
    line = sys.stdin.readline()
    if not line:
        raise Cancelled("the terminal was closed before all values were given")
    return line.removesuffix("\n")


def _hidden(prompt: str) -> str:
    try:
        return getpass.getpass(prompt, stream=sys.stderr)
    except EOFError:
        raise Cancelled("the terminal was closed before all values were given") from None
