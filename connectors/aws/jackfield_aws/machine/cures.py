"""Table of refusals by each source of the machine's identity, with cures
(docs/reference/aws-identity.md).

Texts of STS: STS API reference, errors of AssumeRole and AssumeRoleWithWebIdentity. Codes of IAM
Identity Center: its portal API reference, GetRoleCredentials, and its OIDC API reference,
CreateToken. Codes of containers: ECS and EKS Pod Identity developer guides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from jackfield.connector import InvalidConnection, JackfieldError, Unauthenticated
from jackfield_aws.machine.sources import (
    CONTAINER,
    ENVIRONMENT,
    INSTANCE,
    LOGIN,
    PROCESS,
    ROLE,
    SSO,
    WEB_IDENTITY,
)

LABELS: Mapping[str, str] = {
    WEB_IDENTITY: "STS by web identity",
    ROLE: "STS by a profile's role",
    SSO: "IAM Identity Center",
    LOGIN: "the sign-in of 'aws login'",
    PROCESS: "credential_process",
    CONTAINER: "the container's credentials endpoint",
    INSTANCE: "the instance metadata service",
    ENVIRONMENT: "the environment",
    "shared-credentials-file": "~/.aws/credentials",
    "config-file": "~/.aws/config",
}
"""Names of sources for messages, by botocore's names."""


class Cure(NamedTuple):
    """Meaning of a refusal whose message contains ``phrase``. ``hint`` is a template over
    ``{profile}``, ``{role}``, ``{account}``, ``{issuer}``, ``{provider}``, ``{audience}``,
    ``{region}`` and ``{trust}``.
    """

    kind: type[JackfieldError]
    hint: str
    phrase: str = ""


_TRUST = (
    "The trust policy of {role} must contain this statement: {trust} Compare subject and audience "
    "with those of the token; the provider "
    "must exist in the role's account. No permission of the caller can replace it."
)
_PROVIDER = (
    "Create the IAM OIDC identity provider for {issuer} in account {account}, with "
    "{audience} as its audience."
)
_CHAINED = (
    "A role assumed by another role's session lasts at most one hour: set duration_seconds "
    "to 3600 in the profile {profile}."
)
_DURATION = (
    "Lower duration_seconds in the profile {profile}, or raise the role's maximum session "
    "duration in IAM."
)
_ROLE_TRUST = (
    "The trust policy of {role} must contain this statement: {trust} The role must exist, and the "
    "policies of the profile's source must "
    "allow sts:AssumeRole on it."
)
_SIGN_IN = "Sign in again on this machine: aws sso login --profile {profile}"
_LOG_IN = "Sign in again on this machine: aws login --profile {profile}"
_OUTDATED = (
    "The token in AWS_WEB_IDENTITY_TOKEN_FILE has expired: whoever writes the file must renew it. "
    "Under Kubernetes, restart the pod, and "
    "check the node's clock."
)

CURES: Mapping[tuple[str, str], tuple[Cure, ...]] = {
    (WEB_IDENTITY, "AccessDenied"): (Cure(Unauthenticated, _TRUST),),
    (WEB_IDENTITY, "InvalidIdentityToken"): (
        Cure(InvalidConnection, _PROVIDER, "no openidconnect provider"),
        Cure(
            InvalidConnection,
            "The token's audience is {audience}: add it to the audiences of the OIDC provider "
            "{provider} in account {account} and to the "
            "trust policy of {role}, or issue the token for sts.amazonaws.com.",
            "audience",
        ),
        Cure(
            InvalidConnection,
            "AWS cannot verify the token's signature: check that {issuer} publishes its keys "
            "(.well-known/openid-configuration) to the "
            "internet, and that the OIDC provider's thumbprint is current.",
        ),
    ),
    (WEB_IDENTITY, "IDPCommunicationError"): (
        Cure(
            InvalidConnection,
            "AWS cannot reach {issuer}: its .well-known/openid-configuration and keys must be "
            "open to the internet.",
        ),
    ),
    (WEB_IDENTITY, "IDPRejectedClaim"): (Cure(Unauthenticated, _OUTDATED),),
    (WEB_IDENTITY, "ExpiredToken"): (Cure(Unauthenticated, _OUTDATED),),
    (WEB_IDENTITY, "ValidationError"): (
        Cure(
            InvalidConnection,
            "Lower the duration, or raise the role's maximum session duration in IAM.",
            "durationseconds",
        ),
        Cure(
            InvalidConnection,
            "Correct AWS_ROLE_ARN (the ARN of a role), AWS_ROLE_SESSION_NAME (2 to 64 "
            "characters) or AWS_WEB_IDENTITY_TOKEN_FILE.",
        ),
    ),
    (ROLE, "AccessDenied"): (
        Cure(
            Unauthenticated,
            "The keys of the profile's source belong to the root user of an account, which may "
            "assume no role: use those of an IAM user.",
            "root account",
        ),
        Cure(
            Unauthenticated,
            "The trust policy of {role} demands multi-factor authentication, which a server "
            "cannot give: remove the condition on "
            "aws:MultiFactorAuthPresent for this principal.",
            "multifactorauthentication",
        ),
        Cure(
            Unauthenticated,
            "A policy explicitly denies sts:AssumeRole on {role}: remove the Deny.",
            "explicit deny",
        ),
        Cure(Unauthenticated, _ROLE_TRUST),
    ),
    (ROLE, "ValidationError"): (
        Cure(InvalidConnection, _CHAINED, "role chaining"),
        Cure(InvalidConnection, _DURATION, "durationseconds"),
        Cure(
            InvalidConnection,
            "Correct role_arn, role_session_name, external_id or duration_seconds in the profile "
            "{profile}.",
        ),
    ),
    (ROLE, "ExpiredToken"): (
        Cure(
            Unauthenticated,
            "The keys of the source of the profile {profile} have expired: renew them.",
        ),
    ),
    (SSO, "Forbidden"): (
        Cure(
            Unauthenticated,
            "Assign the permission set of the profile {profile} (sso_role_name) to its user in "
            "that account (sso_account_id).",
        ),
    ),
    (SSO, "ResourceNotFound"): (
        Cure(
            InvalidConnection, "Correct sso_account_id and sso_role_name in the profile {profile}."
        ),
    ),
    (SSO, "InvalidRequest"): (
        Cure(
            InvalidConnection,
            "Correct sso_account_id, sso_role_name and sso_region in the profile {profile}.",
        ),
    ),
    (SSO, ""): (Cure(Unauthenticated, _SIGN_IN),),
    (LOGIN, ""): (Cure(Unauthenticated, _LOG_IN),),
    (CONTAINER, ""): (
        Cure(
            Unauthenticated,
            "Give the task a task role (ECS), or the pod's service account a Pod Identity "
            "association whose role trusts "
            "pods.eks.amazonaws.com (EKS); check AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE.",
        ),
    ),
    (INSTANCE, ""): (
        Cure(
            Unauthenticated,
            "Attach an instance profile whose role trusts ec2.amazonaws.com to this instance, "
            "and allow metadata access.",
        ),
    ),
    (PROCESS, ""): (
        Cure(
            Unauthenticated,
            "Run credential_process of the profile {profile} by hand, as this server's user, and "
            "mend it.",
        ),
    ),
}
"""Cures by source and code, without the code's ``Exception``; the empty code is the source's
default.
"""

EXPIRED: Mapping[str, str] = {
    WEB_IDENTITY: "STS gave a session that has expired: set this machine's clock (NTP).",
    ROLE: "STS gave a session that has expired: set this machine's clock (NTP).",
    SSO: _SIGN_IN,
    LOGIN: _LOG_IN,
    PROCESS: (
        "credential_process of the profile {profile} printed credentials whose Expiration "
        "has passed: it must renew them."
    ),
    ENVIRONMENT: "AWS_CREDENTIAL_EXPIRATION has passed: start jackfield again with new keys.",
    CONTAINER: (
        "The endpoint gave credentials that have expired: restart its agent, and set this "
        "machine's clock (NTP)."
    ),
}
"""Advice for credentials that have already expired when they are fetched."""

MALFORMED: Mapping[str, str] = {
    WEB_IDENTITY: (
        "Check AWS_WEB_IDENTITY_TOKEN_FILE (the file must be readable and contain a token), "
        "AWS_ROLE_ARN and AWS_ROLE_SESSION_NAME (2 to "
        "64 characters)."
    ),
    ROLE: (
        "Check role_arn, role_session_name (2 to 64 characters), external_id and "
        "duration_seconds of the profile {profile}."
    ),
    SSO: (
        "Check the sso_ settings of the profile {profile}, then sign in: aws sso login "
        "--profile {profile}"
    ),
    LOGIN: _LOG_IN,
    PROCESS: (
        "credential_process of the profile {profile} must be a program that this server's user "
        "can run. It must print JSON with Version 1, "
        "AccessKeyId, SecretAccessKey and, if they expire, SessionToken and Expiration."
    ),
    CONTAINER: (
        "Check AWS_CONTAINER_CREDENTIALS_FULL_URI (HTTPS, this machine or a host of ECS and EKS) "
        "and "
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE (a readable file of one line)."
    ),
    ENVIRONMENT: "AWS_CREDENTIAL_EXPIRATION must be a time such as 2031-01-31T12:00:00Z.",
}
"""Advice for a source that is misconfigured, or whose response is malformed."""
