"""Connectors without code of their own: a manifest describes them, and each action is made when it is first called."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from jackfield.connector.declare import Action, Connector

Json = Mapping[str, Any]


class DescribedConnector(Connector):
    """Connector that a manifest describes. ``make`` returns the action with a key."""

    def __init__(self, manifest: Json, connections: Sequence[type[Any]], make: Callable[[str], Action], **settings: Any) -> None:
        super().__init__(
            manifest["key"],
            title=manifest["title"],
            version=manifest["version"],
            description=manifest.get("description", ""),
            connections=connections,
            hosts=manifest.get("hosts", ()),
            **settings,
        )
        self.raw = manifest
        self.actions = _Made((row["key"] for row in manifest["actions"]), make)  # type: ignore[assignment]  # a mapping of the same kind

    @property
    def on_demand(self) -> Collection[str]:
        """Keys of all actions: none of them costs anything before it is called."""
        return self.actions.keys()

    def describe(self, actions: Collection[str] | None = None) -> dict[str, Any]:
        """Return the manifest, with all its actions or only some."""
        rows = self.raw["actions"]
        return {**self.raw, "actions": rows if actions is None else [row for row in rows if row["key"] in actions]}

    def permissions(self) -> Mapping[str, tuple[str, ...]]:
        """Return the permissions that all actions together need, by system."""
        union: dict[str, set[str]] = {}
        for row in self.raw["actions"]:
            for system, names in row.get("permissions", {}).items():
                union.setdefault(system, set()).update(names)
        return {system: tuple(sorted(names)) for system, names in union.items()}


class _Made(Mapping[str, Action]):
    """Actions by key, made when they are first called."""

    def __init__(self, keys: Iterator[str], make: Callable[[str], Action]) -> None:
        self._keys = dict.fromkeys(keys)
        self._make = make
        self.declared: dict[str, Action] = {}

    def __getitem__(self, key: str) -> Action:
        found = self.declared.get(key)
        if found is None:
            if key not in self._keys:
                raise KeyError(key)
            found = self.declared[key] = self._make(key)
        return found

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)
