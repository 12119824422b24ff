"""Escape syntaxes that a text may use, and their decoders, one escape at a time.

Each escape decodes to one character: a percent-encoded or quoted-printable octet to the character of that number. A search for UTF-8 text
is therefore a search for its octets.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import cache

__all__ = ["Family", "families"]


class Family:
    """One escape syntax. ``sign`` occurs in every text that uses it; ``solid`` escapes must not be cut in two."""

    __slots__ = ("_source", "plain", "sign", "solid")

    def __init__(self, sign: str, source: str, plain: Callable[[str], str | None], *, solid: bool = False) -> None:
        self.sign = sign
        self.solid = solid
        self.plain = plain
        self._source = source

    def pattern(self) -> re.Pattern[str]:
        """Return the pattern of one escape, compiled on first use."""
        return _compiled(self._source)


@cache
def _compiled(source: str) -> re.Pattern[str]:
    return re.compile(source, re.DOTALL)


_NAMED = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0",
}  # fmt: skip


def _octet(escape: str) -> str:
    if escape == "+":
        return " "
    return chr(int.from_bytes(bytes.fromhex(escape.lstrip("%u="))))


def _backslashed(escape: str) -> str | None:
    kind, digits = escape[1], escape[2:]
    if not digits:
        return _NAMED.get(kind, kind)
    if "\\" in digits:
        high, low = int(digits[:4], 16), int(digits[6:], 16)
        return chr(0x10000 + (high - 0xD800 << 10) + low - 0xDC00)
    return _character(int(digits, 16))


def _entity(escape: str) -> str | None:
    name = escape[1:-1]
    if name.startswith(("#x", "#X")):
        return _character(int(f"0{name[1:]}", 0))
    if name.startswith("#"):
        return _character(int(name[1:]))
    from html.entities import html5

    found = html5.get(f"{name};")
    return found if found is not None and len(found) == 1 else None


def _character(number: int) -> str | None:
    return chr(number) if number <= sys.maxunicode else None


def _quoted(escape: str) -> str:
    return "" if escape.endswith("\n") else _octet(escape)


def _nothing(_escape: str) -> str:
    return ""


def _line_end(_escape: str) -> str:
    return "\n"


_HEX = "[0-9A-Fa-f]"
_BASE64 = "[A-Za-z0-9+/_-]"
_PERCENT = Family("%", rf"%(?:{_HEX}{{2}}|u{_HEX}{{4}})", _octet, solid=True)
"""RFC 3986 §2.1, and the ``%uXXXX`` of ECMAScript's ``escape``."""
_FORM = Family("+", rf"\+|%{_HEX}{{2}}", _octet)
"""application/x-www-form-urlencoded: percent-encoding with ``+`` for a space."""
_BACKSLASH = Family(
    "\\",
    rf"\\(?:u[dD][89abAB]{_HEX}{{2}}\\u[dD][c-fC-F]{_HEX}{{2}}|u{_HEX}{{4}}|U{_HEX}{{8}}|x{_HEX}{{2}}"
    r"|[abfnrtv]|0(?![0-9])|[^A-Za-z0-9])",
    _backslashed,
    solid=True,
)
"""JSON strings (RFC 8259 §7) and Python's ``repr`` of str and bytes."""
_ENTITY = Family("&", rf"&(?:#[0-9]{{1,7}}|#[xX]{_HEX}{{1,6}}|[A-Za-z][A-Za-z0-9]{{1,31}});", _entity, solid=True)
"""Character references of HTML and XML."""
_QUOTED_PRINTABLE = Family("=", rf"={_HEX}{{2}}|=[ \t]*\r?\n", _quoted)
"""RFC 2045 §6.7, including soft line breaks."""
_FOLD = Family(
    "\n",
    rf"\r\n(?<={_BASE64}{{60}}\r\n)[ \t]*(?={_BASE64})|\n(?<={_BASE64}{{60}}\n)[ \t]*(?={_BASE64})",
    _nothing,
)
"""Line breaks in Base64: lines have 64 characters in PEM (RFC 7468), 76 in MIME (RFC 2045 §6.8)."""
_INDENT = Family("\n", r"\n[ \t|]+", _line_end)
"""Text of several lines, indented as in the traceback of an exception group."""


def families(*, spaces: bool, lines: bool) -> tuple[Family, ...]:
    """Return the escape syntaxes to undo when searching for text with spaces (a plus sign may stand for one) or several lines."""
    always = (_PERCENT, _BACKSLASH, _ENTITY, _QUOTED_PRINTABLE, _FOLD)
    return (*always, *((_FORM,) if spaces else ()), *((_INDENT,) if lines else ()))
