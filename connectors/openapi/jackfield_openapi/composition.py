"""Properties of a composed schema: the names that it declares over all of its branches, and the inheritances of a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from jackfield.connector import pointer
from jackfield_openapi.pointing import Pointing, local

COMBINING = ("allOf", "oneOf", "anyOf")
BUNDLED = "x-jackfield-bundled"
"""Member of a bundled document with the files that it refers to."""


class Composition:
    """Reader of composed schemas of one document."""

    def __init__(self, pointing: Pointing) -> None:
        self._pointing = pointing
        self._heirs: dict[str, list[str]] = {}
        for base, heir in _inheritances(pointing.root):
            self._heirs.setdefault(base, []).append(heir)

    def is_base(self, at: str) -> bool:
        """Return whether other schemas derive from the one at ``at``: its discriminator names the schema of a value."""
        node = self.at(at)
        about = node.get("discriminator") if isinstance(node, dict) else None
        if not isinstance(about, dict) or any(node.get(name) for name in ("oneOf", "anyOf")):
            return False
        return at in self._heirs or bool(about.get("mapping"))

    def derived(self, at: str) -> list[str]:
        """Return the places of all schemas that derive from a base, by ``allOf`` or by the mapping of its discriminator."""
        found: dict[str, None] = {}
        waiting = [at]
        while waiting:
            place = waiting.pop(0)
            for heir in [*self._heirs.get(place, ()), *self._mapped(place)]:
                if heir not in found and heir != at:
                    found[heir] = None
                    waiting.append(heir)
        return list(found)

    def _mapped(self, at: str) -> Iterator[str]:
        node = self.at(at)
        about = node.get("discriminator") if isinstance(node, dict) else None
        mapping = about.get("mapping") if isinstance(about, dict) else None
        for target in mapping.values() if isinstance(mapping, dict) else ():
            with suppress(LookupError):
                yield mapped(target)

    def at(self, place: str) -> Any:
        """Return the schema at a place; None if there is none."""
        try:
            return self._pointing.find(place)
        except LookupError:
            return None

    def is_marked(self, sub: object, mark: str) -> bool:
        """Return whether a member has a mark such as ``readOnly``, itself or by the schema that it refers to."""
        if isinstance(sub, dict) and isinstance(sub.get("$ref"), str) and mark not in sub:
            sub = self.target(sub["$ref"])
        return isinstance(sub, dict) and sub.get(mark) is True

    def members(self, node: object) -> dict[str, list[Any]]:
        """Return the schemas of each declared name of a schema and its branches, references resolved."""
        found: dict[str, list[Any]] = {}
        for part in self.parts(node):
            named = part.get("properties")
            if isinstance(named, dict):
                for name, schema in named.items():
                    found.setdefault(name, []).append(schema)
        return found

    def refined(self, node: object) -> frozenset[str]:
        """Return the names of objects and lists that several parts of an ``allOf`` describe, each with members of its own."""
        found: dict[str, list[Any]] = {}
        for part in self.parts(node, ("allOf",)):
            named = part.get("properties")
            for name, schema in named.items() if isinstance(named, dict) else ():
                if any("properties" in one or "items" in one for one in self.parts(schema)) and schema not in found.get(name, ()):
                    found.setdefault(name, []).append(schema)
        return frozenset(name for name, schemas in found.items() if len(schemas) > 1)

    def parts(self, node: object, combining: tuple[str, ...] = COMBINING) -> Iterator[Mapping[str, Any]]:
        """Yield a schema and all branches that apply to the same value, each once."""
        seen: set[int] = set()
        waiting = [node]
        while waiting:
            part = waiting.pop()
            if not isinstance(part, dict) or id(part) in seen:
                continue
            seen.add(id(part))
            yield part
            for keyword in combining:
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


def mapped(target: object) -> str:
    """Return the place of a schema that a discriminator's mapping names, by a reference or by its bare name.

    :raises LookupError: if it is no place of this document.
    """
    text = str(target)
    return local(text if "/" in text or "#" in text else f"#/components/schemas/{text}")


def _inheritances(root: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the place of each schema that another one inherits by ``allOf``, with the place of its heir."""
    named = [(name,) for name in ("components", "paths", "webhooks", BUNDLED)]
    waiting: list[tuple[Any, tuple[str, ...]]] = [(root.get(steps[0]), steps) for steps in named]
    while waiting:
        value, steps = waiting.pop()
        if isinstance(value, dict):
            for branch in value["allOf"] if isinstance(value.get("allOf"), list) else ():
                if isinstance(branch, dict) and isinstance(branch.get("$ref"), str):
                    with suppress(LookupError):
                        yield local(branch["$ref"]), pointer(*steps)
            waiting.extend((member, (*steps, name)) for name, member in value.items() if isinstance(member, dict | list))
        elif isinstance(value, list):
            waiting.extend((item, (*steps, str(number))) for number, item in enumerate(value) if isinstance(item, dict | list))
