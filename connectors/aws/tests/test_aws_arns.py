"""Role ARNs are taken apart and checked against regions before anything is sent."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_opening import ROLE_ARN
from jackfield.connector import InvalidConnection
from jackfield_aws.answers import role_of_session
from jackfield_aws.arns import ROLE_ARN_PATTERN, parse_role_arn

_NAMES = st.text("abcXYZ019_+=,.@-", min_size=1, max_size=64)


@given(
    st.sampled_from(["aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b"]),
    st.integers(0, 10**12 - 1),
    _NAMES,
    st.lists(_NAMES),
)
def test_valid_arns_come_apart(partition: str, account: int, name: str, path: list[str]) -> None:
    """A role's ARN gives its partition, account and name, whatever its path."""
    text = f"arn:{partition}:iam::{account:012}:role/{'/'.join([*path, name])}"
    arn = parse_role_arn(text[:2048])
    assert (arn.partition, arn.account) == (partition, f"{account:012}")
    assert len(text) > 2048 or arn.name == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "acme-ses",
        "arn:aws:iam::123456789012:user/ada",
        "arn:aws:iam::12345:role/acme",
        "arn:aws:sts::123456789012:assumed-role/acme/session",
        f"{ROLE_ARN} ",
        f"{ROLE_ARN}\n",
        "arn:aws:iam::123456789012:role/ünïcode",
        "arn:aws:iam::١٢٣٤٥٦٧٨٩٠١٢:role/acme",
        ROLE_ARN + "x" * 2048,
    ],
)
def test_other_arns_are_refused_at_their_value(text: str) -> None:
    """What is no role's ARN is refused with a pointer to it."""
    with pytest.raises(InvalidConnection) as raised:
        parse_role_arn(text)
    assert [detail.path for detail in raised.value.details] == ["/roleARN"]
    assert raised.value.hint


@given(st.text())
def test_any_text_is_taken_or_refused(text: str) -> None:
    """No text makes anything but an ARN or a refusal, and the schema's pattern says the same."""
    try:
        parse_role_arn(text)
    except InvalidConnection:
        assert not re.fullmatch(ROLE_ARN_PATTERN, text)
    else:
        assert re.fullmatch(ROLE_ARN_PATTERN, text)


@pytest.mark.parametrize(
    ("arn", "region", "fits"),
    [
        (ROLE_ARN, "eu-west-1", True),
        (ROLE_ARN, None, True),
        (ROLE_ARN, "no region", True),
        (ROLE_ARN, "cn-north-1", False),
        (ROLE_ARN.replace("aws", "aws-cn", 1), "eu-west-1", False),
        (ROLE_ARN.replace("aws", "aws-us-gov", 1), "us-gov-west-1", True),
    ],
)
def test_partition_must_fit_the_region(arn: str, region: str | None, *, fits: bool) -> None:
    """A role is of use only in the regions of its own partition."""
    role = parse_role_arn(arn)
    if fits:
        role.check_region(region)
        return
    with pytest.raises(InvalidConnection, match="partition"):
        role.check_region(region)


def test_a_session_leads_back_to_its_role() -> None:
    """A trust policy names the role behind a session, and a user as it is."""
    assert (
        role_of_session("arn:aws:sts::123456789012:assumed-role/ci/run-1")
        == "arn:aws:iam::123456789012:role/ci"
    )
    assert (
        role_of_session("arn:aws:iam::123456789012:user/ada")
        == "arn:aws:iam::123456789012:user/ada"
    )
