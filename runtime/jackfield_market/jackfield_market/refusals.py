"""Refusal of an installation: one error with the name of the rule that was broken, raised before
any code of the package runs.
"""

from __future__ import annotations

from jackfield.kernel.errors import Detail, NotAllowed


class NotInstalled(NotAllowed):
    """Refusal of a connector or catalogue; ``rule`` names the reason, also as the ``keyword`` of
    the only detail.
    """

    def __init__(self, rule: str, message: str, hint: str) -> None:
        super().__init__(
            f"{message} (rule '{rule}')", details=[Detail("", message, rule)], hint=hint
        )
        self.rule = rule
