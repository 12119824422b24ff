"""A role as a Terraform module, for the owner of the account."""

from __future__ import annotations

import json

from jackfield_aws.wanted_role import PRINCIPAL_PATTERN, WantedRole

__all__ = ["terraform_module"]

_VARIABLE = "trusted_principal_arn"
_INTERPOLATED = f'"${{var.{_VARIABLE}}}"'
_MARK = "\0principal\0"


def terraform_module(role: WantedRole) -> str:
    """Build the module that creates ``role``, as HCL. An unknown principal becomes a variable."""
    trust = _expression(role.trust_policy(_MARK)).replace(json.dumps(_MARK), _INTERPOLATED)
    return f"""{"" if role.principal is not None else _variable()}resource "aws_iam_role" "jackfield" {{
  name                 = {_text(role.name)}
  path                 = {_text(role.path)}
  max_session_duration = {role.max_session}

  assume_role_policy = jsonencode({trust})
}}

resource "aws_iam_role_policy" "jackfield" {{
  name = "jackfield"
  role = aws_iam_role.jackfield.id

  policy = jsonencode({_expression(role.identity_policy)})
}}

output "role_arn" {{
  description = "The Role ARN of the connection."
  value       = aws_iam_role.jackfield.arn
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
    """Encode a document as an HCL expression: JSON is valid HCL (``:`` is allowed in its objects), except for template sequences."""
    return _plain(json.dumps(document, indent=2, ensure_ascii=False)).replace("\n", "\n  ")


def _text(text: str) -> str:
    return _plain(json.dumps(text, ensure_ascii=False))


def _plain(text: str) -> str:
    """Escape ``${`` and ``%{``, which begin a template in HCL; an escaped first character does not (HCL native syntax)."""
    return text.replace("${", "\\u0024{").replace("%{", "\\u0025{")
