"""Go's quoted literals, which Dapr's email binding expects as data (the Go specification, string and rune literals)."""

from __future__ import annotations

import re

__all__ = ["QuotingError", "unquote"]

_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_NUMBER = {"x": re.compile("[0-9A-Fa-f]{2}"), "u": re.compile("[0-9A-Fa-f]{4}"), "U": re.compile("[0-9A-Fa-f]{8}")}
_OCTAL = re.compile("[0-7]{3}")
_SHORTEST = 2
_OCTET = 0xFF


class QuotingError(ValueError):
    """The text is not a quoted literal."""

    def __init__(self) -> None:
        super().__init__("invalid syntax")


def unquote(text: str) -> str:
    """The text that a Go literal stands for: ``"…"`` with escapes, `` `…` `` as it is, or one character in ``'…'``.

    :raises QuotingError: where it is none of them.
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
    r"""The literal's octets: ``\x`` and octal escapes stand for single ones."""
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
