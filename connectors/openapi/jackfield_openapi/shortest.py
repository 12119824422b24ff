"""Short texts that match a regular expression, for examples of values that a document describes
only by a pattern.

The dialect is ECMA-262's without assertions and back-references. The text is a proposal, which the
caller validates.
"""

from __future__ import annotations

import re

_COUNT = re.compile(r"\{(\d{1,5})(,(\d{0,5}))?\}")
_MANY = 2_000
"""Maximum length of a text."""
_MOST_PLACES = 100
"""Maximum number of repetitions that are tried in turn to lengthen a string."""
_DEEPEST = 40
_ANY = "a"
_KINDS = {
    "d": "0",
    "D": "a",
    "w": "a",
    "W": "-",
    "s": " ",
    "S": "a",
    "b": "",
    "B": "",
    "t": "\t",
    "n": "\n",
    "r": "\r",
    "f": "\f",
    "v": "\v",
}
_CATEGORIES = {
    "L": "A",
    "Lu": "A",
    "Ll": "a",
    "Alphabetic": "a",
    "N": "0",
    "Nd": "0",
    "P": "-",
    "Z": " ",
    "S": "+",
    "M": "\u0301",
}
_MEMBERS = {"d": "09", "w": "azAZ09__", "s": "  "}
_TRIED = "aA0-_ .~é€"
_CODES = {"x": 2, "u": 4}
"""Escapes of a code point, with their number of hexadecimal digits."""


def shortest(pattern: str, least: int = 0) -> str | None:
    """Return a short string that should match a pattern, of ``least`` characters if possible; None
    if the pattern is not supported.
    """
    try:
        first = _Maker(pattern)
        text = first.made()
        if least > _MANY:
            return text
        for place in range(min(first.places, _MOST_PLACES) if len(text) < least else 0):
            longer = _Maker(pattern, place, least - len(text)).made()
            if len(longer) >= least:
                return longer
    except _BeyondError:
        return None
    return text


class _BeyondError(ValueError):
    """Error of a pattern that this module does not support."""


class _Maker:
    """Parser of one pattern that writes a text. The repetition number ``place`` adds ``missing``
    characters to its minimum.
    """

    def __init__(self, pattern: str, place: int = -1, missing: int = 0) -> None:
        self._pattern = pattern
        self._at = 0
        self._place = place
        self._missing = missing
        self.places = 0

    def made(self) -> str:
        """Return the string.

        :raises _BeyondError: if the pattern is not supported.
        """
        text = self._alternatives(0)
        if self._at < len(self._pattern):
            raise _BeyondError
        return text

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _next(self) -> str:
        found = self._peek()
        if not found:
            raise _BeyondError
        self._at += 1
        return found

    def _takes(self, text: str) -> bool:
        found = self._pattern.startswith(text, self._at)
        self._at += len(text) if found else 0
        return found

    def _alternatives(self, depth: int) -> str:
        if depth > _DEEPEST:
            raise _BeyondError
        found = [self._sequence(depth)]
        while self._takes("|"):
            found.append(self._sequence(depth))
        return next(filter(None, found), "")

    def _sequence(self, depth: int) -> str:
        text = ""
        while self._peek() not in ("", "|", ")"):
            text += self._repeated(self._atom(depth))
            if len(text) > _MANY:
                raise _BeyondError
        return text

    def _atom(self, depth: int) -> str:
        one = self._next()
        if one in "^$":
            return ""
        if one == ".":
            return _ANY
        if one == "[":
            return self._set()
        if one == "\\":
            return self._escape()
        return self._group(depth) if one == "(" else one

    def _group(self, depth: int) -> str:
        if self._peek() == "?" and not self._takes("?:"):
            raise _BeyondError
        text = self._alternatives(depth + 1)
        if not self._takes(")"):
            raise _BeyondError
        return text

    def _escape(self) -> str:
        one = self._next()
        if one in _KINDS:
            return _KINDS[one]
        if one in "pP":
            name = self._pattern[self._at + 1 :].partition("}")[0]
            if one == "P" or not self._takes(f"{{{name}}}") or name not in _CATEGORIES:
                raise _BeyondError
            return _CATEGORIES[name]
        return self._code(one)

    def _code(self, one: str) -> str:
        """Return the character that an escape encodes."""
        if one.isdigit() or one in "ck":
            raise _BeyondError
        digits = self._pattern[self._at : self._at + _CODES.get(one, 0)]
        if not digits:
            return one
        if len(digits) < _CODES[one] or not re.fullmatch(r"[0-9A-Fa-f]+", digits):
            raise _BeyondError
        self._at += len(digits)
        return chr(int(digits, 16))

    def _repeated(self, text: str) -> str:
        low, high = self._bounds()
        if low < high:
            if self.places == self._place and text:
                low = min(high, low + -(-self._missing // len(text)))
            self.places += 1
        if low * len(text) > _MANY:
            raise _BeyondError
        return text * low

    def _bounds(self) -> tuple[int, int]:
        found = _COUNT.match(self._pattern, self._at)
        if found is not None:
            self._at = found.end()
            low = int(found[1])
            bounds = (low, low if found[2] is None else int(found[3]) if found[3] else _MANY)
        elif self._peek() and self._peek() in "*+?":
            bounds = {"*": (0, _MANY), "+": (1, _MANY), "?": (0, 1)}[self._next()]
        else:
            return 1, 1
        self._takes("?")
        return bounds

    def _set(self) -> str:
        """Return a character that a set matches."""
        is_negated = self._takes("^")
        ranges: list[tuple[str, str]] = []
        while not self._takes("]"):
            ranges += self._member()
        usual = next(
            (
                one
                for one in _TRIED
                if any(low <= one <= high for low, high in ranges) != is_negated
            ),
            None,
        )
        if usual is not None:
            return usual
        if is_negated or not ranges:
            raise _BeyondError
        return ranges[0][0]

    def _member(self) -> list[tuple[str, str]]:
        one = self._next()
        if one == "\\":
            kind = _MEMBERS.get(self._peek())
            if kind is not None:
                self._at += 1
                return list(zip(kind[::2], kind[1::2], strict=True))
            one = self._escape()
        if len(one) != 1:
            raise _BeyondError
        if self._peek() != "-" or self._pattern[self._at + 1 : self._at + 2] in ("]", ""):
            return [(one, one)]
        self._at += 1
        last = self._next()
        last = self._escape() if last == "\\" else last
        return [(one, last)]
