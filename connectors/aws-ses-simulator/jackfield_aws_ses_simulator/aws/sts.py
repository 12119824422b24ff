"""AWS STS (query protocol): AssumeRole and GetCallerIdentity.

Limits from https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime

from jackfield_aws_ses_simulator.aws.access import Caller, parse_policy
from jackfield_aws_ses_simulator.aws.account import Role
from jackfield_aws_ses_simulator.aws.call import Call
from jackfield_aws_ses_simulator.aws.ledger import Ledger, Session
from jackfield_aws_ses_simulator.aws.query import element
from jackfield_aws_ses_simulator.aws.refusals import Refusal, denied

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/([\w+=,.@/-]{1,512})", re.ASCII)
_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_POLICY_LENGTH = 2048
_SHORTEST, _LONGEST, _CHAINED = 900, 43_200, 3600
"""Minimum and maximum session duration in seconds, and the maximum for a role assumed from another
session.
"""


def letters(count: int) -> str:
    """Return ``count`` random characters for an access key ID."""
    return "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(count))


def _get_caller_identity(_ledger: Ledger, _call: Call, caller: Caller) -> str:
    return (
        element("Arn", caller.arn)
        + element("UserId", caller.user_id)
        + element("Account", caller.number)
    )


def _assume_role(ledger: Ledger, call: Call, caller: Caller) -> str:
    given = call.parameters
    role_arn, external_id, policy = (
        given.get("RoleArn", ""),
        given.get("ExternalId"),
        given.get("Policy"),
    )
    matched = _ROLE.fullmatch(role_arn)
    if matched is None:
        raise Refusal("ValidationError", f"{role_arn} is invalid")
    name = _checked("roleSessionName", given.get("RoleSessionName", ""), _NAME)
    if external_id is not None:
        _checked("externalId", external_id, _EXTERNAL_ID)
    _check_policy(policy)
    role = _role(ledger, call, caller, role_arn, external_id)
    duration = _duration(given.get("DurationSeconds", "3600"), caller, role)
    session = Session(
        access_key_id="ASIA" + letters(16),
        secret=secrets.token_urlsafe(30),
        token="FwoGZXIvYXdzE" + secrets.token_urlsafe(240),
        arn=f"arn:aws:sts::{matched.group(1)}:assumed-role/{matched.group(2).rpartition('/')[2]}/{name}",
        role_arn=role_arn,
        session_name=name,
        external_id=external_id,
        duration_seconds=duration,
        policy=policy,
        region=call.region,
        expires_at=ledger.now() + duration,
    )
    ledger.add_session(session)
    return _credentials(session)


def _checked(where: str, value: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(value):
        shown = pattern.pattern.partition("{")[0]
        raise _invalid(
            f"Value '{value}' at '{where}' failed to satisfy constraint: Member must satisfy "
            f"regular expression pattern: {shown}*"
        )
    return value


def _invalid(text: str) -> Refusal:
    return Refusal("ValidationError", f"1 validation error detected: {text}")


def _check_policy(text: str | None) -> None:
    if text is not None and len(text) > _POLICY_LENGTH:
        raise _invalid(
            "Value at 'policy' failed to satisfy constraint: Member must have length less than "
            f"or equal to {_POLICY_LENGTH}"
        )
    if text is not None and parse_policy(text) is None:
        raise Refusal("MalformedPolicyDocument", "The policy is not in the valid JSON format.")


def _role(ledger: Ledger, call: Call, caller: Caller, arn: str, external_id: str | None) -> Role:
    """Return the role if the caller may assume it.

    :raises Refusal: AccessDenied, for an unknown role, too, as in AWS.
    """
    caller.authorise(arn, "sts:AssumeRole")
    role = ledger.account.role(arn)
    trusted = role is not None and (
        role.trust is None or bool(role.trust & {caller.arn, call.access_key_id, caller.number})
    )
    if role is None or not trusted or not _is_required(ledger, role, arn, external_id):
        raise denied(caller.arn, "sts:AssumeRole", arn)
    return role


def _is_required(ledger: Ledger, role: Role, arn: str, external_id: str | None) -> bool:
    """Return whether the role trusts an External ID: its own, or the first one of its pattern that
    assumed it.
    """
    is_own = role.external_id is None or external_id == role.external_id
    return is_own or (role.accepts(external_id) and ledger.claim(arn, external_id))


def _duration(text: str, caller: Caller, role: Role) -> int:
    seconds = int(text) if text.isascii() and text.isdigit() else -1
    if not _SHORTEST <= seconds <= _LONGEST:
        bound = (
            f"greater than or equal to {_SHORTEST}"
            if seconds < _SHORTEST
            else f"less than or equal to {_LONGEST}"
        )
        raise _invalid(
            f"Value '{text}' at 'durationSeconds' failed to satisfy constraint: Member must have "
            f"value {bound}"
        )
    if caller.session is not None and seconds > _CHAINED:
        text = (
            "The requested DurationSeconds exceeds the 1 hour session limit for roles "
            "assumed by role chaining"
        )
        raise Refusal("ValidationError", text)
    if seconds > role.max_session_duration:
        raise Refusal(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )
    return seconds


def _credentials(session: Session) -> str:
    keys = (
        element("AccessKeyId", session.access_key_id)
        + element("SecretAccessKey", session.secret)
        + element("SessionToken", session.token)
        + element(
            "Expiration",
            datetime.fromtimestamp(session.expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
    )
    user = element("AssumedRoleId", session.user_id) + element("Arn", session.arn)
    return f"<Credentials>{keys}</Credentials><AssumedRoleUser>{user}</AssumedRoleUser>{element('PackedPolicySize', 6)}"


QUERY_OPERATIONS = {"AssumeRole": _assume_role, "GetCallerIdentity": _get_caller_identity}
"""Operations by name; each returns the inner XML of its response."""
