"""Features of calls in a runtime without a database: it cannot keep a call until a person approves it, nor the handle of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jackfield.connector.conversion import Handle
from jackfield.gates.parts import Parts
from jackfield.pipe.call_rules import approval_required
from jackfield.pipe.gate import REHEARSED, Gate, Passing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jackfield.gates.policies import Policies
    from jackfield.pipe.call_records import Checked, Found
    from jackfield.pipe.plan import Plan
    from jackfield.pipe.run import Ended, Terms


def ordered(policies: Policies) -> Sequence[Gate]:
    """Return the gates in order, that of a runtime with a database without those that need one."""
    return policies, NoApprovals(policies), JobsHere(), Parts()


class _Refusal(Passing):
    __slots__ = ()

    async def admit(self, found: Found) -> None:
        """Refuse it.

        :raises ApprovalRequired: if a rule or a policy asks for an approval.
        """
        if (asks := found.run.terms.asks) is not None:
            raise approval_required(asks, "this runtime has no journal")


class NoApprovals(Gate):
    """Refuses calls that need an approval."""

    part = _Refusal

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    def applies(self, plan: Plan, terms: Terms, shape: int) -> bool:
        """Apply to all but dry runs: a policy may ask for an approval, call by call."""
        del plan
        return not shape & REHEARSED and (terms.asks is not None or self._policies.must_judge)


class _Job(Passing):
    __slots__ = ()

    async def follow(self, checked: Checked, output: Any) -> Ended | None:
        """Poll the job that has started until it ends."""
        if not isinstance(output, Handle):
            return None
        from jackfield.pipe.job_steps import followed_here

        return await followed_here(checked.attempts, output)


class JobsHere(Gate):
    """Polls jobs within their calls."""

    part = _Job

    def applies(self, plan: Plan, terms: Terms, shape: int) -> bool:
        """Apply to actions that start jobs."""
        del terms, shape
        return plan.action.is_job
