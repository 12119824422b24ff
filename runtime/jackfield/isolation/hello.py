"""Facts that a child says of its connector, checked before they are used: a connector can make its child say what it likes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from jackfield.isolation.wire import Garbage

_T = TypeVar("_T")
_MANY = 1000
"""Limit of the members of an object or array."""
_MOST_FUNCTIONS = 100
"""Limit of the tests, and of the functions that add documents."""
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class ActionFacts:
    """Facts about an action that its manifest leaves out."""

    takes_client: bool
    budget: str | None
    defaults: Mapping[str, Any]
    pace_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TypeFacts:
    """Facts about a connection type that its manifest leaves out."""

    reports_begin: bool
    permission_system: str | None
    fields: tuple[str, ...]
    policies: bool


@dataclass(frozen=True, slots=True)
class Hello:
    """Description of a connector by its child. ``layers`` are the layers of isolation that hold, said before the connector was imported."""

    layers: Mapping[str, bool | str]
    description: Mapping[str, Any]
    actions: Mapping[str, ActionFacts]
    connections: Mapping[str, TypeFacts]
    sources: Mapping[str, bool]
    tests: int
    test_permissions: Mapping[str, tuple[str, ...]]
    documents: int


def read_layers(frame: Mapping[str, Any]) -> Mapping[str, bool | str]:
    """Return the layers that a child's first frame names.

    :raises Garbage: if it is another frame.
    """
    return _members(frame, "layers", lambda state: state if isinstance(state, bool) else _text(state))


def read_hello(frame: Mapping[str, Any], layers: Mapping[str, bool | str]) -> Hello:
    """Return what a child says of its connector.

    :raises Garbage: if a part is missing, of another type, or larger than a connector can be.
    """
    return Hello(
        layers,
        _object(frame.get("description")),
        _members(frame, "actions", _action),
        _members(frame, "connections", _type),
        _members(frame, "sources", _flag),
        _number(frame, "tests"),
        _members(frame, "testPermissions", _texts),
        _number(frame, "documents"),
    )


def _action(facts: Any) -> ActionFacts:
    found = _object(facts)
    budget, defaults, pace_by = _optional(found.get("budget")), _object(found.get("defaults", {})), _texts(found.get("paceBy", []))
    return ActionFacts(_flag(found.get("takesClient")), budget, defaults, pace_by)


def _type(facts: Any) -> TypeFacts:
    found = _object(facts)
    system, fields = _optional(found.get("permissionSystem")), _texts(found.get("fields"))
    return TypeFacts(_flag(found.get("reportsBegin")), system, fields, _flag(found.get("policies")))


def _members(frame: Mapping[str, Any], name: str, read: Callable[[Any], _T]) -> dict[str, _T]:
    found = _object(frame.get(name))
    if len(found) > _MANY:
        raise Garbage(f"a description with more than {_MANY:,} {name}")
    return {_text(key): read(value) for key, value in found.items()}


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Garbage("a description that is not one")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Garbage("a description that is not one")
    return value


def _number(frame: Mapping[str, Any], name: str) -> int:
    found = frame.get(name)
    if type(found) is not int or not 0 <= found <= _MOST_FUNCTIONS:
        raise Garbage(f"a description that does not count its {name}")
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise Garbage("a description that is not one")
    return value


def _optional(value: Any) -> str | None:
    return None if value is None else _text(value)


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _MANY:
        raise Garbage("a description that is not one")
    return tuple(map(_text, value))
