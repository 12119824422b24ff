"""The grade of the connector, computed from what it declares and does."""

from __future__ import annotations

from pathlib import Path

from jackfield.testing.grading import check


def test_aws_ses_is_platinum() -> None:
    """Every rule holds, and each but that of recordings applies; actions are run on loopback except those that say why not."""
    report = check(str(Path(__file__).parents[1]))
    assert [(rule.name, rule.evidence) for rule in report.rules if rule.passed is False] == []
    assert [rule.name for rule in report.rules if rule.passed is None] == ["examples-fit-recordings"]
    assert report.grade == "platinum"
    assert next(rule for rule in report.rules if rule.name == "actions-are-run").evidence[0].startswith("ran 4")
