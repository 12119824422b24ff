"""Properties of a composed schema: the names that it declares over all of its branches, and the
inheritances of a document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from jackfield.connector import pointer
from jackfield_openapi.pointing import Pointing, local

COMBINING = ("allOf", "oneOf", "anyOf")
BUNDLED = "x-jackfield-bundled"
"""Member of a bundled document that holds the files it refers to."""


class Composition:
    """Reader of composed schemas of one document."""

    def __init__(self, pointing: Pointing) -> None:
        self._pointing = pointing
        self._heirs: dict[str, list[str]] = {}
        for base, heir in _inheritances(pointing.root):
            self._heirs.setdefault(base, []).append(heir)

    def is_base(self, at: str) -> bool:
        """Return whether the schema at ``at`` is a base: its discriminator selects derived schemas,
        not its own alternatives.
        """
        node = self.at(at)
        about = node.get("discriminator") if isinstance(node, dict) else None
        if not isinstance(about, dict) or any(node.get(name) for name in ("oneOf", "anyOf")):
            return False
        return at in self._heirs or bool(about.get("mapping"))

    def derived(self, at: str) -> list[str]:
        """Return the JSON Pointers of all schemas that derive from the schema at ``at``, by
        ``allOf`` or by a discriminator's mapping.
        """
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
        """Return the schema at a JSON Pointer; None if the document has none there."""
        try:
            return self._pointing.find(place)
        except LookupError:
            return None

    def is_marked(self, sub: object, mark: str) -> bool:
        """Return whether a member is marked, such as by ``readOnly``, in its own schema or in the
        schema that it refers to.
        """
        if isinstance(sub, dict) and isinstance(sub.get("$ref"), str) and mark not in sub:
            sub = self.target(sub["$ref"])
        return isinstance(sub, dict) and sub.get(mark) is True

    def members(self, node: object) -> dict[str, list[Any]]:
        """Return all schemas of each property that a schema or one of its branches declares, by the
        property's name.
        """
        found: dict[str, list[Any]] = {}
        for part in self.parts(node):
            named = part.get("properties")
            if isinstance(named, dict):
                for name, schema in named.items():
                    found.setdefault(name, []).append(schema)
        return found

    def refined(self, node: object) -> frozenset[str]:
        """Return the names of objects and lists that several parts of an ``allOf`` describe
        differently.
        """
        found: dict[str, list[Any]] = {}
        for part in self.parts(node, ("allOf",)):
            named = part.get("properties")
            for name, schema in named.items() if isinstance(named, dict) else ():
                if any(
                    "properties" in one or "items" in one for one in self.parts(schema)
                ) and schema not in found.get(name, ()):
                    found.setdefault(name, []).append(schema)
        return frozenset(name for name, schemas in found.items() if len(schemas) > 1)

    def parts(
        self, node: object, combining: tuple[str, ...] = COMBINING
    ) -> Iterator[Mapping[str, Any]]:
        """Yield a schema and all of its branches by the keywords ``combining``, each once, with
        references resolved.
        """
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
        """Return the target of a reference within the document; None if it does not exist."""
        try:
            return self._pointing.find(local(reference))
        except LookupError:
            return None


def mapped(target: object) -> str:
    """Return the JSON Pointer of a schema that a discriminator's mapping names, by a reference or
    by its bare name.

    :raises LookupError: if the target is outside this document.
    """
    text = str(target)
    return local(text if "/" in text or "#" in text else f"#/components/schemas/{text}")


def _inheritances(root: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the JSON Pointers of a base schema and of a schema that inherits it by ``allOf``, for
    each such pair.
    """
    named = [(name,) for name in ("components", "paths", "webhooks", BUNDLED)]
    waiting: list[tuple[Any, tuple[str, ...]]] = [(root.get(steps[0]), steps) for steps in named]
    while waiting:
        value, steps = waiting.pop()
        if isinstance(value, dict):
            for branch in value["allOf"] if isinstance(value.get("allOf"), list) else ():
                if isinstance(branch, dict) and isinstance(branch.get("$ref"), str):
                    with suppress(LookupError):
                        yield local(branch["$ref"]), pointer(*steps)
            waiting.extend(
                (member, (*steps, name))
                for name, member in value.items()
                if isinstance(member, dict | list)
            )
        elif isinstance(value, list):
            waiting.extend(
                (item, (*steps, str(number)))
                for number, item in enumerate(value)
                if isinstance(item, dict | list)
            )
