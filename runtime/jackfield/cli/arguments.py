"""Inputs on the command line: ``key=value``, ``key:=JSON``, ``key=@file``, ``key:=@file.json``; repeated for lists, with dots for members.

A value that starts with ``@`` itself is written ``@@…``; ``@-`` is stdin.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from jackfield.cli.input_paths import Path, combined, path_of, schema_at
from jackfield.cli.local_files import STDIN, Files
from jackfield.errors import Detail, InvalidInvocation
from jackfield.invocation import decode
from jackfield.json_tools.pointers import pointer
from jackfield.json_tools.walk import nodes

_FORMS = "Write key=value, key:=JSON or key=@file."
_NONE: Mapping[str, Any] = {}


def read_inputs(words: Iterable[str], schema: Mapping[str, Any], files: Files, base: Mapping[str, Any] = _NONE) -> dict[str, Any]:
    """Parse ``words`` into the inputs of an action; ``schema`` decides what names with dots mean, and how files and repeated words are
    combined. ``base`` has inputs that the words override.

    :raises InvalidInvocation: for a malformed word, a file that cannot be read or that its input does not take, and an input that is given
        whole and by its members.
    """
    given: dict[Path, list[Any]] = {}
    for word in words:
        path, value = _read(word, schema, files)
        given.setdefault(path, []).append(value)
    return combined({path: _joined(".".join(path), values, schema_at(path, schema)) for path, values in given.items()}, base)


def _read(word: str, schema: Mapping[str, Any], files: Files) -> tuple[Path, Any]:
    left, equals, value = word.partition("=")
    as_json = left.endswith(":")
    name = left.removesuffix(":")
    if not equals or not name:
        raise InvalidInvocation(f"'{word[:80]}' is not an input", hint=_FORMS)
    path = path_of(name, schema)
    at = pointer("inputs", *path)
    if as_json:
        return path, _json(value, name, at, files)
    if value.startswith("@@") or not value.startswith("@"):
        return path, value.removeprefix("@") if value.startswith("@@") else value
    return path, _file(value[1:], name, at, schema_at(path, schema), files)


def _json(value: str, name: str, at: str, files: Files) -> Any:
    text = files.read_text(value[1:], at) if value.startswith("@") else value
    try:
        return decode(text)
    except InvalidInvocation as error:
        reason = error.message.replace("the invocation", f"the input '{name[:80]}'")
        hint = f"Write {name[:80]}=… without the colon for plain text." if not value.startswith("@") else None
        raise InvalidInvocation(reason, details=[Detail(at, reason)], hint=hint) from None


def _file(path: str, name: str, at: str, schema: Mapping[str, Any], files: Files) -> Any:
    if not path:
        raise InvalidInvocation(f"'{name[:80]}=@' has no file name", hint=f"{_FORMS} A value that starts with @ is written @@….")
    kind = kind_of(schema)
    if kind == "text":
        return files.read_text(path, at)
    content = files.whole(path, at)
    if kind == "file":
        return content
    if path == STDIN:
        raise InvalidInvocation(f"'{name[:80]}' takes files by name, and stdin has none", hint="Give the path of a file.")
    key = os.path.basename(path)
    return {key: content} if kind == "map" else [{"key": key, "value": content}]


def _joined(name: str, values: list[Any], schema: Mapping[str, Any]) -> Any:
    kind = kind_of(schema)
    if kind == "map" and len(values) > 1 and all(isinstance(value, dict) for value in values):
        return _merged(name, values)
    if kind == "array" and all(isinstance(value, list) for value in values):
        return [item for value in values for item in value]
    if len(values) > 1 or (isinstance(values[0], str) and takes_list_only(schema)):
        return values
    return values[0]


def _merged(name: str, values: list[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for value in values:
        for key, content in value.items():
            if key in merged:
                message = f"two files of the input '{name[:80]}' are called '{key[:200]}'"
                raise InvalidInvocation(message, hint="Rename one, or send them with --inputs as [{key, value}].")
            merged[key] = content
    return merged


Kind = Literal["map", "array", "file", "text"]
"""Form in which an input takes files: by name (``{"a.pdf": FILE}``), as ``[{"key", "value": FILE}]``, as one FILE, or as text."""


def kind_of(schema: Mapping[str, Any]) -> Kind:
    """Determine from its schema how an input takes files; a FILE is an object with ``data`` and ``contentType``."""
    branches = nodes({}, schema)
    if any(_is_file(branch.get("additionalProperties")) for branch in branches):
        return "map"
    if any(_is_pair(branch.get("items")) for branch in branches):
        return "array"
    return "file" if _is_file(schema) else "text"


def takes_list_only(schema: Mapping[str, Any]) -> bool:
    """Return whether an input is always a list, so that a single value means a list of one."""
    alternatives = [branch for branch in nodes({}, schema) if "anyOf" not in branch and "oneOf" not in branch]
    return bool(alternatives) and all(branch.get("type") == "array" for branch in alternatives)


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}


def _is_file(schema: object) -> bool:
    return any({"data", "contentType"} <= _properties(branch).keys() for branch in nodes({}, schema))


def _is_pair(schema: object) -> bool:
    return any(_is_file(_properties(branch).get("value")) for branch in nodes({}, schema))
