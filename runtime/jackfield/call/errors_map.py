"""Mapping of an exception of an attempt to an error with a code, and to whether its request was
sent. An author's mistake must never cause an unsafe retry.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.connector.context import entered
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import (
    Cancelled,
    Detail,
    InDoubt,
    Internal,
    InvalidConnection,
    InvalidInput,
    InvalidInvocation,
    JackfieldError,
    JobFailed,
    Provider,
    Sent,
    Unavailable,
    UnknownName,
)
from jackfield.kernel.failures import Raised, attempt_foreign, exhausted
from jackfield.kernel.hints import NextStep
from jackfield.kernel.interrupts import drop_frames, is_thrown_in, let_out_of_call

if TYPE_CHECKING:
    from jackfield.call.how import How
    from jackfield.call.tally import KeyLeft
    from jackfield.connector import Inputs
    from jackfield.connector.actions import Action
    from jackfield.connector.context import Answered, Call
    from jackfield.connector.loaded import LoadedConnector
    from jackfield.redaction.redactor import Redactor

AUTHORS = logging.getLogger("jackfield.connector")
"""Log of bugs in connectors, for their authors."""
_NO_REFUSALS = frozenset({"unavailable", "timeout", "internal"})
_NEVER_SENT = (Cancelled, InvalidConnection, InvalidInput, InvalidInvocation, UnknownName)
"""Errors that imply that nothing was sent."""
_MAX_QUOTED = 2000
"""Maximum characters that an error quotes of a step's return value."""

Tell = Callable[[str, Exception], None]
"""Function that logs a sentence about an exception, with secrets redacted."""


class Unmapped(Internal):
    """Exception that no error map recognizes; ``cause`` is for the log only."""

    def __init__(self, cause: Exception) -> None:
        super().__init__("the action failed unexpectedly")
        self.cause = cause


def judged(
    connector: LoadedConnector,
    cause: Exception,
    client: Any,
    values: Inputs | None,
    call: Call,
    tell: Tell,
    handled: BaseException | None,
) -> JackfieldError:
    """Map the exception that ended an attempt, as ``explained`` does. The host's own exceptions
    pass through; ``handled`` is the exception that the host was handling.

    Tracebacks' frames remain only on errors that are logged later.
    """
    let_out_of_call(cause, handled)
    error = explained(connector, cause, client, values, call, tell)
    error.repeatable = error.repeatable and not is_thrown_in(cause, handled)
    if not isinstance(error, Internal):
        drop_frames(cause, handled)
        drop_frames(error, handled)
    return error


def explained(
    connector: LoadedConnector,
    cause: Exception,
    client: Any,
    values: Inputs | None,
    call: Call,
    tell: Tell,
) -> JackfieldError:
    """Map an exception to an error: by the connector's error map, else by the client's;
    ``Unmapped`` if neither recognizes it.
    """
    if isinstance(cause, RuntimeError) and isinstance(cause.__cause__, StopIteration):
        cause = cause.__cause__  # a coroutine cannot raise it as it is (PEP 479)
    found: JackfieldError | None
    if isinstance(cause, JackfieldError):
        found = cause
    else:
        with entered(call):  # an error map may ask for the deadline of the attempt
            found = recognised(connector, cause, client, values, tell)
    if found is not None:
        return _as_timeout(_unclear(found) if isinstance(found, InDoubt) else found, call)
    if isinstance(cause, OSError) and call.deadline.remaining() <= 0:
        what = Unavailable(cause.strerror or type(cause).__name__)
        return call.deadline.passed(
            Sent.UNKNOWN if call.begun or call.entered else Sent.NOTHING, what
        )
    return exhausted(cause) or Unmapped(cause)


def _tell_type(text: str, fault: Exception) -> None:
    AUTHORS.error("%s: %s", text, type(fault).__name__)


def recognised(
    connector: LoadedConnector,
    cause: Exception,
    client: Any = None,
    values: Inputs | None = None,
    tell: Tell = _tell_type,
) -> JackfieldError | None:
    """Ask the connector's error map about an exception, then the client's. Return None if neither
    recognizes it.
    """
    for explain in (connector.explain, getattr(client, "explain", None)):
        if explain is None:
            continue
        found = attempt_foreign(explain, cause, client, values)
        if isinstance(found, Raised):
            tell(
                f"the error map of the connector '{connector.key}' failed on a "
                f"{type(cause).__name__}",
                found.error,
            )
        elif isinstance(found, JackfieldError):
            return found
    return None


def _unclear(error: InDoubt) -> Unavailable:
    """Return a doubt that a connector raised as an error whose request may have taken effect. The
    action's effect decides whether it stays a doubt.
    """
    return Unavailable(
        error.message,
        details=error.details,
        hint=error.hint,
        provider=error.provider,
        sent=Sent.UNKNOWN,
    )


def _as_timeout(error: JackfieldError, call: Call) -> JackfieldError:
    """Return a timeout caused by the error if the deadline may have ended the attempt by closing
    the connection; else the error.

    If the client knows that nothing was sent (a refused connection), its error stays, also after
    the deadline.
    """
    known = error.tells_sent and error.sent is Sent.NOTHING
    unclear = (
        isinstance(error, Unavailable) and error.repeatable and error.provider is None and not known
    )
    if not unclear or call.deadline.remaining() > 0:
        return error
    return call.deadline.passed(
        error.sent
        if error.tells_sent
        else Sent.UNKNOWN
        if call.begun or call.entered
        else Sent.NOTHING,
        error,
    )


def weigh(error: JackfieldError, call: Call, *, reports: bool) -> None:
    """Set on ``error`` whether the failed attempt sent anything, and on ``call`` whether the
    attempt had begun.

    An explicit ``sent`` of the author wins; without one, any failure other than a refusal counts as
    unknown. An attempt that ends without ``begin()`` counts as begun, unless the error says that
    nothing was sent. ``reports``: the client reports its requests, so if all of them were safe
    methods, nothing was changed.
    """
    if not call.begun:
        call.begun = call.entered and (
            error.sent is not Sent.NOTHING
            if error.tells_sent
            else not isinstance(error, _NEVER_SENT)
        )
    if not call.begun:
        error.sent = Sent.NOTHING
    elif not error.tells_sent:
        error.sent = Sent.UNKNOWN if error.code in _NO_REFUSALS else Sent.REFUSED
    is_whole = isinstance(error, JobFailed)  # not about the requests of its poll
    if (
        reports
        and call.requests
        and not call.changes
        and error.sent is Sent.UNKNOWN
        and not is_whole
    ):
        error.sent = Sent.NOTHING
    if call.unproven:
        error.sent = Sent.UNKNOWN
    if error.sent is not Sent.UNKNOWN:
        call.confirm()


def require_sign(action: Action, output: object) -> None:
    """Check that the output of a change shows the sign that its author names.

    :raises Unavailable: if it does not: something else than the provider may have answered.
    """
    # most actions name none
    from jackfield.connector.success_signs import shown, shows

    if action.sign is not None and isinstance(output, Mapping) and not shows(action.sign, output):
        text = f"the output of '{action.key}' does not show {shown(action.sign)}, as a success does"
        hint = "A proxy, or something other than the provider's API, may have responded."
        raise Unavailable(text, hint=hint, sent=Sent.UNKNOWN)


def unproven(call: Call) -> Unavailable:
    """Return the error for an action that returned while a request of another thread had no clear
    answer.
    """
    steps = " and ".join(sorted({f"'{request.step}'" for request in (*call.unproven,)})[:5])
    hint = (
        "Let the action wait for its threads and raise what they raise, so that it knows the "
        "outcome of each request."
    )
    return Unavailable(
        f"the action ended before the outcome of {steps}, sent in a thread of its own, was known",
        hint=hint,
        sent=Sent.UNKNOWN,
    )


def in_doubt(
    action: str,
    identifier: str,
    error: JackfieldError,
    done: Sequence[Answered],
    key: KeyLeft | None = None,
    *,
    answered: bool = False,
) -> InDoubt:
    """Build the error for an action that may have taken effect, or that took effect in part because
    one of its steps succeeded. ``identifier`` is the invocation's ID.

    ``key``: the key by which the provider still knows the request. ``answered``: the provider
    has reported success, and ``error`` says why its answer cannot be used.
    """
    what = (
        error.message
        if not isinstance(error, Unmapped)
        else f"an unexpected {type(error.cause).__name__}"
    )
    step = NextStep("in_part" if done else "in_doubt", id=identifier)
    if key is not None and key.by_caller and not done:
        step = NextStep("ask_again", id=identifier, until=key.until)
    text = f"'{action}' was sent and may have taken effect: {what}"
    if answered:
        text = f"'{action}' was answered with success, but its outcome cannot be told: {what}"
    if done:
        text = f"'{action}' has partly taken effect: after {_steps(done)} had succeeded, {what}"
    provider = error.provider
    known = next((step.request_id for step in reversed(done) if step.request_id), None)
    # the request id of the step that succeeded, since that is the one to look up
    if known is not None:
        provider = replace(provider or Provider(), request_id=known)
    doubt = InDoubt(
        text,
        details=[*map(_success_detail, done), *error.details],
        hint=step,
        provider=provider,
        sent=Sent.UNKNOWN,
    )
    if key is not None:
        doubt.retry_until, doubt.retryable = key.until, key.by_caller
    doubt.__cause__ = error
    return doubt


def _steps(done: Sequence[Answered]) -> str:
    return " and ".join(f"'{step.step}'" for step in done[:5])


def _success_detail(step: Answered) -> Detail:
    text = f"the step '{step.step}' had succeeded"
    if step.request_id is not None:
        text += f" (request ID {step.request_id})"
    if step.returned is not None:
        text += f"; it returned {quoted(step.returned)}"
    return Detail("", text)


def quoted(value: object) -> str:
    """Return the beginning of a provider's answer, converted to a string."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text[:_MAX_QUOTED]


def log_error(
    invocation: str,
    text: str,
    fault: Exception,
    redactor: Redactor | None,
    inputs: Mapping[str, Any],
) -> None:
    """Log an exception of an author's code, redacted; with its traceback at DEBUG."""
    about = cause_of(fault, redactor, inputs, AUTHORS)
    AUTHORS.error("invocation %s: %s: %s", invocation, text, about, extra={"has_lines": True})


def cause_of(
    fault: Exception, redactor: Redactor | None, inputs: Mapping[str, Any], log: logging.Logger
) -> str:
    """Return the redacted message of an exception for a log; with its traceback if the log is at
    DEBUG.
    """
    from jackfield.redaction.logs import reason, trace

    return reason(fault, redactor, inputs) + (
        trace(fault, redactor) if log.isEnabledFor(logging.DEBUG) else ""
    )


def late(how: How, names: tuple[str, str], call: Call) -> JackfieldError:
    """Log that an attempt goes on in its thread, and return the error that ends it here. Code that
    has been entered may have sent something without reporting it. ``names`` are the names of the
    action and the connector.
    """
    AUTHORS.error(
        "invocation %s: '%s' of the connector '%s' still runs after its deadline of %g s: it "
        "blocks, and goes on in its thread",
        how.meta.invocation_id,
        *names,
        how.deadline.seconds,
    )
    return how.deadline.passed(Sent.UNKNOWN if call.begun or call.entered else Sent.NOTHING)
