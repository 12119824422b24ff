"""Quotas on effects: how many calls may take effect in a span of time, or how much of a number in
their inputs. Pure: no database.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Context, Decimal
from functools import lru_cache
from typing import Any

from jackfield.callers.rules import PatternError, Request, Rule, rule
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Detail, InvalidInput, did_you_mean
from jackfield.kernel.pointers import names, pointer

PERIODS: Mapping[str, int] = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "month": 0}
"""Spans of time, in seconds; a month is the calendar's. Each begins in UTC."""
WORKSPACE = "workspace"
SCALE = 1_000_000
"""Factor of stored usage, which is in millionths, so that sums of decimal fractions are exact."""
_CONTEXT = Context(prec=60, rounding=ROUND_CEILING)
"""Decimal context, precise enough for the largest number in millionths; it rounds further digits
up.
"""
_WRITTEN = re.compile(r"-?[0-9]{1,1000}(\.[0-9]{1,1000})?([eE][+-]?[0-9]{1,5})?")
_MOST = 50
_LARGEST = 10**12
_BY = ("token", "caller", "connection", "recipient")
_MEMBERS = ("count", "per", "of", "by", "sum")
_OF = {"effect": "effect:{}", "action": "{}", "connection": "connection:{}"}
_POINTER = "must be a JSON Pointer into the inputs, such as /amount"


@dataclass(frozen=True, slots=True)
class Quota:
    """One quota: at most ``count``, ``per`` a span of time, of the calls that ``fits`` selects.

    - ``by``: the key with a count of its own: each caller, connection, recipient, or value at a
      pointer into the inputs.
    - ``sum``: the number in the inputs that is counted instead of the call.
    - ``owner``: the owner of the quota. The quota of a token or a connection counts only its own
      calls.
    """

    count: float
    per: str
    rule: Rule
    by: str | None = None
    sum: str | None = None
    owner: str = WORKSPACE

    @property
    def most(self) -> int:
        """Return the largest sum that may be spent, in millionths."""
        return int(Decimal(str(self.count)) * SCALE)

    @property
    def name(self) -> str:
        """Return the identity of the quota, without its amount: a raised quota continues its
        count.
        """
        return json.dumps([self.per, self.rule.text, self.by, self.sum, self.owner])

    @property
    def title(self) -> str:
        """Return the quota in words: ``50 of effect:write & aws-ses/* per day for each token``."""
        whole = int(self.count) if float(self.count).is_integer() else self.count
        counted = "" if self.sum is None else f" of {self.sum}"
        what = "" if self.rule.text == "*" else f" {'in' if self.sum else 'of'} {self.rule.text}"
        each = "" if self.by is None else f" for each {self.by}"
        is_told = self.owner in (WORKSPACE, self.by) or (self.owner, self.by) == ("token", "caller")
        return (
            f"{whole:,}{counted}{what} per "
            f"{self.per}{each}{'' if is_told else f' of this {self.owner}'}"
        )

    def fits(self, request: Request) -> bool:
        """Return whether the quota counts a call."""
        return self.rule.fits(request)

    def amount(self, inputs: Mapping[str, Any]) -> int:
        """Return the amount that a call counts for, in millionths, rounded up.

        :raises InvalidInput: if the number to be summed is missing, or not a number.
        """
        if self.sum is None:
            return SCALE
        number = _number(at(inputs, self.sum))
        if number is None:
            fault = Detail(
                self.sum,
                f"must be a number that is not negative: the quota of {self.title} sums it",
            )
            raise InvalidInput("1 input is not valid", details=[fault], hint="Nothing was sent.")
        bounded = min(number, Decimal(_LARGEST + 1))  # which is more than any quota allows
        return int(_CONTEXT.multiply(bounded, SCALE).to_integral_value(ROUND_CEILING))

    def span(self, now: float) -> tuple[float, float]:
        """Return the beginning and end of the span of time that contains ``now``, in seconds since
        1970.
        """
        if seconds := PERIODS[self.per]:
            begun = math.floor(now / seconds) * seconds
            return begun, begun + seconds
        first = datetime.fromtimestamp(now, UTC).replace(
            day=1, hour=0, minute=0, second=0, microsecond=0
        )
        after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        return first.timestamp(), after.timestamp()


def at(inputs: Any, path: str) -> Any:
    """Return the value to which a JSON Pointer into the inputs leads; None if the inputs have no
    such value.
    """
    for name in names(path):
        if isinstance(inputs, Mapping):
            inputs = inputs.get(name)
        elif (
            isinstance(inputs, list | tuple)
            and name.isascii()
            and name.isdigit()
            and int(name) < len(inputs)
        ):
            inputs = inputs[int(name)]
        else:
            return None
    return inputs


def _number(value: Any) -> Decimal | None:
    """Return a number, or a text with a number of JSON; None if it is not a number, or negative."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    if isinstance(value, str) and not _WRITTEN.fullmatch(value):
        return None
    found = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    return found if found.is_finite() and found >= 0 else None


def quotas_of(data: Sequence[Mapping[str, Any] | str], owner: str = WORKSPACE) -> tuple[Quota, ...]:
    """Return stored quotas; a token's are stored as text. A newer jackfield's quota that this
    version cannot read allows nothing.
    """
    return tuple(
        _read(one if isinstance(one, str) else json.dumps(one, sort_keys=True), owner)
        for one in data
    )


@lru_cache(maxsize=2000)
def _read(text: str, owner: str) -> Quota:
    data = json.loads(text)
    if next(_faults("", data), None) is not None:
        return Quota(0, "day", rule("*"), owner=owner)
    terms = [
        form.format(data["of"][name]) for name, form in _OF.items() if name in data.get("of", {})
    ]
    return Quota(
        data["count"],
        data["per"],
        rule(" & ".join(terms) or "*"),
        data.get("by"),
        data.get("sum"),
        owner,
    )


def quota_faults(value: object, at: str = "/quotas") -> Iterator[Detail]:
    """Yield the faults of a list of quotas, each at its place."""
    if not isinstance(value, list | tuple) or len(value) > _MOST:
        yield Detail(at, f"must be an array of at most {_MOST} quotas", "type")
        return
    for place, quota in enumerate(value):
        yield from _faults(f"{at}/{place}", quota)


def _faults(at: str, quota: object) -> Iterator[Detail]:
    if not isinstance(quota, Mapping):
        yield Detail(
            at,
            'must be an object such as {"count": 50, "per": "day", "of": {"effect": "write"}, '
            '"by": "token"}',
            "type",
        )
        return
    for name in quota.keys() - {*_MEMBERS}:
        yield Detail(
            f"{at}{pointer(str(name))}",
            f"unknown member{did_you_mean(str(name), _MEMBERS)}",
            "additionalProperties",
        )
    count = quota.get("count")
    if isinstance(count, bool) or not isinstance(count, int | float) or not 0 < count <= _LARGEST:
        yield Detail(f"{at}/count", f"must be a number above 0, at most {_LARGEST:,}", "maximum")
    if quota.get("per") not in PERIODS:
        yield Detail(f"{at}/per", f"must be one of {', '.join(PERIODS)}", "enum")
    yield from _faults_of(f"{at}/of", quota.get("of", {}))
    by, total = quota.get("by"), quota.get("sum")
    if by is not None and by not in _BY and not _is_pointer(by):
        yield Detail(
            f"{at}/by", f"must be {', '.join(_BY)}, or a JSON Pointer into the inputs", "enum"
        )
    if total is not None and not _is_pointer(total):
        yield Detail(f"{at}/sum", _POINTER, "format")


def _faults_of(at: str, of: object) -> Iterator[Detail]:
    if not isinstance(of, Mapping) or not of.keys() <= _OF.keys():
        yield Detail(at, f"must be an object with {', '.join(_OF)}, each optional", "type")
        return
    for name, value in of.items():
        fault = _pattern_fault(name, value)
        if fault is not None:
            yield Detail(f"{at}/{name}", f"the pattern is not valid: {fault}", "pattern")


def _pattern_fault(name: str, value: object) -> str | None:
    if not isinstance(value, str) or "&" in value or (name == "action" and "/" not in value):
        return "write it as in a rule, such as 'write', 'aws-ses/*' or 'acme-*'"
    try:
        rule(_OF[name].format(value))
    except PatternError as fault:
        return str(fault)
    return None


def _is_pointer(value: object) -> bool:
    return isinstance(value, str) and value.startswith("/") and 1 < len(value) <= 200
