"""Estimates of cost reproduce the published examples, with decimal arithmetic."""

from decimal import Decimal

import pytest

from jackfield import Jackfield
from jackfield_aws_ses.prices import Plan, estimate


@pytest.mark.parametrize(
    ("messages", "total"), [(100_000, "3.80"), (1_000_000, "93.80"), (10_000_000, "993.80")]
)
def test_the_examples_of_2024(messages: int, total: str) -> None:
    """62,000 free messages and 0.10 a thousand: the three monthly examples that Thand's document
    rounds to 3.80, 94 and 994.
    """
    assert estimate(messages, plan="ec2FreeTier2024").total == Decimal(total)


@pytest.mark.parametrize(
    ("plan", "messages", "total"),
    [
        ("aLaCarte", 0, "0"),
        ("aLaCarte", 1, "0.0001"),
        ("aLaCarte", 3, "0.0003"),
        ("aLaCarte", 250_000_000, "25000"),
        ("essentials", 10_000_000, "1600"),
        ("essentials", 10_000_001, "1600.00014"),
        ("essentials", 150_000_000, "19700"),
        ("pro", 100_000, "127"),
        ("enterprise", 11_000_000, "2980"),
        ("ec2FreeTier2024", 62_000, "0"),
    ],
)
def test_plans_and_tiers(plan: Plan, messages: int, total: str) -> None:
    """Each tier's price holds for the messages within it, and a plan's fee is added."""
    assert estimate(messages, plan=plan).total == Decimal(total)


def test_attachments_and_addresses() -> None:
    """Attachments are billed by the GB of 2^30 bytes, dedicated addresses by the month; a region
    without a price list takes us-east-1's.
    """
    found = estimate(1000, attachment_bytes=3 * 2**29, dedicated_ips=2, region="eu-west-1")
    assert [(item.name, item.amount) for item in found.items] == [
        ("Messages", Decimal("0.1")),
        ("Attachments", Decimal("0.18")),
        ("Dedicated IPs", Decimal("49.9")),
    ]
    assert (found.region, found.as_of, found.total) == ("us-east-1", "2026-07-22", Decimal("50.18"))


@pytest.mark.parametrize(
    ("region", "warned"), [("eu-west-1", True), ("us-east-1", False), (None, False)]
)
def test_prices_of_another_region_are_told(region: str | None, warned: bool) -> None:
    """Where the price list lacks the region, the estimate says whose prices it has."""
    inputs = {"messages": 1000} | ({"awsRegion": region} if region else {})
    with Jackfield(connections=[], database_url="none") as jackfield:
        result = jackfield.invoke(
            {"connector": "aws-ses", "action": "estimateCost", "inputs": inputs}
        )
    assert result.unwrap()["priceRegion"] == "us-east-1"
    assert [warning["path"] for warning in result.meta.warnings or ()] == (
        ["/priceRegion"] if warned else []
    )
