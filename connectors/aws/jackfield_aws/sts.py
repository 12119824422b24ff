"""STS calls of connections: AssumeRole and GetCallerIdentity."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from jackfield.connector import (
    ANYWHERE,
    Account,
    Deadline,
    Guard,
    JackfieldError,
    Minted,
    Sent,
    Unauthenticated,
    Unavailable,
)
from jackfield.kernel.dataclass import dataclass, field
from jackfield_aws.answers import principal_in, role_of_session
from jackfield_aws.direct.client import open_client
from jackfield_aws.keys import Keys
from jackfield_aws.limits import within
from jackfield_aws.policies import trust_policy
from jackfield_aws.sessions import Ambient, ClientSpec, find_keys
from jackfield_aws.sts_errors import STS_ERRORS

_SHORT_SECRET = 6
"""Minimum length of a secret that is masked anywhere; a shorter one, which may be part of a word,
is masked only in quotes.
"""


def explain_sts(
    error: Exception,
    *,
    region: str,
    identity: Keys | Ambient,
    request: RoleRequest | None,
    elsewhere: bool = False,
) -> JackfieldError:
    """Return the error for a failed STS call. ``request`` is None for GetCallerIdentity;
    ``elsewhere``: the endpoint is not AWS's.

    Without an answer, nothing counts as sent, so the call may be retried. The texts contain none of
    the connection's secrets.
    """
    found = STS_ERRORS.explain(
        error, region=region, permissions=("sts:AssumeRole",), renewable=False, elsewhere=elsewhere
    )
    found = found or Unavailable("STS could not be reached")
    if found.sent is Sent.UNKNOWN:
        found.sent = Sent.NOTHING
    # the server's own identity is renewed when it is next opened
    found.expired = found.expired and isinstance(identity, Keys)
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
    """Return a hint with the required trust policy. It has a placeholder for the External ID, which
    only the role's owner may see.
    """
    principal = _principal(error) or "<ARN of the user or role whose keys these are>"
    shown = "<the External ID of this connection>" if request.external_id else None
    statement = json.dumps(trust_policy(principal, shown)["Statement"][0])
    condition = (
        "Its sts:ExternalId must equal the connection's External ID."
        if request.external_id
        else "If it has a condition on sts:ExternalId, set the connection's External ID."
    )
    return (
        f"The trust policy of {request.role_arn} must contain this statement: {statement} "
        f"{condition}"
        " The role must exist, and the caller's own policies must allow sts:AssumeRole on it."
    )


def _principal(error: JackfieldError) -> str | None:
    found = principal_in(error.provider.message or "") if error.provider else None
    return role_of_session(found) if found else None


def _secrets(identity: Keys | Ambient, request: RoleRequest | None) -> list[str]:
    keys = (
        [identity.secret_access_key, identity.session_token] if isinstance(identity, Keys) else []
    )
    return [text for text in (*keys, request.external_id if request else None) if text]


def _hide(error: JackfieldError, secrets: list[str]) -> None:
    """Mask secrets in an error, since STS quotes values that violate its constraints."""

    def clean(text: str) -> str:
        for secret in secrets:
            quoted, shown = (
                (f"'{secret}'", "'***'") if len(secret) < _SHORT_SECRET else (secret, "***")
            )
            text = text.replace(quoted, shown)
        return text

    error.message = clean(error.message)
    error.details = tuple(
        dataclasses.replace(detail, message=clean(detail.message)) for detail in error.details
    )
    if error.provider is not None and error.provider.message:
        error.provider = dataclasses.replace(error.provider, message=clean(error.provider.message))


@dataclass(frozen=True, slots=True)
class StsCaller:
    """Caller of STS: identity, location and deadline. ``endpoint`` None means the regional one;
    ``guard`` checks a connection's endpoint.
    """

    identity: Keys | Ambient
    region: str
    endpoint: str | None
    deadline: Deadline
    guard: Guard = ANYWHERE


@dataclass(frozen=True, slots=True)
class RoleRequest:
    """Request to AssumeRole. ``duration`` is in seconds, ``policy`` the session policy's JSON."""

    role_arn: str
    session_name: str
    external_id: str | None = field(default=None, repr=False)
    duration: int | None = None
    policy: str | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the API's parameters, without those that are None."""
        given = {
            "RoleArn": self.role_arn,
            "RoleSessionName": self.session_name,
            "ExternalId": self.external_id,
            "DurationSeconds": self.duration,
            "Policy": self.policy,
        }
        return {name: value for name, value in given.items() if value is not None}


def assume_role(caller: StsCaller, request: RoleRequest) -> Minted:
    """Assume the role once. Return a lease whose value holds the parts of Keys as JSON, which
    processes can share.

    :raises JackfieldError: if STS, the network or the machine's own identity refuses; never in
        doubt.
    """
    with _sts(caller, request) as client:
        answer = client.assume_role(**request.parameters())
        found = answer["Credentials"]
        secrets = found["SecretAccessKey"], found["SessionToken"]
        keys = {
            "access_key_id": found["AccessKeyId"],
            "secret_access_key": secrets[0],
            "session_token": secrets[1],
        }
        return Minted(keys, found["Expiration"].timestamp(), secrets)


def caller_identity(caller: StsCaller) -> Account:
    """Return the account of the credentials, labelled with the caller's ARN. Needs no permission.

    :raises JackfieldError: if the credentials are not accepted.
    """
    with _sts(caller, None) as client:
        answer = client.get_caller_identity()
        return Account(id=answer["Account"], label=answer["Arn"])


@contextmanager
def _sts(caller: StsCaller, request: RoleRequest | None) -> Iterator[Any]:
    """Open a client for one call and explain its errors. Caching is not worthwhile, since a role is
    assumed once an hour.
    """
    with within(caller.deadline):
        caller.deadline.check()
        if isinstance(caller.identity, Ambient):
            find_keys(caller.identity, caller.region)  # a failure of it is one of the identity
        client = None
        try:
            client = open_client(
                ClientSpec("sts", caller.region, caller.endpoint, caller.identity, caller.guard),
                begins=False,
            )
            yield client
        except (BotoCoreError, ClientError, ResponseParserError, OSError) as error:
            named = caller.endpoint is not None
            raise explain_sts(
                error,
                region=caller.region,
                identity=caller.identity,
                request=request,
                elsewhere=named,
            ) from None
        except (KeyError, TypeError, AttributeError):
            text = "STS returned an invalid response"
            raise Unavailable(
                text, hint="Check 'stsEndpoint' and AWS_ENDPOINT_URL_STS.", sent=Sent.NOTHING
            ) from None
        finally:
            if client is not None:
                client.close()
