"""Definitions that the schemas of one connector share (``$defs`` of its manifest), added to each
schema that refers to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jackfield.kernel.pointers import unescaped

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import Any

_PREFIX = "#/$defs/"
_MOST = 1024


class Definitions:
    """Shared definitions of a manifest. A schema is completed on first use, since a connector may
    have thousands.
    """

    def __init__(self, shared: Mapping[str, Any]) -> None:
        self._shared = shared
        self._completed: dict[int, Mapping[str, Any]] = {}

    def complete(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a schema with the definitions that it refers to. The schema must belong to the
        manifest, and live as long.
        """
        found = self._completed.get(id(schema))
        if found is None:
            needed = self._needed(schema)
            found = {**schema, "$defs": {**schema.get("$defs", {}), **needed}} if needed else schema
            if len(self._completed) >= _MOST:
                self._completed.clear()
            self._completed[id(schema)] = found
        return found

    def _needed(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        waiting: list[Any] = [schema]
        while waiting:
            for name in references(waiting.pop()):
                if name not in found and name in self._shared:
                    found[name] = self._shared[name]
                    waiting.append(found[name])
        return found


def completed(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a whole manifest with the shared definitions in each schema that refers to them."""
    if "$defs" not in manifest:
        return manifest
    definitions = Definitions(manifest["$defs"])
    rows = [
        {
            **row,
            "inputs": definitions.complete(row["inputs"]),
            "output": definitions.complete(row["output"]),
        }
        for row in manifest.get("actions", ())
    ]
    return {**{name: value for name, value in manifest.items() if name != "$defs"}, "actions": rows}


def references(schema: object) -> Iterator[str]:
    """Yield the names of the shared definitions that a schema refers to."""
    waiting = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            reference = value.get("$ref")
            if isinstance(reference, str) and reference.startswith(_PREFIX):
                yield unescaped(reference[len(_PREFIX) :])
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
