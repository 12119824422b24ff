"""Equal writes without an idempotency key: one that is repeated while the first is open joins it, and gets its Result."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.errors import Cancelled, IdempotencyConflict
from jackfield.hints import NextStep, restored
from jackfield.invocation import Result
from jackfield.journal.twins import twin_of

if TYPE_CHECKING:
    from jackfield.journal import Draft, Entry, Journal
    from jackfield.pipe.run import Run

_FIRST_POLL, _LONGEST_POLL = 0.01, 0.25


def twin_digest(journal: Journal, run: Run, inputs: Mapping[str, Any]) -> str | None:
    """Compute the keyed digest that equal writes share: of the same caller, the same version of connector and connection, with the same
    inputs. None for a caller behind whom many may stand."""
    plan, caller = run.plan, run.caller.identity
    if plan is None or caller is None:
        return None
    target = plan.target
    connection = None if target is None else [target.name, target.id, target.version, target.values if target.id is None else None]
    request = {
        "caller": [*caller], "connector": plan.manifest.key, "version": plan.manifest.version, "action": plan.action.key,
        "connection": connection, "inputs": inputs,
    }  # fmt: skip
    return journal.fingerprint(request)


async def joined(journal: Journal, draft: Draft, run: Run) -> Result | None:
    """Wait for the end of the open twin, until the call's deadline, and return its Result. None if the call may begin: there is no twin any
    more, or the caller wants both.

    :raises IdempotencyConflict: if the twin still runs at the deadline.
    :raises Cancelled: if the call is cancelled meanwhile; nothing was sent.
    """
    if run.invocation.repeat or run.invocation.on_doubt == "retry":
        draft.twin = None
        return None
    pause = _FIRST_POLL
    while (entry := await run.waiter.ask(partial(twin_of, journal, draft))) is not None and entry.is_open:
        if run.cancelled.is_set():
            raise Cancelled("cancelled while an equal call ran; nothing was sent by this one")
        left = run.deadline.remaining()
        if left <= pause:
            raise IdempotencyConflict(
                f"an equal write of this caller is still running, as invocation {entry.id}",
                running=True,
                hint=NextStep("twin", id=entry.id),
                retry_after=1.0,
            )
        await run.waiter.pause(pause, run.cancelled)
        pause = min(_LONGEST_POLL, pause * 2)
    return None if entry is None or entry.error_code == "cancelled" else _answer(entry)


def _answer(entry: Entry) -> Result:
    """Return the Result of a twin that has ended."""
    result = Result.from_json(entry.result or {"status": entry.status, "meta": {"invocationId": entry.id}})
    result.meta.twin_of = entry.id
    if result.error is not None:
        result.error.hint = restored(result.error.hint)
    return result
