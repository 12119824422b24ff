"""Regions are judged as botocore would, without importing it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import botocore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield_aws import REGION_PATTERN, normal_region, partition_of, regions_for
from jackfield_aws.regions import DEFAULT_REGIONS, PARTITION_PATTERNS


def _partitions() -> list[dict[str, Any]]:
    path = Path(botocore.__file__).parent / "data" / "partitions.json"
    found: list[dict[str, Any]] = json.loads(path.read_text())["partitions"]
    return found


def _portable(pattern: str) -> str:
    plain = pattern.removeprefix("^").removesuffix("$").replace(r"\-", "-")
    return plain.replace(r"\w", "[a-z0-9]").replace(r"\d", "[0-9]")


def test_patterns_are_botocores() -> None:
    """Every partition of the installed botocore stands here with the same pattern."""
    assert {row["id"]: _portable(row["regionRegex"]) for row in _partitions()} == PARTITION_PATTERNS


def test_default_regions_are_botocores() -> None:
    """Each partition's default region is the one that botocore takes for its global services."""
    assert {
        row["id"]: row["outputs"]["implicitGlobalRegion"] for row in _partitions()
    } == DEFAULT_REGIONS


def test_every_known_region_fits() -> None:
    """Every real region of every partition fits the pattern and is found in its partition."""
    known = [
        (row["id"], code)
        for row in _partitions()
        for code in row["regions"]
        if not code.endswith("-global")
    ]
    assert len(known) > 40
    assert all(
        re.search(REGION_PATTERN, code) and partition_of(code) == partition
        for partition, code in known
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "foo",
        "US-EAST-1",
        "eu-west",
        "evil.com/x",
        "eu-west-1/",
        "eu west-1",
        "aws-global",
        "eu-west-1\n",
        "xx-west-1",
    ],
)
def test_what_is_no_region_fits_nowhere(text: str) -> None:
    """Names that would make another host, or none, are no regions."""
    assert partition_of(text) is None
    assert not re.search(REGION_PATTERN.replace("$", r"\Z"), text)


@given(st.text())
def test_pattern_and_partition_agree(text: str) -> None:
    """What the schema's pattern takes has a partition, and nothing else has."""
    assert (re.search(REGION_PATTERN.replace("$", r"\Z"), text) is not None) == (
        partition_of(text) is not None
    )


@given(
    st.sampled_from(["eu-west-1", "us-gov-west-1", "cn-north-1"]),
    st.sampled_from(["", " ", "\n", "\t "]),
)
def test_normal_region_forgives_case_and_blanks(code: str, blank: str) -> None:
    """Blanks around a region and capitals in it do not matter."""
    assert normal_region(f"{blank}{code.upper()}{blank}") == code


def test_regions_for_a_service_have_long_names() -> None:
    """The choices for SES are regions of all partitions, each once, with the name that people
    know.
    """
    choices = regions_for("sesv2")
    assert ("eu-west-1", "Europe (Ireland)") in choices
    assert "us-gov-west-1" in dict(choices)
    assert (
        len(choices)
        == len(dict(choices))
        == len([code for code, _ in choices if partition_of(code)])
    )
