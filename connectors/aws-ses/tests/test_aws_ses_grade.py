"""The grade of the connector, computed from what it declares and does."""

from __future__ import annotations

from pathlib import Path

import pytest

from jackfield_market.testing.grading import report
from jackfield_market.testing.project import Project
from jackfield_market.testing.subject import Subject


@pytest.mark.parametrize("sample", [5, pytest.param(0, marks=pytest.mark.campaign)])
def test_aws_ses_is_platinum(sample: int) -> None:
    """Every rule that applies holds; actions are run against a loopback provider except those that say why not, and examples replayed.

    With a ``sample`` of the actions only so many are run: they share their code. All examples are replayed.
    """
    found = report(Subject.of_project(Project.read(Path(__file__).parents[1]), sample=sample))
    assert [(rule.name, rule.evidence) for rule in found.rules if rule.passed is False] == []
    evidence = {rule.name: rule.evidence[0] for rule in found.rules}
    assert evidence["examples-fit-recordings"] == "replayed 50 examples"
    assert found.grade == "platinum"
    assert evidence["actions-are-run"].startswith(f"ran {sample or 4}")
