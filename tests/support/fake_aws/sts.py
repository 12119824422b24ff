"""STS (query protocol): AssumeRole and GetCallerIdentity.

Limits from https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from . import errors
from .access import Caller, authorise
from .errors import AwsError
from .options import Role
from .policy import parse_policy
from .query import element, result_xml
from .records import Session
from .wire import Answer

if TYPE_CHECKING:
    from .call import Call
    from .state import State

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/([\w+=,.@/-]+)", re.ASCII)
_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_CHAINED = 3600


def answer(state: State, call: Call, caller: Caller) -> Answer:
    """Answer a call of STS; AwsError."""
    operation = _OPERATIONS.get(call.operation)
    if operation is None:
        raise AwsError("InvalidAction", f"Could not find operation {call.operation} for version 2011-06-15", 400)
    inner = operation(state, call, caller)
    body = result_xml("sts", call.operation, inner, call.request_id)
    return Answer(200, body, "text/xml", (("x-amzn-RequestId", call.request_id),))


def _identity(state: State, call: Call, caller: Caller) -> str:
    return element("Arn", caller.arn) + element("UserId", caller.user_id) + element("Account", caller.account)


def _assume_role(state: State, call: Call, caller: Caller) -> str:
    role_arn = call.parameters.get("RoleArn", "")
    matched = _ROLE.fullmatch(role_arn)
    if not 20 <= len(role_arn) <= 2048 or matched is None:
        raise AwsError("ValidationError", f"{role_arn} is invalid", 400)
    name = _checked(call, "RoleSessionName", _NAME, r"[\w+=,.@-]*") or ""
    external_id = _checked(call, "ExternalId", _EXTERNAL_ID, r"[\w+=,.@:\/-]*")
    policy = _policy(call)
    role = _role(state, call, caller, role_arn, external_id)
    duration = _duration(call, caller, role)
    lifetime = state.settings.session_lifetime
    session = Session(
        access_key_id="ASIA" + _letters(16),
        secret=secrets.token_urlsafe(30),
        token="FwoGZXIvYXdzE" + secrets.token_urlsafe(240),
        arn=f"arn:aws:sts::{matched.group(1)}:assumed-role/{matched.group(2).rpartition('/')[2]}/{name}",
        role_arn=role_arn,
        session_name=name,
        external_id=external_id,
        duration_seconds=duration,
        policy=policy,
        region=call.region,
        made_by=call.access_key_id,
        expires_at=state.now() + (duration if lifetime is None else lifetime),
    )
    state.add_session(session)
    return _credentials(session)


def _checked(call: Call, name: str, pattern: re.Pattern[str], shown: str) -> str | None:
    value = call.parameters.get(name)
    if value is None and name == "ExternalId":
        return None
    if value is None or not pattern.fullmatch(value):
        where = name[0].lower() + name[1:]
        text = f"Value '{value}' at '{where}' failed to satisfy constraint: Member must satisfy regular expression pattern: {shown}"
        raise AwsError("ValidationError", f"1 validation error detected: {text}", 400)
    return str(value)


def _policy(call: Call) -> str | None:
    text: str | None = call.parameters.get("Policy")
    if text is not None and len(text) > 2048:
        where = "Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to 2048"
        raise AwsError("ValidationError", f"1 validation error detected: {where}", 400)
    if text is not None and parse_policy(text) is None:
        raise AwsError("MalformedPolicyDocument", "The policy is not in the valid JSON format.", 400)
    return text


def _role(state: State, call: Call, caller: Caller, arn: str, external_id: str | None) -> Role:
    """Return the role, if the caller may have it; nothing tells an unknown role from a refused one, as in AWS."""
    authorise(state.settings, caller, ("sts:AssumeRole",), arn)
    known = state.settings.roles
    role = Role() if known is None else known.get(arn)
    trusted = role is not None and (role.trust is None or bool(role.trust & {caller.arn, call.access_key_id, caller.account}))
    if role is None or not trusted or role.external_id not in (None, external_id):
        raise errors.denied(caller.arn, "sts:AssumeRole", arn)
    return role


def _duration(call: Call, caller: Caller, role: Role) -> int:
    text = call.parameters.get("DurationSeconds", "3600")
    seconds = int(text) if text.isascii() and text.isdigit() else -1
    if not 900 <= seconds <= 43_200:
        bound = "greater than or equal to 900" if seconds < 900 else "less than or equal to 43200"
        where = f"Value '{text}' at 'durationSeconds' failed to satisfy constraint: Member must have value {bound}"
        raise AwsError("ValidationError", f"1 validation error detected: {where}", 400)
    if caller.session is not None and seconds > _CHAINED:
        text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        raise AwsError("ValidationError", text, 400)
    if seconds > role.max_session_duration:
        raise AwsError("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", 400)
    return seconds


def _letters(count: int) -> str:
    return "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(count))


def _credentials(session: Session) -> str:
    until = datetime.fromtimestamp(session.expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    keys = (
        element("AccessKeyId", session.access_key_id)
        + element("SecretAccessKey", session.secret)
        + element("SessionToken", session.token)
        + element("Expiration", until)
    )
    who = element("AssumedRoleId", f"AROA{session.access_key_id[4:]}:{session.session_name}") + element("Arn", session.arn)
    return f"<Credentials>{keys}</Credentials><AssumedRoleUser>{who}</AssumedRoleUser><PackedPolicySize>6</PackedPolicySize>"


_OPERATIONS = {"AssumeRole": _assume_role, "GetCallerIdentity": _identity}
