"""Results of invocations that their own process did not finish: lost with it, given up, not begun in time, or resolved by a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from jackfield.invocation import Meta, Result
from jackfield.invocation.entry import Entry
from jackfield.kernel.clock import iso
from jackfield.kernel.errors import Cancelled, Detail, InDoubt, Internal, InvalidInvocation, Sent, TimedOut, Unavailable
from jackfield.kernel.hints import NextStep
from jackfield_store.journal.entry import EVIDENCE

_LOST = "ended, or lost access to the journal, before recording the outcome"


def left_behind(entry: Entry) -> Result:
    """Judge a run whose process has lost its lease: a ``write`` is in doubt, since it may have been sent; all others have failed."""
    if entry.effect == "write" and not entry.dry_run:
        text = f"'{entry.action}' may have taken effect: the process running it {_LOST}"
        doubt = InDoubt(text, hint=NextStep("resolve", id=entry.id), sent=Sent.UNKNOWN)
        return Result("in_doubt", _meta(entry), error=doubt)
    gone = Unavailable(f"the process running this invocation {_LOST}", hint="It can be run again.")
    return Result("failed", _meta(entry), error=gone)


def given_up(entry: Entry, deliveries: Sequence[Mapping[str, Any]]) -> Result:
    """Fail a queued invocation that has taken too many workers down with it."""
    details = [Detail(f"/deliveries/{place}", _lost(item)) for place, item in enumerate(deliveries)]
    given = Internal(
        f"the invocation {entry.id} was abandoned after {len(deliveries)} deliveries: each time the worker ended",
        hint="Check the workers' logs for why they ended. The invocation itself may crash its worker.",
        details=details,
    )
    return Result("failed", _meta(entry), error=given)


def expired(entry: Entry) -> Result:
    """Fail a queued invocation that was not begun by its ``notAfter`` time, or cancel one that nobody has approved in time."""
    if entry.status == "waiting":
        text = f"nobody approved it before {iso(entry.not_after)}; nothing was sent"
        return Result("failed", _meta(entry), error=Cancelled(text, hint="Call again to ask once more."))
    late = TimedOut(
        f"it was not started before its 'notAfter' ({iso(entry.not_after)}); nothing was sent", hint="Add workers, or allow it more time."
    )
    return Result("failed", _meta(entry), error=late)


def cancelled(entry: Entry) -> Result:
    """End a queued invocation that somebody has cancelled."""
    return Result("failed", _meta(entry), error=Cancelled("the invocation was cancelled before it was started"))


def _lost(item: Mapping[str, Any]) -> str:
    where = f" on {item['host']}" if "host" in item else ""
    begun = f"was started at {iso(item['startedAt'])}" if "startedAt" in item else "was not started"
    return f"delivery {item['delivery']} {begun}{where}; its worker was gone at {iso(item['endedAt'])}"


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
    """Return the attempt log of an entry whose process has died; the outcome of its last attempt is unknown."""
    outcome = "in_doubt" if entry.effect == "write" else "unavailable"
    return [{**item, "outcome": outcome} if item.get("outcome") == "running" else item for item in entry.attempt_log]


def resolved(
    entry: Entry, outcome: Literal["succeeded", "failed"], by: str, at: float, note: str = ""
) -> tuple[dict[str, Any], str | None]:
    """Resolve a doubt as a person decided; return the Result and its error's code.

    ``meta.resolution`` holds who decided, when, the ``note`` of how they know, and the error that had put the invocation in doubt; the
    provider's request id stays. The output of a success is empty, since the provider's answer is unknown. A failure may be sent again.
    """
    known = dict(entry.result or {"meta": {"invocationId": entry.id}})
    before = known["meta"].get("resolution", {})
    doubt = known.pop("error", None)
    doubt = before.get("error") if before else doubt
    said = (doubt or {}).get("provider", {})
    meta = {"requestId": said["requestId"]} if "requestId" in said else {}
    resolution = {"by": by, "at": iso(at), **({"note": note} if note else {}), **({"error": doubt} if doubt is not None else {})}
    resolution |= {"overruled": before} if before else {}
    known["meta"] = {**meta, **known["meta"], "resolution": resolution}
    if outcome == "succeeded":
        return {**known, "status": outcome, "output": {}}, None
    error = Unavailable(f"'{entry.action}' did not take effect: it was resolved as failed", hint="It can be sent again.").to_json()
    return {**known, "status": outcome, "error": error | ({"provider": said} if said else {})}, error["code"]


def resolved_by_person(
    entry: Entry, outcome: Literal["succeeded", "failed"], by: str, at: float, note: str
) -> tuple[dict[str, Any], str | None]:
    """Resolve a doubt as ``resolved`` does.

    :raises InvalidInvocation: if it is in the name of evidence, which is for looks alone.
    """
    if by.strip().casefold().startswith(EVIDENCE):
        raise InvalidInvocation(f"'{EVIDENCE}' resolves nothing by itself", hint="Say who has decided; add how they know it as a note.")
    return resolved(entry, outcome, by, at, note)
