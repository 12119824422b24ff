"""Inputs on the command line: ``key=value``, ``key:=JSON``, ``key=@file``, ``key:=@file.json``;
repeated for lists, with dots for members.

A value that starts with ``@`` itself is written ``@@…``; ``@-`` is stdin. ``key=value`` is a
string. It is parsed as JSON only if the schema accepts an object or array and no string. If the
schema accepts any type without naming one, a string that looks like JSON is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from jackfield.cli.input_paths import Path, combined, path_of, schema_at
from jackfield.cli.local_files import STDIN, LocalFiles
from jackfield.invocation import decode
from jackfield.invocation.file_references import form_of_files
from jackfield.kernel.errors import Detail, InvalidInvocation
from jackfield.kernel.pointers import pointer
from jackfield.kernel.walk import nodes, target

_FORMS = "Write key=value, key:=JSON or key=@file."
_NONE: Mapping[str, Any] = {}


def read_inputs(
    words: Iterable[str],
    schema: Mapping[str, Any],
    files: LocalFiles,
    base: Mapping[str, Any] = _NONE,
) -> dict[str, Any]:
    """Parse ``words`` into the inputs of an action; ``schema`` decides the meaning of names with
    dots, and how files and repeated words are combined. ``base`` has inputs that the words
    override.

    :raises InvalidInvocation: for a malformed word, a file that cannot be read or does not fit its
        input, and an input given both whole and by its members.
    """
    given: dict[Path, list[Any]] = {}
    for word in words:
        path, value = _parse_file_input(word, schema, files)
        given.setdefault(path, []).append(value)
    return combined(
        {
            path: _joined(".".join(path), values, schema_at(path, schema), schema)
            for path, values in given.items()
        },
        base,
    )


def _parse_file_input(word: str, schema: Mapping[str, Any], files: LocalFiles) -> tuple[Path, Any]:
    left, equals, value = word.partition("=")
    as_json = left.endswith(":")
    name = left.removesuffix(":")
    if not equals or not name:
        raise InvalidInvocation(f"'{word[:80]}' is not of the form key=value", hint=_FORMS)
    path = path_of(name, schema)
    at = pointer("inputs", *path)
    if as_json:
        return path, _json(value, name, at, files)
    if value.startswith("@@"):
        return path, value[1:]
    found = schema_at(path, schema)
    return path, _file(value[1:], name, at, found, files) if value.startswith("@") else _text(
        value, name, at, found, schema
    )


def _text(
    value: str, name: str, at: str, schema: Mapping[str, Any], root: Mapping[str, Any]
) -> Any:
    """Return a value as a string, or parsed as a JSON object or array, by the types that the schema
    accepts.

    :raises InvalidInvocation: if it may be either.
    """
    if not value.lstrip().startswith(("{", "[")) or not schema:
        return value
    try:
        found = decode(value)
    except InvalidInvocation:
        return value
    types, items = types_of(schema, root), item_types_of(schema, root)
    kind = "array" if isinstance(found, list) else "object"
    if types is not None and "string" in types:
        return value
    if types is None or (
        kind == "array" and kind in types and (items is None or "string" in items)
    ):
        reason = f"the text of '{name[:80]}' may be meant as JSON"
        text = f"{name[:80]}:='\"…\"'" if types is None else f"{name[:80]}:='[\"…\"]'"
        hint = f"Write {name[:80]}:=JSON; for text that looks like JSON, a JSON string: {text}."
        raise InvalidInvocation(reason, details=[Detail(at, reason)], hint=hint)
    return (
        found if kind in types or ("array" in types and (items is None or kind in items)) else value
    )


def with_forms(
    body: dict[str, Any], words: Iterable[str], schema: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a Result as JSON. If values among ``words`` have the wrong type, its hint says how to
    write these inputs.
    """
    error = body.get("error", _NONE)
    wrong = [
        detail["path"] for detail in error.get("details", ()) if detail.get("keyword") in _TYPED
    ]
    if error.get("code") != "invalid_input" or not wrong:
        return body
    found: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        path = path_of(name.removesuffix(":"), schema)
        at = pointer(*path)
        if (
            not name.endswith(":")
            and not value.startswith("@")
            and any(one == at or one.startswith(f"{at}/") for one in wrong)
        ):
            found[name] = _form(name[:80], schema_at(path, schema), schema)
    hint = "; ".join(list(found.values())[:_MOST_FORMS])
    return (
        {**body, "error": {**error, "hint": f"Write {hint}. {error.get('hint', '')}".strip()}}
        if hint
        else body
    )


_TYPED = ("type", "anyOf", "oneOf")
_MOST_FORMS = 3
_VALUES = {"boolean": "true or {0}=false", "integer": "5", "number": "1.5"}


def _form(name: str, schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """Return the way to write a value of a type that an input accepts."""
    if form_of_files({}, [schema]) != "text":
        return f"{name}=@FILE"
    types = types_of(schema, root) or frozenset()
    plain = next(
        (f"{name}={text.format(name)}" for kind, text in _VALUES.items() if kind in types), None
    )
    member = f"{name}.MEMBER=…, " if "object" in types else ""
    return plain or f"{member}{name}:=JSON or {name}:=@FILE.json"


def _json(value: str, name: str, at: str, files: LocalFiles) -> Any:
    text = files.read_text(value[1:], at) if value.startswith("@") else value
    try:
        return decode(text)
    except InvalidInvocation as error:
        reason = error.message.replace("the invocation", f"the input '{name[:80]}'")
        hint = (
            f"Write {name[:80]}=… without the colon for plain text."
            if not value.startswith("@")
            else None
        )
        raise InvalidInvocation(reason, details=[Detail(at, reason)], hint=hint) from None


def _file(path: str, name: str, at: str, schema: Mapping[str, Any], files: LocalFiles) -> Any:
    if not path:
        raise InvalidInvocation(
            f"'{name[:80]}=@' has no file name",
            hint=f"{_FORMS} A value that starts with @ is written @@….",
        )
    form = form_of_files({}, [schema])
    if form in ("text", "pair"):
        return files.read_text(path, at)
    content = files.whole(path, at)
    if form in ("file", "array"):
        return content if form == "file" else [content]
    if path == STDIN:
        raise InvalidInvocation(
            f"'{name[:80]}' takes files by name, and stdin has none",
            hint="Give the path of a file.",
        )
    key = os.path.basename(path)
    return {key: content} if form == "map" else [{"key": key, "value": content}]


def _joined(
    name: str, values: list[Any], schema: Mapping[str, Any], root: Mapping[str, Any]
) -> Any:
    form = form_of_files({}, [schema])
    if form == "map" and len(values) > 1 and all(isinstance(value, dict) for value in values):
        return _merged(name, values)
    if form in ("pairs", "array") and all(isinstance(value, list) for value in values):
        return [item for value in values for item in value]
    if len(values) > 1 or (
        not isinstance(values[0], list) and values[0] is not None and takes_list_only(schema, root)
    ):
        return values
    return values[0]


def _merged(name: str, values: list[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for value in values:
        for key, content in value.items():
            if key in merged:
                message = f"two files of the input '{name[:80]}' are called '{key[:200]}'"
                raise InvalidInvocation(
                    message, hint="Rename one, or send them with --inputs as [{key, value}]."
                )
            merged[key] = content
    return merged


def takes_list_only(schema: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    """Return whether an input is always a list, or null, so that a single value means a list of one
    item.
    """
    found = types_of(schema, root)
    return found is not None and found - {"null"} == {"array"}


Types = frozenset[str] | None
"""Names of JSON types; None for all types."""
_DEEPEST = 20


def types_of(schema: object, root: Mapping[str, Any], depth: int = _DEEPEST) -> Types:
    """Return the types that a schema accepts, as far as its keywords tell; None if any type is
    possible.
    """
    if not isinstance(schema, Mapping) or not depth:
        return None
    named = schema.get("type")
    found: Types = None
    if isinstance(named, str | list):
        found = frozenset(
            one for one in ([named] if isinstance(named, str) else named) if isinstance(one, str)
        )
    for keyword in ("anyOf", "oneOf"):
        if isinstance(schema.get(keyword), list):
            found = _both(
                found, _any(types_of(branch, root, depth - 1) for branch in schema[keyword])
            )
    parts = [target(root, schema["$ref"])] if isinstance(schema.get("$ref"), str) else []
    parts += schema["allOf"] if isinstance(schema.get("allOf"), list) else []
    for part in parts:
        found = _both(found, types_of(part, root, depth - 1))
    return found


def item_types_of(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Types:
    """Return the types of array items that a schema accepts; None if any type is possible."""
    branches = [node for node in nodes(root, schema) if "items" in node]
    return _any(types_of(node["items"], root) for node in branches) if branches else None


def _both(one: Types, other: Types) -> Types:
    return other if one is None else one if other is None else one & other


def _any(found: Iterable[Types]) -> Types:
    united = frozenset[str]()
    for types in found:
        if types is None:
            return None
        united |= types
    return united
