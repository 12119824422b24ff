"""Role that a customer should create (name, permissions, trusted principal, External ID), also as a
CloudFormation template and a Terraform module for the account's owner.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from jackfield.connector import Detail, InvalidInput
from jackfield.kernel.dataclass import dataclass
from jackfield_aws.arns import parse_role_arn
from jackfield_aws.iam_actions import unproven
from jackfield_aws.policies import Statement, identity_policy, trust_policy

PRINCIPAL_PATTERN = (
    "^([0-9]{12}|arn:aws[a-z-]*:iam::[0-9]{12}:(root|(user|role)/[A-Za-z0-9_+=,.@/-]+)"
    "|arn:aws[a-z-]*:sts::[0-9]{12}:assumed-role/[A-Za-z0-9_+=,.@/-]+)$"
)
"""Pattern of principals in a trust policy (IAM user guide, JSON policy elements: Principal): an
account, a user, a role, a session, but not ``*``.
"""
PRINCIPAL_TO_FILL_IN = "<ARN of the user or role that assumes this role>"
_PRINCIPAL = re.compile(PRINCIPAL_PATTERN.removesuffix("$") + r"\Z")
_SHORTEST = 3600
"""Minimum session duration of every role in seconds (IAM API reference, CreateRole,
MaxSessionDuration).
"""


@dataclass(frozen=True, slots=True)
class WantedRole:
    """Role of a connection. ``principal`` None is filled in by the role's creator. ``max_session``
    is in seconds.
    """

    name: str
    path: str
    permissions: tuple[str, ...]
    principal: str | None
    external_id: str | None
    max_session: int
    sender: str | None = None
    testing: tuple[str, ...] = ()
    tenant: str | None = None
    statements: tuple[Statement, ...] = ()

    @classmethod
    def of(
        cls,
        role_arn: str,
        permissions: Iterable[str],
        principal: str | None,
        external_id: str | None,
        duration: int | None,
    ) -> WantedRole:
        """Build the specification of the role named by ``role_arn``.

        :raises InvalidConnection: if that is not the ARN of a role.
        :raises InvalidInput: if ``principal`` is not an account, user or role, or is in another
            partition.
        """
        if principal is not None and not _PRINCIPAL.match(principal):
            text = "is not an AWS account, or the ARN of a user or role"
            hint = (
                "Give the ARN of the user who owns the connection's access key, such as "
                "arn:aws:iam::111122223333:user/jackfield."
            )
            raise InvalidInput(
                "the principal is not valid",
                details=[Detail("/principal", text, "pattern")],
                hint=hint,
            )
        role = parse_role_arn(role_arn)
        if (
            principal is not None
            and principal.startswith("arn:")
            and principal.split(":")[1] != role.partition
        ):
            text = (
                f"is in partition '{principal.split(':')[1]}', and the role in "
                f"'{role.partition}': IAM trusts nobody of another partition"
            )
            hint = f"Give an account, a user or a role of partition '{role.partition}'."
            raise InvalidInput(
                "the principal is not valid",
                details=[Detail("/principal", text, "pattern")],
                hint=hint,
            )
        path = "/" + role_arn.partition(":role/")[2].removesuffix(role.name)
        return cls(
            role.name,
            path,
            tuple(sorted(set(permissions))),
            principal,
            external_id,
            max(duration or 0, _SHORTEST),
        )

    @property
    def identity_policy(self) -> dict[str, Any]:
        """Policy of the role's own permissions."""
        return identity_policy(
            self.permissions,
            self.sender,
            self.testing,
            tenant=self.tenant,
            statements=self.statements,
            doubtful=unproven(self.permissions),
        )

    @property
    def about(self) -> str:
        """Description for the account's owner, and later for an auditor."""
        who = "Whoever the trust policy names" if self.principal is None else _who(self.principal)
        proof = " with the External ID" if self.external_id is not None else ""
        return (
            f"Access from another account: {who} may assume the role {self.name}{proof}, for "
            "the permissions in its policy."
        )

    def trust_policy(self, principal: Any = None) -> dict[str, Any]:
        """Build the role's trust policy; ``principal`` replaces an unknown principal."""
        return trust_policy(self.principal or principal or PRINCIPAL_TO_FILL_IN, self.external_id)


def _who(principal: str) -> str:
    """Describe the trusted principal; an account means all users and roles that its administrators
    permit to assume the role.
    """
    account = (
        principal.removesuffix(":root").rpartition(":")[2]
        if principal.endswith(":root")
        else principal
    )
    return f"any user or role of account {account}" if account.isdigit() else principal


_TAGS = {"purpose": "third-party-access"}
_PARAMETER = "TrustedPrincipal"
_POLICY = "access"
"""Name of the inline policy, and of the role in Terraform. It does not reveal to the account's
owner which software assumes the role.
"""


def cloudformation_template(role: WantedRole) -> dict[str, Any]:
    """Build the template that creates ``role``, as JSON (which CloudFormation reads like YAML).

    An unknown principal becomes a parameter of the stack. The role has a fixed name, so the stack
    needs CAPABILITY_NAMED_IAM.
    """
    parameters = {} if role.principal is not None else {"Parameters": {_PARAMETER: _principal()}}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{role.about} Delete this stack to end the access.",
        **parameters,
        "Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": _properties(role)}},
        "Outputs": {
            "RoleArn": {
                "Description": "The Role ARN of the connection.",
                "Value": {"Fn::GetAtt": ["Role", "Arn"]},
            }
        },
    }


def _principal() -> dict[str, str]:
    return {
        "Type": "String",
        "Description": "The ARN of the user or role that assumes this role.",
        "AllowedPattern": PRINCIPAL_PATTERN,
    }


def _properties(role: WantedRole) -> dict[str, Any]:
    return {
        "RoleName": role.name,
        "Description": role.about,
        "Path": role.path,
        "MaxSessionDuration": role.max_session,
        "AssumeRolePolicyDocument": role.trust_policy({"Ref": _PARAMETER}),
        "Policies": [{"PolicyName": _POLICY, "PolicyDocument": role.identity_policy}],
        "Tags": [{"Key": key, "Value": value} for key, value in _TAGS.items()],
    }


_VARIABLE = "trusted_principal_arn"
_INTERPOLATED = f'"${{var.{_VARIABLE}}}"'
_MARK = "\0principal\0"


def terraform_module(role: WantedRole) -> str:
    """Build the module that creates ``role``, as HCL. An unknown principal becomes a variable."""
    trust = _expression(role.trust_policy(_MARK)).replace(json.dumps(_MARK), _INTERPOLATED)
    return f"""{"" if role.principal is not None else _variable()}resource "aws_iam_role" "{_POLICY}" {{
  name                 = {_text(role.name)}
  description          = {_text(role.about)}
  path                 = {_text(role.path)}
  max_session_duration = {role.max_session}

  tags = {_expression(_TAGS)}

  assume_role_policy = jsonencode({trust})
}}

resource "aws_iam_role_policy" "{_POLICY}" {{
  name = "{_POLICY}"
  role = aws_iam_role.{_POLICY}.id

  policy = jsonencode({_expression(role.identity_policy)})
}}

output "role_arn" {{
  description = "The Role ARN of the connection."
  value       = aws_iam_role.{_POLICY}.arn
}}
"""


def _variable() -> str:
    return f"""variable "{_VARIABLE}" {{
  description = "The ARN of the user or role that assumes this role."
  type        = string

  validation {{
    condition     = can(regex({_text(PRINCIPAL_PATTERN)}, var.{_VARIABLE}))
    error_message = "It must be an AWS account, or the ARN of a user or role."
  }}
}}

"""


def _expression(document: object) -> str:
    """Encode a document as an HCL expression: JSON is valid HCL (``:`` is allowed in its objects),
    except for template sequences.
    """
    return _plain(json.dumps(document, indent=2, ensure_ascii=False)).replace("\n", "\n  ")


def _text(text: str) -> str:
    return _plain(json.dumps(text, ensure_ascii=False))


def _plain(text: str) -> str:
    """Escape ``${`` and ``%{``, which begin a template in HCL, by escaping their first character
    (HCL native syntax).
    """
    return text.replace("${", "\\u0024{").replace("%{", "\\u0025{")
