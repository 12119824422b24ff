"""Connection test: the keys' owner, the role, and whether the role enforces the External ID.
Nothing is sent or changed.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

from jackfield.connector import Account, JackfieldError, OpenContext, Step, Unauthenticated
from jackfield_aws.answers import role_of_session
from jackfield_aws.endpoints import sts_endpoint
from jackfield_aws.keys import Keys
from jackfield_aws.leases import Assumption
from jackfield_aws.policies import trust_policy
from jackfield_aws.regions import DEFAULT_REGIONS
from jackfield_aws.sessions import Ambient
from jackfield_aws.sts import StsCaller, assume_role, caller_identity

_KEYS = ("accessKeyId", "secretAccessKey", "sessionToken")
_ROLE = ("roleARN", "externalId")
"""Values checked by the steps of the role and the External ID."""
_ACCEPTED = "AWS accepts the credentials"
_ASSUMED = "The role can be assumed"
_ASKED_FOR = "The role requires the External ID"


def try_identity(
    context: OpenContext, identity: Keys | Ambient, *, region: str | None, endpoint: str | None
) -> Iterator[Step | Account]:
    """Identify the owner of the credentials. Nothing is sent if the connection has a custom
    endpoint and the environment none for STS, since AWS may not know the keys.
    """
    sts = sts_endpoint(None, context.environment)
    if endpoint is not None and sts is None:
        text = (
            "Not checked: the connection uses a custom endpoint, and jackfield does not know "
            "the STS that belongs to it."
        )
        yield Step(
            "credentials",
            _ACCEPTED,
            passed=False,
            mandatory=False,
            message=text,
            hint="Set AWS_ENDPOINT_URL_STS.",
        )
        return
    caller = StsCaller(identity, _region(context, region), sts, context.call.deadline)
    yield from _try_caller(caller)


def try_role(context: OpenContext, assumption: Assumption) -> Iterator[Step | Account]:
    """Test the keys, whether they may assume the role, and whether the role enforces the External
    ID.

    The role is assumed anew, bypassing any lease: a valid session proves nothing about the current
    trust policy.
    """
    caller = assumption.sts(context)
    principal = None
    for found in _try_caller(caller):
        if isinstance(found, Account):
            principal = found.label
            continue
        yield found
        if not found.passed:
            return
    try:
        assume_role(caller, assumption.request(context))
    except JackfieldError as error:
        yield Step.failed("role", _ASSUMED, error, values=_ROLE)
        return
    yield Step("role", _ASSUMED, passed=True, message=f"{assumption.role.text} was assumed.")
    yield Account(id=assumption.role.account, label=assumption.role.text)
    if assumption.external_id is not None:
        yield _try_without(context, assumption, principal)


def _try_caller(caller: StsCaller) -> Iterator[Step | Account]:
    try:
        account = caller_identity(caller)
    except JackfieldError as error:
        yield Step.failed("credentials", _ACCEPTED, error, values=_KEYS)
    else:
        principal = role_of_session(account.label)
        yield Step(
            "credentials",
            _ACCEPTED,
            passed=True,
            message=f"They belong to {account.label}.",
            principal=principal,
            values=_KEYS,
        )
        yield account


def _try_without(context: OpenContext, assumption: Assumption, principal: str | None) -> Step:
    """Assume the role without the External ID. A role that allows this also accepts another
    customer's External ID: the confused deputy.
    """
    request = dataclasses.replace(assumption, external_id=None).request(context)
    try:
        assume_role(assumption.sts(context), request)
    except Unauthenticated:
        return Step(
            "externalIdRequired",
            _ASKED_FOR,
            passed=True,
            mandatory=False,
            message="Without it the role cannot be assumed.",
        )
    except JackfieldError as error:
        return Step.failed("externalIdRequired", _ASKED_FOR, error, mandatory=False, values=_ROLE)
    statement = trust_policy(
        role_of_session(principal or "<ARN of the user>"), "<the External ID of this connection>"
    )["Statement"][0]
    return Step(
        "externalIdRequired",
        _ASKED_FOR,
        passed=False,
        mandatory=False,
        message=(
            "The role can be assumed without the External ID, so the External ID protects nothing."
        ),
        hint=f"Add the condition to the role's trust policy: {json.dumps(statement)}",
    )


def _region(context: OpenContext, region: str | None) -> str:
    known = (
        region,
        context.inputs.get("awsRegion"),
        context.environment.get("AWS_REGION"),
        context.environment.get("AWS_DEFAULT_REGION"),
    )
    return next((name for name in known if name), DEFAULT_REGIONS["aws"])
