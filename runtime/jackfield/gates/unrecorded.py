"""Features of calls in a runtime without a database, which can store neither a call that waits for
an approval nor the handle of a job. The features of a runtime with a database extend them.
"""

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
    """Return the gates that need no database, in the order of a runtime with a database."""
    return Judging(policies), NoApprovals(policies), Jobs(), Parts()


class _Refusal(Passing):
    __slots__ = ()

    async def admit(self, found: Found) -> Result | None:
        """Refuse the call.

        :raises ApprovalRequired: if a rule or a policy requires an approval.
        """
        if (asks := found.terms.asks) is not None:
            raise approval_required(asks, "this runtime has no journal")
        return None


class NoApprovals(Gate):
    """Gate that refuses calls that need an approval."""

    part: ClassVar[type[Passing]] = _Refusal

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    def applies(self, plan: Plan, terms: Terms, shape: int) -> bool:
        """Return True for approved calls, and for calls that need an approval by a rule, or may
        need one by a policy; False for dry runs.
        """
        del plan
        return not shape & REHEARSED and (
            terms.asks is not None or bool(shape & APPROVED) or self._policies.must_judge
        )


class Following(Passing):
    """Part of the gate ``Jobs`` in one call: it follows the call's job."""

    __slots__ = ()

    async def follow(self, checked: Checked, output: Any) -> Ended | None:
        """Follow the job if the output is a handle; else return None."""
        return (
            await self._followed(checked.attempts, output) if isinstance(output, Handle) else None
        )

    async def _followed(self, attempts: Attempts, handle: Handle) -> Ended:
        from jackfield.call.job_steps import followed_here

        return await followed_here(attempts, handle)


class Jobs(Gate):
    """Gate that follows jobs."""

    part: ClassVar[type[Passing]] = Following

    def applies(self, plan: Plan, terms: Terms, shape: int) -> bool:
        """Return True for actions that start jobs."""
        del terms, shape
        return plan.action.is_job
