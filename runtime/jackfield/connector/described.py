"""Connectors without their own code: a manifest describes them, and each action is created when it
is first called.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from jackfield.catalog.indexed import LazyMapping
from jackfield.connector.actions import Action, united
from jackfield.connector.declare import Connector

Json = Mapping[str, Any]


class DescribedConnector(Connector):
    """Connector that a manifest describes. ``make`` returns the action with a key; it is called
    once per key unless ``kept`` is False.
    """

    def __init__(
        self,
        manifest: Json,
        connections: Sequence[type[Any]],
        make: Callable[[str], Action],
        *,
        kept: bool = True,
        **settings: Any,
    ) -> None:
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
        self.actions = LazyMapping(
            dict.fromkeys(row["key"] for row in manifest["actions"]), make, kept=kept
        )

    @property
    def on_demand(self) -> Collection[str]:
        """Keys of all actions, since each is created at its first call."""
        return self.actions.keys()

    def describe(self, actions: Collection[str] | None = None) -> dict[str, Any]:
        """Return the manifest, with all its actions or only some."""
        rows = self.raw["actions"]
        return {
            **self.raw,
            "actions": rows if actions is None else [row for row in rows if row["key"] in actions],
        }

    def permissions(self) -> Mapping[str, tuple[str, ...]]:
        """Return the permissions of all actions together, by system."""
        return united(row.get("permissions", {}) for row in self.raw["actions"])
