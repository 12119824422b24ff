"""Specification of the role that a customer should create: name, permissions, trusted principal and External ID."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jackfield.connector import Detail, InvalidInput
from jackfield_aws.arns import parse_role_arn
from jackfield_aws.policies import identity_policy, trust_policy

__all__ = ["PRINCIPAL_PATTERN", "PRINCIPAL_TO_FILL_IN", "WantedRole"]

PRINCIPAL_PATTERN = (
    "^([0-9]{12}|arn:aws[a-z-]*:iam::[0-9]{12}:(root|(user|role)/[A-Za-z0-9_+=,.@/-]+)"
    "|arn:aws[a-z-]*:sts::[0-9]{12}:assumed-role/[A-Za-z0-9_+=,.@/-]+)$"
)
"""Principals that a trust policy can name (IAM user guide, JSON policy elements: Principal): an account, a user, a role, a session. Never
all."""
PRINCIPAL_TO_FILL_IN = "<ARN of the user or role that assumes this role>"
_PRINCIPAL = re.compile(PRINCIPAL_PATTERN.removesuffix("$") + r"\Z")
_SHORTEST = 3600
"""Minimum session duration of every role in seconds (IAM API reference, CreateRole, MaxSessionDuration)."""


@dataclass(frozen=True, slots=True)
class WantedRole:
    """Role of a connection. If ``principal`` is None, the role's creator fills it in. ``max_session`` is in seconds."""

    name: str
    path: str
    permissions: tuple[str, ...]
    principal: str | None
    external_id: str | None
    max_session: int

    @classmethod
    def of(
        cls, role_arn: str, permissions: Iterable[str], principal: str | None, external_id: str | None, duration: int | None
    ) -> WantedRole:
        """Build the specification of the role named by ``role_arn``.

        :raises InvalidConnection: if that is not the ARN of a role.
        :raises InvalidInput: if ``principal`` names no account, user or role.
        """
        if principal is not None and not _PRINCIPAL.match(principal):
            text = "is not an AWS account, or the ARN of a user or role"
            hint = "Give the ARN of the user whose access key the connection has: arn:aws:iam::111122223333:user/jackfield."
            raise InvalidInput("the principal is not valid", details=[Detail("/principal", text, "pattern")], hint=hint)
        role = parse_role_arn(role_arn)
        path = "/" + role_arn.partition(":role/")[2].removesuffix(role.name)
        return cls(role.name, path, tuple(sorted(set(permissions))), principal, external_id, max(duration or 0, _SHORTEST))

    @property
    def identity_policy(self) -> dict[str, Any]:
        """Policy of the role's own permissions."""
        return identity_policy(self.permissions)

    def trust_policy(self, principal: Any = None) -> dict[str, Any]:
        """Build the role's trust policy; ``principal`` is the placeholder if none is known."""
        return trust_policy(self.principal or principal or PRINCIPAL_TO_FILL_IN, self.external_id)
