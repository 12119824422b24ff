"""The AWS account that the demo works in: a user, the role that it may assume, and verified identities."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jackfield_aws.keys import Keys
from jackfield_aws.policies import assume_policy, identity_policy, trust_policy
from jackfield_aws.sessions import ClientSpec, make_client

__all__ = ["AwsAccount", "set_up"]

_USER = "jackfield"
_ROLE = "jackfield-ses"
_ANYONE = Keys("setup", "setup")
"""Nobody checks keys before authorisation is switched on."""


@dataclass(frozen=True, slots=True)
class AwsAccount:
    """What a customer of AWS would hand over: the role, the External ID agreed on, and the keys of the user who may assume it."""

    role_arn: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    external_id: str = field(repr=False)


def set_up(url: str, region: str, identities: Iterable[str], permissions: Iterable[str], trusted_ids: str | None = None) -> AwsAccount:
    """Make the account at the endpoint ``url``.

    The user may assume the role and nothing else; the role trusts that user with the External ID, and may do ``permissions``.
    ``trusted_ids`` is a pattern of further External IDs: nobody edits the role's trust policy in a demo. A real role trusts one.
    """
    external_id = f"demo-{secrets.token_hex(8)}"
    with _client("iam", url, region) as iam:
        user = iam.create_user(UserName=_USER)["User"]["Arn"]
        key = iam.create_access_key(UserName=_USER)["AccessKey"]
        policy = trust_policy(user, external_id)
        if trusted_ids is not None:
            policy["Statement"][0]["Condition"] = {"StringLike": {"sts:ExternalId": [external_id, trusted_ids]}}
        trust = json.dumps(policy)
        role: str = iam.create_role(RoleName=_ROLE, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        iam.put_role_policy(RoleName=_ROLE, PolicyName="ses", PolicyDocument=json.dumps(identity_policy(permissions)))
        iam.put_user_policy(UserName=_USER, PolicyName="assume", PolicyDocument=json.dumps(assume_policy(role)))
    with _client("sesv2", url, region) as ses:
        for identity in identities:
            ses.create_email_identity(EmailIdentity=identity)
    return AwsAccount(role, key["AccessKeyId"], key["SecretAccessKey"], external_id)


@contextmanager
def _client(service: str, url: str, region: str) -> Iterator[Any]:
    client = make_client(ClientSpec(service, region, url, _ANYONE))
    try:
        yield client
    finally:
        client.close()
