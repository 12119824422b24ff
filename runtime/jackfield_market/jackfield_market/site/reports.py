"""Reports of ``jackfield check`` that an operator publishes: the evidence of a grade, rule by
rule.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.markup import Markup
from jackfield_market.registry import CONNECTORS
from jackfield_market.site.markup import h
from jackfield_market.wheels import read_bounded

_GRADES = ("none", "bronze", "silver", "gold", "platinum")
_LINES = 20
"""Maximum number of lines of evidence that a page displays for one rule."""


@dataclass(frozen=True, slots=True)
class RuleResult:
    """Result of one rule: its tier, verdict, reason and evidence."""

    name: str
    tier: str
    passed: bool
    reason: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VersionReport:
    """Grade of one version of a connector, and the results of its rules."""

    connector: str
    version: str
    grade: str
    rules: tuple[RuleResult, ...]

    @property
    def path(self) -> str:
        """Path of the report in a site."""
        return path_of(self.connector, self.version)

    def content(self) -> bytes:
        """Return the content of the report's file in a site."""
        return (json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n").encode()


def path_of(key: str, version: str) -> str:
    """Return the path of the report of a version in a site."""
    return f"{CONNECTORS}/{key}/checks/{version}.json"


def read_reports(folder: str) -> list[VersionReport]:
    """Read the reports in a folder.

    :raises InvalidInvocation: if the folder cannot be read, or a file in it is no report.
    """
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
    except OSError as error:
        raise InvalidInvocation(f"the folder '{folder}' cannot be read: {error.strerror}") from None
    return [_read(os.path.join(folder, name)) for name in names]


def _read(path: str) -> VersionReport:
    try:
        return _report(json.loads(read_bounded(path)))
    except (AttributeError, ValueError, KeyError, TypeError, RecursionError):
        raise InvalidInvocation(f"'{path}' is not a report of 'jackfield check --json'") from None


def _report(raw: Any) -> VersionReport:
    grade = str(raw["grade"])
    if grade not in _GRADES:
        raise ValueError("no grade")
    return VersionReport(
        str(raw["connector"]), str(raw["version"]), grade, tuple(map(_rule, raw.get("rules", ())))
    )


def _rule(raw: Any) -> RuleResult:
    evidence, tier = tuple(map(str, raw.get("evidence", ()))), str(raw["tier"])
    if tier not in _GRADES:
        raise ValueError("no tier")
    return RuleResult(str(raw["name"]), tier, raw["passed"] is True, str(raw["reason"]), evidence)


def published(site: str, key: str, version: str, grade: object) -> VersionReport | None:
    """Return the report of a version in a site; None if it is missing, has no rules, or has another
    grade than the signed metadata.
    """
    path = os.path.join(site, path_of(key, version))
    if not os.path.exists(path):
        return None
    report = _read(path)
    return report if report.rules and report.grade == grade else None


def section(report: VersionReport) -> Markup:
    """Render the rules of a report by tier; a tier with a failed rule is expanded."""
    tiers = groupby(
        sorted(report.rules, key=lambda rule: _GRADES.index(rule.tier)), key=lambda rule: rule.tier
    )
    return h.section(h.h2("Grade", id="grade"), [_tier(tier, list(rules)) for tier, rules in tiers])


def _tier(tier: str, rules: list[RuleResult]) -> Markup:
    held = sum(rule.passed for rule in rules)
    heading = h.summary(f"{tier}: {held} of {len(rules)} rules hold")
    return h.details(
        heading, h.ul([h.li(*_rule_markup(rule)) for rule in rules]), open=held < len(rules)
    )


def _rule_markup(rule: RuleResult) -> Iterator[Markup | str]:
    yield h.span("holds" if rule.passed else "fails", class_="badge" if rule.passed else "breaking")
    yield from (" ", h.code(rule.name), f" {rule.reason}")
    for line in rule.evidence[:_LINES]:
        yield from (h.br(), h.small(line))
