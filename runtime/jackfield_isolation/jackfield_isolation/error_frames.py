"""Errors as JSON between jackfield and a child process. A child is not trusted: a wrong type is a
fault of the child.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from jackfield.kernel.errors import (
    CODES,
    Detail,
    InDoubt,
    Internal,
    JackfieldError,
    JobFailed,
    NotYet,
    Provider,
    Sent,
    TimedOut,
)
from jackfield.kernel.hints import NextStep
from jackfield_isolation.shapes import Shape
from jackfield_isolation.wire import Garbage

_LONGEST = 20_000
_MOST_DETAILS = 200
_LONGEST_DETAIL = 2000
_MOST_FACTS = 20
_LARGEST_STATUS = 99_999


def _trimmed(longest: int, most: int | None = None) -> BeforeValidator:
    """Return a validator that limits an object to ``most`` members, and its texts to ``longest``
    characters.
    """
    return BeforeValidator(
        lambda found: (
            {
                name: text[:longest] if isinstance(text, str) else text
                for name, text in [*found.items()][:most]
            }
            if isinstance(found, dict)
            else found
        )
    )


def _few(found: Any) -> Any:
    return found[:_MOST_DETAILS] if isinstance(found, list) else found


@dataclass(frozen=True, slots=True)
class _Provider:
    code: str | None = None
    message: str | None = None
    http_status: Annotated[int, Field(ge=0, le=_LARGEST_STATUS)] | None = None
    request_id: str | None = None
    details: dict[str, Any] | None = None

    def found(self) -> Provider:
        """Return the error as a ``Provider``, whose annotations pydantic cannot resolve."""
        return Provider(self.code, self.message, self.http_status, self.request_id, self.details)


@dataclass(frozen=True, slots=True)
class _Next:
    kind: str
    more: str
    facts: Annotated[dict[str, str], _trimmed(_LONGEST, _MOST_FACTS)]


@dataclass(frozen=True, slots=True)
class _Failure:
    code: str
    message: str
    retryable: bool = False
    repeatable: bool = True
    stale: bool = False
    expired: bool = False
    details: Annotated[
        tuple[Annotated[Detail, _trimmed(_LONGEST_DETAIL)], ...], BeforeValidator(_few)
    ] = ()
    hint: str | None = None
    next: Annotated[_Next, _trimmed(_LONGEST)] | None = None
    provider: Annotated[_Provider, _trimmed(_LONGEST)] | None = None
    sent: Sent | None = None
    retry_after: float | None = None
    within: float | None = None
    unexplained: bool = False
    ended: bool = False
    done_before: bool = False
    by_status: bool = False


_FAILURE = Shape("an error", Annotated[_Failure, _trimmed(_LONGEST)])


def dump_error(error: JackfieldError) -> Mapping[str, Any]:
    """Return an error as JSON, with the facts by which the pipeline decides whether to repeat the
    call.
    """
    hint, after = error.hint, error.retry_after
    step = hint if isinstance(hint, NextStep) else None
    return {
        "code": error.code,
        "message": error.message[:_LONGEST],
        "retryable": error.retryable,
        "repeatable": error.repeatable,
        "stale": error.stale_credentials,
        "expired": error.expired,
        "details": error.details[:_MOST_DETAILS],
        "hint": str(hint)[:_LONGEST] if hint else None,
        "next": step and {"kind": step.kind, "more": step.more, "facts": step.facts},
        "provider": error.provider,
        "sent": error.sent.value if error.tells_sent else None,
        "retryAfter": after if after is not None and math.isfinite(after) else None,
        "within": error.within if isinstance(error, NotYet) else None,
        "ended": isinstance(error, JobFailed),
        "doneBefore": error.done_before,
        "byStatus": error.by_status,
        "unexplained": isinstance(error, TimedOut) and error.unexplained,
    }


def _next_step(step: _Next, text: str | None) -> NextStep:
    """Return a next step; if this process has not imported the step's distribution, the step
    consists of ``text``.

    :raises Garbage: if there is no such step, and no text.
    """
    try:
        return NextStep(step.kind, more=step.more, **step.facts)
    except (KeyError, TypeError):
        if text is None:
            raise Garbage("an error with a hint that there is not") from None
        return NextStep.of(text, step.kind, step.more, step.facts)


def load_error(data: object) -> JackfieldError:
    """Rebuild the error that a child has sent.

    :raises Garbage: if the data is no error, or an error that only jackfield itself may report.
    """
    said: _Failure = _FAILURE.read(data)
    kind = CODES.get(said.code, Internal)
    more: dict[str, Any] = {
        "sent": said.sent,
        "repeatable": said.repeatable,
        "details": said.details,
        "provider": said.provider and said.provider.found(),
        "stale_credentials": said.stale,
        "retry_after": said.retry_after,
    }
    more["hint"] = said.hint if said.next is None else _next_step(said.next, said.hint)
    if kind in {Internal, InDoubt} or (said.within is not None and said.retry_after is None):
        raise Garbage("an error that only jackfield may report")
    if said.within is not None:
        return NotYet(said.message, within=said.within, **more)
    if said.ended:
        return JobFailed(said.message, **more)
    error = kind(said.message, **more)
    error.retryable, error.expired = said.retryable, said.expired
    error.done_before, error.by_status = said.done_before, said.by_status
    if isinstance(error, TimedOut):
        error.unexplained = said.unexplained
    return error
