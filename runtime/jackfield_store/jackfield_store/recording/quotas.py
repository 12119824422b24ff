"""Part of quotas in one call: the call takes its places before it begins, and gives them back if it
has certainly not taken effect.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from jackfield.call.certainty import UNCLEAR, UNREPEATABLE
from jackfield.call.gate import Passing
from jackfield.callers.rules import INLINE, Request
from jackfield.kernel.canonical import canonical
from jackfield.kernel.clock import iso
from jackfield.kernel.errors import QuotaReached, Sent, Unavailable
from jackfield.pacing.turn import PostponedError
from jackfield_store.access.quotas import at, quotas_of
from jackfield_store.journal.outcomes import part_of
from jackfield_store.journal.quotas import (
    FullError,
    Places,
    Share,
    digest,
    give_back,
    purging,
    taking,
)
from jackfield_store.recording.guarding import recipients_of
from jackfield_store.recording.record import NotNowError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jackfield.call.call_records import Checked
    from jackfield.call.gate import Unit
    from jackfield.call.plan import Plan
    from jackfield.call.reached import Attempting, Ended, Terms
    from jackfield.invocation import Result
    from jackfield_store.access.quotas import Quota
    from jackfield_store.database import Transaction
    from jackfield_store.recording.record import Record


class Counting(Passing):
    """Part of the gate ``gates/quotas``."""

    _places: Places | None = None
    """Places taken and not given back."""
    _attempts: Attempting | None = None
    _is_gone = False
    """True if the places were given back before the call began: this process counted as dead."""
    _is_lazy = False
    """True if the begin of the call is written with a later commit."""
    _goes_on = False
    """True if the call has started a job, which continues."""

    async def before_begin(self, checked: Checked, *, again: bool) -> None:
        """Take the quota's places for the call.

        :raises QuotaReached: if no place is left.
        :raises PostponedError: instead, for a queued call that may get a place later.
        :raises InvalidInput: if the number that a quota sums is not in the inputs.
        """
        del again
        if self._places is not None and not self._is_gone:
            return
        self._attempts, record, how = checked.attempts, self._record, self.asked.how
        journal, now = record.journal, record.journal.time.now()
        # the least of equals
        wanted = {
            share.bucket: share
            for share in sorted(self._shares(checked, now), key=lambda share: -share.most)
        }
        shares = [wanted[bucket] for bucket in sorted(wanted)]
        self._is_lazy = (
            record.draft.effect != "write"
            and record.draft.idempotency_key is None
            and how.claimed is None
        )
        owner, purge = (
            None if self._is_lazy else journal.owner,
            purging(journal.database, journal.workspace, now),
        )
        is_known = how.claimed is not None or record.asking is not None or self._is_gone
        unit = taking(
            journal.workspace, record.draft.id, shares, owner, again=is_known, purge=purge
        )
        try:
            self._places = await how.waiter.ask(partial(journal.database.adjust, unit))
        except FullError as full:
            raise self._refusal(full.share, now) from None
        self._is_gone = False

    def begin(self, unit: Unit) -> Unit:
        """Record that the places are spent. If a place was given back meanwhile, the call does not
        begin.
        """
        places, is_claimed = self._places, self.asked.how.claimed is not None
        if places is None:
            return unit

        def begin(transaction: Transaction) -> int:
            begun = unit(transaction)
            if begun and not places.begin(transaction):
                self._is_gone = True
                raise PostponedError(0.0) if is_claimed else NotNowError("quota_places")
            return begun

        return begin

    async def output(self, ended: Ended) -> Ended:
        """Give the places back after a certain failure of a call whose begin was not written."""
        result, meta = ended.recorded, self.asked.how.meta
        self._goes_on = (
            result.status == "running" and result.meta.invocation_id == meta.invocation_id
        )
        if self._is_lazy and self._is_certain(result):
            self._give_back()
        return ended

    def end(self, unit: Unit, result: Result, *, back: bool) -> Unit:
        """Give the places back with the end of a certain failure, or of a run that goes back to the
        queue.
        """
        places = self._places
        if places is None or not (back or self._is_certain(result)):
            return unit

        def end(transaction: Transaction) -> int:
            changed = unit(transaction)
            give_back(self._record.journal.database, transaction, places.workspace, places.id)
            return changed

        return end

    def leave(self) -> None:
        """Give the places back if the call has not begun."""
        if not self._record.has_begun and not self._goes_on:
            self._give_back()

    def _is_certain(self, result: Result) -> bool:
        """Return whether a call has certainly not taken effect."""
        if result.status != "failed" or result.error is None:
            return False
        tally = None if self._attempts is None else self._attempts.tally
        was_unclear = tally is not None and tally.known & (UNCLEAR | UNREPEATABLE) != 0
        return not was_unclear and result.error.sent is not Sent.UNKNOWN

    def _give_back(self) -> None:
        places, journal = self._places, self._record.journal
        if places is None:
            return
        unit = places.return_all()

        def done(_value: object, error: Exception | None) -> None:
            if error is not None:
                journal.owe(unit)

        with suppress(Unavailable):  # it is closed: whoever recovers this process gives them back
            journal.database.defer(unit, done)

    def _shares(self, checked: Checked, now: float) -> Iterator[Share]:
        for quota in fitting(self.found.terms, self.found.plan):
            amount, (begun, ends) = quota.amount(checked.inputs), quota.span(now)
            owner = self._owner(quota)
            named = self._digest([quota.name, owner])
            for part in self._parts(quota, checked):
                yield Share(
                    self._digest([quota.name, owner, part, begun]),
                    named,
                    amount,
                    quota.most,
                    ends,
                    quota.title,
                )

    def _owner(self, quota: Quota) -> Any:
        """Return the owner of a quota's count: the token, the connection, or None for the
        workspace.
        """
        return {"token": self._who, "connection": self._over}.get(quota.owner)

    def _parts(self, quota: Quota, checked: Checked) -> Iterator[Any]:
        """Yield the keys that the quota counts for, once each: the recipients, or one key."""
        if quota.by == "recipient":
            vault, workspace = self._record.journal.vault, self._record.journal.workspace
            names = {
                part_of(vault, workspace, name)
                for _, name in recipients_of(checked.inputs, self.found.plan.recipients)
            }
            yield from names or (None,)
        elif quota.by is None:
            yield None
        elif quota.by == "connection":
            yield self._over
        elif quota.by in ("token", "caller"):
            yield self._who
        else:
            yield b"".join(canonical({"value": at(checked.inputs, quota.by)})).decode()

    @property
    def _who(self) -> Any:
        caller = self.asked.how.caller
        return caller.identity or ("program", caller.name)

    @property
    def _over(self) -> str | None:
        target = self.found.plan.target
        return None if target is None else target.id or _over(self.found.plan)

    def _digest(self, value: Any) -> str:
        return digest(self._record.journal.vault, self._record.journal.workspace, value)

    def _refusal(self, share: Share, now: float) -> QuotaReached | PostponedError:
        """Return the error that ends a call before its begin. A queued call waits for the next
        span, unless it needs more than any span allows.
        """
        fits = share.amount <= share.most
        if fits and self.asked.how.claimed is not None:
            return PostponedError(share.ends_at)
        return (
            QuotaReached(share.title, iso(share.ends_at), share.ends_at - now)
            if fits
            else QuotaReached(share.title)
        )

    @property
    def _record(self) -> Record:
        return cast("Record", self.row)


def _over(plan: Plan) -> str | None:
    return None if plan.target is None else plan.target.name or INLINE


def fitting(terms: Terms, plan: Plan) -> Sequence[Quota]:
    """Return the quotas that count a call of this plan and these terms."""
    request = Request(plan.manifest.key, plan.action.key, plan.action.rule_effect, _over(plan))
    return [
        one
        for owner, data in terms.quotas.items()
        for one in quotas_of(data, owner)
        if one.fits(request)
    ]
