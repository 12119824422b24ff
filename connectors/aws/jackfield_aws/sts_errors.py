"""Meaning of STS's refusals (STS API reference, errors of AssumeRole and
AssumeRoleWithWebIdentity).
"""

from __future__ import annotations

from jackfield.connector import Forbidden, InvalidConnection, Unauthenticated
from jackfield.kernel.dataclass import replace
from jackfield_aws.errors import AWS_ERRORS
from jackfield_aws.rows import AWS_ROWS, Row

_LIFETIME, _POLICY = "/durationSeconds", "/sessionPolicy"

STS_ERRORS = AWS_ERRORS.extended(
    {
        **{
            key: replace(row, kind=Unauthenticated)
            for key, row in AWS_ROWS.items()
            if row.kind is Forbidden
        },
        "AccessDenied": Row(Unauthenticated),
        ("AccessDenied", "root account"): Row(
            Unauthenticated,
            "The key belongs to the root user of an account, which may assume no role: use the "
            "key of an IAM user or a role.",
        ),
        ("AccessDenied", "because no identity-based policy allows"): Row(
            Unauthenticated,
            "Allow sts:AssumeRole on the role for {principal}, in an IAM policy of the key's own "
            "account.",
            path="/accessKeyId",
        ),
        ("AccessDenied", "MultiFactorAuthentication"): Row(
            Unauthenticated,
            "A policy demands multi-factor authentication, which a server cannot give: remove the "
            "condition on aws:MultiFactorAuthPresent "
            "from the role's trust policy and the user's policies for this principal, or give the "
            "key and the session token of a session "
            "that was made with a code.",
        ),
        ("ValidationError", "role chaining"): Row(
            InvalidConnection,
            "A role's credentials can assume another role for at most one hour: set "
            "'durationSeconds' to 3600.",
            path=_LIFETIME,
        ),
        ("ValidationError", "DurationSeconds"): Row(
            InvalidConnection,
            "Lower 'durationSeconds', or raise the role's maximum session duration in IAM.",
            path=_LIFETIME,
        ),
        "ValidationError": Row(
            InvalidConnection, "STS rejects one of the connection's values: correct it.", path=""
        ),
        "MalformedPolicyDocument": Row(
            InvalidConnection,
            "Correct 'sessionPolicy': it must be an IAM policy document with Version and "
            "Statement.",
            path=_POLICY,
        ),
        "PackedPolicyTooLarge": Row(
            InvalidConnection,
            "Shorten 'sessionPolicy': list fewer actions, or use wildcards.",
            path=_POLICY,
        ),
        "RegionDisabled": Row(
            Unauthenticated,
            "Enable {region} for the account, or set the connection's 'region' to one that is "
            "enabled.",
        ),
    }
)
"""Rows of AssumeRole, and of the machine's own identity."""
