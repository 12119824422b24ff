"""The due schedules of a whole database: the claims and transactions by which schedulers of several
processes share them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import replace
from jackfield_service.subjects.schedules.policy import Passed
from jackfield_service.subjects.schedules.table import ADD_SLOT, COLUMNS, Schedule
from jackfield_store.database import Transaction
from jackfield_store.database.due_rows import DueRows, DueTable, held, readable
from jackfield_store.database.outbox import record
from jackfield_store.database.shared_clock import TOLERATED

HELD = 15.0
"""Seconds for which a claim is valid; each transaction of its holder renews it."""
SLOTS_KEPT = 30 * 86_400.0
"""Seconds for which slots are stored."""
_OPEN = ("queued", "running")
_SILENT = """
SELECT COUNT(*) AS schedules, MAX(wake_at) AS until FROM schedules WHERE wake_at > :later AND status = 'active' AND EXISTS (
    SELECT 1 FROM schedule_slots WHERE schedule_slots.workspace = schedules.workspace AND schedule_id = schedules.id AND slot > :later
)
"""
_OURS = "workspace = :workspace AND id = :id AND claim = :claim"
_MOVE = f"""
UPDATE schedules SET next_at = :next_at, wake_at = :until, last_invocation = COALESCE(:invocation, last_invocation) WHERE {_OURS}
"""
_RELEASE = f"""
UPDATE schedules SET wake_at = :wake_at, status = CASE WHEN :ended = 1 THEN 'ended' ELSE status END WHERE {_OURS} AND status = 'active'
"""
_STOP = (
    "UPDATE schedules SET status = 'stopped', reason = :reason, wake_at = NULL, next_at = "
    f"NULL WHERE {_OURS}"
)
_PAUSE = (
    f"UPDATE schedules SET status = 'paused', reason = :reason, wake_at = NULL WHERE {_OURS} "
    "AND status = 'active'"
)
_WAITING = """
SELECT slot FROM schedule_slots WHERE workspace = :workspace AND schedule_id = :id AND outcome = 'waiting' ORDER BY slot LIMIT :limit
"""
_PROMOTE = """
UPDATE schedule_slots SET outcome = :outcome, reason = :reason, invocation_id = :invocation
WHERE workspace = :workspace AND schedule_id = :id AND slot = :slot AND outcome = 'waiting'
"""
_PURGE = (
    "DELETE FROM schedule_slots WHERE workspace = :workspace AND schedule_id = :id AND slot "
    "< :before AND outcome <> 'waiting'"
)
_STATUS = "SELECT status FROM invocations WHERE workspace = :workspace AND id = :id"

Claimed = Schedule
"""Schedule that this process has claimed; ``claim`` is the number of its claim."""


class UsedError(Exception):
    """Error for a slot that was used before the clock was set back; nothing was done."""


class DueSchedules(DueRows):
    """Schedules of all workspaces. Every method that writes does so in one transaction, and only
    while the claim is valid.

    :raises OvertakenError: from those methods, if the claim has ended.
    """

    table = DueTable("schedules", f"workspace, {COLUMNS}", HELD)

    def moments(self) -> Mapping[str, float]:
        """Return the times ``now``, by which slots are due, and ``late``, by which they are
        late.
        """
        return self.time.moments()

    def overdue(self) -> float:
        """Return the lateness in seconds of the longest overdue unclaimed schedule; 0 if none is
        overdue.
        """
        return max(0.0, -(self.lead() or 0.0))

    def silent(self) -> tuple[int, float] | None:
        """Return the number of schedules that are silent since the clock went back, and the end of
        the last silence; None without silent schedules. The silence prevents a second run of a
        slot.
        """
        row = self._database.look_up(_SILENT, {"later": self.time.now() + TOLERATED})
        return None if row is None or not row.schedules else (row.schedules, row.until)

    def claim(self, limit: int) -> list[Claimed]:
        """Claim up to ``limit`` schedules that are due, the longest overdue first."""
        return readable(
            self.claimed_rows(limit),
            lambda row: replace(Schedule.read(row.workspace, row), claim=row.claim + 1),
            "schedule",
        )

    def pass_over(
        self,
        schedule: Claimed,
        slots: Sequence[float],
        outcome: str,
        reason: str,
        next_at: float | None,
    ) -> None:
        """Record slots that do not run, one by one, and move on to ``next_at``. Missed slots cause
        one event together.
        """

        def unit(transaction: Transaction) -> None:
            self._move(transaction, schedule, next_at)
            for slot in slots:
                _add(transaction, schedule, slot, outcome, reason)
            if outcome == "missed":
                self._tell(
                    transaction,
                    schedule,
                    "missed",
                    {**_span(slots[0], slots[-1], len(slots)), "reason": reason},
                )

        self._database.record(unit)

    def miss_earlier(self, schedule: Claimed, found: Passed, reason: str) -> None:
        """Record the slots before ``found.slots`` together as missed, and move on to the first of
        ``found.slots``.
        """

        def unit(transaction: Transaction) -> None:
            self._move(transaction, schedule, found.slots[0])
            _add(
                transaction,
                schedule,
                found.first,
                "missed",
                reason,
                last=found.last_earlier,
                slots=found.earlier,
            )
            about = _span(found.first, found.last_earlier, found.earlier)
            self._tell(transaction, schedule, "missed", {**about, "reason": reason})

        self._database.record(unit)

    def running(
        self, schedule: Claimed, slot: float, next_at: float | None
    ) -> Callable[[Transaction, str], None]:
        """Return the statements that use up a slot, for the transaction that queues its invocation.

        The statements raise ``UsedError`` if the slot was used before.
        """

        def on_queued(transaction: Transaction, invocation: str) -> None:
            self._move(transaction, schedule, next_at, invocation)
            if not _add(transaction, schedule, slot, "queued", None, invocation=invocation):
                raise UsedError

        return on_queued

    def promoting(self, schedule: Claimed, slot: float) -> Callable[[Transaction, str], None]:
        """Return the statements that use up a waiting slot, for the transaction that queues its
        invocation.
        """

        def on_queued(transaction: Transaction, invocation: str) -> None:
            self._move(transaction, schedule, schedule.next_at, invocation)
            self._promote(transaction, schedule, slot, "queued", None, invocation)

        return on_queued

    def give_up(self, schedule: Claimed, slot: float, reason: str) -> None:
        """Record a slot that has waited as refused."""

        def unit(transaction: Transaction) -> None:
            self._move(transaction, schedule, schedule.next_at)
            self._promote(transaction, schedule, slot, "refused", reason, None)

        self._database.record(unit)

    def waiting(self, schedule: Claimed, limit: int) -> list[float]:
        """Return the first slots that wait for an earlier one to end."""
        with self._database.read() as transaction:
            rows = transaction.execute(
                _WAITING, {"workspace": schedule.workspace, "id": schedule.id, "limit": limit}
            )
        return [row.slot for row in rows]

    def is_open(self, schedule: Claimed, invocation: str | None) -> bool:
        """Return whether an invocation of the schedule is queued or runs."""
        if invocation is None:
            return False
        row = self._database.look_up(_STATUS, {"workspace": schedule.workspace, "id": invocation})
        return row is not None and row.status in _OPEN

    def release(self, schedule: Claimed, next_at: float | None, again: float | None) -> None:
        """End the claim. The schedule is due again at ``next_at``, or in ``again`` seconds if its
        slots wait; without either, it has ended. Delete slots past their retention.
        """
        now = self.time.now()
        times = [at for at in (next_at, None if again is None else now + again) if at is not None]
        values = {**_own(schedule), "wake_at": min(times, default=None), "ended": int(not times)}

        def unit(transaction: Transaction) -> None:
            held(transaction.change(_RELEASE, values))
            transaction.change(
                _PURGE,
                {"workspace": schedule.workspace, "id": schedule.id, "before": now - SLOTS_KEPT},
            )

        self._database.record(unit)

    def pause(self, schedule: Claimed, reason: str) -> None:
        """Stop the slots of a schedule that cannot run as stored, until it is changed."""

        def unit(transaction: Transaction) -> None:
            held(transaction.change(_PAUSE, {**_own(schedule), "reason": reason}))
            self._tell(transaction, schedule, "stopped", {"reason": reason})

        self._database.record(unit)

    def stop(self, schedule: Claimed, slots: Iterable[float], reason: str) -> None:
        """Stop the schedule, and record its due slots as refused."""

        def unit(transaction: Transaction) -> None:
            held(transaction.change(_STOP, {**_own(schedule), "reason": reason}))
            for slot in slots:
                _add(transaction, schedule, slot, "refused", reason)
            self._tell(transaction, schedule, "stopped", {"reason": reason})

        self._database.record(unit)

    def _move(
        self,
        transaction: Transaction,
        schedule: Claimed,
        next_at: float | None,
        invocation: str | None = None,
    ) -> None:
        about = {"next_at": next_at, "until": self.time.now() + HELD, "invocation": invocation}
        held(transaction.change(_MOVE, {**_own(schedule), **about}))

    def _tell(
        self, transaction: Transaction, schedule: Claimed, type: str, facts: Mapping[str, Any]
    ) -> None:
        about = {
            "schedule": schedule.name,
            "connector": schedule.connector,
            "action": schedule.action,
            "effect": schedule.effect,
        }
        over = {} if schedule.connection is None else {"connection": schedule.connection}
        record(
            transaction,
            schedule.workspace,
            f"schedule.{type}",
            schedule.name,
            self.time.stamp(),
            {**about, **over, **facts},
        )

    @staticmethod
    def _promote(
        transaction: Transaction,
        schedule: Claimed,
        slot: float,
        outcome: str,
        reason: str | None,
        invocation: str | None,
    ) -> None:
        about = {"slot": slot, "outcome": outcome, "reason": reason, "invocation": invocation}
        held(
            transaction.change(
                _PROMOTE, {"workspace": schedule.workspace, "id": schedule.id, **about}
            )
        )


def _span(first: float, last: float, slots: int) -> dict[str, Any]:
    return {"firstSlot": iso(first), "lastSlot": iso(last), "slots": slots}


def _own(schedule: Schedule) -> dict[str, Any]:
    return {"workspace": schedule.workspace, "id": schedule.id, "claim": schedule.claim}


def _add(
    transaction: Transaction,
    schedule: Schedule,
    slot: float,
    outcome: str,
    reason: str | None,
    *,
    last: float | None = None,
    slots: int = 1,
    invocation: str | None = None,
) -> int:
    about = {
        "slot": slot,
        "last": slot if last is None else last,
        "slots": slots,
        "outcome": outcome,
        "reason": reason,
    }
    return transaction.change(
        ADD_SLOT,
        {"workspace": schedule.workspace, "id": schedule.id, **about, "invocation": invocation},
    )
