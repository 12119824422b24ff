"""Canonical JSON (RFC 8785): one text for one value, so that equal requests have equal fingerprints."""

from __future__ import annotations

import json
import json.encoder
import math
from collections.abc import Iterator, Mapping

__all__ = ["canonical"]

_SLICE = 64 * 1024
_QUOTED = json.encoder.encode_basestring
_EXACT = 2**53
_PLAIN_BELOW = 21
_PLAIN_ABOVE = -7


def canonical(value: object) -> Iterator[bytes]:
    """The canonical text of a JSON value as UTF-8, in pieces, so that a large attachment is never copied whole.

    Members are sorted by UTF-16 code units (RFC 8785 §3.2.3), numbers written as ECMAScript writes them (§3.2.2.3). An integer beyond
    2**53 keeps its digits: it is another request than its neighbour.
    """
    pieces: list[str] = []
    for large in _written(value, pieces):
        yield "".join(pieces).encode("utf-8", "surrogatepass")
        pieces.clear()
        yield from _slices(large)
    yield "".join(pieces).encode("utf-8", "surrogatepass")


def _written(value: object, pieces: list[str]) -> Iterator[str]:
    """Append the text of ``value``; a string too large to be appended is yielded in its place."""
    if isinstance(value, str):
        if len(value) > _SLICE:
            yield value
        else:
            pieces.append(_QUOTED(value))
    elif isinstance(value, Mapping):
        between = "{"
        for name in value if len(value) < 2 else sorted(value, key=_utf16):  # noqa: PLR2004 (one member is in order)
            pieces.append(between + _QUOTED(name) + ":")
            between = ","
            yield from _written(value[name], pieces)
        pieces.append("}" if value else "{}")
    elif isinstance(value, list | tuple):
        between = "["
        for item in value:
            pieces.append(between)
            between = ","
            yield from _written(item, pieces)
        pieces.append("]" if value else "[]")
    else:
        pieces.append(_scalar(value))


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
        return _number(value)
    return json.dumps(str(value))  # not JSON: the check refuses it, but a fingerprint is taken before


def _number(value: float) -> str:
    """A finite double as ECMAScript's Number::toString writes it."""
    if value == int(value) and abs(value) < _EXACT:
        return str(int(value))
    text = repr(value)
    mantissa, _, exponent = text.partition("e")
    digits_exponent = int(exponent) if exponent else 0
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + digits_exponent - (len(whole + fraction) - len(digits) if whole.strip("0") == "" else 0)
    digits = digits.rstrip("0") or "0"
    return sign + _placed(digits, point)


def _placed(digits: str, point: int) -> str:
    """``digits`` with the decimal point after ``point`` of them, in ECMAScript's choice of notation."""
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
