"""Properties of a composed schema: the names that it declares over all of its branches, and where a document composes by inheritance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jackfield_openapi.pointing import Pointing, local

COMBINING = ("allOf", "oneOf", "anyOf")


class Composition:
    """Reader of composed schemas of one document."""

    def __init__(self, pointing: Pointing) -> None:
        self._pointing = pointing
        self._bases = frozenset(_bases(pointing.root))

    def is_base(self, at: str) -> bool:
        """Return whether another schema of the document inherits the one at ``at`` by ``allOf``."""
        return at in self._bases

    def members(self, node: object) -> dict[str, list[Any]]:
        """Return the schemas of each declared name of a schema and its branches, references resolved."""
        found: dict[str, list[Any]] = {}
        for part in self.parts(node):
            named = part.get("properties")
            if isinstance(named, dict):
                for name, schema in named.items():
                    found.setdefault(name, []).append(schema)
        return found

    def parts(self, node: object) -> Iterator[Mapping[str, Any]]:
        """Yield a schema and all branches that apply to the same value, each once."""
        seen: set[int] = set()
        waiting = [node]
        while waiting:
            part = waiting.pop()
            if not isinstance(part, dict) or id(part) in seen:
                continue
            seen.add(id(part))
            yield part
            for keyword in COMBINING:
                branches = part.get(keyword)
                waiting.extend(branches if isinstance(branches, list) else ())
            if isinstance(part.get("$ref"), str):
                waiting.append(self.target(part["$ref"]))

    def target(self, reference: str) -> Any:
        """Return the target of a reference; None if there is none."""
        try:
            return self._pointing.find(local(reference))
        except LookupError:
            return None


def _bases(root: Mapping[str, Any]) -> Iterator[str]:
    waiting: list[Any] = [root.get("components"), root.get("paths"), root.get("webhooks")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            for branch in value["allOf"] if isinstance(value.get("allOf"), list) else ():
                if isinstance(branch, dict) and isinstance(branch.get("$ref"), str):
                    try:
                        yield local(branch["$ref"])
                    except LookupError:
                        continue
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
