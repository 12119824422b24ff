"""Records of a call from its plan to its begin, each made by one stage from the records before.
``reached`` has the records that the end of a call reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jackfield.call.attempts import Attempts
    from jackfield.call.pipe import Pipe
    from jackfield.call.plan import Plan
    from jackfield.call.reached import Asked, Terms
    from jackfield.redaction.redactor import Redactor


class Found:
    """Record of a call whose plan is found. Its ``terms`` change if a policy lets it wait for a
    person's approval.
    """

    __slots__ = ("asked", "pipe", "plan", "row", "terms")

    def __init__(self, asked: Asked, pipe: Pipe, plan: Plan, terms: Terms) -> None:
        self.asked, self.pipe, self.plan, self.terms, self.row = asked, pipe, plan, terms, asked.row

    @property
    def redactor(self) -> Redactor | None:
        """Redactor of the secrets of the connection and the inputs; None if there are no
        secrets.
        """
        return self.asked.redactor(self.plan)


class Checked:
    """Record of a call whose ``inputs`` are valid and final. ``conceals``: a policy may withhold
    the provider's answer. Its ``attempts`` hold its connection, which is found after the checks.
    """

    __slots__ = ("asked", "attempts", "conceals", "found", "inputs", "row")
    attempts: Attempts

    def __init__(self, found: Found, inputs: Mapping[str, Any]) -> None:
        self.asked, self.found, self.row, self.inputs, self.conceals = (
            found.asked,
            found,
            found.row,
            inputs,
            False,
        )
