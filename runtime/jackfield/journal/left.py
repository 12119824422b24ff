"""What becomes of an invocation whose process has died, told by its effect; and of a doubt, told by a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from jackfield.clock import iso
from jackfield.errors import InDoubt, Sent, Unavailable
from jackfield.hints import NextStep
from jackfield.invocation import Meta, Result
from jackfield.journal.entry import Entry

__all__ = ["left_behind", "resolved", "tries_left"]


def left_behind(entry: Entry) -> Result:
    """In doubt for a ``write``, since it may have been sent; failed and free to run again for the rest."""
    meta = Meta(
        entry.id,
        connector=entry.connector,
        connector_version=entry.connector_version,
        action=entry.action,
        attempts=entry.attempts,
        request_id=entry.request_id,
        dry_run=entry.dry_run,
    )
    if entry.effect == "write" and not entry.dry_run:
        doubt = InDoubt(
            f"'{entry.action}' may have taken effect: the process that ran it ended before it could tell",
            hint=NextStep("resolve", id=entry.id),
            sent=Sent.UNKNOWN,
        )
        return Result("in_doubt", meta, error=doubt)
    gone = Unavailable("the process that ran this ended before it could tell what it came to", hint="It may be run again.")
    return Result("failed", meta, error=gone)


def tries_left(entry: Entry) -> list[Mapping[str, Any]]:
    """The log of an entry whose process has died: its last try has no end that anybody knows."""
    outcome = "in_doubt" if entry.effect == "write" else "unavailable"
    return [{**item, "outcome": outcome} if item.get("outcome") == "running" else item for item in entry.attempt_log]


def resolved(entry: Entry, outcome: Literal["succeeded", "failed"], by: str, at: float) -> tuple[dict[str, Any], str | None]:
    """Settle a doubt by a person's word: the Result, and its error's code.

    ``meta.resolution`` says who decided and when, and keeps the error that had put it in doubt; the provider's request id stays. The output
    of a success is empty, since nobody knows what the provider would have answered; a failure may be sent again.
    """
    known = dict(entry.result or {"meta": {"invocationId": entry.id}})
    doubt = known.pop("error", None)
    said = (doubt or {}).get("provider", {})
    meta = {"requestId": said["requestId"]} if "requestId" in said else {}
    resolution = {"by": by, "at": iso(at), **({"error": doubt} if doubt is not None else {})}
    known["meta"] = {**meta, **known["meta"], "resolution": resolution}
    if outcome == "succeeded":
        return {**known, "status": outcome, "output": {}}, None
    error = Unavailable(f"'{entry.action}' did not take effect, as a person found out", hint="It may be sent again.").to_json()
    return {**known, "status": outcome, "error": error | ({"provider": said} if said else {})}, error["code"]
