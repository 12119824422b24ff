"""Who calls, and whether they may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import errors
from .options import Settings, User
from .policy import matches, parse_policy, permits
from .sigv4 import is_signed_with, signed_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .call import Call
    from .records import Session
    from .state import State


@dataclass(frozen=True)
class Caller:
    """Whose key signed a request. `allow` None means everything; `policy` narrows it further."""

    arn: str
    user_id: str
    allow: frozenset[str] | None = None
    policy: Mapping[str, Any] | None = None
    session: Session | None = None

    def may(self, action: str, resource: str) -> bool:
        """Whether role or user and session policy both allow the action."""
        named = self.allow is None or matches(self.allow, action)
        return named and (self.policy is None or permits(self.policy, action, resource))

    @property
    def account(self) -> str:
        """The 12 digits of the caller's account."""
        return self.arn.split(":")[4]


def authenticate(state: State, call: Call) -> Caller:
    """Find the caller; AwsError for an unknown key, an expired session, a bad signature."""
    settings = state.settings
    if call.authorization is None:
        if settings.users is not None or settings.verify_signatures:
            raise errors.unsigned()
        return Caller(f"arn:aws:iam::{settings.account_id}:user/anonymous", "ANONYMOUS")
    user = (settings.users or {}).get(call.access_key_id)
    if call.token is not None and (user is None or user.session_token is None):
        return _session_caller(state, call)
    if settings.users is not None and (user is None or user.session_token != call.token):
        raise errors.unknown_key()
    if call.token is None and call.access_key_id in state.session_keys:
        raise errors.unknown_key()
    user = user or User()
    _check_signature(state, call, user.secret)
    arn = user.arn or f"arn:aws:iam::{settings.account_id}:user/{call.access_key_id}"
    return Caller(arn, call.access_key_id, user.allow)


def _session_caller(state: State, call: Call) -> Caller:
    session = state.sessions.get(call.token or "")
    if session is None:
        raise errors.expired()
    if session.access_key_id != call.access_key_id:
        raise errors.unknown_key()
    _check_signature(state, call, session.secret)
    if session.expires_at <= state.now() or (call.service != "sts" and not state.use_session(session)):
        raise errors.expired()
    role = (state.settings.roles or {}).get(session.role_arn)
    policy = parse_policy(session.policy) if session.policy else None
    user_id = f"AROA{session.access_key_id[4:]}:{session.session_name}"
    return Caller(session.arn, user_id, role.allow if role else None, policy, session)


def _check_signature(state: State, call: Call, secret: str | None) -> None:
    settings = state.settings
    if settings.max_skew is not None:
        at = signed_at(call.http)
        if at is None or abs(at - state.now()) > settings.max_skew:
            raise errors.bad_signature(f"Signature expired: {call.http.headers.get('x-amz-date')} is too far from the server's clock")
    if not settings.verify_signatures or secret is None or call.authorization is None:
        return
    if not is_signed_with(call.http, call.authorization, secret):
        raise errors.bad_signature()


def authorise(settings: Settings, caller: Caller, actions: tuple[str, ...], resource: str) -> None:
    """AwsError AccessDenied where the caller may do none of the actions; the first is named in it."""
    if settings.authorise and not any(caller.may(action, resource) for action in actions):
        quoted = settings.quoted_denials and actions[0].startswith("ses:Send")
        raise errors.denied(caller.arn, actions[0], resource, quoted)
