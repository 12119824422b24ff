"""The grade of the connector, computed from what it declares and does."""

from __future__ import annotations

from pathlib import Path

import pytest

from jackfield.testing.grading import check

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")


def test_aws_ses_is_platinum() -> None:
    """Every rule applies and holds; actions are run against a loopback provider except those that say why not, and examples replayed."""
    report = check(str(Path(__file__).parents[1]))
    assert [(rule.name, rule.evidence) for rule in report.rules if not rule.passed] == []
    evidence = {rule.name: rule.evidence[0] for rule in report.rules}
    assert evidence["examples-fit-recordings"] == "replayed 48 examples"
    assert report.grade == "platinum"
    assert next(rule for rule in report.rules if rule.name == "actions-are-run").evidence[0].startswith("ran 4")
