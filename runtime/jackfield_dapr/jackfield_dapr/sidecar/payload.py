"""Data of a binding request: decoding of the body that the caller means."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from jackfield.invocation import check_values
from jackfield.kernel.errors import InvalidInvocation

_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_NUMBER = {
    "x": re.compile("[0-9A-Fa-f]{2}"),
    "u": re.compile("[0-9A-Fa-f]{4}"),
    "U": re.compile("[0-9A-Fa-f]{8}"),
}
_OCTAL = re.compile("[0-7]{3}")
_SHORTEST = 2
_OCTET = 0xFF


class QuotingError(ValueError):
    """Text that is not a quoted literal."""

    def __init__(self) -> None:
        super().__init__("invalid syntax")


def unquote(text: str) -> str:
    """Decode a Go literal: ``"…"`` with escapes, `` `…` `` verbatim, or one character in ``'…'``.

    :raises QuotingError: if the text is no such literal.
    """
    quote = text[:1]
    if len(text) < _SHORTEST or text[-1] != quote or quote not in ('"', "'", "`"):
        raise QuotingError
    inside = text[1:-1]
    if quote == "`":
        if "`" in inside:
            raise QuotingError
        return inside.replace("\r", "")
    if "\n" in inside:
        raise QuotingError
    if quote not in inside and "\\" not in inside and quote == '"':
        return inside
    octets = _octets(inside, quote)
    try:
        found = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise QuotingError from None
    if quote == "'" and len(found) != 1:
        raise QuotingError
    return found


def _octets(inside: str, quote: str) -> bytes:
    r"""Return the literal's octets: ``\x`` and octal escapes stand for single octets."""
    found = bytearray()
    at = 0
    while at < len(inside):
        letter = inside[at]
        if letter == quote:
            raise QuotingError
        if letter == "\\":
            octets, at = _escaped(inside, at + 1, quote)
            found += octets
        else:
            found += letter.encode("utf-8", "surrogatepass")
            at += 1
    return bytes(found)


def _escaped(inside: str, at: int, quote: str) -> tuple[bytes, int]:
    letter = inside[at : at + 1]
    if letter in _SIMPLE and letter:
        return _SIMPLE[letter].encode(), at + 1
    if letter == quote:
        return quote.encode(), at + 1
    octal = _OCTAL.match(inside, at)
    if octal and int(octal[0], 8) <= _OCTET:
        return bytes([int(octal[0], 8)]), at + 3
    digits = _NUMBER[letter].match(inside, at + 1) if letter in _NUMBER else None
    if digits is None:
        raise QuotingError
    number = int(digits[0], 16)
    end = at + 1 + len(digits[0])
    if letter == "x":
        return bytes([number]), end
    try:
        return chr(number).encode("utf-8"), end
    except (ValueError, OverflowError):  # beyond Unicode, or half a surrogate pair
        raise QuotingError from None


class PayloadError(ValueError):
    """Data that the binding does not accept."""


def from_json(data: Any, members: Sequence[str], *, strict: bool) -> str | Mapping[str, Any]:
    """Return the body in the ``data`` of a JSON request: a text or, unless ``strict``, an object of
    inputs named in ``members``.

    :raises PayloadError: for anything else, as in Dapr, which re-quotes the text and accepts only
        texts.
    """
    if isinstance(data, str):
        return data
    if not strict and isinstance(data, Mapping) and data and all(name in members for name in data):
        return data
    raise PayloadError(str(QuotingError()))


def from_octets(data: bytes, members: Sequence[str], *, strict: bool) -> str | Mapping[str, Any]:
    """Return the body in the octets of a gRPC request: a quoted literal or, unless ``strict``, a
    JSON text, an object of inputs, or the text unchanged.

    :raises PayloadError: for data that is not UTF-8, not a literal (``strict``), or a JSON value of
        another type.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise PayloadError("the data is not UTF-8 text") from None
    try:
        return unquote(text)
    except QuotingError as error:
        if strict:
            raise PayloadError(str(error)) from None
    value = _json(text)
    return text if value is None else from_json(value, members, strict=False)


def _json(text: str) -> Any:
    """Decode a JSON string, object or list; return None for any other text, including numbers and
    keywords.

    :raises PayloadError: if it has more values than an invocation may have.
    """
    trimmed = text.strip()
    if not trimmed.startswith(('"', "{", "[")):
        return None
    try:
        check_values(trimmed)
        return json.loads(trimmed)
    except InvalidInvocation as error:
        raise PayloadError(error.message) from None
    except (ValueError, RecursionError):
        return None
