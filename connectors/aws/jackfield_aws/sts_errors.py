"""What STS's refusals mean while a connection opens: never in doubt, since the provider's operation has not begun."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from jackfield.connector import Forbidden, InvalidConnection, JackfieldError, Sent, Unauthenticated, Unavailable
from jackfield_aws.answers import principal_in
from jackfield_aws.arns import role_of_session
from jackfield_aws.errors import AWS_ERRORS
from jackfield_aws.keys import Keys
from jackfield_aws.policies import trust_policy
from jackfield_aws.rows import AWS_ROWS, Row
from jackfield_aws.sessions import Ambient

if TYPE_CHECKING:
    from jackfield_aws.sts import RoleRequest

__all__ = ["STS_ERRORS", "explain_sts"]

_LIFETIME, _POLICY = "/durationSeconds", "/sessionPolicy"
_SHORT_SECRET = 6
"""Characters below which a value is only hidden where it is quoted: it may well be a part of a word."""

STS_ERRORS = AWS_ERRORS.extended(
    {
        **{key: dataclasses.replace(row, kind=Unauthenticated) for key, row in AWS_ROWS.items() if row.kind is Forbidden},
        "AccessDenied": Row(Unauthenticated),
        ("ValidationError", "role chaining"): Row(
            InvalidConnection,
            "Credentials of a role may assume another one for an hour at most: set 'durationSeconds' to 3600.",
            path=_LIFETIME,
        ),
        ("ValidationError", "DurationSeconds"): Row(
            InvalidConnection, "Lower 'durationSeconds', or raise the role's maximum session duration in IAM.", path=_LIFETIME
        ),
        "ValidationError": Row(InvalidConnection, "STS does not take one of the connection's values: correct it.", path=""),
        "MalformedPolicyDocument": Row(
            InvalidConnection, "Correct 'sessionPolicy': a policy document with Version and Statement, in IAM's grammar.", path=_POLICY
        ),
        "PackedPolicyTooLarge": Row(InvalidConnection, "Shorten 'sessionPolicy': name fewer actions, or use wildcards.", path=_POLICY),
        "RegionDisabled": Row(Unauthenticated, "Enable {region} for the account, or set the connection's 'region' to one that is enabled."),
    }
)
"""The rows of AssumeRole (STS API reference, AssumeRole, errors)."""


def explain_sts(error: Exception, *, region: str, identity: Keys | Ambient, request: RoleRequest | None) -> JackfieldError:
    """The error for a failed STS call. ``request`` is None for GetCallerIdentity.

    Whatever was not an answer counts as nothing sent, so that it is tried again. No value of the connection stands in the texts.
    """
    found = STS_ERRORS.explain(error, region=region, permissions=("sts:AssumeRole",), renewable=False)
    found = found or Unavailable("STS could not be asked")
    if found.sent is Sent.UNKNOWN:
        found.sent = Sent.NOTHING
    if request is not None:
        _name_stage(found, request)
    _hide(found, _secrets(identity, request))
    return found


def _name_stage(error: JackfieldError, request: RoleRequest) -> None:
    said = error.provider.message or error.provider.code if error.provider else None
    outcome = "was refused" if error.sent is Sent.REFUSED else "failed"
    error.message = f"AssumeRole on {request.role_arn} {outcome}: {said or error.message}"
    if error.hint is None and isinstance(error, Unauthenticated):
        error.hint = _trust_hint(error, request)


def _trust_hint(error: JackfieldError, request: RoleRequest) -> str:
    """The trust policy to have. The External ID stands for itself: its value is nobody's business but the role owner's."""
    principal = _principal(error) or "<ARN of the user or role whose keys these are>"
    shown = "<the External ID of this connection>" if request.external_id else None
    statement = json.dumps(trust_policy(principal, shown)["Statement"][0])
    condition = (
        "Its sts:ExternalId must equal the connection's External ID."
        if request.external_id
        else "If it has a condition on sts:ExternalId, set the connection's External ID."
    )
    return (
        f"The trust policy of {request.role_arn} must hold this statement: {statement} {condition}"
        " The role must exist, and the caller's own policies must allow sts:AssumeRole on it."
    )


def _principal(error: JackfieldError) -> str | None:
    found = principal_in(error.provider.message or "") if error.provider else None
    return role_of_session(found) if found else None


def _secrets(identity: Keys | Ambient, request: RoleRequest | None) -> list[str]:
    keys = [identity.secret_access_key, identity.session_token] if isinstance(identity, Keys) else []
    return [text for text in (*keys, request.external_id if request else None) if text]


def _hide(error: JackfieldError, secrets: list[str]) -> None:
    """STS quotes values that break its constraints."""

    def clean(text: str) -> str:
        for secret in secrets:
            quoted, shown = (f"'{secret}'", "'***'") if len(secret) < _SHORT_SECRET else (secret, "***")
            text = text.replace(quoted, shown)
        return text

    error.message = clean(error.message)
    error.details = tuple(dataclasses.replace(detail, message=clean(detail.message)) for detail in error.details)
    if error.provider is not None and error.provider.message:
        error.provider = dataclasses.replace(error.provider, message=clean(error.provider.message))
