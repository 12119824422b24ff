"""All rules of the conformance suite by name, for the tests and for reports; without pytest."""

from __future__ import annotations

from collections.abc import Mapping

from jackfield.testing.behaviour import BEHAVIOUR
from jackfield.testing.declarations import DECLARATIONS
from jackfield.testing.driving import server_kind
from jackfield.testing.subject import Rule, Subject

__all__ = ["RULES", "judged"]

RULES: Mapping[str, Rule] = {rule.name: rule for rule in (*DECLARATIONS, *BEHAVIOUR)}
"""All rules by name."""


def judged(subject: Subject, rule: Rule) -> tuple[str, ...] | None:
    """The faults that a rule finds; None where it does not apply, since no value of a connection names the server."""
    if rule.drives and server_kind(subject) is None:
        return None
    return tuple(rule.check(subject))
