"""Waiting for the call that holds an idempotency key, and its Result. A doubt that holds it may be
asked again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from jackfield.call.tally import has_time
from jackfield.invocation import Meta
from jackfield.kernel.errors import (
    ApprovalRequired,
    Detail,
    IdempotencyConflict,
    InvalidInvocation,
)
from jackfield.kernel.hints import NextStep
from jackfield_store.recording.replays import replay_of, unended
from jackfield_store.recording.twins import FIRST_LOOK, LONGEST_LOOK

if TYPE_CHECKING:
    from jackfield.call.call_records import Found
    from jackfield.call.plan import Plan
    from jackfield.call.reached import Reached
    from jackfield.invocation import Result
    from jackfield.invocation.entry import Entry
    from jackfield_store.database.shared_clock import SharedClock
    from jackfield_store.journal.journal import Journal


class Claimant(Protocol):
    """Record of a call whose key another call may hold."""

    @property
    def journal(self) -> Journal:
        """Journal that the record is written to."""

    @property
    def call(self) -> Reached:
        """Call that the record describes."""

    @property
    def wait_left(self) -> float:
        """Seconds for which the caller still waits."""

    def holder(self) -> Entry | None:
        """Return the entry that holds the call's key; None if the key is free."""


async def result_of_holder(
    claimant: Claimant,
    approvals: Callable[[], Any],
    *,
    joins: bool,
    asks: Callable[[Entry], bool],
) -> Result | None:
    """Return the Result of the call that holds a key; None if the key is free. A caller that
    ``joins`` gets a Result of status ``queued`` or ``running`` if that call has not ended after the
    time to wait. ``asks`` returns whether the request of an ended call is sent again under the key;
    then it is free, too. ``approvals`` returns the module of calls that wait for a person.

    :raises IdempotencyConflict: if the key belongs to another request, or its request still runs
        after the time to wait.
    """
    call, pause = claimant.call, FIRST_LOOK
    while True:
        entry: Entry | None = await call.how.waiter.ask(claimant.holder)
        if entry is None:
            return None
        if asks(entry):
            return None
        if not entry.is_open and not _is_being_asked(claimant, entry):
            return replay_of(entry)
        if entry.status == "waiting" and await approvals().frees_key(claimant.journal, entry, call):
            continue
        left = claimant.wait_left
        if left <= 0 and not entry.is_open:
            return replay_of(entry)
        if (left <= 0 and joins) or entry.status == "waiting":
            meta = Meta(
                entry.id,
                entry.connector,
                entry.connector_version,
                entry.action,
                entry.attempts,
                replayed=True,
            )
            return unended(meta, entry)
        if left <= 0:
            raise IdempotencyConflict(
                f"the request with this idempotency key is still running, as invocation {entry.id}",
                running=True,
                hint=NextStep("wait"),
                retry_after=1.0,
            )
        await call.how.waiter.pause(min(pause, left))
        pause = min(LONGEST_LOOK, pause * 2)


def _is_being_asked(claimant: Claimant, entry: Entry) -> bool:
    return entry.is_being_asked(claimant.journal.time.now())


def unaskable(entry: Entry, now: float) -> tuple[str, str] | None:
    """Return the member because of which nothing more may be sent under the key of a doubt, with
    the reason; None if the provider still knows the key.
    """
    error = (entry.result or {}).get("error") or {}
    if entry.resolved_by is not None:
        return "/resolution", f"'{entry.resolved_by}' has resolved the doubt"
    if entry.key_left is None or "retryUntil" not in error:
        return "/error/retryUntil", "is missing: its provider knows no key of the request"
    if entry.key_left <= now:
        return "/error/retryUntil", "is over: the provider may have forgotten the key"
    return None


def may_ask(entry: Entry, plan: Plan, now: float, seconds: float) -> bool:
    """Return whether the request of a doubt may be sent again under its key, in a call that lasts
    so many ``seconds``.
    """
    if entry.status != "in_doubt" or entry.key_left is None or unaskable(entry, now) is not None:
        return False
    if entry.cancel_requested_at is not None or (entry.not_after or now + 1) <= now:
        return False
    if not plan.action.needs_key or plan.action.is_job:
        return False
    return has_time(entry.key_left - now, seconds)


def require_again(found: Found, entry: Entry, now: float) -> None:
    """Require that a call at a person's request may send the request of a doubt again.

    :raises ApprovalRequired: if a person must approve it: a doubt cannot wait for that.
    :raises InvalidInvocation: if its connector has changed, or the key does not last.
    """
    if found.terms.asks is not None:
        raise ApprovalRequired(
            f"'{entry.action}' needs a person's approval, for which a call in doubt cannot wait",
            details=[Detail("/action", found.terms.asks)],
            hint=NextStep("resolve", id=entry.id),
        )
    version = found.plan.manifest.version
    if entry.connector_version != version:
        text = f"is {version} now, and the request was sent by {entry.connector_version}"
        raise not_again(entry, "/connectorVersion", text)
    if not may_ask(entry, found.plan, now, found.asked.invocation.timeout_seconds):
        text = "the provider may forget the key before the request has ended"
        raise not_again(entry, "/error/retryUntil", text)


def not_again(entry: Entry, path: str, text: str) -> InvalidInvocation:
    """Return the error for a request that is not sent again, which names the member at fault."""
    step = NextStep("resolve", id=entry.id) if entry.status == "in_doubt" else None
    return InvalidInvocation(
        f"the request of the invocation '{entry.id}' was not sent again",
        details=[Detail(path, text)],
        hint=step or "There is nothing to send again.",
    )


def asking(found: Found, time: SharedClock) -> Callable[[Entry], bool]:
    """Return the function that tells whether a call may send the request of a doubt again under its
    caller's key. One that a person must approve may not: a doubt cannot wait for that.
    """

    def asks(entry: Entry) -> bool:
        now, seconds = time.now(), found.asked.invocation.timeout_seconds
        is_mine = entry.is_by_caller and found.terms.asks is None
        return is_mine and may_ask(entry, found.plan, now, seconds)

    return asks
