"""Secret references: ``{"$env": "NAME"}``, ``{"$file": "path"}``, ``{"$vault": {…}}``, and what plugins add. Never stored resolved."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from jackfield.clock import Clock, SystemClock
from jackfield.connections.read_secrets import ReadSecrets
from jackfield.errors import Detail, InvalidConnection
from jackfield.hooks import Plugins
from jackfield.schema.pointer import child

__all__ = ["Secrets", "reference_paths", "references"]

_MAX_FILE = 64 * 1024


def _is_reference(value: object) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and str(next(iter(value))).startswith("$")


def reference_paths(values: object, path: str = "") -> Iterator[str]:
    """The JSON Pointers of all references in ``values``."""
    return (found for found, _, _ in references(values, path))


def references(values: object, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """All references in ``values``: where they are, their kind (``$env``), and what they name."""
    for here, value in _members(values, path):
        if _is_reference(value):
            ((kind, target),) = value.items()
            yield here, kind, target
        else:
            yield from references(value, here)


def _members(values: object, path: str) -> Iterator[tuple[str, Any]]:
    """What is in an object or an array, by JSON Pointer; nothing is in other values."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            yield child(path, name), value
    elif isinstance(values, list | tuple):
        for index, value in enumerate(values):
            yield child(path, index), value


class Secrets:
    """Reads what references point to: the environment, files, Vault, and the resolvers of plugins.

    The environment and files are read each time; what comes from elsewhere is kept for five minutes, for at most 1,000 references.
    """

    def __init__(self, environment: Mapping[str, str], plugins: Plugins, clock: Clock | None = None) -> None:
        self._environment = environment
        self._plugins = plugins
        self._read_before = ReadSecrets(clock or SystemClock())

    def forget(self, values: Mapping[str, Any]) -> None:
        """Read the secrets that ``values`` refer to anew when they are next needed: the provider refused what was read."""
        for _, kind, target in references(values):
            self._read_before.forget(kind, target)

    def resolve(self, values: Mapping[str, Any], folder: str) -> Mapping[str, Any]:
        """``values`` with each reference replaced by what it points to; ``values`` itself where there is none.

        :raises InvalidConnection: with a detail for each reference that cannot be read.
        """
        faults: list[Detail] = []
        resolved: Mapping[str, Any] = self._resolved(values, folder, "", faults)
        if faults:
            count = "1 secret reference" if len(faults) == 1 else f"{len(faults)} secret references"
            raise InvalidConnection(
                f"{count} of the connection cannot be read",
                details=faults,
                hint="Make the environment variable, the file or the secret readable for the process that runs jackfield.",
            )
        return resolved

    def _resolved(self, values: Any, folder: str, path: str, faults: list[Detail]) -> Any:  # noqa: ANN401 (an object or an array)
        read = [self._found(value, folder, here, faults) for here, value in _members(values, path)]
        members = list(values.values()) if isinstance(values, Mapping) else values
        if all(new is old for new, old in zip(read, members, strict=True)):
            return values
        return dict(zip(values, read, strict=True)) if isinstance(values, Mapping) else read

    def _found(self, value: Any, folder: str, path: str, faults: list[Detail]) -> Any:  # noqa: ANN401 (any JSON)
        if not _is_reference(value):
            return self._resolved(value, folder, path, faults) if isinstance(value, Mapping | list | tuple) else value
        ((kind, target),) = value.items()
        try:
            return self._read(kind, target, folder)
        except ValueError as fault:
            faults.append(Detail(path, str(fault)))
            return value

    def _read(self, kind: str, target: object, folder: str) -> str:
        if kind == "$env":
            return self._from_environment(target)
        if kind == "$file":
            return _from_file(target, folder)
        return self._read_before.find(kind, target, lambda: self._read_elsewhere(kind, target))

    def _read_elsewhere(self, kind: str, target: object) -> str:
        if kind == "$vault":
            from jackfield.connections.vault_kv import read_vault  # noqa: PLC0415 (few connections refer to Vault)

            return read_vault(target, self._environment)
        found = self._plugins.resolve_secret(kind[1:], target) if self._plugins.has("resolve_secret") else None
        if found is None:
            raise ValueError(f"no plugin resolves the reference '{kind[:40]}'")
        return found

    def _from_environment(self, target: object) -> str:
        if not isinstance(target, str) or not target:
            raise ValueError("'$env' takes the name of an environment variable")
        found = self._environment.get(target)
        if found is None:
            raise ValueError(f"the environment variable '{target[:80]}' is not set")
        return found


def _from_file(target: object, folder: str) -> str:
    if not isinstance(target, str) or not target or "\0" in target:
        raise ValueError("'$file' takes the path of a file")
    path = os.path.join(folder, os.path.expanduser(target))  # noqa: PTH111, PTH118 (a cold invoke saves pathlib's import)
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (as above)
            content = file.read(_MAX_FILE + 1)
        text = content.decode("utf-8")
    except OSError as error:
        raise ValueError(f"the file '{target[:200]}' cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"the file '{target[:200]}' is not UTF-8 text") from None
    if len(content) > _MAX_FILE:
        raise ValueError(f"the file '{target[:200]}' is larger than {_MAX_FILE:,} bytes")
    return text.removesuffix("\n").removesuffix("\r")
