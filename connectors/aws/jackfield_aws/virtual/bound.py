"""Connectors whose actions are operations of one service model: virtual and frozen connectors
(``"model"`` in the manifest).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, cast

from jackfield.connector import (
    Action,
    Connector,
    DeclarationError,
    Inputs,
    Marker,
    Option,
    Output,
    Pagination,
)
from jackfield.connector.actions import OptionSource
from jackfield.connector.described import DescribedConnector
from jackfield.manifest.manifest import EFFECTS, Effect, Manifest
from jackfield_aws.certificate_connection import AwsRolesAnywhere
from jackfield_aws.clients import AwsClients
from jackfield_aws.connection_types import ApiKeySecret, AwsAssumeRole, AwsDefault
from jackfield_aws.policies import Statement
from jackfield_aws.regions import regions_for
from jackfield_aws.s3.connector import OWN_ACTIONS
from jackfield_aws.s3.names import own_rows
from jackfield_aws.virtual import models
from jackfield_aws.virtual.call_statements import statements_of, statements_of_any
from jackfield_aws.virtual.calls import REGION, JsonOutput
from jackfield_aws.virtual.choices import choices_of
from jackfield_aws.virtual.credentials import HANDS_OUT
from jackfield_aws.virtual.effects import REPEAT_OK, Condition, condition_of, effect_of, verb_of
from jackfield_aws.virtual.errors import SERVICE_ERRORS
from jackfield_aws.virtual.inputs import InputModel, VirtualInputs
from jackfield_aws.virtual.jobs import as_job
from jackfield_aws.virtual.names import PREFIX, action_key, title_of
from jackfield_aws.virtual.operations import GLOBAL, OWN, callable_of, pace_by
from jackfield_aws.virtual.permissions import prefix_of
from jackfield_aws.virtual.plain_values import JSON_INPUTS
from jackfield_aws.virtual.recent import Recent
from jackfield_aws.virtual.trail import evidence_of

Json = Mapping[str, Any]

CONNECTION_TYPES = (AwsAssumeRole, ApiKeySecret, AwsDefault, AwsRolesAnywhere)
"""Connection types shared by all services."""
_ACTIONS = Recent(500)
"""Cache of the actions of virtual connectors called last."""
_AGAIN = "Make it again with 'jackfield generate aws'."


class _Sources(dict[str, OptionSource]):
    """Option sources of a service: its regions and, by an input's name, the resources from a list
    operation.
    """

    def __init__(self, service: str, own: Mapping[str, OptionSource]) -> None:
        super().__init__(own)
        self._service = service

    def __missing__(self, key: str) -> OptionSource:
        found, region = choices_of(self._service, key), GLOBAL.get(self._service)
        if found is None:
            raise KeyError(key)

        def listed(aws: AwsClients, inputs: Mapping[str, Any]) -> Iterable[Option]:
            return found.listed(aws, str(inputs.get(REGION) or aws.region or region or "") or None)

        about = f"Listed by {found.operation}."
        return OptionSource(
            key, title_of(key), about, listed, True, True, (REGION,), action_key(found.operation)
        )


class ServiceConnector(DescribedConnector):
    """Connector of a service, with its regions and resources as option sources."""

    def __init__(
        self, service: str, manifest: Json, make: Callable[[str], Action], *, kept: bool
    ) -> None:
        super().__init__(manifest, CONNECTION_TYPES, make, kept=kept, explain=SERVICE_ERRORS)

        @self.options("awsRegions", title="AWS Regions")
        def aws_regions() -> Iterable[Option]:
            """The regions of the service."""
            return [Option(code, f"{name} ({code})") for code, name in regions_for(service)]

        self.option_sources = _Sources(service, self.option_sources)
        self._model = service

    def statements_of(self, action: str, inputs: Mapping[str, Any] | None) -> Sequence[Statement]:
        """Return the IAM statements for a call of an action with ``inputs``; None stands for any
        inputs.
        """
        found = self.actions[action]
        own = found.permissions.get("aws:iam", ())
        name = _operations(self._model)[action]
        if inputs is None:
            return statements_of_any(
                self._model,
                name,
                own,
                models.members(self._model, name) or found.schema.get("properties", ()),
            )
        return statements_of(self._model, name, own, inputs, reads=found.effect == "read")


@lru_cache(maxsize=16)
def _operations(service: str) -> Mapping[str, str]:
    """Return a service's operations by action key."""
    names = (*models.operations(service), *(name for name, _, _ in own_rows(service)))
    return {action_key(name): name for name in reversed(names)}


class VirtualConnector(ServiceConnector):
    """Connector of a service in the installed botocore."""

    def __init__(self, manifest: Manifest) -> None:
        service = manifest.key.removeprefix(PREFIX)
        self._service, own = service, {action_key(name) for name, _, _ in own_rows(service)}

        def make(key: str) -> Action:
            if key in own:
                return OWN_ACTIONS.actions[key]
            return _ACTIONS.get(
                (service, key), lambda: _action(service, manifest.actions[key].content.row)
            )

        super().__init__(service, manifest.raw, make, kept=False)

    def permissions(self) -> Mapping[str, tuple[str, ...]]:
        """Return the permissions of the whole service, since a list of all would exceed a session
        policy.
        """
        return {"aws:iam": (f"{prefix_of(models.service_model(self._service))}:*",)}


def bound(manifest: Json, _row: Callable[[str], Json] | None = None) -> Connector:
    """Return the connector of a frozen manifest: the entry point of the group
    ``jackfield.bindings``.

    ``_row``, which returns an action's JSON, is not needed: schemas come from the service model.

    :raises DeclarationError: if the manifest is less cautious about an operation than this package:
        rules, retries and records depend on it.
    """
    service, rows = str(manifest.get("model")), {row["key"]: row for row in manifest["actions"]}
    _check_caution(service, rows)
    return ServiceConnector(service, manifest, lambda key: _action(service, rows[key]), kept=True)


def _check_caution(service: str, rows: Mapping[str, Json]) -> None:
    model, handed = models.service_model(service), HANDS_OUT.get(service, ())
    for name in models.operations(service):
        row = rows.get(action_key(name))
        if row is None:
            continue
        said, effect = row.get("effect", "write"), effect_of(service, model.operation_model(name))
        if EFFECTS.index(said) < EFFECTS.index(effect):
            raise DeclarationError(
                f"connector.json gives '{row['key']}' the effect {said}, but {service}:{name} is "
                f"{effect}. {_AGAIN}"
            )
        if name in handed and row.get("handsOutCredentials") is not True:
            raise DeclarationError(
                f"connector.json lacks 'handsOutCredentials' for '{row['key']}', but "
                f"{service}:{name} hands out credentials. {_AGAIN}"
            )


def _action(service: str, row: Json) -> Action:
    name = next(
        (name for name in models.operations(service) if action_key(name) == row["key"]), None
    )
    if name is None:
        raise DeclarationError(
            f"botocore {models.botocore_version()} has no operation '{row['key']}' of '{service}'"
        )
    function, shape = callable_of(service, name)
    taken = frozenset() if shape is None else frozenset(shape.members)
    paging = row.get("pagination")
    effect, condition = row.get("effect", "write"), condition_of(service, name, shape)
    evidence = evidence_of(service, name, effect, by_key=bool(function.tokens))
    action = Action(
        key=row["key"],
        title=row["title"],
        description=row["description"],
        effect=effect,
        effect_of=partial(_conditional, condition)
        if effect == "idempotent" and condition and not function.tokens
        else None,
        function=function,
        inputs=cast(
            "type[Inputs]", InputModel(OWN - taken, shape, JSON_INPUTS.get((service, name)))
        ),
        output=cast("type[Output]", JsonOutput),
        takes_client=True,
        is_async=False,
        returns_files=function.stream is not None,
        permissions={system: tuple(names) for system, names in row.get("permissions", {}).items()},
        pagination=None if paging is None else Pagination.from_json(paging, row["key"]),
        repeat_ok=REPEAT_OK.get(verb_of(name)[0], ()) if effect == "idempotent" else (),
        idempotent_by="key"
        if effect == "idempotent" and function.tokens
        else row.get("idempotentBy"),
        key_kept=row.get("keyKept"),
        pace_by=pace_by(service),
        hands_out=row.get("handsOutCredentials") is True,
        marker=Marker(agent=True) if evidence else None,
        evidence=evidence,
    )
    return as_job(action, function)


def _conditional(condition: Condition, given: VirtualInputs) -> Effect:
    """Return the effect of a call: ``write`` if the condition holds for its inputs, else
    ``idempotent``.
    """
    return "write" if condition(given.parameters) else "idempotent"
