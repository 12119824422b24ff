"""Catalog of one workspace: the installed connectors, and what the operator offers it of catalog sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jackfield.catalog.installed import Catalog, Entry, unknown_connector
from jackfield.catalog.offering import Offering
from jackfield.catalog.versions import choose
from jackfield.errors import UnknownConnector
from jackfield.manifest import ActionManifest, Manifest


class OfferedCatalog(Catalog):
    """Catalog of one workspace: all installed connectors, and what the operator offers of catalog sources."""

    def __init__(self, whole: Catalog, offering: Offering, workspace: str, *, over_mcp: bool = False) -> None:
        super().__init__(())
        self._whole = whole
        self.offering = self._offering = offering
        self._workspace = workspace
        self._offers = {name: offer for name, offer in offering.of(workspace).items() if offer.mcp or not over_mcp}
        self._parts: dict[str, Manifest | None] = {}
        self._loaded_parts: set[str] = set()
        self._over_mcp: Catalog | None = self if over_mcp else None

    def over_mcp(self) -> Catalog:
        """Return the catalog without what is not offered over MCP."""
        if self._over_mcp is None:
            self._over_mcp = OfferedCatalog(self._whole, self._offering, self._workspace, over_mcp=True)
        return self._over_mcp

    def __iter__(self) -> Iterator[str]:
        return iter(sorted([*self._whole, *(key for key in self._virtual() if self._part(key) is not None)]))

    def _virtual(self) -> Iterator[str]:
        for name, offer in self._offers.items():
            source = self._offering.source(name)
            yield from (key for key in source.keys() if offer.may_hold(key[len(name) + 1 :]))  # noqa: SIM118 (no mapping)

    def refresh(self) -> None:
        """Read the data folder again if it has changed."""
        self._whole.refresh()

    @property
    def generation(self) -> int:
        """Number of changes of the data folder that the catalog has seen."""
        return self._whole.generation

    def look(self, key: str, *, load: bool = False) -> tuple[Entry, Manifest | None]:
        """Return a connector's row and its manifest."""
        part = self._part(key)
        if part is None:
            return self._whole.look(key, load=load)
        return Entry(key, part.title, part.version, part.actions, None, (part.version,)), part

    @property
    def whole(self) -> Catalog:
        """The catalog of the process, with nothing that is offered."""
        return self._whole

    def offered_entries(self) -> list[Entry]:
        """Return the rows of the virtual connectors, sorted by key."""
        return [self.look(key)[0] for key in sorted(self._virtual()) if self._part(key) is not None]

    def with_type(self, name: str) -> list[Manifest]:
        """Return the manifests of the connectors that take connections of the type ``name``, sorted by key."""
        parts = (part for key in self._virtual() if (part := self._part(key)) is not None)
        found = [*self._whole.with_type(name), *(part for part in parts if part.connection_type(name) is not None)]
        return sorted(found, key=lambda manifest: manifest.key)

    def manifests(self) -> list[Manifest]:
        """Return the manifests of all connectors that are not broken, sorted by key."""
        found = [part for key in self._virtual() if (part := self._part(key)) is not None]
        return sorted([*self._whole.manifests(), *found], key=lambda manifest: manifest.key)

    def find(self, key: str, version: str | None = None) -> Manifest:
        """Return the manifest of a connector.

        :raises UnknownConnector: if it is not installed or not offered, is broken, or no version matches.
        """
        part = self._part(key)
        if part is None:
            if key.partition(".")[0] in self._offers:
                raise unknown_connector(key, self)
            return self._whole.find(key, version)
        if version is not None:
            choose(key, [part.version], version)
        return part

    def has(self, key: str, action: str, effect: str | None = None) -> bool:
        """Return whether an action is installed or offered."""
        name, _, short = key.partition(".")
        if effect is not None and short and name in self._offers:  # without making its actions
            return self._offers[name].holds(short, action, effect)
        part = self._part(key)
        return action in part.actions if part is not None else self._whole.has(key, action)

    def load(self, key: str, action: str | None = None, version: str | None = None) -> Any:
        """Return the connector's code."""
        if self._part(key) is None:
            return self._whole.load(key, action, version)
        found = self._offering.source(key.partition(".")[0]).load(key)
        self._loaded_parts.add(key)
        return found

    def has_loaded(self, key: str, action: str, version: str | None = None) -> bool:
        """Return whether ``load`` would find the code of the action imported; a virtual connector's model is read on first use."""
        return key in self._loaded_parts if self._part(key) is not None else self._whole.has_loaded(key, action, version)

    def differs(self, key: str) -> str | None:
        """Return the first difference between a connector's manifest and its code; a virtual one's are made from the same model."""
        return None if self._part(key) is not None else self._whole.differs(key)

    def _part(self, key: str) -> Manifest | None:
        """Return what is offered of a virtual connector; None if it is not virtual, or nothing of it is."""
        if key not in self._parts:
            if key.partition(".")[0] not in self._offers or "." not in key:
                return None  # not cached: callers choose the keys
            self._parts[key] = self._cut(key)
        return self._parts[key]

    def _cut(self, key: str) -> Manifest | None:
        name, _, short = key.partition(".")
        offer, source = self._offers[name], self._offering.source(name)
        if not offer.may_hold(short):
            return None
        try:
            manifest = source.manifest(key)
        except UnknownConnector:
            return None
        if offer.holds_all(short):
            return manifest
        actions = {item.key: item for item in manifest.actions.values() if offer.holds(short, item.key, item.effect)}
        if len(actions) == len(manifest.actions):
            return manifest
        return _only(manifest, actions) if actions else None


def _only(manifest: Manifest, actions: Mapping[str, ActionManifest]) -> Manifest:
    raw = {**manifest.raw, "actions": [item for item in manifest.raw["actions"] if item["key"] in actions]}
    return manifest.part(actions=actions, raw=raw)
