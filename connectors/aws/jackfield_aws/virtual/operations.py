"""Conversion of one operation to an action: schemas, effect, pages, permissions, and the function
that calls it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore import xform_name
from botocore.model import OperationNotFoundError

from jackfield.connector import Pagination
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import UnknownAction
from jackfield.manifest.manifest import Effect
from jackfield_aws.regions import (
    ANY_REGION_EXPECTED,
    ANY_REGION_PATTERN,
    REGION_EXPECTED,
    REGION_PATTERN,
)
from jackfield_aws.s3.names import PERMISSIONS as OWN_PERMISSIONS
from jackfield_aws.virtual import models
from jackfield_aws.virtual.calls import REGION, CalledOperation
from jackfield_aws.virtual.choices import choices_of
from jackfield_aws.virtual.effects import effect_of
from jackfield_aws.virtual.entry_errors import READS, entry_errors
from jackfield_aws.virtual.kept_keys import key_kept
from jackfield_aws.virtual.names import PREFIX, title_of
from jackfield_aws.virtual.pages import EXCLUDED, FETCH_ALL, pages_of
from jackfield_aws.virtual.permissions import permissions_of
from jackfield_aws.virtual.plain_values import JSON_INPUTS, JSON_OUTPUTS
from jackfield_aws.virtual.recent import Recent
from jackfield_aws.virtual.schemas import Converter, Json, is_body
from jackfield_aws.virtual.server_waits import wait_of
from jackfield_aws.virtual.starts import STARTS
from jackfield_aws.virtual.streams import event_stream
from jackfield_aws.virtual.texts import markdown
from jackfield_aws.virtual.waits import WAIT_UNTIL, Waiter, can_cancel, waiters_of

OWN = frozenset((REGION, FETCH_ALL, WAIT_UNTIL))
"""Inputs that jackfield adds."""
_GLOBAL_NAMES = """
account budgets ce cloudfront globalaccelerator iam importexport networkmanager organizations route53 route53-recovery-control-
config route53domains savingsplans shield support waf
"""
GLOBAL: Mapping[str, str] = dict.fromkeys(_GLOBAL_NAMES.split(), "us-east-1")
"""Services with one endpoint for all regions, and the default region of their signatures."""
_DEFAULTS: Mapping[str, Mapping[str, str]] = {"glacier": {"accountId": "-"}}
"""Default inputs of AWS's own tools: the account of the credentials (Amazon S3 Glacier API
reference).
"""
_FILLED = "jackfield sets it from the invocation's idempotency key if it is left out."
_THROTTLED: Mapping[str, tuple[str, ...]] = {
    "dynamodb": ("TableName",),
    "kinesis": ("StreamName", "StreamARN"),
    "lambda": ("FunctionName",),
    "s3": ("Bucket",),
    "sqs": ("QueueUrl",),
}
"""Inputs that name an object with a throttle of its own, in addition to the account's rate for an
operation in a region. Sources: the services' developer guides, quotas; S3's performance guidelines.
S3 throttles by prefix within a bucket, by unpublished and changing bounds.
"""


_DESCRIBED = Recent(500)
"""Cache of operations converted last."""


def pace_by(service: str) -> tuple[str, ...]:
    """Return the inputs that name the throttled object of a service's operations."""
    return (REGION, *_THROTTLED.get(service, ()))


@dataclass(frozen=True, slots=True)
class DescribedOperation:
    """Converted operation."""

    name: str
    title: str
    description: str
    effect: Effect
    inputs: Json
    output: Json
    pagination: Pagination | None
    permissions: tuple[str, ...]
    tokens: tuple[str, ...]
    is_job: bool
    """True if a call can wait for the end of the operation's work."""
    can_cancel: bool
    """True if that wait can be cancelled."""
    key_kept: int | None
    """Seconds for which the service remembers its token; None if its model does not say."""

    @property
    def by_key(self) -> bool:
        """True if the operation is idempotent only because of its token."""
        return self.effect == "idempotent" and bool(self.tokens)

    def to_json(self) -> dict[str, Any]:
        """Return the members of the action's manifest that the index lacks."""
        row: dict[str, Any] = {
            "inputs": self.inputs,
            "output": self.output,
            "outputPolicy": "describe",
            "examples": [],
        }
        row |= {"pagination": self.pagination.to_json()} if self.pagination is not None else {}
        row |= {"permissions": {"aws:iam": list(self.permissions)}} if self.permissions else {}
        row |= {"kind": "job"} if self.is_job else {}
        row |= {"cancellable": True} if self.can_cancel else {}
        if self.by_key:
            row["idempotentBy"] = "key"
            row |= {} if self.key_kept is None else {"keyKept": self.key_kept}
        return row


def described(service: str, name: str) -> DescribedOperation:
    """Return a converted operation, from the cache if it was used recently."""
    return _DESCRIBED.get((service, name), lambda: describe(service, name))


def describe(service: str, name: str, *, texts: bool = True) -> DescribedOperation:
    """Convert an operation.

    :raises UnknownAction: if the installed botocore lacks it.
    """
    operation, waiters = _model(service, name), waiters_of(service, name)
    paging, tokens = pages_of(service, operation), tuple(operation.idempotent_members)
    taken = [found for found in (JSON_INPUTS.get((service, name)),) if found is not None]
    converter = Converter(
        texts=texts, service=service, path=operation.http.get("requestUri", ""), json=taken
    )
    inputs = converter.whole(
        operation.input_shape, _own_inputs(service, operation, paging, waiters), frozenset(tokens)
    )
    _offer_choices(service, inputs["properties"])
    _default(inputs, _DEFAULTS.get(service, {}))
    for page, _ in paging.tokens if paging is not None else ():
        # it is the provider's own: nobody else can know how long it is
        inputs["properties"][page].pop("maxLength", None)
    for token in tokens:
        member = inputs["properties"][token]
        member["description"] = f"{member.get('description', '')} {_FILLED}".strip()
    return DescribedOperation(
        name=name,
        title=title_of(name),
        description=markdown(operation.documentation) if texts else "",
        effect=effect_of(service, operation),
        inputs=inputs,
        output=_output(service, operation, waiters, texts=texts),
        pagination=paging,
        permissions=needed_permissions(service, name),
        tokens=tokens,
        is_job=bool(waiters),
        can_cancel=can_cancel(waiters),
        key_kept=key_kept(service, name),
    )


def _output(service: str, operation: Any, waiters: Mapping[str, Waiter], *, texts: bool) -> Json:
    """Return the schema of an output. A job's output has the members of the starting operation and
    of the describing one.
    """
    converter = Converter(
        output=True, texts=texts, json=JSON_OUTPUTS.get((service, operation.name), ())
    )
    found = converter.whole(operation.output_shape)
    for looks in {waiter.operation for waiter in waiters.values()} - {operation.name}:
        further = converter.whole(_model(service, looks).output_shape)
        found = {**further, "properties": {**found["properties"], **further["properties"]}}
    return found


def _default(inputs: Json, defaults: Mapping[str, str]) -> None:
    """Add an operation's defaults to its inputs, which become optional."""
    known = {name: default for name, default in defaults.items() if name in inputs["properties"]}
    for name, default in known.items():
        inputs["properties"][name] = {**inputs["properties"][name], "default": default}
    if known and (required := [name for name in inputs.pop("required", ()) if name not in known]):
        inputs["required"] = required


def _offer_choices(service: str, members: dict[str, Json]) -> None:
    """Mark the string inputs, and lists of strings, whose choices another operation of the service
    lists.
    """
    for name, member in members.items():
        marks = member.get("x-jackfield", {})
        items = member.get("items") if member.get("type") == "array" else member
        is_text = (
            isinstance(items, dict)
            and items.get("type") == "string"
            and "values" not in items.get("x-jackfield", {})
        )
        if (
            is_text
            and not marks.keys() & {"options", "values"}
            and not member.get("writeOnly")
            and choices_of(service, name) is not None
        ):
            member["x-jackfield"] = {**marks, "options": name}


def needed_permissions(service: str, name: str) -> tuple[str, ...]:
    """Return the IAM actions of an operation without converting it, since policies need many. An
    operation that starts a job also needs the actions of the operations that describe and cancel
    it.

    :raises UnknownAction: if the installed botocore lacks it.
    """
    if (service, name) in OWN_PERMISSIONS:
        return OWN_PERMISSIONS[service, name]
    row = STARTS.get((service, name))
    others = (
        []
        if row is None
        else [
            models.waiters(service)[row.waiter]["operation"],
            *([row.cancel[0]] if row.cancel is not None else []),
        ]
    )
    found = (permissions_of(service, _model(service, one)) for one in (name, *others))
    return tuple(dict.fromkeys(permission for permissions in found for permission in permissions))


def callable_of(service: str, name: str) -> tuple[CalledOperation, Any]:
    """Return the function that calls an operation, and the shape of its input.

    :raises UnknownAction: if the installed botocore lacks it.
    """
    operation = _model(service, name)
    output = operation.output_shape
    payload = output.serialization.get("payload") if output is not None else None
    is_blob = payload is not None and output.members[payload].type_name == "blob"
    effect = effect_of(service, operation)
    events = event_stream(service, operation, writes=effect == "write")
    made = CalledOperation(
        service=service,
        name=name,
        method=xform_name(name),
        tokens=tuple(operation.idempotent_members),
        waiters=waiters_of(service, name),
        default_region=GLOBAL.get(service),
        stream=payload if is_blob and operation.has_streaming_output else None,
        events=events,
        may_fail_in_part=effect != "read" or name.startswith("Batch") or (service, name) in READS,
        entry_errors=entry_errors(service, operation, effect),
        excluded=EXCLUDED.get((service, name)),
        wait=wait_of(operation.input_shape),
        sends_body=_sends_body(operation.input_shape),
        json=JSON_OUTPUTS.get((service, name), ()),
        has_bytes=is_blob
        or events is not None
        or "cbor" in str(operation.service_model.resolved_protocol),
    )
    return made, operation.input_shape


def _sends_body(shape: Any) -> bool:
    payload = shape.serialization.get("payload") if shape is not None else None
    return payload is not None and is_body(shape, payload)


def _model(service: str, name: str) -> Any:
    try:
        return models.service_model(service).operation_model(name)
    except OperationNotFoundError:
        raise UnknownAction(
            f"the installed botocore {models.botocore_version()} has no operation '{name[:80]}' "
            f"of {PREFIX}{service}",
            hint="Upgrade boto3 and botocore.",
        ) from None


def _own_inputs(
    service: str, operation: Any, paging: Pagination | None, waiters: Mapping[str, Waiter]
) -> dict[str, Json]:
    taken = operation.input_shape.members if operation.input_shape is not None else {}
    own: dict[str, Json] = {}
    # which other servers speak, too; AwsClients checks the region of AWS's own endpoint
    is_s3 = service == "s3"
    if REGION not in taken:
        own[REGION] = {
            "type": "string",
            "title": "AWS Region",
            "description": "AWS provides services in multiple regions, like us-west-2 or eu-west-1.",
            "pattern": ANY_REGION_PATTERN if is_s3 else REGION_PATTERN,
            "x-jackfield": {
                "fromConnection": "region",
                "options": "awsRegions",
                "trim": True,
                "lowercase": True,
                "blank": "absent",
                "expects": ANY_REGION_EXPECTED if is_s3 else REGION_EXPECTED,
            },
        }
        own[REGION] |= {"default": GLOBAL[service]} if service in GLOBAL else {"required": True}
    if paging is not None:
        about = "Fetch every page and merge them; page tokens are then ignored."
        own[FETCH_ALL] = {
            "type": "boolean",
            "title": "Fetch All",
            "description": about,
            "default": False,
        }
    if waiters:
        about = "State to wait for: the call is a job, which ends when it is reached."
        own[WAIT_UNTIL] = {
            "type": "string",
            "title": "Wait Until",
            "description": about,
            "enum": sorted(waiters),
        }
    return own
