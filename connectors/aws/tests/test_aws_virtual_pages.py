"""Lists of whole services over three pages, in their own protocols; all 4,256 by ``python -m
benchmarks.aws_campaign pages``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from aws_paged import Pages, complaint, lists
from jackfield import Jackfield
from moto_rig import EVERYTHING, Rig, offer


def test_lists_are_complete_over_three_pages(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """The lists of six services have all items of three pages, and each request has the tokens of
    the page before.

    Tokens are texts, maps, numbers, several, or expressions; ends are a flag or the lack of a
    token; five protocols.
    """
    counted = 0
    with (
        Pages() as server,
        Jackfield(
            database_url="none", environment=offer(tmp_path, {"default": EVERYTHING})
        ) as jackfield,
    ):
        rig = Rig(jackfield, server.url)
        for service in ("cloudwatch", "dynamodb", "kinesis", "route53", "s3", "sqs"):
            for name in lists(service):
                with subtests.test(f"{service}.{name}"):
                    said = complaint(rig, server, service, name)
                    assert not said
                    counted += said == ""
    assert counted > 30
