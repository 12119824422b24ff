"""Price list of Amazon SES (``prices.json``) and estimates from it. All arithmetic is decimal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

from jackfield.kernel.dataclass import dataclass

Plan = Literal["aLaCarte", "essentials", "pro", "enterprise", "ec2FreeTier2024"]
DEFAULT_PLAN: Plan = "aLaCarte"
_MICRO = Decimal("0.000001")
_THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class Item:
    """Line of an estimate. ``quantity`` is in ``unit``, and ``unit_price`` is the price of one
    unit.
    """

    name: str
    quantity: Decimal
    unit: str
    unit_price: Decimal

    @property
    def amount(self) -> Decimal:
        """The line's sum, to a millionth of the currency."""
        return (self.quantity * self.unit_price).quantize(_MICRO)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Estimated cost of a month, with the prices of ``region``."""

    items: tuple[Item, ...]
    currency: str
    plan: Plan
    region: str
    as_of: str

    @property
    def total(self) -> Decimal:
        """Sum of the items."""
        return sum((item.amount for item in self.items), Decimal(0))


@cache
def _table() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(
        Path(__file__).with_name("prices.json").read_text(encoding="utf-8")
    )
    return found


def estimate(
    messages: int,
    *,
    attachment_bytes: int = 0,
    dedicated_ips: int = 0,
    region: str | None = None,
    plan: Plan = DEFAULT_PLAN,
) -> Estimate:
    """Estimate the cost of ``messages`` in a month. A region without prices is priced as the
    default region.
    """
    table = _table()
    priced: str = (
        region if region is not None and region in table["regions"] else table["defaultRegion"]
    )
    prices = table["regions"][priced][plan]
    items = (
        [Item("Monthly fee", Decimal(1), "month", Decimal(prices["monthlyFee"]))]
        if Decimal(prices["monthlyFee"])
        else []
    )
    items += _messages(messages, prices)
    if attachment_bytes:
        items.append(
            Item(
                "Attachments",
                Decimal(attachment_bytes) / table["bytesPerGb"],
                "GB",
                Decimal(prices["attachmentGb"]),
            )
        )
    if dedicated_ips:
        items.append(
            Item(
                "Dedicated IPs",
                Decimal(dedicated_ips),
                "IP and month",
                Decimal(prices["dedicatedIp"]),
            )
        )
    return Estimate(tuple(items), table["currency"], plan, priced, prices["asOf"])


def _messages(count: int, prices: Mapping[str, Any]) -> Iterator[Item]:
    free = min(count, prices["freeMessages"])
    if free:
        yield Item(
            "Messages in the free tier", Decimal(free) / _THOUSAND, "1,000 messages", Decimal(0)
        )
    left, below = count - free, 0
    for tier in prices["perThousand"]:
        share = left if tier["upTo"] is None else min(left, tier["upTo"] - below)
        if share:
            yield Item(
                "Messages", Decimal(share) / _THOUSAND, "1,000 messages", Decimal(tier["price"])
            )
        left, below = left - share, tier["upTo"] or 0
