"""Dapr's two secret stores that need no server: a JSON file and the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from jackfield.connections.documents import DocumentError, documents, read_text
from jackfield.connections.foreign.dapr_values import is_readable
from jackfield.connections.foreign.place import Surroundings
from jackfield.connections.foreign.translating import ForeignError

__all__ = ["STORE_PREFIX", "SecretStore", "open_store"]

STORE_PREFIX = "secretstores."


class SecretStore(Protocol):
    """Secret store in which a ``secretKeyRef`` is resolved."""

    def find(self, name: str, key: str) -> str | None:
        """Return the secret's value; None if there is none."""


def open_store(kind: str, values: Mapping[str, str], folder: str, around: Surroundings) -> SecretStore:
    """Open a secret store. A relative path of a file starts in the current folder or in ``folder``.

    :raises ForeignError: if the store has another type, or its file cannot be read.
    """
    given = {name.lower(): value for name, value in values.items()}
    if kind == "secretstores.local.env":
        return _Variables(given.get("prefix", ""), around.environment)
    if kind == "secretstores.local.file":
        if not around.reads_files:
            raise ForeignError("spec.type: a secret store reads a file of this host, which this document may not")
        separator = given.get("nestedseparator") or ":"
        return _FileStore(_content(given.get("secretsfile", ""), folder), separator, several=given.get("multivalued", "").lower() == "true")
    raise ForeignError(f"spec.type: the secret store '{kind}' is not known; known: secretstores.local.env, secretstores.local.file")


class _Variables:
    """``secretstores.local.env``: a secret is a variable, and its only key is its name."""

    def __init__(self, prefix: str, environment: Mapping[str, str]) -> None:
        self._prefix = prefix
        self._environment = environment

    def find(self, name: str, key: str) -> str | None:
        variable = f"{self._prefix}{name}"
        return self._environment.get(variable) if key == name and is_readable(variable, self._environment) else None


class _FileStore:
    """``secretstores.local.file``: nested names are joined by a separator; with ``several``, a secret is a whole top-level object."""

    def __init__(self, content: Mapping[str, Any], separator: str, *, several: bool) -> None:
        self._separator = separator
        self._several = several
        self._secrets = (
            {
                name: dict(_flat(value, "", separator)) if isinstance(value, dict | list) else {name: _text(value)}
                for name, value in content.items()
            }
            if several
            else {name: {name: value} for name, value in _flat(content, "", separator)}
        )

    def find(self, name: str, key: str) -> str | None:
        found = self._secrets.get(name)
        if found is None and not self._several:  # the parts of a nested name may be given separately
            name = key = f"{name}{self._separator}{key}"
            found = self._secrets.get(name)
        return found.get(key) if found is not None else None


def _content(path: str, folder: str) -> Mapping[str, Any]:
    if not path or "\0" in path:
        raise ForeignError("spec.metadata: 'secretsFile' must be the path of a JSON file")
    # A sidecar resolves paths in its own start folder; a file that is shipped beside the component is found from any folder.
    candidates = (path, os.path.join(folder, path))
    found = next((item for item in candidates if os.path.isfile(item)), path)
    try:
        content = next(documents(read_text(found), "secrets.json"))
    except DocumentError as error:
        raise ForeignError(f"spec.metadata: secretsFile '{path[:200]}': {error}") from None
    if not isinstance(content, Mapping):
        raise ForeignError(f"spec.metadata: secretsFile '{path[:200]}': it must hold an object")
    return content


def _flat(value: object, name: str, separator: str) -> Iterator[tuple[str, str]]:
    members = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else None
    if members is None:
        yield name, _text(value)
        return
    for key, item in members:
        yield from _flat(item, f"{name}{separator}{key}" if name else str(key), separator)


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)
