"""``estimateCost``: the cost of a month's mail, from the price table of this package."""

from __future__ import annotations

from jackfield.connector import Field, Inputs, Output, current_call
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.examples import example
from jackfield_aws_ses.fields import Region, region_field
from jackfield_aws_ses.prices import DEFAULT_PLAN, Estimate, Plan, estimate

_MOST = 10**12
_EXAMPLE = example(
    "A million messages with 2 GB of attachments and one dedicated IP address",
    "estimateCost",
    {
        "messages": 1_000_000,
        "attachmentBytes": 2_147_483_648,
        "dedicatedIps": 1,
        "awsRegion": "us-east-1",
    },
    {
        "total": 125.19,
        "currency": "USD",
        "items": [
            {
                "name": "Messages",
                "quantity": 1000.0,
                "unit": "1,000 messages",
                "unitPrice": 0.1,
                "amount": 100.0,
            },
            {
                "name": "Attachments",
                "quantity": 2.0,
                "unit": "GB",
                "unitPrice": 0.12,
                "amount": 0.24,
            },
            {
                "name": "Dedicated IPs",
                "quantity": 1.0,
                "unit": "IP and month",
                "unitPrice": 24.95,
                "amount": 24.95,
            },
        ],
        "pricesAsOf": "2026-07-22",
        "plan": "aLaCarte",
        "priceRegion": "us-east-1",
    },
)


class Usage(Inputs):
    """Email sent in a month, by billed quantity."""

    messages: int = Field(
        title="Messages",
        schema={"minimum": 0, "maximum": _MOST},
        description=(
            "Messages per month. Amazon SES bills each recipient: a message to three counts "
            "as three."
        ),
    )
    attachment_bytes: int = Field(
        0,
        title="Attachment Bytes",
        blank="absent",
        schema={"minimum": 0, "maximum": _MOST * 1000},
        description="Total bytes of all attachments in the month, counted for each recipient.",
    )
    dedicated_ips: int = Field(
        0,
        title="Dedicated IPs",
        blank="absent",
        schema={"minimum": 0, "maximum": 100_000},
        description="Standard dedicated IP addresses.",
    )
    aws_region: Region | None = region_field(None)
    plan: Plan = Field(
        DEFAULT_PLAN,
        title="Plan",
        blank="absent",
        description="The pricing plan of the account in the region. 'ec2FreeTier2024' is the "
        "price list of 2024 with 62,000 free messages "
        "sent from EC2, which AWS no longer offers.",
    )


class CostItem(Output):
    """One line of an estimate."""

    name: str = Field(description="What is billed.")
    quantity: float = Field(description="Quantity, in units.")
    unit: str = Field(description="The unit of the quantity.")
    unit_price: float = Field(description="Price of one unit.")
    amount: float = Field(description="Quantity times price, to a millionth.")


class Cost(Output):
    """Estimate of a month's cost, before taxes, credits and private prices."""

    total: float = Field(description="Sum of the items.")
    currency: str = Field(description="ISO 4217 code of the currency.")
    items: list[CostItem] = Field(description="Lines of the estimate.")
    prices_as_of: str = Field(description="Date of the price list.", schema={"format": "date"})
    plan: str = Field(description="The plan whose prices apply.")
    price_region: str = Field(
        description=(
            "The region whose prices apply: the one given, or us-east-1 if this package has "
            "no price list for that region."
        )
    )


def cost_of(found: Estimate) -> Cost:
    """Convert an estimate to an output."""
    return Cost(
        total=float(found.total),
        currency=found.currency,
        items=[
            CostItem(
                name=item.name,
                quantity=float(item.quantity),
                unit=item.unit,
                unit_price=float(item.unit_price),
                amount=float(item.amount),
            )
            for item in found.items
        ],
        prices_as_of=found.as_of,
        plan=found.plan,
        price_region=found.region,
    )


@connector.action(
    "estimateCost",
    effect="read",
    needs_connection=False,
    examples=(_EXAMPLE,),
    keywords=(
        "price",
        "how much does it cost",
    ),
)
def estimate_cost(usage: Usage) -> Cost:
    """Estimate the monthly bill for Amazon SES, from a dated price list; nothing is sent, and no
    connection is needed.
    """
    found = estimate(
        usage.messages,
        attachment_bytes=usage.attachment_bytes,
        dedicated_ips=usage.dedicated_ips,
        region=usage.aws_region,
        plan=usage.plan,
    )
    call = current_call()
    if call is not None and usage.aws_region not in (None, found.region):
        call.warn(
            f"this package has no prices of {usage.aws_region}: the estimate has those of "
            f"{found.region}",
            "/priceRegion",
        )
    return cost_of(found)
