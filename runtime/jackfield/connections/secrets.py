"""Secret references: ``{"$env": "NAME"}``, ``{"$file": "path"}``, ``{"$vault": {…}}``, and those of plugins. Never stored resolved."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.clock import Clock, SystemClock
from jackfield.connections.read_secrets import ReadSecrets
from jackfield.connections.reference_files import read_reference
from jackfield.errors import Detail, InvalidConnection
from jackfield.hooks import Plugins
from jackfield.json_pointer import child

if TYPE_CHECKING:
    from jackfield.connections.reference_rules import ReferenceRules

__all__ = ["Secrets", "reference_paths", "references"]


def _is_reference(value: object) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and str(next(iter(value))).startswith("$")


def reference_paths(values: object, path: str = "") -> Iterator[str]:
    """Return the JSON Pointers of all references in ``values``."""
    return (found for found, _, _ in references(values, path))


def references(values: object, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield all references in ``values``: their place, their kind (``$env``) and their target."""
    for here, value in _members(values, path):
        if _is_reference(value):
            ((kind, target),) = value.items()
            yield here, kind, target
        else:
            yield from references(value, here)


def _members(values: object, path: str) -> Iterator[tuple[str, Any]]:
    """Yield the members of an object or an array by JSON Pointer; other values have none."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            yield child(path, name), value
    elif isinstance(values, list | tuple):
        for index, value in enumerate(values):
            yield child(path, index), value


_Place = tuple[str, "ReferenceRules | None"]
"""Start folder of relative paths, and the rules for opened files."""


class Secrets:
    """Resolver of secret references: environment, files, Vault and plugins.

    The environment and files are read each time; other secrets are cached for five minutes, up to 1,000 references.
    """

    def __init__(self, environment: Mapping[str, str], plugins: Plugins, clock: Clock | None = None) -> None:
        self._environment = environment
        self._plugins = plugins
        self._read_before = ReadSecrets(clock or SystemClock())

    def forget(self, values: Mapping[str, Any]) -> None:
        """Drop the cached secrets that ``values`` refer to, because the provider refused them."""
        for _, kind, target in references(values):
            self._read_before.forget(kind, target)

    def resolve(self, values: Mapping[str, Any], folder: str, rules: ReferenceRules | None = None) -> Mapping[str, Any]:
        """Replace each reference in ``values`` by its secret; return ``values`` itself if there is none. ``rules`` check each file that
        is opened for a connection made over HTTP or MCP.

        :raises InvalidConnection: with a detail for each reference that cannot be read.
        """
        faults: list[Detail] = []
        resolved: Mapping[str, Any] = self._resolved(values, (folder, rules), "", faults)
        if faults:
            count = "1 secret reference" if len(faults) == 1 else f"{len(faults)} secret references"
            raise InvalidConnection(
                f"{count} of the connection cannot be read",
                details=faults,
                hint="Make the environment variable, the file or the secret readable for the process that runs jackfield.",
            )
        return resolved

    def _resolved(self, values: Any, place: _Place, path: str, faults: list[Detail]) -> Any:
        read = [self._found(value, place, here, faults) for here, value in _members(values, path)]
        members = list(values.values()) if isinstance(values, Mapping) else values
        if all(new is old for new, old in zip(read, members, strict=True)):
            return values
        return dict(zip(values, read, strict=True)) if isinstance(values, Mapping) else read

    def _found(self, value: Any, place: _Place, path: str, faults: list[Detail]) -> Any:
        if not _is_reference(value):
            return self._resolved(value, place, path, faults) if isinstance(value, Mapping | list | tuple) else value
        ((kind, target),) = value.items()
        try:
            return self._read(kind, target, place)
        except ValueError as fault:
            faults.append(Detail(path, str(fault)))
            return value

    def _read(self, kind: str, target: object, place: _Place) -> str:
        if kind == "$env":
            return self._from_environment(target)
        if kind == "$file":
            return read_reference(target, *place)
        return self._read_before.find(kind, target, lambda: self._read_elsewhere(kind, target))

    def _read_elsewhere(self, kind: str, target: object) -> str:
        if kind == "$vault":
            from jackfield.connections.vault_kv import read_vault

            return read_vault(target, self._environment)
        found = self._plugins.resolve_secret(kind[1:], target) if self._plugins.has("resolve_secret") else None
        if found is None:
            raise ValueError(f"no plugin resolves the reference '{kind[:40]}'")
        return found

    def _from_environment(self, target: object) -> str:
        if not isinstance(target, str) or not target:
            raise ValueError("'$env' takes the name of an environment variable")
        if "\0" in target or not _is_encodable(target):
            raise ValueError(f"no environment variable can have the name {target[:80]!a}: it has a NUL or a lone surrogate")
        found = self._environment.get(target)
        if found is None:
            raise ValueError(f"the environment variable '{target[:80]}' is not set")
        return found


def _is_encodable(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True
