"""Manifests of virtual connectors. All 439 are listed at once; the actions of one are made when they are read, and the last used stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, cast

from jackfield.manifest import ActionManifest, ActionRow, ConnectionTypeManifest, Manifest
from jackfield_aws.version import VERSION
from jackfield_aws.virtual.credentials import HANDS_OUT
from jackfield_aws.virtual.names import PREFIX, action_key, title_of
from jackfield_aws.virtual.recent import Recent
from jackfield_aws.virtual.usual import EVERYDAY, KEYWORDS

if TYPE_CHECKING:
    from jackfield.manifest import Effect, Json
    from jackfield_aws.virtual.index import Index

_HOSTS = ("*.amazonaws.com", "*.amazonaws.com.cn")
_MADE = Recent(60)
"""Actions of the services that were used last."""


class ServiceActions(Mapping[str, ActionManifest]):
    """Actions of a service by key, except the operations ``without``. The number of all is known without reading them."""

    def __init__(self, index: Index, service: str, without: frozenset[str] = frozenset()) -> None:
        self._index = index
        self._service = service
        self._without = without
        self._handed = HANDS_OUT.get(service, frozenset[str]())
        self._hidden = {action_key(name) for name in without}

    def _read(self) -> dict[str, ActionManifest]:
        return _MADE.get((self._index.path, self._service), self._made)

    def _made(self) -> dict[str, ActionManifest]:
        from jackfield_aws.virtual.lazy import VirtualAction  # imports pydantic, which lists do not need

        service = self._service
        rows = (
            VirtualAction(
                service,
                name,
                title_of(name),
                summary,
                cast("Effect", effect),
                KEYWORDS.get((service, name), ""),
                hands_out=name in self._handed,
            )
            for name, summary, effect in self._index.rows(service)
        )
        return {row.key: row for row in rows}

    def __getitem__(self, key: str) -> ActionManifest:
        if key in self._hidden:
            raise KeyError(key)
        return self._read()[key]

    def __iter__(self) -> Iterator[str]:
        return (action_key(name) for name, _, _ in self._listed())

    def __len__(self) -> int:
        return sum(1 for _ in self) if self._without else self._index.services[self._service].count

    def _listed(self) -> Iterator[tuple[str, str, str]]:
        return (row for row in self._index.rows(self._service) if row[0] not in self._without)

    def rows(self) -> Iterator[ActionRow]:
        """Yield a row for each action, which is not made for it."""
        service = self._service
        for name, summary, effect in self._listed():
            counted = "write" if name in self._handed else effect
            yield ActionRow(action_key(name), title_of(name), summary, counted, "", KEYWORDS.get((service, name), ""))


class VirtualManifest(Manifest):
    """Manifest of a service, whose actions and JSON are made when they are read. The operations ``without`` are left out."""

    __slots__ = ("_index", "_service", "_without")

    _index: Index
    _service: str
    _without: frozenset[str]

    def __init__(
        self,
        index: Index,
        service: str,
        connection_types: Mapping[str, ConnectionTypeManifest],
        without: frozenset[str] = frozenset(),
    ) -> None:
        head, give = index.services[service], object.__setattr__  # the base is frozen
        give(self, "_index", index)
        give(self, "_service", service)
        give(self, "_without", without)
        give(self, "key", PREFIX + service)
        give(self, "title", head.title)
        give(self, "description", head.description)
        give(self, "version", VERSION)
        give(self, "connection_types", connection_types)
        give(self, "hosts", _HOSTS)
        give(self, "virtual", True)
        give(self, "isolated", False)
        give(self, "rank", len(EVERYDAY) - EVERYDAY.index(service) if service in EVERYDAY else 0)

    @property
    def actions(self) -> Mapping[str, ActionManifest]:
        """Actions by key."""
        return ServiceActions(self._index, self._service, self._without)

    @property
    def is_generated(self) -> bool:
        """False, which is known without making its JSON."""
        return False

    def rows(self) -> Iterator[ActionRow]:
        """Yield a row for each action."""
        return ServiceActions(self._index, self._service, self._without).rows()

    @property
    def raw(self) -> Json:
        """The JSON that lists the actions without their schemas."""
        rows = [
            {
                "key": item.key,
                "title": item.title,
                "description": item.description,
                "effect": item.effect,
                **({"handsOutCredentials": True} if item.hands_out else {}),
            }
            for item in self.actions.values()
        ]
        regions = {"key": "awsRegions", "title": "AWS Regions", "description": "The regions of the service.", "needsConnection": False}
        return {
            "manifestVersion": 1,
            "key": self.key,
            "title": self.title,
            "description": self.description,
            "version": VERSION,
            "categories": ["aws"],
            "documentationUrl": "https://docs.aws.amazon.com/",
            "hosts": list(_HOSTS),
            "connectionTypes": self._index.connection_types,
            "actions": rows,
            "optionSources": [regions],
        }

    def part(self, **changes: Any) -> Manifest:
        """Return a manifest with some of the actions, which it has at once."""
        return Manifest(**{field.name: changes.get(field.name, getattr(self, field.name)) for field in fields(Manifest)})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VirtualManifest) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[str, str, frozenset[str]]:
        return self._index.path, self.key, self._without

    def __repr__(self) -> str:
        return f"VirtualManifest({self.key!r})"
