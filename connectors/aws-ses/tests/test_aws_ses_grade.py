"""The grade of the connector, computed from what it declares and does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from jackfield_market.testing import declarations, grading, recorded_examples
from jackfield_market.testing.grading import report
from jackfield_market.testing.project import Project
from jackfield_market.testing.subject import Subject


@pytest.mark.parametrize("sample", [5, pytest.param(0, marks=pytest.mark.campaign)])
def test_aws_ses_is_platinum(sample: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rule that applies holds; actions are run against a loopback provider except those that
    say why not, and examples replayed.

    With a ``sample`` of the actions only so many are run: they share their code. Every fifth
    example is replayed, and every fifth schema compared with what a second library makes of it.
    """
    step = 5 if sample else 1
    for module, name in (
        (recorded_examples, "recorded"),
        (grading, "recorded"),
        (declarations, "_example_values"),
    ):
        monkeypatch.setattr(module, name, _every(step, getattr(module, name)))
    whole = declarations._without_repeats
    monkeypatch.setattr(
        declarations, "_without_repeats", lambda schemas: whole(islice(schemas, 0, None, step))
    )
    found = report(Subject.of_project(Project.read(Path(__file__).parents[1]), sample=sample))
    assert [(rule.name, rule.evidence) for rule in found.rules if rule.passed is False] == []
    evidence = {rule.name: rule.evidence[0] for rule in found.rules}
    assert evidence["examples-fit-recordings"] == f"replayed {-(-62 // step)} examples"
    assert found.grade == "platinum"
    assert evidence["actions-are-run"].startswith(f"ran {sample or 57} of 68")


def _every(
    step: int, rows: Callable[[Subject], Iterator[Any]]
) -> Callable[[Subject], Iterator[Any]]:
    return lambda subject: islice(rows(subject), 0, None, step)
