"""Prismatic: the connections of an integration or an instance. Aliases translate its component and connection keys.

Supported are an integration's YAML (``requiredConfigVars``), an instance's variables (``configVariables``), a list of these, one of
them, and a connection as Prismatic passes it to code (``{"key", "configVarKey", "fields"}``). Inputs may be an object of values, an
object of ``{"type", "value"}``, or a list of ``{"name" or "key", "value"}``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jackfield.connections.foreign.aliases import Alias
from jackfield.connections.foreign.place import Document, Problem, Surroundings
from jackfield.connections.foreign.translating import ForeignError, connection_of, translate
from jackfield.connections.named_connection import NamedConnection

FORMAT = "prismatic"
_LISTS = ("requiredConfigVars", "configVariables", "configVars")


def read(documents: Iterable[Document], around: Surroundings) -> Iterator[NamedConnection | Problem]:
    """Yield a connection for each configuration variable that contains one."""
    for document in documents:
        try:
            variables = list(_variables(document.content))
        except ForeignError as error:
            yield Problem(f"{document.place}: {error}")
            continue
        if not any(_is_connection(variable) for _, variable in variables):
            yield Problem(f"{document.place}: {' or '.join(_LISTS[:2])}: there is no connection among the configuration variables")
        for at, variable in variables:
            if _is_connection(variable):
                try:
                    yield _read(variable, document, at, around)
                except ForeignError as error:
                    yield Problem(f"{document.place}: {at}: {error}")


def _variables(content: Any) -> Iterator[tuple[str, Any]]:
    """Yield the place and the content of each configuration variable."""
    if isinstance(content, list):
        yield from ((f"[{number}]", item) for number, item in enumerate(content))
        return
    lists = [name for name in _LISTS if content.get(name) is not None]
    for name in lists:
        found = content[name]
        members = list(found.items()) if isinstance(found, Mapping) else list(enumerate(found)) if isinstance(found, list) else None
        if members is None:
            raise ForeignError(f"{name}: must be a list of configuration variables")
        for key, item in members:
            variable = {"key": key, **item} if isinstance(key, str) and isinstance(item, Mapping) else item
            yield f"{name}[{key}]" if isinstance(key, int) else f"{name}.{key}", variable
    if not lists:
        yield "the connection", content


def _is_connection(variable: object) -> bool:
    return isinstance(variable, Mapping) and (
        isinstance(variable.get("connection"), str | Mapping) or variable.get("dataType") == "connection" or "fields" in variable
    )


def _read(variable: Mapping[str, Any], document: Document, at: str, around: Surroundings) -> NamedConnection:
    kind, component = _kind(variable)
    alias = _alias(kind, component, around)
    given = inputs_by_name(variable.get("inputs", variable.get("fields", variable.get("values"))))
    made = translate(alias, {**given, "key": kind}, around.environment)
    unknown = [name for name in made.unused if name != "key"]
    if unknown:
        raise ForeignError(f"inputs.{unknown[0]}: is not an input of the connection '{kind}'")
    name = str(variable.get("configVarKey") or (variable.get("key") if "connection" in variable else None) or kind)
    return connection_of(alias, made, document, FORMAT, (name,), at)


def _kind(variable: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the keys of the connection and, if given, of its component."""
    connection = variable.get("connection", variable.get("key"))
    component = connection.get("component") if isinstance(connection, Mapping) else variable.get("component")
    key = connection.get("key") if isinstance(connection, Mapping) else connection
    if isinstance(component, Mapping):
        component = component.get("key")
    if not isinstance(key, str) or not key:
        raise ForeignError("connection.key: must be the key of a connection, such as awsAssumeRole")
    if component is not None and not isinstance(component, str):
        raise ForeignError("connection.component.key: must be the key of a component, such as aws-ses")
    return key, component


def _alias(kind: str, component: str | None, around: Surroundings) -> Alias:
    known = around.aliases.all(FORMAT)
    if component is not None:
        found = known.get(component)
        if found is None:
            text = f"no installed connector supports the component '{component[:80]}'; known: {', '.join(sorted(known)) or 'none'}"
            raise ForeignError(f"connection.component.key: {text}")
        return found
    fitting = [alias for alias in known.values() if any(f"key={kind}" in choice.when for choice in alias.choices)]
    if len(fitting) != 1:
        who = "several installed connectors support" if fitting else "no installed connector supports"
        raise ForeignError(f"connection.key: {who} '{kind[:80]}'")
    return fitting[0]


def inputs_by_name(given: object) -> dict[str, Any]:
    """Return the inputs by name, from any of their formats."""
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
        raise ForeignError(f"{at}: is a reference of the type '{kind[:40]}', which only Prismatic can resolve")
    return value["value"]
