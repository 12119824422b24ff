"""What goes out without botocore's client is what botocore's client would send."""

from __future__ import annotations

import zlib

import botocore
import pytest

from aws_parity import compare

_PARTS = 8
_PART = zlib.crc32(botocore.__version__.encode()) % _PARTS
"""The eighth of the services of which an eighth of the operations is compared with each commit:
another one for each botocore.
"""
_MOST_LEFT_TO_THE_CLIENT = {_PARTS: 0.1, 1: 0.05}


@pytest.mark.parametrize("parts", [_PARTS, pytest.param(1, marks=pytest.mark.campaign)])
def test_requests_are_those_of_botocore(parts: int) -> None:
    """For generated inputs of each operation that qualifies, method, URL, header fields, body and
    signature are botocore's.
    """
    tally = compare(parts, _PART % parts)
    assert tally.different == []
    assert tally.same > tally.qualified
    assert tally.refused + tally.unfit < tally.qualified / 20
    assert tally.qualified > tally.operations * (1 - _MOST_LEFT_TO_THE_CLIENT[parts]), tally.reasons


def test_s3_is_left_to_the_client() -> None:
    """S3 has rules of its own for checksums, names, redirects and signatures, and all of its
    operations fall back.
    """
    tally = compare(services=["s3"])
    assert (tally.qualified, tally.reasons["signature s3v4"]) == (0, tally.operations)
