"""Environment variables in the place of secrets, where connections are exported."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.connections.sealed_values import joined, parted
from jackfield.connections.secrets import references

if TYPE_CHECKING:
    from jackfield.connections import StoredConnection
    from jackfield.pipe.kinds import Kinds

__all__ = ["without_secrets"]

_PREFIX = "CONNECTION"


def without_secrets(connections: Sequence[StoredConnection], kinds: Kinds) -> dict[str, Mapping[str, Any]]:
    """The values of each connection, by its name, with a reference to an environment variable in the place of each secret: another one
    for each, called after the connection and the field, the same whenever the same connections are exported.

    :raises InvalidConnection: where a type is not installed, so that nobody knows what is secret.
    """
    parts = {item.name: parted(kinds.find(item.type).schema, item.values) for item in connections}
    places = sorted((name, path) for name, part in parts.items() for path in part.secrets)
    taken = {str(name) for part in parts.values() for _, kind, name in references(part.public) if kind == "$env"}
    variables: dict[str, dict[str, bytes]] = {name: {} for name in parts}
    for name, path in places:
        variable = _free(_variable(name, path), taken)
        taken.add(variable)
        variables[name][path] = json.dumps({"$env": variable}).encode()
    return {name: joined(dict(part.public), variables[name]) for name, part in parts.items()}


def _variable(name: str, path: str) -> str:
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", f"{name}{path}")
    variable = re.sub(r"[^A-Za-z0-9]+", "_", words).upper()
    if variable[0].isalpha():
        return variable
    return f"{_PREFIX}_{variable.lstrip('_')}"  # no shell can set a variable that begins with a digit


def _free(variable: str, taken: set[str]) -> str:
    """``variable``, or with the first number behind it that makes it one of its own."""
    free, number = variable, 1
    while free in taken:
        number += 1
        free = f"{variable}_{number}"
    return free
