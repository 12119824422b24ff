"""Connectors that were frozen from a service model (``"model"`` in their manifest), as objects that the runtime runs like any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from jackfield.connector import Action, Connector, DeclarationError, Inputs, Output, Pagination
from jackfield.connector.described import DescribedConnector
from jackfield_aws.connection_types import ApiKeySecret, AwsAssumeRole, AwsDefault
from jackfield_aws.virtual import models
from jackfield_aws.virtual.errors import SERVICE_ERRORS
from jackfield_aws.virtual.names import action_key
from jackfield_aws.virtual.operations import OWN, callable_of, pace_by
from jackfield_aws.virtual.source import offer_regions

Json = Mapping[str, Any]


def bound(manifest: Json, _row: Callable[[str], Json] | None = None) -> Connector:
    """Return the connector that a frozen manifest describes: the entry point of the group ``jackfield.bindings``.

    The function that finds an action's whole JSON is not needed: schemas are those of the service model.
    """
    return FrozenConnector(manifest)


class FrozenConnector(DescribedConnector):
    """Connector whose actions are operations of one service model, in the words of its own manifest."""

    def __init__(self, manifest: Json) -> None:
        service, rows = str(manifest.get("model")), {row["key"]: row for row in manifest["actions"]}
        connections = [AwsAssumeRole, ApiKeySecret, AwsDefault]
        super().__init__(manifest, connections, lambda key: _action(service, rows[key]), explain=SERVICE_ERRORS)
        offer_regions(self, service)


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
        pace_by=pace_by(service),
    )
