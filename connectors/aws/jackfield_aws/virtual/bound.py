"""Connectors that were frozen from a service model (``"model"`` in their manifest), as objects that the runtime runs like any other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, cast

from jackfield.connector import Action, Connector, DeclarationError, Inputs, Output, Pagination
from jackfield_aws.connection_types import ApiKeySecret, AwsAssumeRole, AwsDefault
from jackfield_aws.virtual import models
from jackfield_aws.virtual.errors import SERVICE_ERRORS
from jackfield_aws.virtual.names import action_key
from jackfield_aws.virtual.operations import OWN, callable_of
from jackfield_aws.virtual.source import offer_regions

Json = Mapping[str, Any]


def bound(manifest: Json, _row: Callable[[str], Json] | None = None) -> Connector:
    """Return the connector that a frozen manifest describes: the entry point of the group ``jackfield.bindings``.

    The function that finds an action's whole JSON is not needed: schemas are those of the service model.
    """
    return FrozenConnector(manifest)


class FrozenConnector(Connector):
    """Connector whose actions are operations of one service model, in the words of its own manifest."""

    def __init__(self, manifest: Json) -> None:
        super().__init__(
            manifest["key"],
            title=manifest["title"],
            version=manifest["version"],
            description=manifest.get("description", ""),
            connections=[AwsAssumeRole, ApiKeySecret, AwsDefault],
            explain=SERVICE_ERRORS,
            hosts=manifest.get("hosts", ()),
        )
        self.raw = manifest
        self.actions = cast("Any", _Frozen(manifest))
        offer_regions(self, str(manifest.get("model")))

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
        names = {name for row in self.raw["actions"] for name in row.get("permissions", {}).get("aws:iam", ())}
        return {"aws:iam": tuple(sorted(names))}


class _Frozen(Mapping[str, Action]):
    """Actions by key, made when they are first called."""

    def __init__(self, manifest: Json) -> None:
        self._service = str(manifest.get("model"))
        self._rows = {row["key"]: row for row in manifest["actions"]}
        self.declared: dict[str, Action] = {}

    def __getitem__(self, key: str) -> Action:
        found = self.declared.get(key)
        if found is None:
            found = self.declared[key] = _action(self._service, self._rows[key])
        return found

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def _action(service: str, row: Json) -> Action:
    from jackfield_aws.virtual.calls import JsonOutput
    from jackfield_aws.virtual.inputs import InputModel

    name = next((name for name in models.operations(service) if action_key(name) == row["key"]), None)
    if name is None:
        raise DeclarationError(f"botocore {models.botocore_version()} has no operation '{row['key']}' of '{service}'")
    function, shape = callable_of(service, name)
    taken = frozenset() if shape is None else frozenset(shape.members)
    paging = row.get("pagination")
    return Action(
        key=row["key"],
        title=row["title"],
        description=row["description"],
        effect=row.get("effect", "write"),
        function=function,
        inputs=cast("type[Inputs]", InputModel(OWN - taken, shape)),
        output=cast("type[Output]", JsonOutput),
        takes_client=True,
        is_async=False,
        returns_files=function.stream is not None,
        permissions={system: tuple(names) for system, names in row.get("permissions", {}).items()},
        pagination=None if paging is None else Pagination.from_json(paging, row["key"]),
        idempotent_by=row.get("idempotentBy"),
    )
