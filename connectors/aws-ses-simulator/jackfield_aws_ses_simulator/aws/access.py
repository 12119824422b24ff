"""Authentication and authorisation: the caller, and the actions and resources allowed to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from jackfield_aws_ses_simulator.aws import refusals
from jackfield_aws_ses_simulator.aws.account import NUMBER, User
from jackfield_aws_ses_simulator.aws.call import Call
from jackfield_aws_ses_simulator.aws.ledger import Ledger, Session
from jackfield_aws_ses_simulator.aws.sigv4 import is_signed_with

_V4A = "AWS4-ECDSA-P256-SHA256"
"""Algorithm of requests to a multi-region endpoint."""
_KEYS = frozenset({"ses:FromAddress", "ses:TenantName"})
"""Condition keys that are evaluated; other keys count as fulfilled."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Principal whose key signed a request. ``allow`` None permits every action; the session's
    policy narrows it further.
    """

    arn: str
    user_id: str
    allow: frozenset[str] | None = None
    session: Session | None = None

    @property
    def number(self) -> str:
        """Number of the caller's account."""
        return self.arn.split(":")[4]

    def authorise(
        self, resource: str, *actions: str, context: Mapping[str, str | None] = MappingProxyType({})
    ) -> None:
        """Require permission for one of the actions on the resource. ``context`` are the values of
        the condition keys.

        :raises Refusal: AccessDenied, naming the first action, if none is allowed.
        """
        if not any(self._may(action, resource, context) for action in actions):
            raise refusals.denied(self.arn, actions[0], resource)

    def _may(self, action: str, resource: str, context: Mapping[str, str | None]) -> bool:
        """Return whether the role or user and the session policy both allow the action."""
        policy = self.session.policy if self.session else None
        return (self.allow is None or _matches(self.allow, action)) and (
            policy is None or _permits(policy, action, resource, context)
        )


def authenticate(ledger: Ledger, call: Call) -> Caller:
    """Return the caller of a request.

    :raises Refusal: for an unknown key, an expired session or a wrong signature.
    """
    account = ledger.account
    if call.authorization is None and call.http.headers.get("authorization", "").startswith(_V4A):
        raise refusals.unimplemented("Signature Version 4A")
    if call.authorization is None:
        if account.users is not None or account.verify_signatures:
            raise refusals.unsigned()
        return Caller(f"arn:aws:iam::{NUMBER}:user/anonymous", "ANONYMOUS")
    user = (account.users or {}).get(call.access_key_id)
    if call.token is not None and (user is None or user.session_token is None):
        return _session_caller(ledger, call)
    if account.users is not None and (user is None or user.session_token != call.token):
        raise refusals.unknown_key()
    if call.token is None and ledger.is_session_key(call.access_key_id):
        raise refusals.unknown_key()
    user = user or User()
    _check_signature(ledger, call, user.secret)
    return Caller(
        user.arn or f"arn:aws:iam::{NUMBER}:user/{call.access_key_id}",
        call.access_key_id,
        user.allow,
    )


def _session_caller(ledger: Ledger, call: Call) -> Caller:
    session = ledger.sessions.get(call.token or "")
    if session is None:
        raise refusals.expired()
    if session.access_key_id != call.access_key_id:
        raise refusals.unknown_key()
    _check_signature(ledger, call, session.secret)
    if session.expires_at <= ledger.now() or (
        call.service != "sts" and not ledger.use_session(session)
    ):
        raise refusals.expired()
    role = ledger.account.role(session.role_arn)
    return Caller(session.arn, session.user_id, role.allow if role else None, session)


def _check_signature(ledger: Ledger, call: Call, secret: str | None) -> None:
    if not ledger.account.verify_signatures or secret is None or call.authorization is None:
        return
    if not is_signed_with(call.http, call.authorization, secret):
        raise refusals.bad_signature()


def parse_policy(text: str) -> Mapping[str, Any] | None:
    """Parse a policy document; return None if the text is not one."""
    try:
        policy = json.loads(text)
    except ValueError:
        return None
    statements = _many(policy.get("Statement")) if isinstance(policy, dict) else []
    return policy if statements and all(isinstance(item, dict) for item in statements) else None


def _matches(patterns: Iterable[str], action: str) -> bool:
    """Return whether any pattern matches an action; IAM ignores case here."""
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


def _permits(policy: str, action: str, resource: str, context: Mapping[str, str | None]) -> bool:
    """Return whether a policy allows an action and does not deny it."""
    statements = _many((parse_policy(policy) or {}).get("Statement"))
    effects = [
        statement.get("Effect")
        for statement in statements
        if _covers(statement, action, resource, context)
    ]
    return "Allow" in effects and "Deny" not in effects


def _covers(
    statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, str | None]
) -> bool:
    if "NotAction" in statement:
        named = not _matches(_many(statement["NotAction"]), action)
    else:
        named = _matches(_many(statement.get("Action")), action)
    if not named or not any(
        fnmatchcase(resource, pattern) for pattern in _many(statement.get("Resource"))
    ):
        return False
    conditions = statement.get("Condition") or {}
    return all(
        _holds(conditions[name], context)
        for name in ("StringEquals", "StringLike")
        if name in conditions
    )


def _holds(keys: Mapping[str, Any], context: Mapping[str, str | None]) -> bool:
    """Return whether a request fulfils the known keys of a condition. A request without a value for
    a key does not.
    """
    known = {
        key: (context.get(key) or "", _many(wanted)) for key, wanted in keys.items() if key in _KEYS
    }
    return all(
        value and any(fnmatchcase(value, pattern) for pattern in wanted)
        for value, wanted in known.values()
    )


def _many(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
