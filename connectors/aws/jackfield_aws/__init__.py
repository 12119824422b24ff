"""Shared library of jackfield's AWS connectors: connection types, STS leases, errors and policies.

Names are imported on first access (PEP 562): a list of connectors needs none of them, and their
import takes 0.1 s. botocore is imported at the first call.
"""

from __future__ import annotations

from jackfield.kernel.exports import exports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from jackfield_aws.accounts import account_of_key
    from jackfield_aws.boto3_sessions import boto3_session
    from jackfield_aws.certificate_connection import AwsRolesAnywhere
    from jackfield_aws.clients import AwsClients
    from jackfield_aws.connection_types import ApiKeySecret, AwsAssumeRole, AwsDefault
    from jackfield_aws.errors import AWS_ERRORS, AwsErrors
    from jackfield_aws.keys import check_keys, check_login
    from jackfield_aws.policies import identity_policy, sender_address, session_policy, trust_policy
    from jackfield_aws.regions import (
        REGION_EXPECTED,
        REGION_PATTERN,
        normal_region,
        partition_of,
        regions_for,
    )
    from jackfield_aws.rows import Row
    from jackfield_aws.version import VERSION

__all__ = [
    "AWS_ERRORS",
    "REGION_EXPECTED",
    "REGION_PATTERN",
    "VERSION",
    "ApiKeySecret",
    "AwsAssumeRole",
    "AwsClients",
    "AwsDefault",
    "AwsErrors",
    "AwsRolesAnywhere",
    "Row",
    "account_of_key",
    "boto3_session",
    "check_keys",
    "check_login",
    "identity_policy",
    "normal_region",
    "partition_of",
    "regions_for",
    "sender_address",
    "session_policy",
    "trust_policy",
]

if not TYPE_CHECKING:  # to type checkers, a name that is not there is a mistake
    __getattr__, __dir__ = exports(
        __name__,
        {
            ".accounts": "account_of_key",
            ".boto3_sessions": "boto3_session",
            ".clients": "AwsClients",
            ".certificate_connection": "AwsRolesAnywhere",
            ".connection_types": "ApiKeySecret AwsAssumeRole AwsDefault",
            ".errors": "AWS_ERRORS AwsErrors",
            ".keys": "check_keys check_login",
            ".policies": "identity_policy sender_address session_policy trust_policy",
            ".regions": "REGION_EXPECTED REGION_PATTERN normal_region partition_of regions_for",
            ".rows": "Row",
            ".version": "VERSION",
        },
    )
