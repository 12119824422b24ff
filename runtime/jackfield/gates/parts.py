"""Part of an output that a caller requests (``select``, ``maxBytes``). It is cut after the whole
output is recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.call.gate import PARTIAL, Gate, Passing

if TYPE_CHECKING:
    from jackfield.call.plan import Plan
    from jackfield.call.reached import Ended, Terms


class _Part(Passing):
    __slots__ = ()

    async def answer(self, ended: Ended) -> Ended:
        """Return the requested part."""
        if ended.result.output is None:
            return ended
        from jackfield.call.part_of_output import part_of_output

        pipe = self.found.pipe
        return ended.shown(
            await part_of_output(self.asked, ended, pipe.dependencies.files, pipe.workspace)
        )


class Parts(Gate):
    """Gate that returns the part of an output that a caller requests."""

    part = _Part

    def applies(self, plan: Plan, terms: Terms, shape: int) -> bool:
        """Return True for calls that request a part."""
        del plan, terms
        return bool(shape & PARTIAL)
