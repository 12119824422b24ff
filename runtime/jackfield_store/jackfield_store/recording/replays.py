"""Results that answer a repeated call: the recorded Result of an ended entry, or the present state
of an open one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.invocation import Meta, Result
from jackfield.kernel.clock import iso
from jackfield.kernel.hints import restored

if TYPE_CHECKING:
    from jackfield.invocation.entry import Entry


def unended(meta: Meta, entry: Entry | None) -> Result:
    """Return the Result of an invocation that waits or runs; without an ``entry`` it runs."""
    if entry is not None and entry.status == "waiting":
        meta.approval = {"id": entry.id, "expiresAt": iso(entry.not_after)}
        return Result("waiting", meta)
    is_queued = entry is not None and entry.status == "queued"
    return Result(
        "queued" if is_queued else "running",
        meta,
        progress=None if entry is None else entry.progress,
    )


def replay_of(entry: Entry, *, is_twin: bool = False) -> Result:
    """Return the recorded Result of an ended entry, marked as replayed, or as a twin's."""
    result = Result.from_json(
        entry.result or {"status": entry.status, "meta": {"invocationId": entry.id}}
    )
    result.meta.replayed, result.meta.twin_of = not is_twin, entry.id if is_twin else None
    if result.error is not None:
        result.error.hint = restored(result.error.hint)
    return result
