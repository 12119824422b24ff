"""Canonical JSON (RFC 8785): equal values have equal text, so that equal requests have equal
fingerprints.
"""

from __future__ import annotations

import json
import json.encoder
import math
from collections.abc import Iterator, Mapping

from jackfield.kernel.exact import Exact

_SLICE = 64 * 1024
_QUOTED = json.encoder.encode_basestring
_EXACT = 2**53
_PLAIN_BELOW = 21
_PLAIN_ABOVE = -7


def canonical(value: object) -> Iterator[bytes]:
    """Yield the canonical text of a JSON value as UTF-8, in pieces, so that a large attachment is
    never copied whole.

    Members are sorted by UTF-16 code units (RFC 8785 §3.2.3), numbers are formatted as in
    ECMAScript (§3.2.2.3). Integers beyond 2**53 keep all digits, unlike in RFC 8785: neighbouring
    integers are different requests.

    :raises Exception: for a value without a JSON form: ``TypeError``, or an exception of a foreign
        class.
    """
    pieces: list[str] = []
    large: list[int] = []
    _write(value, pieces, large)
    done = 0
    for place in large:
        yield "".join(pieces[done:place]).encode("utf-8", "surrogatepass")
        yield from _slices(pieces[place])
        done = place + 1
    yield "".join(pieces[done:]).encode("utf-8", "surrogatepass")


def _write(value: object, pieces: list[str], large: list[int]) -> None:
    """Append the text of ``value``. A string too large to copy is appended unquoted, and its index
    is appended to ``large``.
    """
    if isinstance(value, str):
        if len(value) > _SLICE:
            large.append(len(pieces))
        pieces.append(value if len(value) > _SLICE else _QUOTED(value))
    elif isinstance(value, (dict, Mapping)):
        # dict first: isinstance with an abstract class is slow
        between = "{"
        for name in _in_order(value):
            pieces.append(between + _QUOTED(name) + ":")
            between = ","
            _write(value[name], pieces, large)
        pieces.append("}" if value else "{}")
    elif isinstance(value, (list, tuple)):
        between = "["
        for item in value:
            pieces.append(between)
            between = ","
            _write(item, pieces, large)
        pieces.append("]" if value else "[]")
    else:
        pieces.append(_scalar(value))


def _in_order(members: Mapping[str, object]) -> list[str]:
    return sorted(members) if "".join(members).isascii() else sorted(members, key=_utf16)


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


def _slices(text: str) -> Iterator[bytes]:
    yield b'"'
    for start in range(0, len(text), _SLICE):
        yield _QUOTED(text[start : start + _SLICE])[1:-1].encode("utf-8", "surrogatepass")
    yield b'"'


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return (value.canonical if isinstance(value, Exact) else None) or _number(float(value))
    raise TypeError("this value is no JSON")


def _number(value: float) -> str:
    """Format a finite double as ECMAScript's Number::toString does."""
    if value == int(value) and abs(value) < _EXACT:
        return str(int(value))
    text = repr(value)
    mantissa, _, exponent = text.partition("e")
    digits_exponent = int(exponent) if exponent else 0
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = (
        len(whole)
        + digits_exponent
        - (len(whole + fraction) - len(digits) if whole.strip("0") == "" else 0)
    )
    digits = digits.rstrip("0") or "0"
    return sign + _placed(digits, point)


def _placed(digits: str, point: int) -> str:
    """Format ``digits`` with the decimal point after the first ``point`` digits, in the notation
    that ECMAScript chooses.
    """
    count = len(digits)
    if count <= point <= _PLAIN_BELOW:
        return digits + "0" * (point - count)
    if 0 < point <= _PLAIN_BELOW:
        return f"{digits[:point]}.{digits[point:]}"
    if _PLAIN_ABOVE < point - 1 < 0 or point == 0:
        return f"0.{'0' * -point}{digits}"
    exponent = point - 1
    mantissa = digits if count == 1 else f"{digits[0]}.{digits[1:]}"
    return f"{mantissa}e{'+' if exponent > 0 else '-'}{abs(exponent)}"
