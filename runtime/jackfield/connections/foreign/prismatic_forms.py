"""Prismatic's forms of an invocation's members, translated to native ones.

Its connections (``{"key", "configVarKey", "fields"}``), its inputs of a step (``{"type", "value"}`` each, or ``[{"name", "value"}]``)
and its files (a Buffer as JSON, a list as JSON text) are recognised by their exact shape, for connectors with an alias of the format
``prismatic`` that names the action. Callers translate only what the native form refuses, so no valid invocation changes its meaning.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping
from typing import Any

from jackfield.connections.foreign.aliases import Alias, alias_for
from jackfield.connections.foreign.prismatic import FORMAT, inputs_by_name
from jackfield.connections.foreign.translating import ForeignError, translate
from jackfield.errors import Detail, InvalidInput, InvalidInvocation
from jackfield.json_tools.pointers import pointer
from jackfield.manifest import Manifest

_CONNECTION = frozenset({"key", "configVarKey", "fields", "token", "context"})
_TYPES = frozenset({"value", "complex", "reference", "configvar", "template"})
_FILES = "files"
_BYTE = range(256)


def native_members(body: object, manifest: Manifest) -> dict[str, Any] | None:
    """Translate the connection and a list of inputs in an invocation's JSON; None if it has neither form.

    :raises InvalidInvocation: if a member has the form, but cannot be translated.
    """
    alias = alias_for(manifest, FORMAT, body.get("action")) if isinstance(body, Mapping) else None
    if alias is None or not isinstance(body, Mapping):
        return None
    found: dict[str, Any] = {}
    connection, inputs = body.get("connection"), body.get("inputs")
    try:
        place = "/connection"
        if isinstance(connection, Mapping) and {"key", "fields"} <= connection.keys() <= _CONNECTION:
            found["connection"] = _connection(connection, alias)
        place = "/inputs"
        if isinstance(inputs, list) and all(isinstance(item, Mapping) and {"name", "value"} <= item.keys() for item in inputs):
            found["inputs"] = inputs_by_name(inputs)
    except ForeignError as error:
        fault = Detail(place, str(error))
        raise InvalidInvocation("1 member of the invocation is not valid", details=[fault], hint="Give the value itself.") from None
    return {**body, **found} if found else None


def native_inputs(inputs: Mapping[str, Any], refused: Collection[str], manifest: Manifest, action: str) -> dict[str, Any] | None:
    """Translate typed inputs and files; None if nothing has the form. ``refused`` names the inputs that the action's schema refuses: typed
    inputs are recognised only if one of them is among these.

    :raises InvalidInput: if an input is a reference, which only Prismatic can resolve.
    """
    alias = alias_for(manifest, FORMAT, action)
    if alias is None:
        return None
    found = dict(inputs)
    typed = [name for name, value in inputs.items() if _is_typed(value)]
    if any(name in refused for name in typed):
        _refuse_references({name: inputs[name] for name in typed})
        found |= {name: _value(name, inputs[name]) for name in typed}
    for name in alias.raw.get(_FILES) or ():
        if name in found:
            found[name] = _files(found[name])
    return found if found != inputs else None


def _connection(given: Mapping[str, Any], alias: Alias) -> dict[str, Any]:
    fields = inputs_by_name(given["fields"])
    made = translate(alias, {**fields, "key": given["key"]}, {})
    unknown = [name for name in made.unused if name != "key"]
    if unknown:
        raise ForeignError(f"fields.{unknown[0][:80]}: is not an input of the connection '{str(given['key'])[:80]}'")
    return {"type": made.type, "values": dict(made.values)}


def _is_typed(value: object) -> bool:
    return isinstance(value, Mapping) and value.keys() == {"type", "value"} and str(value["type"]).lower() in _TYPES


def _refuse_references(typed: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse typed inputs that are references, all at once."""
    text = "is a reference of the type '{}', which only Prismatic can resolve"
    kinds = {name: given["type"] for name, given in typed.items() if str(given["type"]).lower() not in ("value", "complex")}
    if kinds:
        details = [Detail(pointer(name), text.format(kind), "type") for name, kind in kinds.items()]
        counted = "1 input is" if len(details) == 1 else f"{len(details)} inputs are"
        raise InvalidInput(f"{counted} not valid", details=details, hint="Give the values themselves.")


def _value(name: str, given: Mapping[str, Any]) -> Any:
    kind, value = str(given["type"]).lower(), given["value"]
    if kind == "value":
        return value
    if kind != "complex":
        _refuse_references({name: given})
    if not isinstance(value, list):
        return value
    items = [item for item in value if isinstance(item, Mapping)]
    if len(items) < len(value) or not all("value" in item for item in items):
        return value
    if any("name" in item for item in items):
        return [{"key": _value_or_text(name, item.get("name")), "value": item["value"]} for item in items]
    return [_value(name, item) for item in items] if all(_is_typed(item) for item in items) else value


def _value_or_text(name: str, given: Any) -> Any:
    return _value(name, given) if _is_typed(given) else given


def _files(given: Any) -> Any:
    """Translate the files of an input: a list as JSON text, and Buffers as JSON, alone or as ``data``."""
    if isinstance(given, str):
        try:
            listed = json.loads(given)
        except (ValueError, RecursionError):
            return given
        return _files(listed) if isinstance(listed, list | dict) else given
    if isinstance(given, Mapping):
        return {name: _file(file) for name, file in given.items()}
    if isinstance(given, list):
        return [{**item, "value": _file(item["value"])} if isinstance(item, Mapping) and "value" in item else item for item in given]
    return given


def _file(given: Any) -> Any:
    if not isinstance(given, Mapping):
        return given
    octets = _buffer(given)
    if octets is not None:
        return {"data": octets}
    octets = _buffer(given.get("data"))
    return given if octets is None else {**given, "data": octets}


def _buffer(given: object) -> str | None:
    """Return the octets of a Node.js Buffer as JSON, ``{"type": "Buffer", "data": [0, 255]}``, as base64."""
    if not isinstance(given, Mapping) or given.keys() != {"type", "data"} or given["type"] != "Buffer":
        return None
    octets = given["data"]
    if not isinstance(octets, list) or not all(type(octet) is int and octet in _BYTE for octet in octets):
        return None
    return base64.b64encode(bytes(octets)).decode("ascii")
