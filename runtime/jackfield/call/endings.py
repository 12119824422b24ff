"""Ends of a call other than success: an error, a bug, an interruption. Each becomes a Result
without secrets; causes are logged.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from jackfield.call.errors_map import Unmapped, cause_of, in_doubt
from jackfield.call.masking import mask_names, masked_error
from jackfield.call.settle import failed
from jackfield.call.tally import repeated
from jackfield.connector.hooks import PluginFailed
from jackfield.kernel.errors import (
    InDoubt,
    Internal,
    InvalidConnection,
    JackfieldError,
    Unauthenticated,
)
from jackfield.kernel.failures import exhausted
from jackfield.kernel.hints import OF_PROVIDERS
from jackfield.kernel.interrupts import drop_frames

if TYPE_CHECKING:
    from jackfield.call.reached import Reached
    from jackfield.call.tally import KeyMemory
    from jackfield.invocation import Result

_LOG, _QUEUED = logging.getLogger("jackfield.call"), logging.getLogger("jackfield.queue")


def log_queued(result: Result, workspace: str) -> Result:
    """Log the end of a queued invocation, as the request line of a direct call does; return its
    Result.
    """
    if _QUEUED.isEnabledFor(logging.INFO):
        meta, code = result.meta, None if result.error is None else result.error.code
        about = {
            "workspace": workspace,
            "invocationId": meta.invocation_id,
            "connector": meta.connector,
            "action": meta.action,
            "outcome": result.status,
            "errorCode": code,
            "attempts": meta.attempts,
            "durationMs": round(meta.duration_ms, 1),
        }
        fields = {name: value for name, value in about.items() if value is not None}
        _QUEUED.info(
            "queued %s/%s %s", meta.connector, meta.action, code or result.status, extra=fields
        )
    return result


def ended(call: Reached, error: Exception, workspace: str) -> Result:
    """End a call with an exception: an error with a code, or a bug."""
    return (
        refused(call, error, workspace)
        if isinstance(error, JackfieldError)
        else unexpected(call, error, workspace)
    )


def refused(call: Reached, error: JackfieldError, workspace: str) -> Result:
    """End a call with an error."""
    attempts, plan, claimed = call.attempts, call.plan, call.how.claimed
    if attempts is not None:
        error = attempts.final(error)
        if isinstance(error, Unauthenticated) and attempts.opening is not None:
            attempts.opening.forget_secrets()
    elif (earlier := _earlier(call)) is not None:
        error = _still_in_doubt(call, error, earlier)
    elif claimed is not None and claimed.is_again and plan is not None:
        error = repeated(error) if plan.action.effect == "idempotent" else error
    # the validation has redacted these values by their schema
    judged = plan is None and isinstance(error, InvalidConnection)
    redactor = None if judged else call.redactor
    if redactor is not None and call.asked is not None and call.asked.unfound is not None:
        mask_names(call.how.meta, redactor)
        if call.row is not None:
            call.row.name(call.how.meta)
    found = _logged(call, error, workspace)
    if found.provider is not None and not found.hint:
        found.hint = OF_PROVIDERS.get(found.code)
    drop_frames(error, call.how.handled)
    return failed(call.ended(), masked_error(found, redactor))


def unexpected(call: Reached, error: Exception, workspace: str) -> Result:
    """End a call with an unexpected exception: a bug, or a shortage of memory, threads or file
    descriptors.
    """
    log(call, error, workspace)
    attempts = call.attempts
    # an attempt that has begun may have sent
    short = exhausted(error) if attempts is None or not attempts.count else None
    failure: JackfieldError = short or _bug(call)
    if attempts is None and (earlier := _earlier(call)) is not None:
        failure = _still_in_doubt(call, failure, earlier)
    if attempts is not None:
        judged = attempts.unusable(Unmapped(error))
        failure = judged if isinstance(judged, InDoubt) else failure
    drop_frames(error, call.how.handled)
    return failed(call.ended(), failure)


def _earlier(call: Reached) -> KeyMemory | None:
    """Return the provider's memory of the key, if an earlier run of the call may have taken effect
    under it.
    """
    earlier, claimed = None if call.row is None else call.row.earlier, call.how.claimed
    if call.plan is not None:
        return earlier if call.plan.action.needs_key else None
    return None if claimed is not None and claimed.key_facts is None else earlier


def _still_in_doubt(call: Reached, error: JackfieldError, earlier: KeyMemory) -> InDoubt:
    """Return the doubt that an earlier run has left, whatever ends this one before its first
    attempt.
    """
    meta = call.how.meta
    return in_doubt(meta.action or "", meta.invocation_id, error, (), earlier.left())


def interrupted(call: Reached, workspace: str) -> None:
    """Record a call that is interrupted because its caller or process stops (Ctrl-C, exit)."""
    if call.row is None:
        return
    if call.how.claimed is not None:
        call.how.cancelled.set()  # so that a thread that still runs the action sends nothing more
    call.row.finish_interrupted(
        None if call.attempts is None else refused(call, call.attempts.interrupted(), workspace)
    )


def log(call: Reached, error: Exception, workspace: str) -> None:
    """Log the exception that ended a call, with secrets redacted."""
    meta = call.how.meta
    text = cause_of(
        error, call.redactor, {} if call.asked is None else call.asked.given.inputs, _LOG
    )
    about = (meta.invocation_id, workspace, meta.connector, meta.action, text)
    _LOG.error("invocation %s of workspace %s: %s/%s: %s", *about, extra={"has_lines": True})


def _logged(call: Reached, error: JackfieldError, workspace: str) -> JackfieldError:
    if isinstance(error, PluginFailed):
        log(call, error.__cause__ if isinstance(error.__cause__, Exception) else error, workspace)
        error.__cause__ = None
        return error
    for known in (error, error.__cause__):
        if isinstance(known, Internal):
            log(call, getattr(known, "cause", known), workspace)
    if not isinstance(error, Internal):
        return error
    bug = _bug(call)
    bug.sent = error.sent
    return bug if call.attempts is None else call.attempts.ended(bug)


def _bug(call: Reached) -> Internal:
    # A new error: the old one references the original exception, which a pickle would reveal.
    return Internal(
        f"an unexpected error; the invocation is {call.how.meta.invocation_id}",
        hint="The process's log has the reason under this ID.",
    )
