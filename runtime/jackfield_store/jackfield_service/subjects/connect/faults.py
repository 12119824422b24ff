"""Responsibility for a failure of a connect session: the person's, the provider's, or the
platform's.

A person can mend the values that the page requests, and wait for a provider. The platform is
responsible for all other failures: its keys, its OAuth client, its rules, and the network of its
server. Then the person gets a reference to quote, and the platform gets the error: by the event
``connect.blocked``, in the log and as the member ``blocked`` of the session.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

from jackfield.connector.connection_steps import values_at_fault
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import (
    InvalidInvocation,
    JackfieldError,
    LimitReached,
    UnknownConnection,
)
from jackfield.kernel.hints import worded
from jackfield.kernel.secrecy import SecretHolder
from jackfield.kernel.walk import extension, is_secret

Side = Literal["user", "provider", "platform"]

_OURS = frozenset(
    {
        "internal",
        "invalid_output",
        "not_allowed",
        "approval_required",
        "unknown_connector",
        "unknown_action",
        "in_doubt",
        "cancelled",
        "invalid_input",
        "idempotency_conflict",
    }
)
"""Codes of errors that neither a person nor a provider causes."""
UNREACHED = frozenset({"unavailable", "timeout"})
"""Codes of errors for an unreachable server: the provider may be down, or the network
interrupted.
"""
_ADDRESSED = frozenset({"not_found"})
"""Codes of errors for a request to a wrong address."""
_AGAIN = frozenset(
    {
        "invalid_grant",
        "access_denied",
        "login_required",
        "consent_required",
        "interaction_required",
        "account_selection_required",
    }
)
"""Codes of OAuth after which a person may approve again (RFC 6749 §4.1.2.1 and §5.2, OpenID Connect
Core §3.1.2.6).
"""
_PASSING = frozenset({"temporarily_unavailable", "server_error"})
"""Codes of OAuth for a provider that cannot answer now (RFC 6749 §4.1.2.1)."""
_OF_CLIENT = frozenset(
    {
        "invalid_client",
        "incorrect_client_credentials",
        "bad_client_secret",
        "invalid_client_id",
        "unauthorized_client",
        "invalid_scope",
        "unsupported_grant_type",
        "unsupported_response_type",
        "invalid_request",
        "invalid_target",
    }
)
"""Codes of OAuth about the client and its request (RFC 6749 §4.1.2.1 and §5.2, RFC 8707 §2)."""
_CLIENT = frozenset({"clientId", "clientSecret"})
_SKEWED = frozenset({"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"})
"""Codes of AWS for a signature whose time differs from the provider's clock (Common Errors of the
AWS APIs, Amazon S3 Error Responses).
"""
_SKEWED_WORDS = re.compile(r"Signature (?:expired|not yet current)\b")
"""Regular expression of the beginning of AWS's message for clock skew under the code of a wrong
signature (IAM User Guide, Troubleshoot Signature Version 4).
"""
_PROXY = 407
_REDIRECTS = 3
"""First digit of the status of a redirect."""
_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Characters of a reference, without characters that are easily confused when read aloud."""
_HALF = 4


@dataclass(frozen=True, slots=True)
class Failure:
    """Facts of a failure that determine the responsibility for it: the error's code, the provider's
    code and HTTP status, and the values at fault. ``skewed`` is true if the provider refused the
    time at which this server signed the request.
    """

    code: str
    provider_code: str = ""
    status: int | None = None
    values: tuple[str, ...] = ()
    at_limit: bool = False
    skewed: bool = False

    @classmethod
    def of_error(cls, error: JackfieldError, provider_code: str = "") -> Failure:
        """Return the failure of an error; ``provider_code`` is the provider's code, if the error
        does not have it.
        """
        said, named = error.provider, values_at_fault(error)
        code, status, text = (
            ("", None, "")
            if said is None
            else (said.code or "", said.http_status, said.message or "")
        )
        return cls(
            error.code,
            provider_code or code,
            status,
            named,
            isinstance(error, LimitReached),
            _is_skewed(code, text),
        )

    @classmethod
    def of_step(cls, step: Mapping[str, Any]) -> Failure:
        """Return the failure of a test's step in its JSON form."""
        said: Mapping[str, Any] = step.get("provider") or {}
        code, text = said.get("code") or "", said.get("message") or ""
        return cls(
            step.get("code") or "",
            code,
            said.get("httpStatus"),
            tuple(step.get("values", ())),
            skewed=_is_skewed(code, text),
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """Fields that the page requests from a person: all of them, the fields that decide where
    requests go, and the fields without secrets.
    """

    names: Collection[str] = ()
    places: Collection[str] = ()
    open: Collection[str] = ()

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Asked:
        """Return the fields of a form, by their schemas."""
        marks = {name: extension(field) for name, field in fields.items()}
        return cls(
            frozenset(marks),
            frozenset(name for name, mark in marks.items() if mark.get("destination")),
            frozenset(name for name, field in fields.items() if not is_secret(field)),
        )


def side_of(failure: Failure, asked: Asked) -> Side:
    """Return the side responsible for a failure of a session that requests these fields."""
    if failure.code in _OURS or failure.at_limit or failure.skewed:
        return "platform"
    if failure.provider_code in _PASSING or failure.code == "rate_limited":
        return "provider"
    if failure.code in UNREACHED and failure.status not in (None, _PROXY):
        return "provider"
    return "user" if _can_mend(failure, asked) else "platform"


def is_platforms(error: JackfieldError, asked: Asked, provider_code: str = "") -> bool:
    """Return whether the platform must mend an error. Errors about a step out of order count as the
    person's, since the page explains them.
    """
    is_explained = isinstance(error, InvalidInvocation | UnknownConnection)
    return not is_explained and side_of(Failure.of_error(error, provider_code), asked) == "platform"


def _is_skewed(code: str, message: str) -> bool:
    """Return whether a provider's message reports that this server's clock is wrong."""
    return code.removesuffix("Exception") in _SKEWED or _SKEWED_WORDS.match(message) is not None


def _can_mend(failure: Failure, asked: Asked) -> bool:
    """Return whether a person can mend a failure, by the requested fields, or by approving
    again.
    """
    if failure.provider_code in _AGAIN:
        return True
    if failure.provider_code in _OF_CLIENT:
        return bool(_CLIENT & {*asked.names})
    if failure.code in UNREACHED:
        return bool(asked.places)
    if failure.values:
        return bool({*failure.values} & {*asked.names})
    is_elsewhere = failure.code in _ADDRESSED or (failure.status or 0) // 100 == _REDIRECTS
    return bool(asked.open if is_elsewhere else asked.names)


@dataclass(frozen=True, slots=True, repr=False)
class Blocked(SecretHolder):
    """Failure on the platform's side that blocks a session. ``reference`` is for the person to
    quote; ``message`` and ``hint`` are the error's, masked; ``step`` is the key of the failed step
    of a test.
    """

    reference: str
    code: str
    message: str
    hint: str = ""
    step: str = ""
    at: float = 0.0

    @classmethod
    def of_error(cls, error: JackfieldError, at: float) -> Blocked:
        """Return the block of an error that the platform must mend."""
        return cls(
            new_reference(),
            error.code,
            error.message,
            worded(error.hint, "http:platform") or "",
            "",
            at,
        )

    @classmethod
    def of_step(cls, step: Mapping[str, Any], at: float) -> Blocked:
        """Return the block of a failed step of a test that the platform must mend."""
        hint = worded(step.get("hint"), "http:platform") or ""
        return cls(
            new_reference(), step.get("code") or "internal", step["message"], hint, step["key"], at
        )

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Blocked | None:
        """Read an object that ``to_json`` has returned; None if it is empty."""
        return cls(**members) if members else None

    def to_json(self) -> dict[str, Any]:
        """Return the members that have a value."""
        return {
            name: value
            for name in ("reference", "code", "message", "hint", "step", "at")
            if (value := getattr(self, name))
        }

    def is_like(self, other: Blocked | None) -> bool:
        """Return whether ``other`` is the same failure, which has a reference already."""
        return other is not None and (self.code, self.message, self.step) == (
            other.code,
            other.message,
            other.step,
        )


def new_reference() -> str:
    """Return a reference that a person can read out, such as ``7KQ2-MXRA``."""
    first, second = ("".join(secrets.choice(_LETTERS) for _ in range(_HALF)) for _ in range(2))
    return f"{first}-{second}"


def concerns(step: Mapping[str, Any], fields: Collection[str]) -> bool:
    """Return whether a step of a test concerns values that a person has entered; a passed step may
    concern only the platform's key.
    """
    return not step["passed"] or not step.get("values") or bool({*step["values"]} & {*fields})


def refused(step: Mapping[str, Any], fields: Mapping[str, Any]) -> list[str]:
    """Return the entered fields that a failed step of a test names as refused. A refused sign-in
    that names no field has refused the only entered secret.
    """
    named = [name for name in fields if name in step.get("values", ())]
    alone = [name for name, field in fields.items() if is_secret(field)] if len(fields) == 1 else []
    return named or (
        alone if step.get("code") == "unauthenticated" and not step.get("values") else []
    )


def steps_of(trial: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the steps of a connection's last test."""
    steps: Sequence[Mapping[str, Any]] = (trial.get("lastTest") or {}).get("steps", ())
    return steps


def failed_step(steps: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the step that made a test fail; None if no step failed."""
    return next(
        (step for step in steps if not step["passed"] and step.get("mandatory", True)), None
    )
