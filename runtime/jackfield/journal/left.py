"""What becomes of an invocation whose process has died, told by its effect; and of a doubt, told by a person."""

from __future__ import annotations

from typing import Any, Literal

from jackfield.errors import InDoubt, Sent, Unavailable
from jackfield.invocation import Meta, Result
from jackfield.journal.entry import Entry

__all__ = ["left_behind", "resolved"]


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
            hint="Find out from the provider whether it took effect, then 'jackfield invocations resolve' it.",
            sent=Sent.UNKNOWN,
        )
        return Result("in_doubt", meta, error=doubt)
    gone = Unavailable("the process that ran this ended before it could tell what it came to", hint="It may be run again.")
    return Result("failed", meta, error=gone)


def resolved(entry: Entry, outcome: Literal["succeeded", "failed"]) -> tuple[dict[str, Any], str | None]:
    """The Result of a doubt that a person has settled, and its error's code. What the provider would have answered nobody knows: the output
    of a success is empty, and a failure may be sent again."""
    known = dict(entry.result or {"meta": {"invocationId": entry.id}})
    if outcome == "succeeded":
        known.pop("error", None)
        return {**known, "status": outcome, "output": {}}, None
    error = Unavailable(f"'{entry.action}' did not take effect, as a person found out", hint="It may be sent again.").to_json()
    provider = known.get("error", {}).get("provider")
    return {**known, "status": outcome, "error": error | ({"provider": provider} if provider else {})}, error["code"]
