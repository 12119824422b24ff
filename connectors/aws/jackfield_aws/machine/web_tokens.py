"""Web identity tokens: their claims, read without verification to name them in a trust policy."""

from __future__ import annotations

import base64
import json
from typing import Any

from jackfield.kernel.dataclass import dataclass

_LONGEST_FILE = 32_768
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Claims:
    """Issuer, subject and audience of a token; placeholders if the token cannot be read."""

    issuer: str = "<issuer of the token>"
    subject: str = "<subject of the token>"
    audience: str = "sts.amazonaws.com"

    @property
    def provider(self) -> str:
        """Issuer in IAM's form of a provider: without the scheme."""
        return self.issuer.removeprefix("https://")


def claims_of(path: str | None) -> Claims:
    """Return the claims of the token in a file; placeholders if it cannot be read."""
    try:
        with open(path or "", encoding="utf-8") as file:
            body = file.read(_LONGEST_FILE).split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return Claims(_text(found["iss"]), _text(found["sub"]), _text(found["aud"]))
    except (OSError, ValueError, LookupError, TypeError):
        return Claims()


def _text(value: Any) -> str:
    return str(value[0] if isinstance(value, list) else value)[:_LONGEST]


def federated_trust(role: str, claims: Claims) -> dict[str, Any]:
    """Build the statement of a role's trust policy for tokens of an issuer with this subject and
    audience.
    """
    _, partition, _, _, account, *_ = (role.split(":") + [""] * 6)[:6]
    provider = f"arn:{partition or 'aws'}:iam::{account or '<account of the role>'}:oidc-provider/{claims.provider}"
    return {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {
                f"{claims.provider}:sub": claims.subject,
                f"{claims.provider}:aud": claims.audience,
            }
        },
    }
