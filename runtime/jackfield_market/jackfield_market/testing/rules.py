"""All rules by name, for tests, reports and grades. This module does not import pytest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.manifest.manifest import Manifest
from jackfield_market.testing.behaviour import BEHAVIOUR
from jackfield_market.testing.declarations import DECLARATIONS
from jackfield_market.testing.driving import server_type
from jackfield_market.testing.endings import ENDINGS
from jackfield_market.testing.jobs import JOBS
from jackfield_market.testing.listing_rules import LISTED
from jackfield_market.testing.polls import POLLS
from jackfield_market.testing.recorded_examples import RECORDED
from jackfield_market.testing.registrations import REGISTRATIONS
from jackfield_market.testing.repeats import REPEATS
from jackfield_market.testing.shelf import SHELF
from jackfield_market.testing.subject import Rule, Subject
from jackfield_market.testing.successes import SUCCESSES
from jackfield_market.testing.webhooks import WEBHOOKS

TRIGGER_RULES = frozenset(rule.name for rule in (*WEBHOOKS, *REGISTRATIONS, *POLLS))
"""Names of the rules about triggers."""
_SUITE = (
    *DECLARATIONS,
    *BEHAVIOUR,
    *ENDINGS,
    *REPEATS,
    *JOBS,
    *RECORDED,
    *WEBHOOKS,
    *REGISTRATIONS,
    *POLLS,
)
RULES: Mapping[str, Rule] = {rule.name: rule for rule in _SUITE}
"""Rules of the conformance suite."""
ALL_RULES: Mapping[str, Rule] = {
    **RULES,
    **{rule.name: rule for rule in (*SHELF, *SUCCESSES, *LISTED)},
}
"""Rules of a grade: of the suite, of a catalogue's display, and of the proof against a fake."""
_NO_SERVER = (
    "needs a connection whose provider can be replaced by a test server: no required value of a "
    "connection type is a URI. In a test, pass"
    " 'values' with '${url}' for the address"
)
_NO_PROJECT = "the project's folder is not here"


def not_applicable(
    manifest: Manifest, values: Mapping[str, Any], connection: str | None = None
) -> Mapping[str, str]:
    """Return the rules of the suite that do not apply to a connector: reasons by rule name.
    ``values`` are the values of ``Conformance``.
    """
    if server_type(manifest, values, connection) is not None:
        return {}
    return {rule.name: _NO_SERVER for rule in RULES.values() if rule.drives}


def reason_against(subject: Subject, rule: Rule) -> str | None:
    """Return the reason why a rule does not apply to a connector; None if it applies."""
    if rule.of_project and subject.project is None:
        return _NO_PROJECT
    found = not_applicable(subject.manifest, subject.values, subject.connection).get(rule.name)
    return rule.reason(subject) if found is None and rule.reason is not None else found


def judged(subject: Subject, rule: Rule) -> tuple[str, ...] | None:
    """Return the faults that a rule finds; None if the rule does not apply."""
    return tuple(rule.check(subject)) if reason_against(subject, rule) is None else None
