"""A part of ``make campaign aws``: calls made by us and by boto3 have the same requests and the
same answers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from aws_judge import Count, Pair, pair
from aws_judge_runs import answers_run, requests_run, scenarios_run, waiters_run
from jackfield.testing import Answer
from jackfield_aws.json_answers import timestamp
from moto_server import moto_server
from virtual_calls import called

_SEED = 58
_FEW = frozenset(
    (
        "ec2",
        "sns",
        "sqs",
        "kinesis",
        "lambda",
        "route53",
        "s3",
        "iot",
        "eventbridgev2",
        "kms",
        "ssm",
        "cloudwatchomni",
    )
)
"""Services of all protocols, whose models are loaded by other tests, too."""


@pytest.fixture(name="both", scope="module")
def _both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair(tmp_path_factory.mktemp("home")) as both:
        yield both


def _agreed(count: Count, least: int) -> None:
    assert count.different == [], f"seed {_SEED}"
    assert count.calls >= least


def test_requests_are_those_of_boto3(both: Pair) -> None:
    """Inputs made from the models lead to the requests that boto3 sends, in all protocols."""
    count = requests_run(both, _SEED, 7, services=_FEW)
    _agreed(count, 40)
    assert len(count.protocols) >= 6
    assert count.refused < 5


def test_made_up_answers_are_read_as_by_boto3(both: Pair) -> None:
    """Answers made from the models, XML and CBOR among them, become the output that boto3
    returns.
    """
    _agreed(answers_run(both, _SEED, 5, services=_FEW), 20)


def test_answers_of_moto_are_those_of_boto3(both: Pair) -> None:
    """All calls of a service on moto have boto3's requests, outputs and codes of errors."""
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    with moto_server() as moto:
        _agreed(scenarios_run(both, moto, ("sqs", "sts")), 20)


def test_all_waiters_judge_as_botocores_do() -> None:
    """On answers and errors that their acceptors may know, all waiters of three services say what
    botocore's say.
    """
    _agreed(waiters_run(("ec2", "rds", "s3"), _SEED, 5), 200)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("2026-01-31T08:30:00Z", "2026-01-31T08:30:00Z"),
        ("2026-01-31T08:30:00.000Z", "2026-01-31T08:30:00Z"),
        ("2026-01-31T08:30:00.120000Z", "2026-01-31T08:30:00.120Z"),
        ("2026-01-31T08:30:00.123456789Z", "2026-01-31T08:30:00.123456789Z"),
        ("2026-01-31T08:30:00.1234Z", "2026-01-31T08:30:00.123400Z"),
        ("2026-01-31T10:30:00.5+02:00", "2026-01-31T08:30:00.500Z"),
        (1769848200, "2026-01-31T08:30:00Z"),
        (1769848200.25, "2026-01-31T08:30:00.250Z"),
        ("Sat, 31 Jan 2026 08:30:00 GMT", "2026-01-31T08:30:00Z"),
    ],
)
def test_times_have_one_notation(sent: str | float, read: str) -> None:
    """Times are RFC 3339 in UTC, with no digit of a second that says nothing, and no digit lost."""
    assert timestamp(sent) == read


@pytest.mark.parametrize(
    ("algorithm", "code"),
    [
        ("MD5", "invalid_input"),
        ("CRC64NVME", "invalid_connection"),
        ("XXHASH64", "invalid_connection"),
    ],
)
def test_a_checksum_that_cannot_be_made_is_no_damaged_answer(algorithm: str, code: str) -> None:
    """Nothing is sent, and nothing asked again: the input names what nobody can make, or what the
    AWS Common Runtime is needed for.
    """
    result, requests = called(
        "s3/putBucketTagging",
        {"Bucket": "reports", "Tagging": {"TagSet": []}, "ChecksumAlgorithm": algorithm},
        Answer(),
    )
    assert (result["error"]["code"], requests) == (code, [])


@pytest.mark.parametrize("body", [b"null", b'""', b"{}", b""])
def test_an_emulator_may_answer_nothing_in_json_as_html(body: bytes) -> None:
    """Moto sends JSON's empty values under HTML's type for operations that return nothing: they
    succeeded. Other text is a page.
    """
    inputs = {"AliasName": "alias/a", "TargetKeyId": "k"}
    result, _ = called(
        "kms/createAlias", inputs, Answer(content=body, headers={"Content-Type": "text/html"})
    )
    assert (result["status"], result["output"]) == ("succeeded", {})
    result, _ = called(
        "kms/createAlias", inputs, Answer(content=b"Sign in", headers={"Content-Type": "text/html"})
    )
    assert result["status"] == "in_doubt"
