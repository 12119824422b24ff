"""All keywords and their rules in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.schema.array_rules import ARRAY_RULES
from jackfield.schema.branch_rules import BRANCH_RULES
from jackfield.schema.object_rules import OBJECT_RULES
from jackfield.schema.scalar_rules import SCALAR_RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jackfield.schema.case import Rule

__all__ = ["RULES"]

# "type" is asked before all others, so it is not among those that are asked in turn
RULES: Mapping[str, Rule] = {**SCALAR_RULES, **ARRAY_RULES, **OBJECT_RULES, **BRANCH_RULES}
"""The rule of each keyword that can find a fault. ``then``, ``else``, ``minContains`` and ``maxContains`` belong to another keyword."""
