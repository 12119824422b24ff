"""Scenarios of whole services on moto: a sample of them here, all of them by ``python -m
benchmarks.aws_campaign scenarios``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import aws_scenarios
from jackfield_aws.virtual.index import Index
from jackfield_aws.virtual.names import action_key
from moto_rig import moto_rig

SAMPLE = ("route53", "scheduler", "sqs", "stepfunctions", "sts")
"""Services of five protocols that moto answers quickly."""


def test_the_scenarios_cover_three_hundred_operations() -> None:
    """All steps are operations of the index: more than 500 of more than 20 services."""
    index = Index()
    named = {
        (owner, key)
        for service in aws_scenarios.services()
        for owner, key in aws_scenarios.operations(service)
    }
    known = {owner: {action_key(name) for name, _, _ in index.rows(owner)} for owner, _ in named}
    assert not {(owner, key) for owner, key in named if key not in known[owner]}
    assert len(named) > 500
    assert len(known) > 20


def test_whole_services_run_on_moto(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """More than 70 operations of five services succeed in the order in which people use them; 9
    lists are complete over three pages.
    """
    succeeded, paged = set[str](), dict[str, int]()
    with moto_rig(tmp_path) as rig:
        for service in SAMPLE:
            outcome = aws_scenarios.run(rig, service)
            with subtests.test(service):
                assert not outcome.faults
            succeeded |= outcome.succeeded
            paged |= outcome.paged
    assert len(succeeded) > 70
    assert len(paged) >= 8
