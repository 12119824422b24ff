"""Rows of work that is no call of a connector: begun before it may take effect, ended with its
outcome, one row per key.

    work = Work("host", "charge", key="order-1", request={"amount": 5})
    row = JournalRow(journal, how, work, clock)
    if (known := await row.begin()) is None:  # from here on it may take effect
        ...
        await row.end(succeeded(how.ended(), {"value": "ch_1"}))

``known`` is the Result of the row that has the key, even if in doubt. If a process dies before the
end, its row is in doubt. ``Journal.resolve`` settles a doubt, with the output that a look has
found; repeats then get that output. A row has states, recovery, retention and a place in lists,
since it is a call's row (``record``). It passes no gate and needs no page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.call.reached import Asked, Given, Reached
from jackfield.call.work import Work
from jackfield.invocation import Invocation, Result
from jackfield.invocation.file_references import GivenFiles
from jackfield.kernel.clock import Deadline, within
from jackfield.kernel.errors import Cancelled, JackfieldError
from jackfield.kernel.failures import OnFailure
from jackfield.manifest.reading import HOST
from jackfield_store.recording.drafting import draft_of
from jackfield_store.recording.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from jackfield.call.how import How
    from jackfield.invocation.entry import Entry
    from jackfield.kernel.clock import Clock
    from jackfield_store.journal import Journal


class JournalRow:
    """Row of one piece of work in the journal. ``sees`` returns whether a conflict may name the row
    that has the key.
    """

    def __init__(
        self,
        journal: Journal,
        how: How,
        work: Work,
        clock: Clock,
        sees: Callable[[Entry], bool] = lambda _entry: True,
    ) -> None:
        how.deadline = Deadline.after(work.seconds, clock, how.arrived)
        how.meta.connector, how.meta.action = work.connector, work.action
        given = Invocation(
            work.connector,
            work.action,
            {},
            idempotency_key=work.key,
            key_space=HOST,
            timeout_seconds=work.seconds,
            context=dict(work.context or {}),
        )
        request = {"connector": work.connector, "action": work.action, "request": work.request}
        fingerprint = None if work.key is None else journal.fingerprint(request)
        draft = draft_of(given, how.meta, fingerprint, how.caller.name, journal.time.stamp())
        draft.effect, draft.kept_for = work.effect, work.kept_for
        asked = Asked(how, given, Given(work.request, {}, GivenFiles()))
        self._seconds = work.seconds
        self._how, self._record = how, Record(journal, draft, asked, Reached(how), clock)
        self._record.sees = sees
        if (formerly := work.formerly) is not None:
            self._record.formerly = lambda: journal.fingerprint({**request, "request": formerly()})

    @property
    def id(self) -> str:
        """ID of the entry in the journal."""
        return self._how.meta.invocation_id

    @property
    def call(self) -> Reached:
        """The work as a call, for counting running calls."""
        return self._record.call

    async def held(self) -> Result | None:
        """Return the Result of the row that has the key, marked as replayed, once that row has
        ended; None if the key is free.

        :raises IdempotencyConflict: if the key belongs to another request, or that row still runs
            after the time to wait.
        """
        return await self._record.replay()

    async def begin(self) -> Result | None:
        """Begin the work. Once this returns None, the row is on the disk, except for repeatable
        work without a key. Otherwise return the Result of ``held``, and leave no row.

        :raises JackfieldError: as ``held``; or if the journal cannot be written. Nothing has begun,
            and the row says so.
        """
        with within(self._seconds), OnFailure(self._leave):
            try:
                # a row in the way is told of by the begin
                is_new = self._record.may_meet_another and self._record.put_off_key()
                known = None if is_new else await self.held()
                while known is None and not await self._record.begin():
                    known = await self.held()
            except JackfieldError as error:
                await self.end(Result("failed", self._how.ended(), error=error))
                raise
        return known

    def _leave(self) -> None:
        """Record that the caller was interrupted before the work began, unless another end is
        recorded.
        """
        error = Cancelled("the caller has left before anything was sent")
        self.interrupt(Result("failed", self._how.ended(), error=error))

    async def end(self, result: Result) -> None:
        """Record the outcome. A failure to record it is logged, added to the Result's warnings, and
        repaired later.
        """
        await self._record.end(result, None, is_last=_is_last)
        result.meta.warnings = (*result.meta.warnings, *self._record.unrecorded)

    def interrupt(self, result: Result | None) -> None:
        """Record the outcome at once, as its caller is being interrupted; record nothing without an
        outcome.
        """
        self._record.finish_interrupted(result)


def _is_last() -> bool:
    """Return True, so that no call waits for the commit of others."""
    return True
