"""Reads of looks: over the connection of the call, under the rules of the caller in whose name they
are made, and within one time limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.call.attempts import Attempts
from jackfield.call.call_rules import NEEDS_APPROVAL
from jackfield.call.check import filled_inputs, typed_inputs
from jackfield.call.how import How
from jackfield.call.policy_steps import ReadStep
from jackfield.call.waiter import run_in_thread
from jackfield.callers import LIBRARY
from jackfield.connector.proofs import PLAIN, Absent
from jackfield.kernel.clock import Deadline, within
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import (
    ApprovalRequired,
    JackfieldError,
    NotAllowed,
    NotFound,
    Provider,
    Sent,
    Unavailable,
)
from jackfield.kernel.shares import POOLS
from jackfield.redaction.marks import masked
from jackfield_store.recording.answer_signs import strays

if TYPE_CHECKING:
    from jackfield.call.pipe import Pipe
    from jackfield.call.plan import Plan
    from jackfield.call.reached import Reached
    from jackfield.callers import Caller
    from jackfield.wire.exchanges import Exchange
    from jackfield_store.journal.doubts import Doubt
    from jackfield_store.journal.journal import Journal

TURN, ROUND = POOLS["looks"].turn or 0.0, 50.0
"""Maximum seconds of one look, whatever it reads, and of a round that the loop makes; and of a
person's round: less than its claim lasts.
"""
_GONE = 410
"""HTTP status of an object that existed and is gone."""
_PAGES = 10
"""Maximum number of pages that one look reads of each marker's list."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Answer of a provider without the requested object. ``is_proof`` is True if the evidence
    declares this form of answer, ``was_there`` if the answer says that the object was deleted.
    ``seen`` are the requests and answers of the read. ``is_new`` is True if no cache can have
    answered.
    """

    is_proof: bool
    was_there: bool
    told: str
    seen: Sequence[Exchange] = ()
    is_new: bool = False


class LookReads:
    """Reads of one round of looks for a doubt.

    A look that the caller has given with the call is made in the caller's name, with present
    rights. Any other look is made with the runtime's own rights, under the rules of the workspace.
    The function that judges calls judges both.
    """

    def __init__(self, pipeline: Pipe, journal: Journal, doubt: Doubt, seconds: float) -> None:
        self._pipeline, self._journal, self._doubt = pipeline, journal, doubt
        self._until = Deadline.after(seconds, pipeline.dependencies.clock)
        self._deadline = self._until
        self._caller = LIBRARY
        self.attempts: Attempts | None = None
        """Attempts of the last read; None before one."""

    @property
    def is_over(self) -> bool:
        """True if no time is left for further looks."""
        return self._until.remaining() <= 0

    @property
    def seen(self) -> Sequence[Exchange]:
        """Requests and answers of the last read, if it used HTTP."""
        return () if self.attempts is None else self.attempts.tally.exchanges or ()

    def begin(self, row: Mapping[str, Any]) -> None:
        """Begin one look: all of its reads share a deadline.

        :raises NotAllowed: if the caller gave the look but was not allowed to read when making the
            call.
        :raises ApprovalRequired: if the caller's read would have waited for a person's approval.
        """
        self._deadline = Deadline.after(min(TURN, self._until.remaining()), self._until.clock)
        self._caller = self._giver() if row.get("given") else LIBRARY
        if (why := row.get("barred")) is not None:
            raise ApprovalRequired(why) if why == NEEDS_APPROVAL else NotAllowed(why)

    def pages(
        self,
        given: Mapping[str, Any],
        most: int = _PAGES,
        needs: Mapping[str, Any] | None = None,
        absent: Absent = PLAIN,
    ) -> list[Mapping[str, Any]] | Missing:
        """Return at most ``most`` pages of a read: connector, action and inputs are ``given``. A
        session for the read is narrowed to the permissions ``needs``, if known. If the provider
        says that the object does not exist, return that answer; ``absent`` is its declared form.

        :raises JackfieldError: if it fails; secrets of the connection that a provider quotes in it
            are masked.
        """
        try:
            found = run_in_thread(self._read(given, most, needs or {}))
        except JackfieldError as error:
            said = error.provider or Provider()
            fits = absent.fits(said.http_status, said.code)
            if error.sent is not Sent.REFUSED or not (fits or isinstance(error, NotFound)):
                # the connection could not be opened, or nobody knows that the thing's own address
                # said so
                raise
            told = " ".join(str(one) for one in (said.http_status, said.code) if one is not None)
            return Missing(fits, said.http_status == _GONE, told or error.code, self.seen)
        if (why := strays(self.seen)) is not None:
            raise Unavailable(why, sent=Sent.UNKNOWN, repeatable=False)
        return found

    def _giver(self) -> Caller:
        """Return the caller who has given evidence with the call, with present rights."""
        stored: Mapping[str, Any] = self._doubt.facts["caller"]
        return self._pipeline.access.queued_by(stored)

    async def _read(
        self, given: Mapping[str, Any], most: int, needs: Mapping[str, tuple[str, ...]]
    ) -> list[Mapping[str, Any]]:
        how = How(self._pipeline.in_thread, self._caller)
        how.deadline, how.tries = self._deadline, min(2, most)  # a log has its own pace

        async def work(call: Reached) -> list[Mapping[str, Any]]:
            how.deadline.check()
            with within(how.deadline.remaining()):
                return await _pages(await self._allowed(call, given, needs), most)

        return await self._pipeline.step(how, work)

    async def _allowed(
        self, call: Reached, given: Mapping[str, Any], needs: Mapping[str, tuple[str, ...]]
    ) -> Attempts:
        """Return the attempts of a read, once the rules and policies allow it."""
        pipeline, dependencies = self._pipeline, self._pipeline.dependencies
        connection = self._doubt.facts["connection"]
        over = {} if connection is None else {"connection": connection["name"]}
        stored = {"invocation": {**given, **over}, "connectionId": (connection or {}).get("id")}
        how = call.how
        present = await how.waiter.ask(lambda: pipeline.known.followed(stored))
        asked = pipeline.plans.parsed(present, call)
        served = await pipeline.plans.find(asked, call)
        plan = served.plan
        if served.terms.asks is not None:
            raise ApprovalRequired(NEEDS_APPROVAL)
        self._require_same(plan)
        inputs = await filled_inputs(plan, asked, dependencies, pipeline.catalog)
        if not plan.is_loaded:
            await plan.load(pipeline.catalog, how.waiter)
        values, inputs = await typed_inputs(plan, inputs, asked, dependencies)
        target = plan.target
        if pipeline.policies.must_judge:
            name = None if target is None else target.name
            pipeline.policies.judge_step(
                ReadStep(self._caller, plan.manifest, name, action=plan.action.key),
                masked(plan.action.inputs, inputs),
            )
        opening = await plan.resolved(how, dependencies)
        if opening is not None and needs:
            opening = replace(opening, permissions=needs, narrowed=True)
        self.attempts = attempts = call.attempts = Attempts(
            asked, plan, values, inputs, opening, dependencies
        )
        attempts.tally.exchanges, attempts.tally.sees_bodies = [], True
        if attempts.declared != "read" or (
            plan.action.rule_effect == "write" and plan.code.effect_of is None
        ):
            raise NotAllowed(f"'{plan.action.key}' is no read, and a look changes nothing")
        return attempts

    def _require_same(self, plan: Plan) -> None:
        """Require that the connection is still the call's.

        :raises NotAllowed: if it is another connection: an object missing in another account proves
            nothing.
        """
        was, target = self._doubt.facts["connection"], plan.target
        if was is None or target is None:
            return
        same = (target.id, target.version) == (was["id"], was["version"])
        if same and target.id is None:
            same = (
                self._journal.fingerprint({"type": target.kind.key, "values": target.values})
                == was["digest"]
            )
        if not same:
            raise NotAllowed(
                f"the connection '{was['name']}' was changed since the call, and may belong to "
                "another account"
            )


async def _pages(attempts: Attempts, most: int) -> list[Mapping[str, Any]]:
    paging, pages = attempts.plan.code.pagination, []
    given, values = attempts.inputs, attempts.values
    for _ in range(most):
        page = await attempts.page(values)
        pages.append(page)
        following = None if paging is None else paging.following(page)
        if following is None:
            break
        given = {**given, **following}
        values = attempts.plan.code.inputs.model_validate(given)
    return pages
