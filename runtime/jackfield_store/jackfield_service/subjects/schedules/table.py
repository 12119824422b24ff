"""The schedules of one workspace in the database."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

from jackfield.callers.actor import LIBRARY, Actor
from jackfield.connections.named_connection import NAME
from jackfield.invocation import new_invocation_id
from jackfield.kernel.clock import Clock, iso
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Detail, InvalidInvocation
from jackfield.kernel.exact import exact_json, read_float
from jackfield.kernel.hints import NextStep
from jackfield.kernel.stored_values import parsed_object, problem_of_times
from jackfield_service.subjects.schedules.policy import Missed, Overlap, counted
from jackfield_service.subjects.schedules.timing import Timing
from jackfield_store.access.audit import Audit, by_member, difference
from jackfield_store.database import Database, Row, SealBroken, Transaction, UniqueViolation
from jackfield_store.database.shared_clock import TOLERATED, SharedClock
from jackfield_store.database.slices import delete_in_slices, slice_of
from jackfield_store.keys import Vault

Status = Literal["active", "paused", "ended", "stopped"]

COLUMNS = """id, name, connector, action, effect, connection, timing, missed, overlap, status, reason, caller, token, version, claim,
next_at, last_invocation, sealed, created_at, changed_at"""
_LARGEST = 1024 * 1024
_OWN = "workspace = :workspace AND id = :id"
_FIND = f"SELECT {COLUMNS} FROM schedules WHERE workspace = :workspace AND name = :name"
_LIST = (
    f"SELECT {COLUMNS} FROM schedules WHERE workspace = :workspace AND name > :after ORDER "
    "BY name LIMIT :limit"
)
_INSERT = """
INSERT INTO schedules (workspace, id, name, connector, action, effect, connection, timing, missed, overlap, status, caller, token, version,
    claim, next_at, wake_at, sealed, created_at, changed_at)
VALUES (:workspace, :id, :name, :connector, :action, :effect, :connection, :timing, :missed, :overlap, 'active', :caller, :token, 1,
    0, :next_at, :next_at, :sealed, :now, :now)
"""
_CHANGE = f"""
UPDATE schedules SET connector = :connector, action = :action, effect = :effect, connection = :connection, timing = :timing,
    missed = :missed, overlap = :overlap, status = :status, reason = NULL, caller = :caller, token = :token, version = version + 1,
    claim = claim + 1, next_at = :next_at, wake_at = :wake_at, sealed = :sealed, changed_at = :now
WHERE {_OWN} AND version = :version AND claim = :claim
"""
_PAUSE = f"""
UPDATE schedules SET status = 'paused', reason = NULL, claim = claim + 1, wake_at = NULL, changed_at = :now
WHERE {_OWN} AND status = 'active'
"""
_RESUME = f"""
UPDATE schedules SET status = 'active', reason = NULL, claim = claim + 1, next_at = :next_at, wake_at = :next_at, changed_at = :now
WHERE {_OWN} AND status = 'paused' AND claim = :claim
"""
_HALT = f"UPDATE schedules SET status = 'paused', claim = claim + 1, wake_at = NULL WHERE {_OWN}"
_DELETE = f"DELETE FROM schedules WHERE {_OWN}"
_DELETE_SLOTS = slice_of(
    "schedule_slots", "workspace, schedule_id, slot", "workspace = :workspace AND schedule_id = :id"
)
_SLOTS = """
SELECT s.slot, s.last, s.slots, s.outcome, s.reason, s.invocation_id, i.status
FROM schedule_slots s LEFT JOIN invocations i ON i.workspace = s.workspace AND i.id = s.invocation_id
WHERE s.workspace = :workspace AND s.schedule_id = :id AND s.slot < :before ORDER BY s.slot DESC LIMIT :limit
"""
ADD_SLOT = """
INSERT INTO schedule_slots (workspace, schedule_id, slot, last, slots, outcome, reason, invocation_id)
VALUES (:workspace, :id, :slot, :last, :slots, :outcome, :reason, :invocation) ON CONFLICT DO NOTHING
"""
"""SQL statement that records a slot, unless it is recorded already: a clock that was set back
repeats its time.
"""
_TAKEN = (
    "SELECT slot FROM schedule_slots WHERE workspace = :workspace AND schedule_id = :id AND "
    "slot = :slot"
)
_NO_MORE_SLOTS = 1e18
_AUDITED = (
    "connector",
    "action",
    "connection",
    "caller",
    "cron",
    "timezone",
    "every",
    "anchor",
    "at",
    "missed",
    "overlap",
)
"""Members whose values are in the audit log, which is not encrypted; inputs and keys appear there
by name only.
"""
_BESIDE = 0.0005
"""Seconds after a whole millisecond, where no schedule has a slot."""


class UnknownSchedule(InvalidInvocation):
    """Error for a schedule that the workspace lacks, or that the caller may not see."""

    http_status = 404


class ScheduleConflict(InvalidInvocation):
    """Error for a schedule that cannot be changed in its present state."""

    http_status = 409


class ScheduleExists(ScheduleConflict):
    """Error for the name of a new schedule that another schedule has already."""

    problem = "name_taken"


@dataclass(frozen=True, slots=True, repr=False)
class Content:
    """Invocation that a schedule runs, and the caller whose rights it has: an invocation, and a
    caller in the form of ``Caller.to_json``.
    """

    invocation: Mapping[str, Any]
    caller: Mapping[str, Any]
    effect: str | None = None
    connection: str | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """Outcome of one slot, or of several in a row (``slots`` up to ``last``) that did not run.
    ``status`` is the invocation's.
    """

    slot: float
    last: float
    slots: int
    outcome: Literal["queued", "waiting", "missed", "skipped", "refused"]
    reason: str | None
    invocation_id: str | None
    status: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the slot as a JSON object."""
        several = {"last": iso(self.last), "slots": self.slots} if self.slots > 1 else {}
        about = {"invocationId": self.invocation_id, "status": self.status, "reason": self.reason}
        return {
            "slot": iso(self.slot),
            **several,
            "outcome": self.outcome,
            **{name: item for name, item in about.items() if item},
        }


@dataclass(frozen=True, slots=True, repr=False)
class Schedule:
    """Schedule as it is stored. ``next_at`` is the next slot without a recorded outcome. Times are
    seconds since 1970.
    """

    workspace: str
    id: str
    name: str
    connector: str
    action: str
    effect: str | None
    connection: str | None
    timing: Timing
    missed: Missed
    overlap: Overlap
    status: Status
    reason: str | None
    caller: str | None
    token: str | None
    version: int
    claim: int
    next_at: float | None
    last_invocation: str | None
    sealed: bytes
    created_at: float
    changed_at: float
    """Time of the last change, pause or resumption."""

    @classmethod
    def read(cls, workspace: str, row: Row) -> Schedule:
        """Read a row that was selected with ``COLUMNS``. A damaged row has no times, and its seal
        does not match.
        """
        try:
            timing = Timing(**parsed_object(row.timing))
        except (ValueError, TypeError):
            timing = Timing()
        members = {**row.as_dict(), "timing": timing}
        return cls(workspace, **{name: members[name] for name in cls.__match_args__[1:]})

    def content(self, vault: Vault) -> Content:
        """Decrypt the invocation that the schedule runs, and its caller.

        :raises SealBroken: if the row was changed in the database.
        """
        place = _place(self.id, self.version, self.timing, self.missed, self.overlap)
        found = json.loads(vault.open(self.workspace, place, self.sealed), parse_float=read_float)
        return Content(found["invocation"], found["caller"], self.effect, self.connection)

    def sealed_with(self, vault: Vault, content: Content) -> bytes:
        """Encrypt other content for this version of the schedule."""
        place = _place(self.id, self.version, self.timing, self.missed, self.overlap)
        return vault.seal(self.workspace, place, _document(content).encode())

    @property
    def fault(self) -> str | None:
        """Sentence with the reason why no slot can be run or displayed; None if there is no fault.
        A schedule with a fault is paused.
        """
        fault = self.timing.fault
        if fault is not None:
            return f"its {fault[0].removeprefix('/') or 'row'} cannot be used: {fault[1]}"
        return problem_of_times(self.next_at, self.created_at, self.changed_at).get("problem")

    def to_json(self) -> dict[str, Any]:
        """Return the schedule as a JSON object, without its invocation. For a schedule with a
        fault, the member ``problem`` replaces the times.
        """
        fault = self.fault
        status, reason, said = self.status, self.reason, dict[str, Any]()
        if fault is None:
            said = self.timing.to_json()
        else:
            status, reason, said = (
                "paused" if status == "active" else status,
                fault,
                {"problem": fault},
            )
        about: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "status": status,
            "reason": reason,
            "connector": self.connector,
            "action": self.action,
            "connection": self.connection,
            **said,
            "missed": self.missed,
            "overlap": self.overlap,
            "runsAs": {"caller": self.caller, "token": self.token},
            "nextAt": iso(self.next_at) if status == "active" else None,
            "createdAt": iso(self.created_at),
            "changedAt": iso(self.changed_at),
        }
        return {
            name: value for name, value in about.items() if value is not None or name == "nextAt"
        }


_USED_AHEAD = (
    "SELECT MAX(last) AS last FROM schedule_slots WHERE workspace = :workspace AND "
    "schedule_id = :id AND slot > :later"
)


class ScheduleTable:
    """Schedules of one workspace. The audit log attributes changes to ``actor``."""

    def __init__(
        self, database: Database, vault: Vault, workspace: str, clock: Clock, actor: Actor = LIBRARY
    ) -> None:
        self._database = database
        self._vault = vault
        self._workspace = workspace
        self._audit = Audit(database, lambda: vault, workspace, clock, actor)
        self.time = SharedClock.of(database, clock)

    def silence(self, schedule: Schedule) -> dict[str, Any]:
        """Return the end of a schedule's silence, and its reason, if future slots are already used
        since the clock went back; else an empty object.
        """
        values = {
            "workspace": self._workspace,
            "id": schedule.id,
            "later": self.time.now() + TOLERATED,
        }
        row = self._database.look_up(_USED_AHEAD, values) if schedule.status == "active" else None
        if row is None or row.last is None:
            return {}
        why = f"the clock went back: slots up to {iso(row.last)} were used, and no slot runs twice"
        return {"silentUntil": iso(schedule.next_at), "silentReason": why}

    def add(
        self, name: str, content: Content, timing: Timing, missed: Missed, overlap: Overlap
    ) -> Schedule:
        """Store a schedule; it is active at once.

        :raises ScheduleExists: if a schedule has this name.
        :raises InvalidInvocation: if the name or the size is not valid.
        """
        if not NAME.fullmatch(name):
            raise InvalidInvocation(
                "1 member of the schedule is not valid",
                details=[
                    Detail(
                        "/name", "must have 1 to 100 characters of A-Z, a-z, 0-9, '.', '_' and '-'"
                    )
                ],
                hint="Choose another name.",
            )
        identifier, now = new_invocation_id(), self.time.now()
        values = {
            **self._columns(identifier, 1, content, timing, missed, overlap),
            "name": name,
            "next_at": timing.after(now),
            "now": now,
        }

        def unit(transaction: Transaction) -> None:
            transaction.change(_INSERT, values)
            self._note(transaction, "created", name, _about(content))

        try:
            self._database.record(unit)
        except UniqueViolation:
            raise ScheduleExists(
                f"the schedule '{name}' exists already",
                hint="Choose another name, or change or remove it.",
            ) from None
        return self.find(name)

    def find(self, name: str) -> Schedule:
        """Return a schedule.

        :raises UnknownSchedule: if no schedule has this name.
        """
        row = self._database.look_up(_FIND, {"workspace": self._workspace, "name": name})
        if row is None:
            raise unknown_schedule(name)
        return Schedule.read(self._workspace, row)

    def page(self, after: str, limit: int) -> list[Schedule]:
        """Return up to ``limit`` schedules by name, after the name ``after``."""
        with self._database.read() as transaction:
            rows = transaction.execute(
                _LIST, {"workspace": self._workspace, "after": after, "limit": limit}
            )
        return [Schedule.read(self._workspace, row) for row in rows]

    def slots(self, schedule: Schedule, before: float | None, limit: int) -> list[Slot]:
        """Return up to ``limit`` past slots before ``before``, newest first."""
        values = {
            "workspace": self._workspace,
            "id": schedule.id,
            "limit": limit,
            "before": _NO_MORE_SLOTS if before is None else before,
        }
        with self._database.read() as transaction:
            return [Slot(*row) for row in transaction.execute(_SLOTS, values)]

    def change(
        self, schedule: Schedule, content: Content, timing: Timing, missed: Missed, overlap: Overlap
    ) -> Schedule:
        """Replace a schedule's invocation and times. A stopped or ended schedule becomes active
        again; a paused one stays paused.

        :raises ScheduleConflict: if it was changed meanwhile.
        """
        now = self.time.now()
        status: Status = "paused" if schedule.status == "paused" else "active"
        following = timing.after(now)
        values = {
            **self._columns(schedule.id, schedule.version + 1, content, timing, missed, overlap),
            "version": schedule.version,
            "claim": schedule.claim,
            "status": status,
            "now": now,
            "next_at": following,
            "wake_at": following if status == "active" else None,
        }
        forgotten = self._forgotten(
            schedule, now, "the schedule was changed before the slot was run"
        )
        after = _audited(content, timing, missed, overlap)
        about = {**_about(content), **difference(self._audited_before(schedule), after, _AUDITED)}

        def unit(transaction: Transaction) -> None:
            self._changed(transaction, schedule, _CHANGE, values)
            if forgotten is not None:
                transaction.change(ADD_SLOT, forgotten)
            self._note(transaction, "changed", schedule.name, about)

        self._database.record(unit)
        return self.find(schedule.name)

    def _audited_before(self, schedule: Schedule) -> dict[str, Any]:
        try:
            content = schedule.content(self._vault)
        except SealBroken:  # what it ran cannot be said, and is replaced
            content = Content({}, {})
        return _audited(content, schedule.timing, schedule.missed, schedule.overlap)

    def pause(self, schedule: Schedule) -> Schedule:
        """Stop the slots until the schedule is resumed. Pausing it again has no effect.

        :raises ScheduleConflict: if it has ended or was stopped.
        """
        if schedule.status in ("ended", "stopped"):
            raise ScheduleConflict(
                f"the schedule '{schedule.name}' does not run: it has {schedule.status}",
                hint="Nothing has to be paused.",
            )
        values = {**self._own(schedule), "now": self.time.now()}

        def unit(transaction: Transaction) -> None:
            if transaction.change(_PAUSE, values):
                self._note(transaction, "paused", schedule.name)

        self._database.record(unit)
        return self.find(schedule.name)

    def resume(self, schedule: Schedule) -> Schedule:
        """Run slots from now on. Slots during the pause are recorded as skipped. Resuming it again
        has no effect.

        :raises ScheduleConflict: if no slot follows, or the schedule was changed meanwhile.
        """
        if schedule.status == "active":
            return schedule
        now = self.time.now()
        following = schedule.timing.after(now)
        if schedule.status != "paused" or following is None:
            raise ScheduleConflict(
                f"the schedule '{schedule.name}' has ended: no slot follows",
                hint="Add another one, or change its times.",
            )
        values = {**self._own(schedule), "claim": schedule.claim, "next_at": following, "now": now}
        forgotten = self._forgotten(schedule, now, "the schedule was paused")

        def unit(transaction: Transaction) -> None:
            self._changed(transaction, schedule, _RESUME, values)
            if forgotten is not None:
                transaction.change(ADD_SLOT, forgotten)
            self._note(transaction, "resumed", schedule.name)

        self._database.record(unit)
        return self.find(schedule.name)

    def remove(self, schedule: Schedule) -> None:
        """Delete a schedule and its stored slots. Invocations that it has queued stay."""
        own = self._own(schedule)
        self._database.record(lambda transaction: transaction.change(_HALT, own))
        delete_in_slices(self._database, _DELETE_SLOTS, own)

        def unit(transaction: Transaction) -> None:
            if transaction.change(_DELETE, own):
                transaction.change(_DELETE_SLOTS, own)
                self._note(transaction, "removed", schedule.name)

        self._database.record(unit)

    def running(self, schedule: Schedule, slot: float) -> Callable[[Transaction, str], None]:
        """Return the statements that record an invocation outside the times of a schedule, for the
        transaction that queues it.
        """

        def on_queued(transaction: Transaction, invocation: str) -> None:
            about = {
                "last": slot,
                "slots": 1,
                "outcome": "queued",
                "reason": "run by hand",
                "invocation": invocation,
            }
            transaction.change(
                ADD_SLOT,
                {**self._own(schedule), **about, "slot": self._free(transaction, schedule, slot)},
            )
            self._note(transaction, "run", schedule.name)

        return on_queued

    def _free(self, transaction: Transaction, schedule: Schedule, at: float) -> float:
        """Return an unused time for a run outside of a schedule's slots, within a few milliseconds
        of ``at``.
        """
        slot = math.floor(at * 1000) / 1000 + _BESIDE
        while transaction.find(_TAKEN, {**self._own(schedule), "slot": slot}) is not None:
            slot += 0.001
        return slot

    def _columns(
        self,
        identifier: str,
        version: int,
        content: Content,
        timing: Timing,
        missed: Missed,
        overlap: Overlap,
    ) -> dict[str, Any]:
        document = _document(content)
        if len(document) > _LARGEST:
            raise InvalidInvocation(
                f"the invocation of a schedule has at most {_LARGEST:,} bytes as JSON",
                hint="Upload large contents and name the files.",
            )
        sealed = self._vault.seal(
            self._workspace, _place(identifier, version, timing, missed, overlap), document.encode()
        )
        invocation, caller = content.invocation, content.caller
        return {
            "workspace": self._workspace,
            "id": identifier,
            "connector": invocation["connector"],
            "action": invocation["action"],
            "effect": content.effect,
            "connection": content.connection,
            "timing": _text(timing),
            "missed": missed,
            "overlap": overlap,
            "caller": caller["caller"],
            "token": caller["token"],
            "sealed": sealed,
        }

    def _own(self, schedule: Schedule) -> dict[str, Any]:
        return {"workspace": self._workspace, "id": schedule.id}

    @staticmethod
    def _changed(
        transaction: Transaction, schedule: Schedule, statement: str, values: Mapping[str, Any]
    ) -> None:
        if not transaction.change(statement, values):
            raise ScheduleConflict(
                f"the schedule '{schedule.name}' was changed meanwhile", hint="Try again."
            )

    def _forgotten(self, schedule: Schedule, now: float, reason: str) -> Mapping[str, Any] | None:
        """Return the row that records past slots that were not run; None without such slots."""
        first = schedule.next_at
        if first is None or first > now or schedule.fault is not None:
            return None
        last, slots = counted(schedule.timing, first, now)
        about = {
            "slot": first,
            "last": last,
            "slots": slots,
            "outcome": "skipped",
            "reason": reason,
            "invocation": None,
        }
        return {**self._own(schedule), **about}

    def _note(
        self,
        transaction: Transaction,
        event: str,
        name: str,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        self._audit.append(transaction, f"schedule.{event}", f"schedule:{name}", about)


def unknown_schedule(name: str) -> UnknownSchedule:
    """Build the error for a schedule that does not exist or is hidden from the caller."""
    return UnknownSchedule(f"no schedule has the name '{name[:100]}'", hint=NextStep("schedules"))


def _about(content: Content) -> dict[str, Any]:
    return {name: content.invocation[name] for name in ("connector", "action")}


def _audited(content: Content, timing: Timing, missed: Missed, overlap: Overlap) -> dict[str, Any]:
    """Return the members of a schedule that the audit log compares."""
    named = {
        "connection": content.connection,
        "caller": content.caller.get("caller"),
        "missed": missed,
        "overlap": overlap,
    }
    return {**by_member(content.invocation, "inputs"), **_members(timing), **named}


def _members(timing: Timing) -> dict[str, Any]:
    about = {
        "cron": timing.cron,
        "timezone": timing.timezone,
        "every": timing.every,
        "anchor": timing.anchor,
        "at": timing.at,
    }
    return {name: value for name, value in about.items() if value is not None}


def _text(timing: Timing) -> str:
    return json.dumps(_members(timing), sort_keys=True)


def _document(content: Content) -> str:
    return exact_json(
        {"invocation": content.invocation, "caller": content.caller}, json.JSONEncoder()
    )


def _place(
    identifier: str, version: int, timing: Timing, missed: str, overlap: str
) -> tuple[str, ...]:
    return ("schedule", identifier, str(version), _text(timing), missed, overlap)
