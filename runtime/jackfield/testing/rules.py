"""All rules of the conformance suite by name, for tests and reports. Does not import pytest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.manifest import Manifest
from jackfield.testing.behaviour import BEHAVIOUR
from jackfield.testing.declarations import DECLARATIONS
from jackfield.testing.driving import server_type
from jackfield.testing.subject import Rule, Subject

RULES: Mapping[str, Rule] = {rule.name: rule for rule in (*DECLARATIONS, *BEHAVIOUR)}
"""All rules by name."""


def not_applicable(manifest: Manifest, values: Mapping[str, Any]) -> Mapping[str, str]:
    """Map the name of each rule that does not apply to a connector to the reason. ``values`` are those of ``Conformance``."""
    if server_type(manifest, values) is not None:
        return {}
    reason = "no required value of a connection type is a URI; to run the actions, pass 'values' with '${url}'"
    return {rule.name: reason for rule in RULES.values() if rule.drives}


def judged(subject: Subject, rule: Rule) -> tuple[str, ...] | None:
    """Return the faults that a rule finds; None if it does not apply because no connection value names the server."""
    if rule.name in not_applicable(subject.manifest, subject.values):
        return None
    return tuple(rule.check(subject))
