"""Lossless reading of strings as numbers and booleans (docs/reference/manifest.md: forms send strings)."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from jackfield.schema.json_types import MAX_DIGITS

if TYPE_CHECKING:
    from jackfield.schema.json_types import Json

__all__ = ["read_text"]

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<rest>(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")
_BLANKS = " \t\r\n"
_LONGEST = MAX_DIGITS + 100
_BOOLEANS = {"true": True, "false": False}
_LONGEST_BOOLEAN = len("false")


def read_text(text: str, kinds: frozenset[str]) -> Json:
    """Return the value of ``text`` as one of these kinds (``boolean``, ``integer``, ``fraction``), or the text itself.

    Surrounding blanks may be lost, digits that a double cannot hold may not. ``1.0`` reads as the integer 1 if only integers fit.
    """
    if len(text) > _LONGEST:
        return text
    bare = text.strip(_BLANKS)
    if "boolean" in kinds and len(bare) <= _LONGEST_BOOLEAN and bare.lower() in _BOOLEANS:
        return _BOOLEANS[bare.lower()]
    match = _NUMBER.fullmatch(bare) if "integer" in kinds else None
    number: float | None = None
    if match and not match["rest"]:
        number = _whole(bare)
    elif match:
        number = _fraction(bare) if "fraction" in kinds else _whole_from_decimal(bare)
    return text if number is None else number


def _whole(text: str) -> int | None:
    try:
        return int(text) if len(text.lstrip("-")) <= MAX_DIGITS else None
    except ValueError:  # this Python is configured to read fewer digits
        return None


def _fraction(text: str) -> float | None:
    from decimal import Decimal

    number = float(text)
    try:
        return number if math.isfinite(number) and Decimal(text) == Decimal(repr(number)) else None
    except ArithmeticError:  # an exponent beyond Decimal's range
        return None


def _whole_from_decimal(text: str) -> int | None:
    from decimal import Decimal

    try:
        number = Decimal(text)
        if number.adjusted() >= MAX_DIGITS or number != number.to_integral_value():
            return None
        return int(number)
    except ArithmeticError:  # more digits or a larger exponent than Decimal computes with
        return None
