"""Features of calls in a runtime without a database, which can keep neither a call that waits for an approval nor the handle of a job. The
features of a runtime with a database extend them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from jackfield.call.call_rules import approval_required
from jackfield.call.gate import APPROVED, REHEARSED, Gate, Passing
from jackfield.connector.conversion import Handle
from jackfield.gates.parts import Parts
from jackfield.gates.policies import Judging

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jackfield.call.attempts import Attempts
    from jackfield.call.call_records import Checked, Found
    from jackfield.call.plan import Plan
    from jackfield.call.reached import Ended, Terms
    from jackfield.gates.policies import Policies
    from jackfield.invocation import Result


def ordered(policies: Policies) -> Sequence[Gate]:
    """Return the gates that need no database, in the order that a runtime with one has."""
    return Judging(policies), NoApprovals(policies), Jobs(), Parts()


class _Refusal(Passing):
    __slots__ = ()

    async def admit(self, found: Found) -> Result | None:
        """Refuse the call.

        :raises ApprovalRequired: if a rule or a policy asks for an approval.
        """
        if (asks := found.terms.asks) is not None:
            raise approval_required(asks, "this runtime has no journal")
        return None


class NoApprovals(Gate):
    """Refuses calls that need an approval."""

    part: ClassVar[type[Passing]] = _Refusal

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    def applies(self, plan: Plan, terms: Terms, shape: int) -> bool:
        """Apply where a rule asks for an approval, or a policy may do so call by call, except for dry runs; and to approved calls."""
        del plan
        return not shape & REHEARSED and (terms.asks is not None or bool(shape & APPROVED) or self._policies.must_judge)


class Following(Passing):
    """Follows the job of one call."""

    __slots__ = ()

    async def follow(self, checked: Checked, output: Any) -> Ended | None:
        """Follow the job that has started, if one has."""
        return await self._followed(checked.attempts, output) if isinstance(output, Handle) else None

    async def _followed(self, attempts: Attempts, handle: Handle) -> Ended:
        """Poll the job until it ends."""
        from jackfield.call.job_steps import followed_here

        return await followed_here(attempts, handle)


class Jobs(Gate):
    """Follows jobs."""

    part: ClassVar[type[Passing]] = Following

    def applies(self, plan: Plan, terms: Terms, shape: int) -> bool:
        """Apply to actions that start jobs."""
        del terms, shape
        return plan.action.is_job
