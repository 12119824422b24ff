"""IAM policies built from the permissions that actions declare: least privilege without handwritten JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from jackfield.connector import Detail, InvalidConnection

SESSION_POLICY_LIMIT = 2048
"""Maximum length in characters of AssumeRole's ``Policy`` (STS API reference, AssumeRole)."""


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def identity_policy(permissions: Iterable[str]) -> dict[str, Any]:
    """Build the policy that allows a role or user exactly ``permissions`` (``ses:SendEmail`` …)."""
    return _policy({"Effect": "Allow", "Action": sorted(set(permissions)), "Resource": "*"})


def trust_policy(principal_arn: str, external_id: str | None = None) -> dict[str, Any]:
    """Build the trust policy of a role that ``principal_arn`` may assume, with the External ID, if any, as a condition."""
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": principal_arn}, "Action": "sts:AssumeRole"}
    if external_id is not None:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return _policy(statement)


def assume_policy(role_arn: str) -> dict[str, Any]:
    """Build the policy that lets a user assume the role and nothing else."""
    return _policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role_arn})


def session_policy(permissions: Iterable[str]) -> dict[str, Any]:
    """Build the policy that narrows an assumed role's session to ``permissions``, whatever else the role may do.

    :raises InvalidConnection: if there are none: a session without permissions is useless.
    """
    wanted = sorted(set(permissions))
    if not wanted:
        text = "this connector declares no IAM permissions to make a session policy from"
        raise InvalidConnection(text, details=[Detail("/sessionPolicy", text)], hint="Leave 'sessionPolicy' out.")
    return identity_policy(wanted)


def session_policy_text(policy: object) -> str:
    """Encode a session policy for AssumeRole: JSON without spaces.

    :raises InvalidConnection: if it is longer than STS accepts.
    """
    text = json.dumps(policy, separators=(",", ":"), ensure_ascii=False)
    if len(text) > SESSION_POLICY_LIMIT:
        fault = f"the session policy has {len(text)} characters; STS takes {SESSION_POLICY_LIMIT}"
        hint = "Name fewer actions, or use wildcards such as ses:Send*."
        raise InvalidConnection(fault, details=[Detail("/sessionPolicy", fault)], hint=hint)
    return text
