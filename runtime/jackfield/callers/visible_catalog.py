"""The catalog as one caller sees it: connectors and actions that the rules forbid appear not to be
installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.catalog.installed import Catalog, CatalogRow
from jackfield.catalog.loading import unknown_connector
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import UnknownConnector

if TYPE_CHECKING:
    from jackfield.callers.authorizer import Authorizer
    from jackfield.manifest.manifest import ActionManifest, Manifest


class SeenCatalog(Catalog):
    """Part of a catalog that a caller may see. ``connection`` narrows it to actions that may be run
    over the connection of that name.

    A broken connector is hidden: without its manifest, the rules cannot be applied to its actions.
    """

    def __init__(
        self, whole: Catalog, authorizer: Authorizer, connection: str | None = None
    ) -> None:
        super().__init__(())
        self._whole = whole
        self._authorizer = authorizer
        self._connection = connection
        self._seen: dict[tuple[str, str | None], Manifest | None] = {}

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._whole if self._part(key) is not None)

    def look(self, key: str, *, load: bool = False) -> tuple[CatalogRow, Manifest | None]:
        """Return a connector's row and its manifest, limited to the visible actions. If none is
        visible, the row has an error and the manifest is None.
        """
        part = self._part(key)
        if part is None:
            return CatalogRow(key, key, None, (), str(self._unknown(key))), None
        entry, _ = self._whole.look(key, load=load)
        return replace(entry, actions=tuple(part.actions)), part

    def manifests(self) -> list[Manifest]:
        """Return the manifests of all visible connectors, by key."""
        return [found for key in self._whole if (found := self._part(key)) is not None]

    def with_type(self, name: str) -> list[Manifest]:
        """Return the manifests of the visible connectors that accept connections of the type
        ``name``, sorted by key.
        """
        parts = (self._part(manifest.key) for manifest in self._whole.with_type(name))
        return [
            part for part in parts if part is not None and part.connection_type(name) is not None
        ]

    def find(self, key: str, version: str | None = None) -> Manifest:
        """Return the manifest of a connector, limited to the visible actions.

        :raises UnknownConnector: if the connector is unknown, hidden or broken, or no version
            matches.
        """
        part = self._part(key)
        if part is None:
            raise self._unknown(key)
        if version is not None:
            part = self._part(key, self._whole.find(key, version))
            if part is None:
                raise self._unknown(key)
        return part

    def has(self, key: str, action: str, effect: str | None = None) -> bool:
        """Return whether an action is visible."""
        if effect is not None and self.by_names:
            seen = self._authorizer.seen_names(key, lambda: [(action, effect)])
            return bool(seen) and self._whole.has(key, action, effect)
        part = self._part(key)
        return part is not None and action in part.actions

    @property
    def by_names(self) -> bool:
        """True if keys and effects of actions determine which actions are visible."""
        return self._connection is None and not self._authorizer.asks_for_connections

    @property
    def offered_whole(self) -> tuple[str, ...]:
        """Names of the catalog sources whose connectors are all offered. Lists name such a source
        once.
        """
        return self._whole.offered_whole

    def stored_manifests(self) -> list[Manifest]:
        """Return the visible parts of the manifests that the workspace has stored."""
        return [
            part
            for one in self._whole.stored_manifests()
            if (part := self._part(one.key)) is not None
        ]

    @property
    def base(self) -> Catalog:
        """Catalog whose visible part this is."""
        return self._whole

    def narrowed(
        self, entries: Iterable[CatalogRow], names: Callable[[str], Iterable[tuple[str, str]]]
    ) -> Iterator[CatalogRow]:
        """Yield the visible part of the rows of ``base``, without reading manifests. This requires
        ``by_names``.

        ``names`` returns keys and effects of a connector's actions.
        """
        for entry in entries:
            seen = (
                {*self._authorizer.seen_names(entry.key, partial(names, entry.key))}
                if entry.error is None
                else ()
            )
            actions = tuple(action for action in entry.actions if action in seen) if seen else ()
            if actions:
                yield replace(entry, actions=actions)

    def load(self, key: str, action: str | None = None, version: str | None = None) -> Any:
        """Return the connector's code."""
        self.find(key)
        return self._whole.load(key, action, version)

    def _unknown(self, key: str) -> UnknownConnector:
        return unknown_connector(key, self._whole, lambda name: self._part(name) is not None)

    def _part(self, key: str, chosen: Manifest | None = None) -> Manifest | None:
        """Return the visible part of a manifest, by default of the default version; None if all of
        it is hidden.
        """
        version = None if chosen is None else chosen.version
        if (key, version) not in self._seen:
            self._seen[key, version] = self._cut(key, chosen)
        return self._seen[key, version]

    def _cut(self, key: str, chosen: Manifest | None) -> Manifest | None:
        if self._authorizer.hides(key, self._connection):
            return None
        try:
            manifest = chosen or self._whole.find(key)
        except UnknownConnector:
            return None
        seen = self._seen_in(manifest)
        if len(seen) == len(manifest.actions):
            return manifest
        if not seen:
            return None
        actions = {name: manifest.actions[name] for name in manifest.actions if name in seen}
        serving = {
            key: kind
            for key, kind in manifest.connection_types.items()
            if any(kind.can_serve(name) for name in actions)
        }
        return manifest.part(
            actions=actions,
            connection_types=serving or manifest.connection_types,
            raw=_raw(manifest, actions),
        )

    def _seen_in(self, manifest: Manifest) -> set[str]:
        if self.by_names:  # without making the actions
            return {
                *self._authorizer.seen_names(
                    manifest.key, lambda: ((row.key, row.effect) for row in manifest.rows())
                )
            }
        return {name for name, action in manifest.actions.items() if self._sees(manifest, action)}

    def _sees(self, manifest: Manifest, action: ActionManifest) -> bool:
        if self._connection is None:
            return self._authorizer.sees_action(manifest, action)
        return self._authorizer.permits(manifest, action, self._connection)


def _raw(manifest: Manifest, actions: dict[str, Any]) -> dict[str, Any]:
    """Return the published JSON without hidden actions, without connection types that serve only
    hidden actions, and without aliases, which name all actions.
    """
    raw = {name: value for name, value in manifest.raw.items() if name != "aliases"}
    raw["actions"] = [item for item in raw.get("actions", ()) if item["key"] in actions]
    serving = {
        kind.key
        for kind in manifest.connection_types.values()
        if any(kind.can_serve(name) for name in actions)
    }
    raw["connectionTypes"] = [
        _type(item, actions) for item in raw.get("connectionTypes", ()) if item["key"] in serving
    ]
    return raw


def _type(item: dict[str, Any], actions: dict[str, Any]) -> dict[str, Any]:
    serves = item.get("serves")
    if not serves:
        return item
    return {
        **item,
        "serves": {**serves, "actions": [name for name in serves["actions"] if name in actions]},
    }
