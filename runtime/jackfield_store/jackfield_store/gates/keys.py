"""Idempotency keys: a repeat is answered with the Result of the call that holds its key."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from jackfield.call import endings
from jackfield.call.gate import KEYED, QUEUED, RECORDED, REHEARSED, Gate, Passing
from jackfield.call.reached import Ended
from jackfield.kernel.errors import JackfieldError
from jackfield.pacing.pace import pace_of
from jackfield_store.recording.held_keys import asking, not_again, require_again
from jackfield_store.recording.record import never
from jackfield_store.recording.replays import replay_of

if TYPE_CHECKING:
    from jackfield.call.call_records import Checked, Found
    from jackfield.call.pipe import StepPolicies
    from jackfield.call.plan import Plan
    from jackfield.call.reached import Asked, Reached, Terms
    from jackfield.invocation import Result
    from jackfield.kernel.clock import Clock
    from jackfield_store.recording.asking import Asking
    from jackfield_store.recording.record import Record


_OVERTAKEN = "the doubt was settled, or its request sent again, meanwhile"
_OTHER_ACCOUNT = "the connection may lead to another account now, which does not know the key"


class _Key(Passing):
    """Part of the gate of keys in one call; ``_was_looked_for`` is True if a query has found its
    key free.
    """

    __slots__ = ("_policies", "_was_looked_for")

    def __init__(self, found: Found, policies: StepPolicies) -> None:
        super().__init__(found)
        self._policies, self._was_looked_for = policies, False

    async def admit(self, found: Found) -> Result | None:
        """Return the Result that answers a repeat, otherwise None. A key that is most likely new is
        queried only where the call begins or ends.
        """
        if self._record.asking is not None:
            if self.asked.how.again is not None:
                entry, time = self.asked.how.again.entry, self._record.journal.time
                require_again(found, entry, time.now())
            return None
        may_wait = not self._policies.must_judge and not found.pipe.is_observed
        if (
            may_wait
            and _begins_at_once(found.plan, found.terms, self.asked, found.pipe.dependencies.clock)
            and self._record.put_off_key()
        ):
            return None
        return await self._held()

    async def before_begin(self, checked: Checked, *, again: bool) -> Result | None:
        """Return the Result that answers a repeat whose first call began sooner, otherwise None. A
        repeat that sends the request of a doubt again goes on from it, over the same account.
        """
        by_person = self.asked.how.again
        if again and by_person is not None:
            if not self._record.is_undone:
                raise not_again(by_person.entry, "/status", _OVERTAKEN)
        elif again and not (self._record.is_undone and self._was_looked_for):
            found = await self._held()
            if found is not None:
                return found
        again_of, used = self._record.asking, self._record.draft.key_facts
        if again_of is None:
            return None
        sent = again_of.entry.key_facts
        if sent is None or used is None or not sent.is_same_account(used):
            if by_person is not None:
                raise not_again(by_person.entry, "/connection", _OTHER_ACCOUNT)
            self._record.leave()
            return _unasked(again_of, _OTHER_ACCOUNT)
        checked.attempts.continue_after(again_of.memory)
        return None

    async def output(self, ended: Ended) -> Ended:
        """Query a key that was not queried before the call ended. Return the recorded Result if the
        call is a repeat, otherwise the end unchanged. A request that was not sent again leaves the
        doubt as it was.
        """
        if self._record.asking is not None:
            return self._asked_again(ended, self._record.asking)
        record, is_over = self._record, False
        if not record.is_unseen:
            return ended
        try:
            try:
                late = await record.replay_late()
            except (JackfieldError, MemoryError, RuntimeError, OSError) as error:
                late = endings.ended(record.call, error, record.journal.workspace)
            is_over = True
        finally:
            if not is_over:
                record.finish_now(ended.recorded)
        return ended if late is None else Ended(self._answer(late))

    async def _held(self) -> Result | None:
        record = self._record
        is_asked = record.asking is not None
        asks = never if is_asked else asking(self.found, record.journal.time)
        record.ask_nothing()
        found = await record.replay(asks=asks)
        self._was_looked_for = True
        return None if found is None else self._answer(found)

    def _asked_again(self, ended: Ended, again_of: Asking) -> Ended:
        result = ended.recorded
        if result.status == "failed" and result.error is not None:
            return Ended(_unasked(again_of, result.error.message), ended.attempts)
        if result.status == "succeeded":
            result.meta.resolution = ended.result.meta.resolution = again_of.resolution()
        return ended

    def _answer(self, found: Result) -> Result:
        """Return the Result of the call that holds the key. If that call waits for an approval, the
        caller can wait for its end.
        """
        if found.status != "waiting":
            return found
        # most processes have no calls that wait
        from jackfield_store.recording.jobs import waited_by

        return waited_by(self.found.pipe, found)

    @property
    def _record(self) -> Record:
        return cast("Record", self.row)


class Keys(Gate):
    """Gate that answers repeats of calls with a key."""

    def __init__(self, policies: StepPolicies) -> None:
        self._policies = policies

    part = _Key

    def applies(self, plan: Plan, terms: Terms, shape: int) -> bool:
        """Apply to calls with a key, except dry runs and calls from the queue, whose rows hold
        their keys already.
        """
        del plan, terms
        return shape & (KEYED | RECORDED | QUEUED | REHEARSED) == KEYED | RECORDED

    def of(self, found: Found) -> Passing:
        """Return the gate's part in a call."""
        return _Key(found, self._policies)

    def refuse(self, call: Reached, error: Exception) -> Exception:
        """Note why the request of a doubt is not sent again at a person's request. The Result of
        the call is the doubt.
        """
        again, asked = call.how.again, call.asked
        if again is None or not isinstance(error, JackfieldError):
            return error
        record = None if asked is None else cast("Record | None", asked.row)
        if record is None or not record.has_begun:
            again.refusal = error
        return error


def _begins_at_once(plan: Plan, terms: Terms, asked: Asked, clock: Clock) -> bool:
    """Return whether a call most likely waits for nothing between its admission and its begin, and
    opens its connection from memory.

    A second call with its key may get that far: it has requested no credentials, has not waited,
    and has not counted at the provider.
    """
    opening = plan.kept
    if (
        terms.asks is not None
        or asked.how.claimed is not None
        or opening is None
        or not plan.is_loaded
        or plan.loan is not None
        or not opening.is_inline_ok
    ):
        return False
    code = plan.code
    if code.returns_files or code.pace_by or plan.action.rate_limit is not None:
        return False
    return (
        code.budget is not None
        or pace_of(opening.cache, (plan.manifest.key, code.key), clock, {}, (), None).is_free
    )


def _unasked(again_of: Asking, why: str) -> Result:
    """Return the Result of a doubt whose request was not sent again."""
    result = replay_of(again_of.entry)
    warning = {"path": "", "message": f"the request was not sent again: {why}"}
    result.meta.warnings = (*result.meta.warnings, warning)
    return result
