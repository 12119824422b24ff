"""One schedule's due slots: each becomes a queued invocation, or is stored with the reason why it
does not run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.invocation import Result
from jackfield.invocation.request import MAX_LABELS
from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import JackfieldError, LimitReached, Unavailable
from jackfield_service.subjects.schedules.due import UsedError
from jackfield_service.subjects.schedules.policy import GRACE, KEPT, chosen, passed
from jackfield_service.subjects.schedules.slot_values import with_slot

if TYPE_CHECKING:
    from jackfield.callers import Caller
    from jackfield_service.subjects.schedules import Claimed, Content, DueSchedules, Passed
    from jackfield_store.database import Transaction
    from jackfield_store.runtime import Jackfield

    OnQueued = Callable[[Transaction, str], None]

KEY_SPACE = "schedule"
"""Space of the idempotency keys of slots."""
_LOOK = 1.0
"""Seconds between two checks whether the invocation that slots wait for has ended."""
_MISSED = {
    "skip": f"no scheduler ran within {GRACE:g} s of its time",
    "latest": "no scheduler ran at its time, and a later slot was due when one did",
}
_TOO_MANY = f"no scheduler ran at its time, and {KEPT:,} later slots were due when one did"


class SlotRuns:
    """Work on one claimed schedule. ``queued`` is True once an invocation was queued."""

    def __init__(self, runtime: Jackfield, schedule: Claimed, due: DueSchedules) -> None:
        self._runtime = runtime
        self._schedule = schedule
        self._due = due
        self._last = schedule.last_invocation
        self._next = schedule.next_at
        self.queued = False

    def work(self) -> None:
        """Run the due slots, and end the claim.

        :raises OvertakenError: if another process has claimed or changed the schedule.
        :raises Unavailable: if the database is unavailable; the claim then expires.
        """
        moments, fault = self._due.moments(), self._schedule.fault
        if fault is not None:
            self._due.pause(self._schedule, fault)
            return
        try:
            content = self._schedule.content(self._runtime.storage.vault)
            caller = replace(self._runtime.access.queued_by(content.caller), key_space=KEY_SPACE)
        except Unavailable:
            raise
        except JackfieldError as error:
            self._due.stop(self._schedule, (), f"it cannot be read: {error.message}")
            return
        found = None
        if self._next is not None and self._next <= moments["now"]:
            found = passed(self._schedule.timing, self._next, moments["now"])
        if caller.ended is not None:
            slots = () if found is None else found.slots
            self._due.stop(
                self._schedule,
                slots,
                f"the token '{self._schedule.token}' whose rights it runs with {caller.ended}",
            )
            return
        waiting = self._due.waiting(self._schedule, KEPT)
        self._promote(waiting, content, caller)
        if found is not None:
            self._run(found, waiting, content, caller, moments["late"])
        self._due.release(self._schedule, self._next, _LOOK if waiting else None)

    def _promote(self, waiting: list[float], content: Content, caller: Caller) -> None:
        """Queue waiting slots, in order, once the earlier runs have ended, until the queue is
        full.
        """
        while waiting and (
            self._schedule.overlap == "allow" or not self._due.is_open(self._schedule, self._last)
        ):
            slot = waiting[0]
            try:
                refusal = self._queue(
                    slot, content, caller, self._due.promoting(self._schedule, slot)
                )
            except LimitReached:
                return
            waiting.pop(0)
            if refusal is not None:
                self._due.give_up(self._schedule, slot, refusal)

    def _run(
        self, found: Passed, waiting: list[float], content: Content, caller: Caller, late: float
    ) -> None:
        if found.earlier:
            self._due.miss_earlier(self._schedule, found, _TOO_MANY)
            self._next = found.slots[0]
        if found.cut:
            return
        slots = chosen(found.slots, self._schedule.missed, late)
        missed = found.slots[: len(found.slots) - len(slots)]
        if missed:
            self._next = slots[0] if slots else found.following
            self._due.pass_over(
                self._schedule, missed, "missed", _MISSED[self._schedule.missed], self._next
            )
        for number, slot in enumerate(slots):
            self._next = slots[number + 1] if number + 1 < len(slots) else found.following
            self._one(slot, waiting, content, caller)

    def _one(self, slot: float, waiting: list[float], content: Content, caller: Caller) -> None:
        """Queue the invocation of a slot, unless the invocation of an earlier slot has not ended
        and the schedule forbids an overlap. A slot waits while the workspace's queue is full.
        """
        schedule = self._schedule
        opened = schedule.overlap != "allow" and self._due.is_open(schedule, self._last)
        if opened or (waiting and schedule.overlap != "allow"):
            before = (
                f"the invocation {self._last} of an earlier slot had not ended"
                if opened
                else "an earlier slot still waited"
            )
            if schedule.overlap == "queue":
                self._keep(slot, waiting, before)
            else:
                self._due.pass_over(schedule, [slot], "skipped", before, self._next)
            return
        try:
            refusal = self._queue(
                slot, content, caller, self._due.running(schedule, slot, self._next)
            )
        except UsedError:
            self._due.pass_over(schedule, (), "skipped", "", self._next)
            return
        except LimitReached as full:
            self._keep(slot, waiting, full.message)
            return
        if refusal is not None:
            self._due.pass_over(schedule, [slot], "refused", refusal, self._next)

    def _keep(self, slot: float, waiting: list[float], reason: str) -> None:
        """Let a slot wait for the reason, unless too many slots wait."""
        if len(waiting) >= KEPT:
            self._due.pass_over(
                self._schedule,
                [slot],
                "skipped",
                f"{reason}, and {KEPT:,} slots waited already",
                self._next,
            )
            return
        self._due.pass_over(self._schedule, [slot], "waiting", reason, self._next)
        waiting.append(slot)

    def _queue(
        self, slot: float, content: Content, caller: Caller, on_queued: OnQueued
    ) -> str | None:
        """Queue the invocation of a slot; return the reason if it is refused, else None.

        :raises LimitReached: if the workspace's queue is full.
        """
        try:
            found = self._runtime.enqueue(
                invocation_of(self._schedule, content, slot), caller=caller, on_queued=on_queued
            )
        except (Unavailable, LimitReached):
            raise
        except JackfieldError as error:
            return f"{error.code}: {error.message}"
        if isinstance(found, Result) and found.status == "waiting" and not found.meta.replayed:
            found = found.meta.invocation_id  # until a person approves it
        if isinstance(found, Result):  # its key was used before: by a database that was put back
            identifier = found.meta.invocation_id
            self._runtime.storage.database.record(
                lambda transaction: on_queued(transaction, identifier)
            )
            return None
        self._last, self.queued = found, True
        return None


def invocation_of(
    schedule: Claimed, content: Content, slot: float, suffix: str = ""
) -> Mapping[str, Any]:
    """Return the invocation of a slot: with its time, a key made from schedule and slot, and the
    label ``schedule``.
    """
    given = content.invocation
    context = given.get("context") or {}
    labels = {"schedule": schedule.name, **(context.get("labels") or {})}
    if len(labels) <= MAX_LABELS:
        context = {**context, "labels": labels}
    return {
        **given,
        "inputs": with_slot(given.get("inputs") or {}, schedule.timing, slot),
        "idempotencyKey": f"schedule:{schedule.id}:{iso(slot)}{suffix}",
        "context": context,
    }
