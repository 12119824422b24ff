"""Results of invocations that their own process did not finish: lost with it, given up, or not
begun in time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jackfield.invocation import Meta, Result
from jackfield.invocation.entry import Entry
from jackfield.kernel.clock import iso
from jackfield.kernel.errors import (
    Cancelled,
    Detail,
    InDoubt,
    Internal,
    Sent,
    TimedOut,
    Unavailable,
    is_past,
)
from jackfield.kernel.hints import NextStep

_EARLIER_RUN = "the process of an earlier run ended before recording the outcome"
_LOST = "ended, or lost access to the journal, before recording the outcome"


def may_have_taken_effect(entry: Entry) -> bool:
    """Return whether a run whose end is unknown may have taken effect, and no other invocation may
    repeat it.
    """
    if entry.dry_run or (entry.status != "running" and entry.sent_at is None):
        return False
    return entry.effect == "write" or entry.key_facts is not None


def left_behind(entry: Entry) -> Result:
    """Return the Result of a run whose process has lost its lease: a ``write`` is in doubt, and so
    is a call by key, since it may have been sent. Any other run has failed.
    """
    if may_have_taken_effect(entry):
        return _doubt(entry, f"the process running it {_LOST}")
    gone = Unavailable(f"the process running this invocation {_LOST}", hint="It can be run again.")
    return Result("failed", _meta(entry), error=gone)


def given_up(entry: Entry, deliveries: Sequence[Mapping[str, Any]]) -> Result:
    """Return the failure of a queued invocation that has ended too many workers, a doubt if one of
    them may have sent it under its key.
    """
    if may_have_taken_effect(entry):
        return _doubt(entry, f"{len(deliveries)} workers that ran it {_LOST}")
    details = [Detail(f"/deliveries/{place}", _lost(item)) for place, item in enumerate(deliveries)]
    given = Internal(
        f"the invocation {entry.id} was abandoned after {len(deliveries)} deliveries: each time "
        "the worker ended",
        hint=(
            "Check the workers' logs for why they ended. The invocation itself may crash its "
            "worker."
        ),
        details=details,
    )
    return Result("failed", _meta(entry), error=given)


def _doubt(entry: Entry, why: str) -> Result:
    left = entry.key_left
    step, until = NextStep("resolve", id=entry.id), iso(left)
    if until is not None and entry.is_by_caller and not is_past(until):
        step = NextStep("ask_again", id=entry.id, until=until)
    doubt = InDoubt(f"'{entry.action}' may have taken effect: {why}", hint=step, sent=Sent.UNKNOWN)
    if until is not None:
        doubt.retry_until, doubt.retryable = until, entry.is_by_caller
    return Result("in_doubt", _meta(entry), error=doubt)


def expired(entry: Entry) -> Result:
    """Return the Result of a late queued invocation: failed if it was not begun by its ``notAfter``
    time, cancelled if it was not approved in time. It is in doubt if a run of it was lost.
    """
    if may_have_taken_effect(entry):
        return _doubt(entry, f"{_EARLIER_RUN}, and its 'notAfter' has passed since")
    if entry.status == "waiting":
        text = f"nobody approved it before {iso(entry.not_after)}; nothing was sent"
        return Result(
            "failed", _meta(entry), error=Cancelled(text, hint="Call again to ask once more.")
        )
    late = TimedOut(
        f"it was not started before its 'notAfter' ({iso(entry.not_after)}); nothing was sent",
        hint="Add workers, or allow it more time.",
    )
    return Result("failed", _meta(entry), error=late)


def cancelled(entry: Entry) -> Result:
    """Return the Result of a cancelled queued invocation: in doubt if a run of it was lost."""
    if may_have_taken_effect(entry):
        return _doubt(entry, f"{_EARLIER_RUN}, and it was cancelled since")
    return Result(
        "failed",
        _meta(entry),
        error=Cancelled("the invocation was cancelled before it was started"),
    )


def _lost(item: Mapping[str, Any]) -> str:
    where = f" on {item['host']}" if "host" in item else ""
    begun = f"was started at {iso(item['startedAt'])}" if "startedAt" in item else "was not started"
    return (
        f"delivery {item['delivery']} {begun}{where}; its worker was gone at {iso(item['endedAt'])}"
    )


def _meta(entry: Entry) -> Meta:
    return Meta(
        entry.id,
        connector=entry.connector,
        connector_version=entry.connector_version,
        action=entry.action,
        attempts=entry.attempts,
        request_id=entry.request_id,
        dry_run=entry.dry_run,
    )


def tries_left(entry: Entry) -> list[Mapping[str, Any]]:
    """Return the attempt log of an entry whose process has died; the outcome of its last attempt is
    unknown.
    """
    outcome = "in_doubt" if may_have_taken_effect(entry) else "unavailable"
    return [
        {**item, "outcome": outcome} if item.get("outcome") == "running" else item
        for item in entry.attempt_log
    ]
