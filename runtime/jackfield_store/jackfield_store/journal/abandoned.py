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
)
from jackfield.kernel.hints import NextStep

_LOST = "ended, or lost access to the journal, before recording the outcome"


def left_behind(entry: Entry) -> Result:
    """Return the Result of a run whose process has lost its lease: a ``write`` is in doubt, since
    it may have been sent; any other run has failed.
    """
    if entry.effect == "write" and not entry.dry_run:
        text = f"'{entry.action}' may have taken effect: the process running it {_LOST}"
        doubt = InDoubt(text, hint=NextStep("resolve", id=entry.id), sent=Sent.UNKNOWN)
        return Result("in_doubt", _meta(entry), error=doubt)
    gone = Unavailable(f"the process running this invocation {_LOST}", hint="It can be run again.")
    return Result("failed", _meta(entry), error=gone)


def given_up(entry: Entry, deliveries: Sequence[Mapping[str, Any]]) -> Result:
    """Return the failure of a queued invocation that has ended too many workers."""
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


def expired(entry: Entry) -> Result:
    """Return the Result of a late queued invocation: failed if it was not begun by its ``notAfter``
    time, cancelled if it was not approved in time.
    """
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
    """Return the Result of a cancelled queued invocation."""
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
    outcome = "in_doubt" if entry.effect == "write" else "unavailable"
    return [
        {**item, "outcome": outcome} if item.get("outcome") == "running" else item
        for item in entry.attempt_log
    ]
