"""IAM policies made from the permissions that actions declare: least privilege without writing JSON by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from jackfield.connector import Detail, InvalidConnection

__all__ = ["SESSION_POLICY_LIMIT", "assume_policy", "identity_policy", "session_policy", "session_policy_text", "trust_policy"]

SESSION_POLICY_LIMIT = 2048
"""Characters of plain text that AssumeRole takes as ``Policy`` (STS API reference, AssumeRole)."""


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def identity_policy(permissions: Iterable[str]) -> dict[str, Any]:
    """The policy to attach to a role or user so that it may do exactly ``permissions`` (``ses:SendEmail`` …)."""
    return _policy({"Effect": "Allow", "Action": sorted(set(permissions)), "Resource": "*"})


def trust_policy(principal_arn: str, external_id: str | None = None) -> dict[str, Any]:
    """The trust policy of a role that ``principal_arn`` may assume, with the External ID as a condition where there is one."""
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": principal_arn}, "Action": "sts:AssumeRole"}
    if external_id is not None:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return _policy(statement)


def assume_policy(role_arn: str) -> dict[str, Any]:
    """The policy to attach to the user who assumes the role: that and nothing else."""
    return _policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role_arn})


def session_policy(permissions: Iterable[str]) -> dict[str, Any]:
    """The policy that narrows an assumed role's session to ``permissions``, whatever the role may do besides.

    :raises InvalidConnection: where there are none: a session that may do nothing is of no use.
    """
    wanted = sorted(set(permissions))
    if not wanted:
        text = "this connector declares no IAM permissions to make a session policy from"
        raise InvalidConnection(text, details=[Detail("/sessionPolicy", text)], hint="Leave 'sessionPolicy' out.")
    return identity_policy(wanted)


def session_policy_text(policy: object) -> str:
    """A session policy as AssumeRole takes it: JSON without spaces.

    :raises InvalidConnection: where it is longer than STS takes.
    """
    text = json.dumps(policy, separators=(",", ":"), ensure_ascii=False)
    if len(text) > SESSION_POLICY_LIMIT:
        fault = f"the session policy has {len(text)} characters; STS takes {SESSION_POLICY_LIMIT}"
        hint = "Name fewer actions, or use wildcards such as ses:Send*."
        raise InvalidConnection(fault, details=[Detail("/sessionPolicy", fault)], hint=hint)
    return text
