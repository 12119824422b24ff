"""Connectors that were frozen from a service model (``"model"`` in their manifest), as objects that the runtime runs like any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from jackfield.connector import Action, Connector, DeclarationError, Inputs, Output, Pagination
from jackfield.connector.described import DescribedConnector
from jackfield.manifest import EFFECTS
from jackfield_aws.connection_types import ApiKeySecret, AwsAssumeRole, AwsDefault
from jackfield_aws.virtual import models
from jackfield_aws.virtual.credentials import HANDS_OUT
from jackfield_aws.virtual.effects import effect_of
from jackfield_aws.virtual.errors import SERVICE_ERRORS
from jackfield_aws.virtual.names import action_key
from jackfield_aws.virtual.operations import OWN, callable_of, pace_by
from jackfield_aws.virtual.source import offer_regions

Json = Mapping[str, Any]

_AGAIN = "Make it again with 'jackfield generate aws'."


def bound(manifest: Json, _row: Callable[[str], Json] | None = None) -> Connector:
    """Return the connector that a frozen manifest describes: the entry point of the group ``jackfield.bindings``.

    The function that finds an action's whole JSON is not needed: schemas are those of the service model.
    """
    return FrozenConnector(manifest)


class FrozenConnector(DescribedConnector):
    """Connector whose actions are operations of one service model, in the words of its own manifest.

    :raises DeclarationError: if the manifest is less cautious about an operation than this package: rules, retries and records go by it.
    """

    def __init__(self, manifest: Json) -> None:
        service, rows = str(manifest.get("model")), {row["key"]: row for row in manifest["actions"]}
        _check_caution(service, rows)
        connections = [AwsAssumeRole, ApiKeySecret, AwsDefault]
        super().__init__(manifest, connections, lambda key: _action(service, rows[key]), explain=SERVICE_ERRORS)
        offer_regions(self, service)


def _check_caution(service: str, rows: Mapping[str, Json]) -> None:
    model, handed = models.service_model(service), HANDS_OUT.get(service, ())
    for name in models.operations(service):
        row = rows.get(action_key(name))
        if row is None:
            continue
        said, effect = row.get("effect", "write"), effect_of(service, model.operation_model(name))
        if EFFECTS.index(said) < EFFECTS.index(effect):
            raise DeclarationError(f"connector.json gives '{row['key']}' the effect {said}, but {service}:{name} is {effect}. {_AGAIN}")
        if name in handed and row.get("handsOutCredentials") is not True:
            raise DeclarationError(
                f"connector.json lacks 'handsOutCredentials' for '{row['key']}', but {service}:{name} hands out credentials. {_AGAIN}"
            )


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
        idempotent_by="key" if row.get("effect") == "idempotent" and function.tokens else row.get("idempotentBy"),
        pace_by=pace_by(service),
        hands_out=row.get("handsOutCredentials") is True,
    )
