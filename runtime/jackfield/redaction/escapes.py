"""Escape syntaxes that a text may use, and their decoders, one escape at a time.

Each escape decodes to one character: a percent-encoded or quoted-printable octet to the character
of that number. A search for UTF-8 text is therefore a search for its octets.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from functools import cache


class Family:
    """One escape syntax. ``sign`` occurs in every text that uses it; ``solid`` escapes must not be
    cut in two.
    """

    __slots__ = ("_source", "plain", "sign", "solid")

    def __init__(
        self, sign: str, source: str, plain: Callable[[str], str | None], *, solid: bool = False
    ) -> None:
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
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "0": "\0",
}


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
"""Percent-encoding of RFC 3986 §2.1, and the ``%uXXXX`` of ECMAScript's ``escape``."""
_FORM = Family("+", rf"\+|%{_HEX}{{2}}", _octet)
"""Escapes of application/x-www-form-urlencoded: percent-encoding with ``+`` for a space."""
_BACKSLASH = Family(
    "\\",
    rf"\\(?:u[dD][89abAB]{_HEX}{{2}}\\u[dD][c-fC-F]{_HEX}{{2}}|u{_HEX}{{4}}|U{_HEX}{{8}}|x{_HEX}{{2}}"
    r"|[abfnrtv]|0(?![0-9])|[^A-Za-z0-9])",
    _backslashed,
    solid=True,
)
"""Escapes of JSON strings (RFC 8259 §7) and of Python's ``repr`` of str and bytes."""
_ENTITY = Family(
    "&", rf"&(?:#[0-9]{{1,7}}|#[xX]{_HEX}{{1,6}}|[A-Za-z][A-Za-z0-9]{{1,31}});", _entity, solid=True
)
_QUOTED_PRINTABLE = Family("=", rf"={_HEX}{{2}}|=[ \t]*\r?\n", _quoted)
"""Escapes of quoted-printable (RFC 2045 §6.7), including soft line breaks."""
_FOLD = Family(
    "\n",
    rf"\r\n(?<={_BASE64}{{60}}\r\n)[ \t]*(?={_BASE64})|\n(?<={_BASE64}{{60}}\n)[ \t]*(?={_BASE64})",
    _nothing,
)
"""Line breaks within Base64: lines have 64 characters in PEM (RFC 7468), 76 in MIME (RFC 2045
§6.8).
"""
_INDENT = Family("\n", r"\n[ \t|]+", _line_end)
"""Line breaks of an indented text of several lines, as in the traceback of an exception group."""


def families(*, spaces: bool, lines: bool) -> tuple[Family, ...]:
    """Return the syntaxes of escapes to decode in a search for text with spaces (a plus sign may be
    a space) or several lines.
    """
    always = (_PERCENT, _BACKSLASH, _ENTITY, _QUOTED_PRINTABLE, _FOLD)
    return (*always, *((_FORM,) if spaces else ()), *((_INDENT,) if lines else ()))


_DEEP = 256 * 1024
"""Maximum characters of a text that is searched for escapes within escapes, which limits the work
that a text can cause.
"""


def lowered(text: str) -> str:
    """Return the text in lower case with each character at its index: only U+0130 becomes two
    characters in lower case.
    """
    small = text.lower()
    return small if len(small) == len(text) else text.replace("\u0130", "i").lower()


class View:
    """Text with the places of its escapes, both in it and in the text from which it was decoded."""

    __slots__ = ("_after", "_at", "_ends", "_lowered", "_starts", "parent", "solid", "text")

    def __init__(self, text: str, parent: View | None = None, *, solid: bool = False) -> None:
        self.text = text
        self.solid = solid
        self.parent = parent
        self._lowered: str | None = None
        self._at: list[int] = []
        self._after: list[int] = []
        self._starts: list[int] = []
        self._ends: list[int] = []

    @property
    def lowered(self) -> str:
        """Text in lower case."""
        if self._lowered is None:
            self._lowered = lowered(self.text)
        return self._lowered

    def read(self, family: Family) -> View | None:
        """Return this view with one family of escapes decoded; None if it has no escape of the
        family.
        """
        child = View("", self, solid=family.solid)
        known: dict[str, str | None] = {}
        pieces: list[str] = []
        done = size = 0
        for match in family.pattern().finditer(self.text):
            escape = match[0]
            if escape not in known:
                known[escape] = family.plain(escape)
            plain = known[escape]
            if plain is None:
                continue
            start, end = match.span()
            pieces += (self.text[done:start], plain)
            child._at.append(size + start - done)
            size += start - done + len(plain)
            done = end
            child._after.append(size)
            child._starts.append(start)
            child._ends.append(end)
        if not child._at:
            return None
        pieces.append(self.text[done:])
        child.text = "".join(pieces)
        return child

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the original text for the non-empty span ``start:end`` of this
        view.
        """
        if self.parent is None:
            return start, end
        return self.parent.origin(self._place(start)[0], self._place(end - 1)[1])

    def _place(self, index: int) -> tuple[int, int]:
        escape = bisect_right(self._at, index) - 1
        if escape < 0:
            return index, index + 1
        beyond = index - self._after[escape]
        if beyond < 0:
            return self._starts[escape], self._ends[escape]
        return self._ends[escape] + beyond, self._ends[escape] + beyond + 1

    def whole(self, start: int, end: int) -> tuple[int, int]:
        """Return the parent's span ``start:end``, extended so that it does not cut an escape of
        this view in two.
        """
        first = bisect_right(self._starts, start) - 1
        if first >= 0 and start < self._ends[first]:
            start = self._starts[first]
        last = bisect_left(self._starts, end) - 1
        if last >= 0 and end < self._ends[last]:
            end = self._ends[last]
        return start, end


def views(text: str, undone: tuple[Family, ...]) -> Iterator[View]:
    """Yield the text itself, then each way of decoding its escapes, then each way of decoding
    escapes within escapes, without duplicates.

    Texts beyond 256 Ki characters are decoded one level deep.
    """
    seen = {text}
    level = [View(text)]
    yield level[0]
    for _ in range(2 if len(text) <= _DEEP else 1):
        level = [view for parent in level for view in _readings(parent, undone, seen)]
        yield from level


def _readings(parent: View, undone: tuple[Family, ...], seen: set[str]) -> Iterator[View]:
    for family in undone:
        view = parent.read(family) if family.sign in parent.text else None
        if view is not None and view.text not in seen:
            seen.add(view.text)
            yield view
