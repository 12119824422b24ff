"""Bulk submission: many invocations admitted and checked one by one, then queued in few commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jackfield.errors import JackfieldError
from jackfield.invocation import Meta, Result
from jackfield.pipe.pipeline import Pipeline, required
from jackfield.pipe.recorder import replay_of
from jackfield.pipe.run_state import RunState
from jackfield.pipe.settle import failed, masked_error
from jackfield.pipe.waiter import run_in_thread

if TYPE_CHECKING:
    from jackfield.access.workspace_access import Caller
    from jackfield.pipe.recorder import Record
    from jackfield.pipe.waiter import Waiter

Given = Mapping[str, Any] | str | bytes


@dataclass(frozen=True, slots=True)
class Enqueued:
    """Invocation that is queued; ``replayed`` if an earlier request with its idempotency key had queued it."""

    invocation_id: str
    status: str = "queued"
    replayed: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the members of an HTTP response; ``replayed`` only if true."""
        about = {"invocationId": self.invocation_id, "status": self.status}
        return {**about, "replayed": True} if self.replayed else about


def enqueue_many(pipeline: Pipeline, given: Iterable[Given], caller: Caller, waiter: Waiter) -> list[Enqueued | Result]:
    """Queue invocations in order, in one commit. A refused one is a failed Result and does not affect the others.

    An invocation whose idempotency key is held, by an earlier one of the list too, is not queued again: the outcome is the earlier
    invocation while it is open, else its Result.
    """
    found: list[Record | Result] = [_prepared(pipeline, item, caller, waiter) for item in given]
    records = [item for item in found if not isinstance(item, Result)]
    queued = _queued(pipeline, records)
    return [item if isinstance(item, Result) else _outcome(item, queued) for item in found]


def _prepared(pipeline: Pipeline, given: Given, caller: Caller, waiter: Waiter) -> Record | Result:
    state = RunState(waiter, None, caller, wait=False)
    try:
        found: Record | Result = run_in_thread(pipeline.prepared(given, state))
    except JackfieldError as error:
        return failed(state.ended(), masked_error(error, state.redactor))
    return found


def _queued(pipeline: Pipeline, records: Sequence[Record]) -> frozenset[str] | JackfieldError:
    """Return the ids that were queued; all others have an idempotency key that is held. Return the error if the commit failed."""
    if not records:
        return frozenset()
    try:
        return required(pipeline.journal()).queue_many([record.draft for record in records])
    except JackfieldError as error:
        return error


def _outcome(record: Record, queued: frozenset[str] | JackfieldError) -> Enqueued | Result:
    draft = record.draft
    meta = Meta(draft.id, connector=draft.connector, action=draft.action)
    if isinstance(queued, JackfieldError):
        return failed(meta, queued)
    if draft.id in queued:
        return Enqueued(draft.id)
    try:
        entry = record.holder()
        if entry is None:  # the key had expired, and is free now
            replayed: Result | None = run_in_thread(record.queue())
            return Enqueued(draft.id) if replayed is None else replayed
    except JackfieldError as error:
        return failed(meta, error)
    return Enqueued(entry.id, entry.status, replayed=True) if entry.is_open else replay_of(entry)
