"""A call's entry in the journal before it is written, and the Result that an entry which has ended replays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.hints import restored
from jackfield.invocation import Invocation, Meta, Result
from jackfield.invocation.request import DEFAULT_PRIORITY

if TYPE_CHECKING:
    from jackfield.journal import Draft, Entry


def draft_of(invocation: Invocation, meta: Meta, fingerprint: str | None, caller: str | None, now: float) -> Draft:
    """Create the draft of an entry for an invocation as received ``now``."""
    from jackfield.journal.entry import Draft

    return Draft(
        id=meta.invocation_id,
        connector=invocation.connector[:200],
        connector_version=None,
        action=invocation.action[:200],
        effect=None,
        connection=invocation.connection[:100] if isinstance(invocation.connection, str) else None,
        caller=caller,
        created_at=now,
        expires_at=now + invocation.timeout_seconds,
        fingerprint=fingerprint,
        idempotency_key=None if invocation.dry_run else invocation.idempotency_key,
        dry_run=invocation.dry_run,
        context=invocation.context or None,
        not_before=invocation.not_before,
        not_after=invocation.not_after,
        priority=DEFAULT_PRIORITY if invocation.priority is None else invocation.priority,
    )


def replay_of(entry: Entry) -> Result:
    """Return the recorded Result of an entry that has ended, marked as replayed."""
    result = Result.from_json(entry.result or {"status": entry.status, "meta": {"invocationId": entry.id}})
    result.meta.replayed = True
    if result.error is not None:
        result.error.hint = restored(result.error.hint)
    return result
