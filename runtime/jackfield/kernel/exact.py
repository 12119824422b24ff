"""Numbers of JSON with all their digits, where a double would lose some: DynamoDB's have 38
(docs/tutorial/any-aws-service.md).

To other code, such a number is an ordinary float.
"""

from __future__ import annotations

import json
import os
from itertools import chain

TYPE_CHECKING = False  # typing would double the start-up time of a cold --help
if TYPE_CHECKING:
    from typing import Any, Self

ALWAYS_EXACT = 16
"""Maximum characters of a number whose digits a double always holds: 15 digits and a point."""
_USUAL = frozenset({str, int, float, bool, type(None)})


class Exact(float):
    """Number with more digits than a double is sure to hold, or too small for a double; ``text``
    has all digits.
    """

    __slots__ = ("text",)
    text: str
    any_made = False
    """True once this process has created an ``Exact``."""

    def __new__(cls, text: str) -> Self:
        """Parse a number of JSON."""
        made = super().__new__(cls, text)
        made.text, Exact.any_made = text, True
        return made

    @property
    def canonical(self) -> str | None:
        """Number in one notation, so that equal numbers have equal strings; None if a double is
        equal to it.
        """
        from decimal import Context, Decimal

        whole = Decimal(self.text)
        if whole == Decimal(repr(float(self))):
            return None
        return str(whole.normalize(Context(prec=len(whole.as_tuple().digits) + 1)))


def read_float(text: str) -> float:
    """Parse a number of JSON that is not an integer: the hook ``parse_float`` of ``json``."""
    if len(text) > ALWAYS_EXACT:
        return Exact(text)
    found = float(text)
    # 1e-400
    return found if found or not text.lower().partition("e")[0].strip("-0.") else Exact(text)


def has_exact(value: object) -> bool:
    """Return whether a JSON value has an ``Exact``, or a ``Decimal`` of Python."""
    kind = type(value)
    if kind is dict:
        return any(map(has_exact, value.values()))  # type: ignore[attr-defined]  # it is one
    if kind is list or kind is tuple:
        return any(map(has_exact, value))  # type: ignore[call-overload]  # it is one
    return kind not in _USUAL and (kind is Exact or _is_decimal(value))


def _is_decimal(value: object) -> bool:
    kind = type(value)  # the module is not imported to know that
    return (kind.__module__, kind.__name__) == ("decimal", "Decimal")


def without_decimals(value: Any, room: int = 100) -> Any:
    """Return a JSON value with each finite ``Decimal`` as a number of JSON, ``room`` levels deep;
    the same object if there is none.
    """
    if not room:
        return value
    if type(value) is dict:
        members = {name: without_decimals(item, room - 1) for name, item in value.items()}
        return members if any(members[name] is not item for name, item in value.items()) else value
    if type(value) is list:
        items = [without_decimals(item, room - 1) for item in value]
        return (
            items if any(new is not old for new, old in zip(items, value, strict=True)) else value
        )
    if not _is_decimal(value) or not value.is_finite():
        return value
    text = str(value)
    return int(text) if text.lstrip("-").isdecimal() else Exact(text)


def exact_json(value: Any, encoder: json.JSONEncoder) -> str:
    """Encode a value as JSON, its numbers with all their digits. ``encoder`` encodes everything
    else.
    """
    if not has_exact(value):
        return encoder.encode(value)
    sign, texts = os.urandom(16).hex(), list[str]()
    parts = encoder.encode(_signed(value, sign, texts)).split(f'"{sign}"')
    return "".join(chain.from_iterable(zip(parts, (*texts, ""), strict=True)))


def result_json(value: Any, encoder: json.JSONEncoder) -> str:
    """Encode a value without a ``Decimal`` as ``exact_json`` does. The value is searched only if
    this process has created an ``Exact``.
    """
    return exact_json(value, encoder) if Exact.any_made else encoder.encode(value)


def with_digits(shown: Any, whole: Any) -> Any:
    """Return ``shown``, which was derived from ``whole``, with the digits of ``whole`` for numbers
    that lost digits.
    """
    if type(whole) is Exact:
        return whole if type(shown) is float else shown
    if isinstance(shown, dict) and isinstance(whole, dict):
        return {name: with_digits(item, whole.get(name)) for name, item in shown.items()}
    if isinstance(shown, list) and isinstance(whole, list | tuple) and len(shown) == len(whole):
        return list(map(with_digits, shown, whole))
    return shown


def _signed(value: Any, sign: str, texts: list[str]) -> Any:
    """Return a copy with ``sign`` in place of each exact number; the numbers' strings are appended
    to ``texts`` in order.
    """
    if isinstance(value, dict):
        return {name: _signed(item, sign, texts) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_signed(item, sign, texts) for item in value]
    if has_exact(value):
        texts.append(value.text if type(value) is Exact else str(value))
        return sign
    return value
