"""Gate of a workspace's policies, which judge calls, listings, choices and steps. ``call/policy``
defines questions and decisions.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.call.gate import Gate, Passing
from jackfield.kernel.errors import Unavailable
from jackfield.pacing.turn import PostponedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jackfield.call.call_records import Checked, Found
    from jackfield.call.pipe import Judged
    from jackfield.call.plan import Plan
    from jackfield.call.policy_steps import ReadStep
    from jackfield.call.ports import Access
    from jackfield.call.reached import Ended, Terms
    from jackfield.call.tally import Dependencies
    from jackfield.callers import Caller
    from jackfield.connector.hooks import Plugins

_LATER = 5.0
"""Seconds until a queued call without any policy's decision is tried again."""


class _Judging(Passing):
    __slots__ = ("_policies", "_was_asked")

    def __init__(self, found: Found, policies: Policies) -> None:
        super().__init__(found)
        self._policies, self._was_asked = policies, False

    async def admit(self, found: Found) -> None:
        """Ask the policies whether the call may be made.

        :raises NotAllowed: if a policy refuses it.
        :raises Unavailable: if there is no decision, unless the call is a ``read``.
        :raises PostponedError: instead, for a queued call.
        """
        self._was_asked = self._policies.is_on
        try:
            await self._policies.judge(found)
        except Unavailable as error:
            if self.asked.how.claimed is None:
                raise error from None
            raise PostponedError(found.pipe.dependencies.files.time.now() + _LATER) from None

    async def check(self, checked: Checked) -> None:
        """Keep answers that no policy has judged out of errors."""
        checked.conceals = True

    async def output(self, ended: Ended) -> Ended:
        """Withhold the members that the policies withhold."""
        if not self._was_asked:
            return ended
        return await self._policies.judged(self.found, ended)


class Judging(Gate):
    """Gate by which policies judge calls."""

    part = _Judging

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    def applies(self, plan: Plan, terms: Terms, shape: int) -> bool:
        """Return True for all calls if this process has a policy, or its database requires one."""
        del plan, terms, shape
        return self._policies.must_judge

    def of(self, found: Found) -> Passing:
        """Return the policies' part in a call."""
        return _Judging(found, self._policies)


class Policies:
    """Policies of a workspace, for calls and for steps that are not calls. ``is_on`` is true if
    this process has a policy.
    """

    def __init__(self, plugins: Plugins, access: Access, dependencies: Dependencies) -> None:
        self._plugins, self._access, self._dependencies = plugins, access, dependencies
        self.is_on = plugins.has("judge")

    @property
    def must_judge(self) -> bool:
        """True if policies must judge calls: one is loaded, or the database requires one and this
        process has none.
        """
        return self.is_on or self._access.lacks_policy

    def over(self, plugins: Any) -> Policies:
        """Return the policies that ask other plugins."""
        return Policies(plugins, self._access, self._dependencies)

    async def judge(self, found: Judged) -> None:
        """Ask whether a call may be made, or queued.

        :raises NotAllowed: if a policy refuses it.
        :raises Unavailable: if there is no decision, unless the call is a ``read``.
        """
        await self._judging().judge_call(self._plugins, found, self._dependencies)

    async def judged(self, found: Judged, ended: Ended, caller: Caller | None = None) -> Ended:
        """Return an end, also a replayed one, without the members that the policies withhold.
        ``caller`` is the caller who requests it, by default the call's.
        """
        if not self.is_on or not _tells(ended):
            return ended
        left: Ended = await _policy().judge_output(
            self._plugins, found, ended, self._dependencies, caller or found.asked.how.caller
        )
        return left

    def judged_choices(
        self, caller: Caller, about: Mapping[str, Any], fetch: Callable[[], list[dict[str, str]]]
    ) -> list[dict[str, str]]:
        """Return the choices of a form's field that ``fetch`` gets from the provider and the
        policies allow.

        :raises NotAllowed: if a policy refuses them.
        :raises Unavailable: if there is no decision.
        """
        known = {**about, "workspace": self._dependencies.workspace}
        found: list[dict[str, str]] = self._judging().judge_choices(
            self._plugins, caller, known, fetch
        )
        return found

    def judge_step(self, step: ReadStep, inputs: Mapping[str, Any]) -> None:
        """Ask whether a read that is not a call may be made: a poll of a trigger, or a look for
        evidence.

        :raises NotAllowed: if a policy refuses it.
        """
        self._judging().judge_step(self._plugins, self._dependencies.workspace, step, inputs)

    def left_of(self, step: ReadStep, output: Any) -> Any:
        """Return the part of a read's output that the policies permit; None if they permit nothing.

        :raises Unavailable: if there is no decision.
        """
        return self._judging().left_of(self._plugins, self._dependencies.workspace, step, output)

    def seen_by(self, caller: Caller) -> Caller:
        """Return a caller who sees only the connectors and actions that the policies permit."""
        if not self.is_on:
            return caller
        found: Caller = _policy().judged_listing(
            self._plugins, caller, self._dependencies.workspace
        )
        return found

    def _judging(self) -> Any:
        """Return the module that asks policies.

        :raises Unavailable: if a policy judges the calls of the database, and this process has
            none.
        """
        if self._access.lacks_policy:
            text = (
                "a policy judges the calls of this database, and this process has none: "
                "nothing was sent"
            )
            cure = (
                "The operator of jackfield sets JACKFIELD_POLICY_URL for each process, or "
                "takes the policy back for all."
            )
            raise Unavailable(text, hint=cure)
        return _policy()


def deciding(plugins: Plugins) -> Callable[..., Any] | None:
    """Return the function that asks the policies again about an output without a decision; None if
    there are no policies.
    """
    return partial(_decided, plugins) if plugins.has("judge") else None


def _decided(plugins: Plugins, result: Mapping[str, Any], undecided: Mapping[str, Any]) -> Any:
    return _policy().decided(plugins, result, undecided)


def _tells(ended: Ended) -> bool:
    """Return whether an end has an output, files of an output, or an error that may contain a
    provider's text.
    """
    result, attempts, error = ended.result, ended.attempts, ended.result.error
    if result.output is not None or (attempts is not None and attempts.returned):
        return True
    return error is not None and (
        error.provider is not None
        or result.meta.replayed
        or (attempts is not None and attempts.count > 0)
    )


def _policy() -> Any:
    from jackfield.call import policy

    return policy
