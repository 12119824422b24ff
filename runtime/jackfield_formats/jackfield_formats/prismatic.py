"""Prismatic: the connections of an integration or an instance. Aliases translate its component and
connection keys.

Supported are an integration's YAML (``requiredConfigVars``), an instance's variables
(``configVariables``), one or a list of these variables, and a connection as Prismatic passes it to
code (``{"key", "configVarKey", "fields"}``). Inputs may be an object of values, an object of
``{"type", "value"}``, or a list of ``{"name" or "key", "value"}``.

Members of an invocation are translated, too: the connection, the inputs of a step, and files (a
Buffer as JSON, a list as JSON text). They are recognised by their exact shape, for connectors with
an alias of this format that names the action. Callers translate only invocations that the native
form refuses, so no valid invocation changes its meaning.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from jackfield.connections.aliases import Alias, alias_for
from jackfield.connections.formats import Document, Problem, Surroundings
from jackfield.connections.named_connection import NamedConnection
from jackfield.invocation.wire import BUFFERS_HINT, MAX_BUFFERED
from jackfield.kernel.errors import Detail, InvalidInput, InvalidInvocation, UnknownName
from jackfield.kernel.pointers import pointer
from jackfield.manifest.manifest import Manifest
from jackfield_formats.translating import ForeignError, connection_of, translate

FORMAT = "prismatic"
_LISTS = ("requiredConfigVars", "configVariables", "configVars")
_CONNECTION = frozenset({"key", "configVarKey", "fields", "token", "context"})
_TYPES = frozenset({"value", "complex", "reference", "configvar", "template"})
_FILES = "files"
_BYTE = range(256)


def read(
    documents: Iterable[Document], around: Surroundings
) -> Iterator[NamedConnection | Problem]:
    """Yield a connection for each configuration variable that contains one."""
    for document in documents:
        try:
            variables = list(_variables(document.content))
        except ForeignError as error:
            yield Problem(f"{document.place}: {error}")
            continue
        if not any(_is_connection(variable) for _, variable in variables):
            yield Problem(
                f"{document.place}: {' or '.join(_LISTS[:2])}: there is no connection among the "
                "configuration variables"
            )
        for at, variable in variables:
            if _is_connection(variable):
                try:
                    yield _parse_variable(variable, document, at, around)
                except ForeignError as error:
                    yield Problem(f"{document.place}: {at}: {error}")


def _variables(content: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(content, list):
        yield from ((f"[{number}]", item) for number, item in enumerate(content))
        return
    lists = [name for name in _LISTS if content.get(name) is not None]
    for name in lists:
        found = content[name]
        members = (
            list(found.items())
            if isinstance(found, Mapping)
            else list(enumerate(found))
            if isinstance(found, list)
            else None
        )
        if members is None:
            raise ForeignError(f"{name}: must be a list of configuration variables")
        for key, item in members:
            variable = (
                {"key": key, **item} if isinstance(key, str) and isinstance(item, Mapping) else item
            )
            yield f"{name}[{key}]" if isinstance(key, int) else f"{name}.{key}", variable
    if not lists:
        yield "the connection", content


def _is_connection(variable: object) -> bool:
    return isinstance(variable, Mapping) and (
        isinstance(variable.get("connection"), str | Mapping)
        or variable.get("dataType") == "connection"
        or "fields" in variable
    )


def _parse_variable(
    variable: Mapping[str, Any], document: Document, at: str, around: Surroundings
) -> NamedConnection:
    kind, component = _kind(variable)
    alias = _alias(kind, component, around)
    connection = variable["connection"] if isinstance(variable.get("connection"), Mapping) else {}
    given = {**_variable_inputs(connection, "connection."), **_variable_inputs(variable)}
    made = translate(alias, {**given, "key": kind}, around.environment)
    unknown = [name for name in made.unused if name != "key"]
    if unknown:
        raise ForeignError(f"inputs.{unknown[0]}: is not an input of the connection '{kind}'")
    name = str(
        variable.get("configVarKey")
        or (variable.get("key") if "connection" in variable else None)
        or kind
    )
    return connection_of(alias, made, document, FORMAT, (name,), at)


def _variable_inputs(holder: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    """Return the inputs of a configuration variable, or of its connection.

    :raises ForeignError: if they have no known format.
    """
    try:
        return _inputs_by_name(holder.get("inputs", holder.get("fields", holder.get("values"))))
    except ForeignError as error:
        raise ForeignError(f"{at}{error}") from None


def _kind(variable: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the keys of the connection and, if given, of its component."""
    connection = variable.get("connection", variable.get("key"))
    component = (
        connection.get("component")
        if isinstance(connection, Mapping)
        else variable.get("component")
    )
    key = connection.get("key") if isinstance(connection, Mapping) else connection
    if isinstance(component, Mapping):
        component = component.get("key")
    if not isinstance(key, str) or not key:
        raise ForeignError("connection.key: must be the key of a connection, such as awsAssumeRole")
    if component is not None and not isinstance(component, str):
        raise ForeignError(
            "connection.component.key: must be the key of a component, such as aws-ses"
        )
    return key, component


def _alias(kind: str, component: str | None, around: Surroundings) -> Alias:
    known = around.aliases.all(FORMAT)
    if component is not None:
        found = known.get(component)
        if found is None:
            text = (
                f"no installed connector supports the component '{component[:80]}'; known: "
                f"{', '.join(sorted(known)) or 'none'}"
            )
            raise ForeignError(f"connection.component.key: {text}")
        return found
    fitting = [
        alias
        for alias in known.values()
        if any(f"key={kind}" in choice.when for choice in alias.choices)
    ]
    if len(fitting) != 1:
        who = (
            "several installed connectors support" if fitting else "no installed connector supports"
        )
        raise ForeignError(f"connection.key: {who} '{kind[:80]}'")
    return fitting[0]


def _inputs_by_name(given: object) -> dict[str, Any]:
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            raise ForeignError("inputs: the string is not JSON") from None
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return {name: _value(value, f"inputs.{name}") for name, value in given.items()}
    if not isinstance(given, list):
        raise ForeignError("inputs: must be an object, or a list of {name, value}")
    found: dict[str, Any] = {}
    for number, item in enumerate(given):
        name = item.get("name", item.get("key")) if isinstance(item, Mapping) else None
        if not isinstance(name, str):
            raise ForeignError(f"inputs[{number}]: must be an object with 'name' and 'value'")
        found[name] = _value(item, f"inputs[{number}]")
    return found


def _value(value: Any, at: str) -> Any:
    if not isinstance(value, Mapping) or "value" not in value:
        return value
    kind = str(value.get("type") or "value").lower()
    if kind != "value":
        raise ForeignError(
            f"{at}: is a reference of the type '{kind[:40]}', which only Prismatic can resolve"
        )
    return value["value"]


def native_invocation(
    given: object, find: Callable[[str, str | None], Manifest]
) -> dict[str, Any] | None:
    """Translate an invocation's JSON; return None if neither the connection nor the inputs have
    Prismatic's form. ``find`` returns the manifests that the caller may see.
    """
    if not isinstance(given, Mapping):
        return None
    connector, version = given.get("connector"), given.get("connectorVersion")
    if not isinstance(connector, str) or not isinstance(version, str | None):
        return None
    try:
        manifest = find(connector, version)
    except (UnknownName, InvalidInvocation):
        return None
    return _native_members(given, manifest)


def _native_members(body: object, manifest: Manifest) -> dict[str, Any] | None:
    """Translate the connection and a list of inputs in an invocation's JSON; return None if neither
    the connection nor the list has Prismatic's form.

    :raises InvalidInvocation: if a member has the form, but cannot be translated.
    """
    alias = alias_for(manifest, FORMAT, body.get("action")) if isinstance(body, Mapping) else None
    if alias is None or not isinstance(body, Mapping):
        return None
    found: dict[str, Any] = {}
    connection, inputs = body.get("connection"), body.get("inputs")
    try:
        place = "/connection"
        if (
            isinstance(connection, Mapping)
            and {"key", "fields"} <= connection.keys() <= _CONNECTION
        ):
            found["connection"] = _connection(connection, alias)
        place = "/inputs"
        if (
            isinstance(inputs, list)
            and inputs
            and all(
                isinstance(item, Mapping) and {"name", "value"} <= item.keys() for item in inputs
            )
        ):
            found["inputs"] = _inputs_by_name(inputs)
    except ForeignError as error:
        fault = Detail(place, str(error))
        raise InvalidInvocation(
            "1 member of the invocation is not valid",
            details=[fault],
            hint="Give the value itself.",
        ) from None
    return {**body, **found} if found else None


def native_inputs(
    inputs: Mapping[str, Any], refused: Collection[str], manifest: Manifest, action: str
) -> dict[str, Any] | None:
    """Translate typed inputs and files; return None if the inputs contain none. ``refused`` names
    the inputs that the action's schema refuses: typed inputs are recognised only if one of them is
    refused.

    :raises InvalidInput: if an input is a reference, which only Prismatic can resolve.
    :raises InvalidInvocation: if the Buffers have more than ``MAX_BUFFERED`` octets.
    """
    alias = alias_for(manifest, FORMAT, action)
    if alias is None:
        return None
    found = dict(inputs)
    typed = [name for name, value in inputs.items() if _is_typed(value)]
    if any(name in refused for name in typed):
        _refuse_references({name: inputs[name] for name in typed})
        found |= {name: _native_value(name, inputs[name]) for name in typed}
    files = {name: _listed(found[name]) for name in alias.raw.get(_FILES) or () if name in found}
    # JSON text was measured before it was parsed; a mapping, or files as one text, was not
    if sum(_size(given) for given in files.values()) > MAX_BUFFERED:
        raise InvalidInvocation(
            f"the invocation contains Buffers of more than {MAX_BUFFERED:,} octets",
            hint=BUFFERS_HINT,
        )
    found |= {name: _files(given) for name, given in files.items()}
    return found if found != inputs else None


def _connection(given: Mapping[str, Any], alias: Alias) -> dict[str, Any]:
    fields = _inputs_by_name(given["fields"])
    made = translate(alias, {**fields, "key": given["key"]}, {})
    unknown = [name for name in made.unused if name != "key"]
    if unknown:
        raise ForeignError(
            f"fields.{unknown[0][:80]}: is not an input of the connection "
            f"'{str(given['key'])[:80]}'"
        )
    return {"type": made.type, "values": dict(made.values)}


def _is_typed(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and value.keys() == {"type", "value"}
        and str(value["type"]).lower() in _TYPES
    )


def _refuse_references(typed: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse typed inputs that are references, all at once."""
    text = "is a reference of the type '{}', which only Prismatic can resolve"
    kinds = {
        name: given["type"]
        for name, given in typed.items()
        if str(given["type"]).lower() not in ("value", "complex")
    }
    if kinds:
        details = [Detail(pointer(name), text.format(kind), "type") for name, kind in kinds.items()]
        counted = "1 input is" if len(details) == 1 else f"{len(details)} inputs are"
        raise InvalidInput(
            f"{counted} not valid", details=details, hint="Give the values themselves."
        )


def _native_value(name: str, given: Mapping[str, Any]) -> Any:
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
        return [
            {"key": _value_or_text(name, item.get("name")), "value": item["value"]}
            for item in items
        ]
    return (
        [_native_value(name, item) for item in items]
        if all(_is_typed(item) for item in items)
        else value
    )


def _value_or_text(name: str, given: Any) -> Any:
    return _native_value(name, given) if _is_typed(given) else given


def _listed(given: Any) -> Any:
    """Return the files of an input that is a list or an object as JSON text, else the input."""
    if not isinstance(given, str):
        return given
    try:
        listed = json.loads(given)
    except (ValueError, RecursionError):
        return given
    return listed if isinstance(listed, list | dict) else given


def _size(given: Any) -> int:
    """Return the number of octets in the Buffers among the files of an input."""
    values = given.values() if isinstance(given, Mapping) else given
    files = values if isinstance(given, Mapping | list) else ()
    held = [file["value"] if _has_value(file) else file for file in files]
    beside = [file.get("data") for file in held if isinstance(file, Mapping)]
    return sum(len(_octets(one) or ()) for one in (*held, *beside))


def _has_value(item: object) -> bool:
    return isinstance(item, Mapping) and "value" in item


def _files(given: Any) -> Any:
    """Translate the Buffers among the files of an input, alone or as ``data``."""
    if isinstance(given, Mapping):
        return {name: _file(file) for name, file in given.items()}
    if isinstance(given, list):
        return [
            {**item, "value": _file(item["value"])} if _has_value(item) else item for item in given
        ]
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
    """Return the octets of a Node.js Buffer as JSON, ``{"type": "Buffer", "data": [0, 255]}``, as
    base64; None for another value.
    """
    octets = _octets(given)
    if octets is None or not all(type(octet) is int and octet in _BYTE for octet in octets):
        return None
    return base64.b64encode(bytes(octets)).decode("ascii")


def _octets(given: object) -> list[Any] | None:
    """Return the numbers of a Buffer; None for another value."""
    if not isinstance(given, Mapping) or given.keys() != {"type", "data"}:
        return None
    octets = given["data"]
    return octets if given["type"] == "Buffer" and isinstance(octets, list) else None
