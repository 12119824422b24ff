"""The schedules of a workspace with the rights of one caller; their invocations are checked and run
with these rights.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from jackfield.invocation import Result, new_invocation_id
from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import Detail, InvalidInvocation, UnknownName
from jackfield.kernel.hints import NextStep
from jackfield.redaction.marks import masked
from jackfield_service.subjects.references import References, fault_of, require, said
from jackfield_service.subjects.schedules import (
    Content,
    Schedule,
    ScheduleConflict,
    ScheduleTable,
    Timing,
    check_slot_values,
    with_slot,
)
from jackfield_service.subjects.schedules.policy import Missed, Overlap
from jackfield_service.subjects.schedules.slot_runs import KEY_SPACE, invocation_of
from jackfield_service.subjects.schedules.table import unknown_schedule
from jackfield_service.subjects.schedules.timing import MEMBERS, invalid
from jackfield_store.access.visible_pages import by_name, visible_page
from jackfield_store.database.cursors import invalid_cursor
from jackfield_store.database.faults import SealBroken
from jackfield_store.recording.own_calls import joined

if TYPE_CHECKING:
    from jackfield.callers import Caller
    from jackfield.callers.actor import Actor
    from jackfield_store.runtime import Jackfield

_HINT = NextStep("schedule_members")
_invalid = partial(invalid, hint=_HINT)
_SHOWN = 20
"""Maximum number of slots returned with a schedule."""
_TOLD = 5
"""Number of next slots returned with an added or changed schedule."""
_NOT_HERE = {
    "idempotencyKey": "each slot has a key of its own",
    "notBefore": "the schedule says when it begins",
    "notAfter": "the schedule says when it begins",
}


class WorkspaceSchedules:
    """Schedules of the runtime's workspace, limited to those whose calls the rules of the caller's
    token would allow.

    :raises InvalidInvocation: from the constructor, if there is no database.
    :raises UnknownSchedule: from methods that take a name, if there is no visible schedule of this
        name.
    """

    def __init__(self, runtime: Jackfield, caller: Caller, actor: Actor) -> None:
        storage = runtime.storage
        if not storage.enabled:
            raise InvalidInvocation(
                "schedules need a database, and JACKFIELD_DATABASE_URL is 'none'",
                hint="Configure a database.",
            )
        storage.require(runtime.workspace)
        self._runtime = runtime
        self._caller = caller
        self._table = ScheduleTable(
            storage.database, storage.vault, runtime.workspace, runtime.clock, actor
        )
        self._authorizer = runtime.access.authorizer(caller)

    def add(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Store a schedule: ``name``, ``invocation``, its times, ``missed`` and ``overlap``, each
        of the type that the noun declares. It runs with the caller's rights.

        :raises JackfieldError: if it is not valid, or its invocation would be refused now.
        """
        timing = Timing.parse(given, self._table.time.now())
        missed, overlap = _policies(given)
        content = self._content(given["invocation"], timing)
        return self._summary_with_next(
            self._table.add(given["name"], content, timing, missed, overlap)
        )

    def change(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Replace members of a schedule; from then on it runs with the caller's rights. New times
        replace the old ones entirely.

        :raises JackfieldError: as ``add`` does.
        """
        schedule = self._find(name)
        own = {"missed": schedule.missed, "overlap": schedule.overlap}
        timing = schedule.timing
        if any(member in given for member in MEMBERS):
            timing = Timing.parse(given, self._table.time.now())
        missed, overlap = _policies({**own, **given})
        is_given = "invocation" in given
        content = (
            self._content(given["invocation"], timing)
            if is_given
            else self._taken_over(schedule, timing)
        )
        return self._summary_with_next(
            self._table.change(schedule, content, timing, missed, overlap)
        )

    def page(self, after: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of visible schedules by name, and the cursor of the next page; None on the
        last page.
        """
        found, more = visible_page(by_name(self._table.page), self._sees, after, limit)
        references = References(self._runtime)
        return [
            {**schedule.to_json(), **self._standing(schedule, references)} for schedule in found
        ], more

    def show(self, name: str) -> dict[str, Any]:
        """Return a schedule with its invocation, secrets masked, and its last slots."""
        return self._summary(self._find(name))

    def slots(
        self, name: str, before: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of a schedule's past slots, newest first, and the cursor of the next page;
        None on the last page.
        """
        try:
            found = self._table.slots(
                self._find(name), None if before is None else float(before), limit + 1
            )
        except ValueError:
            raise invalid_cursor() from None
        more = repr(found[limit - 1].slot) if len(found) > limit else None
        return [slot.to_json() for slot in found[:limit]], more

    def next(self, name: str, count: int) -> list[dict[str, Any]]:
        """Return the next slots of a schedule, as if it were active: in UTC, and in its time
        zone.
        """
        return self._next(self._sound(name), count)

    def _next(self, schedule: Schedule, count: int) -> list[dict[str, Any]]:
        slots = islice(schedule.timing.slots(self._table.time.now()), count)
        return [
            {"slot": iso(slot), "local": schedule.timing.local(slot).isoformat()} for slot in slots
        ]

    def pause(self, name: str) -> dict[str, Any]:
        """Stop the slots until the schedule is resumed.

        :raises ScheduleConflict: if it has ended or was stopped.
        """
        return self._summary(self._table.pause(self._find(name)))

    def resume(self, name: str) -> dict[str, Any]:
        """Run the following slots. A schedule that was stopped runs with the caller's rights from
        then on.

        :raises JackfieldError: if it has ended, its action or connection is gone, or the caller may
            not run its invocation.
        """
        schedule = self._sound(name)
        require(self._missing(schedule, References(self._runtime)))
        if schedule.status != "stopped":
            return self._summary(self._table.resume(schedule))
        if schedule.timing.after(self._table.time.now()) is None:
            raise ScheduleConflict(
                f"the schedule '{name}' has ended: no slot follows",
                hint="Add another one, or change its times.",
            )
        content = self._taken_over(schedule, schedule.timing)
        return self._summary(
            self._table.change(
                schedule, content, schedule.timing, schedule.missed, schedule.overlap
            )
        )

    def remove(self, name: str) -> None:
        """Delete a schedule. Its queued invocations stay."""
        self._table.remove(self._find(name))

    def run(self, name: str) -> Result | str:
        """Queue the invocation of a schedule now, with the caller's rights; return its ID, or a
        Result of status ``waiting``. The schedule's times stay unchanged.

        :raises JackfieldError: if the invocation is refused.
        """
        schedule, slot = self._sound(name), self._table.time.now()
        content = schedule.content(self._runtime.storage.vault)
        invocation = invocation_of(schedule, content, slot, f":{new_invocation_id()}")
        caller = replace(joined(self._caller, content.caller), key_space=KEY_SPACE)
        return self._runtime.enqueue(
            invocation, caller=caller, on_queued=self._table.running(schedule, slot)
        )

    def _taken_over(self, schedule: Schedule, timing: Timing) -> Content:
        """Return a schedule's content with this caller's rights; its earlier author remains one of
        its authors.
        """
        before = schedule.content(self._runtime.storage.vault)
        return replace(
            self._content(before.invocation, timing),
            caller=joined(self._caller, before.caller).to_json(),
        )

    def _content(self, invocation: Any, timing: Timing) -> Content:
        """Check an invocation as if the next slot ran now, and return it with the caller."""
        faults = [
            Detail(f"/invocation/{name}", f"must be left out: {why}")
            for name, why in _NOT_HERE.items()
            if name in invocation
        ]
        if faults:
            number = "1 member is" if len(faults) == 1 else f"{len(faults)} members are"
            raise InvalidInvocation(
                f"{number} not allowed in a schedule's invocation",
                details=faults,
                hint="Leave them out.",
            )
        given, now = invocation.get("inputs"), self._table.time.now()
        if isinstance(given, Mapping):
            check_slot_values(given)
        filled = (
            {**invocation, "inputs": with_slot(given, timing, timing.after(now) or now)}
            if "inputs" in invocation
            else invocation
        )
        draft = self._runtime.prepare(filled, caller=self._caller)
        return Content(invocation, self._caller.to_json(), draft.effect, draft.connection)

    def _find(self, name: str) -> Schedule:
        schedule = self._table.find(name)
        if not self._sees(schedule):
            raise unknown_schedule(name)
        return schedule

    def _sound(self, name: str) -> Schedule:
        """Return a schedule that can be run.

        :raises ScheduleConflict: if its row cannot be used.
        """
        schedule = self._find(name)
        if (fault := schedule.fault) is not None:
            raise ScheduleConflict(
                f"the schedule '{name}' is paused: {fault}", hint="Change its times, or remove it."
            )
        return schedule

    @staticmethod
    def _missing(schedule: Schedule, references: References) -> UnknownName | None:
        """Return the fault of a schedule's missing reference; None if none is missing."""
        return references.of_call(schedule.connector, schedule.action, schedule.connection)

    def _standing(self, schedule: Schedule, references: References) -> dict[str, Any]:
        """Return the members that report a missing reference, without which no slot can run; empty
        if none is missing. The schedule runs again once the reference exists again.
        """
        fault = None if schedule.status == "ended" else self._missing(schedule, references)
        if fault is None or schedule.status != "active":
            return fault_of(fault)
        return {"status": "stopped", "reason": said(fault), "nextAt": None, **fault_of(fault)}

    def _sees(self, schedule: Schedule) -> bool:
        manifest = self._runtime.catalog.look(schedule.connector)[1]
        return self._authorizer.sees_entry(
            manifest, schedule.connector, schedule.action, schedule.effect, schedule.connection
        )

    def _summary_with_next(self, schedule: Schedule) -> dict[str, Any]:
        """Return a schedule whose times may be new, with the next slots, which explain an
        expression best.
        """
        return {**self._summary(schedule), "next": self._next(schedule, _TOLD)}

    def _summary(self, schedule: Schedule) -> dict[str, Any]:
        try:
            invocation = dict(schedule.content(self._runtime.storage.vault).invocation)
        except SealBroken:
            return {
                "problem": "its row in the database was changed: nobody can read what it runs",
                **schedule.to_json(),
            }
        manifest = self._runtime.catalog.look(schedule.connector)[1]
        action = None if manifest is None else manifest.actions.get(schedule.action)
        # without the action's schema nobody knows which inputs are secret
        if "inputs" in invocation:
            invocation["inputs"] = (
                "***" if action is None else masked(action.inputs, invocation["inputs"] or {})
            )
        slots = [slot.to_json() for slot in self._table.slots(schedule, None, _SHOWN)]
        about = {
            **schedule.to_json(),
            **self._standing(schedule, References(self._runtime)),
            **self._table.silence(schedule),
        }
        return {**about, "invocation": invocation, "slots": slots}


def _policies(document: Mapping[str, Any]) -> tuple[Missed, Overlap]:
    """Read the policies. All missed slots can only be run if they may wait for each other."""
    missed = document.get("missed") or "latest"
    overlap = document.get("overlap") or ("queue" if missed == "all" else "skip")
    return cast("tuple[Missed, Overlap]", (missed, overlap))
