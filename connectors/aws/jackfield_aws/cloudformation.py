"""A role as a CloudFormation template, for the owner of the account."""

from __future__ import annotations

from typing import Any

from jackfield_aws.wanted_role import PRINCIPAL_PATTERN, WantedRole

__all__ = ["cloudformation_template"]

_PARAMETER = "TrustedPrincipal"


def cloudformation_template(role: WantedRole) -> dict[str, Any]:
    """Build the template that creates ``role``, as JSON (which CloudFormation reads like YAML).

    An unknown principal becomes a parameter of the stack. The role has a fixed name, so the stack needs CAPABILITY_NAMED_IAM.
    """
    parameters = {} if role.principal is not None else {"Parameters": {_PARAMETER: _principal()}}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"The role {role.name}, which jackfield assumes to act for you.",
        **parameters,
        "Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": _properties(role)}},
        "Outputs": {"RoleArn": {"Description": "The Role ARN of the connection.", "Value": {"Fn::GetAtt": ["Role", "Arn"]}}},
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
        "Path": role.path,
        "MaxSessionDuration": role.max_session,
        "AssumeRolePolicyDocument": role.trust_policy({"Ref": _PARAMETER}),
        "Policies": [{"PolicyName": "jackfield", "PolicyDocument": role.identity_policy}],
    }
