"""Guards of connections: calls to suppressed recipients are refused, also in dry runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.call.gate import Gate, Passing

if TYPE_CHECKING:
    from jackfield.call.call_records import Checked
    from jackfield.call.plan import Plan
    from jackfield.call.reached import Terms


class _Guard(Passing):
    __slots__ = ()

    async def check(self, checked: Checked) -> None:
        """Refuse suppressed recipients.

        :raises NotAllowed: with the place of each suppressed recipient.
        """
        from jackfield_store.recording.guarding import refuse_suppressed

        await refuse_suppressed(checked)


class Guards(Gate):
    """Gate that refuses suppressed recipients over guarded connections."""

    part = _Guard

    def applies(self, plan: Plan, terms: Terms, shape: int) -> bool:
        """Apply to calls over connections that the workspace guards."""
        del plan, shape
        return terms.is_guarded
