"""Index of many needles: one pass over a text finds them all, however many they are.

Searching for each needle separately takes time proportional to texts times needles, and a
connection may have 128 secrets with twenty needles each. Here a few characters at every few
positions are looked up in a dictionary: one of these positions is inside the first characters of
each needle. Needles with a common beginning are sorted, so that bisection finds the longest that
matches the text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from jackfield.kernel.secrecy import SecretHolder
from jackfield.redaction.needles import BASE64, LONG, Form, Needle

_FIRST = 12
_GRAM = 4
"""Number of characters of a needle's indexed beginning that are looked up first, at every few
positions.
"""


class Index(SecretHolder):
    """Index that finds the same spans as each needle's ``Needle.spans``, with overlapping spans
    merged. ``others`` have needles that are too long to be stored.
    """

    __slots__ = ("_exact", "_folded", "_tokens", "others")

    def __init__(self, forms: Iterable[Form]) -> None:
        forms = [*forms]
        self.others = [form for form in forms if len(form.secret) > LONG]
        given = [needle for form in forms if len(form.secret) <= LONG for needle in form.needles]
        self._tokens = _Table([one for one in given if one.token])
        self._exact = _Table([one for one in given if not (one.token or one.folded)])
        self._folded = _Table([one for one in given if one.folded])

    def spans(self, text: str, lowered: str) -> Iterator[tuple[int, int]]:
        """Yield the spans of all needles in ``text``, which is ``lowered`` in lower case."""
        yield from _merged(self._exact.longest(text))
        yield from _merged(self._folded.longest(lowered))
        yield from self._tokens.words(text)


def _merged(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Merge overlapping spans, which must be sorted. A text of one repeated character gives a
    single span.
    """
    begin = end = 0
    for start, stop in spans:
        if start >= end:
            if end:
                yield begin, end
            begin = start
        end = max(end, stop)
    if end:
        yield begin, end


class _Entry:
    """Needle among others with the same beginning: ``parent`` is the longest needle that is its
    prefix, ``jump`` a shorter prefix.

    The jumps form a skew-binary list: from any depth, each ancestor is a logarithmic number of
    steps away.
    """

    __slots__ = ("after", "before", "depth", "jump", "parent", "size", "text")

    text: str
    size: int
    depth: int
    before: bool
    after: bool
    parent: _Entry
    jump: _Entry

    def __init__(self, text: str, parent: _Entry | None) -> None:
        self.text = text
        self.size = len(text)
        self.after = False
        if parent is None:
            self.depth, self.before, self.parent, self.jump = 0, False, self, self
            return
        self.depth, self.before, self.parent = parent.depth + 1, parent.before, parent
        far = parent.jump
        self.jump = far.jump if parent.depth - far.depth == far.depth - far.jump.depth else parent


class _Table:
    """Table of needles by their first characters."""

    __slots__ = ("_gram", "_grams", "_groups", "_size")

    def __init__(self, needles: list[Needle]) -> None:
        self._size = min((len(one.text) for one in needles), default=1)
        self._size = min(self._size, _FIRST)
        self._gram = min(self._size, _GRAM)
        self._groups: dict[str, tuple[list[str], list[_Entry], int]] = {}
        parts: dict[str, list[Needle]] = {}
        for one in needles:
            parts.setdefault(one.text[: self._size], []).append(one)
        for start, alike in parts.items():
            entries = _entries(alike)
            self._groups[start] = (
                [one.text for one in entries],
                entries,
                max(one.size for one in entries),
            )
        self._grams: dict[str, dict[int, None]] = {}
        for offset in reversed(range(self._size - self._gram + 1)):
            for start in parts:
                self._grams.setdefault(start[offset : offset + self._gram], {})[offset] = None

    def _places(self, text: str) -> Iterator[int]:
        grams, gram, step = self._grams, self._gram, self._size - self._gram + 1
        for at in [
            at for at in range(0, len(text) - gram + 1, step) if text[at : at + gram] in grams
        ]:
            yield from (at - offset for offset in grams[text[at : at + gram]] if offset <= at)

    def _matches_in(self, text: str) -> Iterator[tuple[int, _Entry]]:
        """Yield each index at which needles begin, with the longest needle."""
        groups, size = self._groups, self._size
        for place in self._places(text) if groups else ():
            group = groups.get(text[place : place + size])
            if group is None:
                continue
            texts, entries, most = group
            rest = text[place : place + most]
            at = bisect_right(texts, rest) - 1
            if at < 0:
                continue
            entry = entries[at]  # each needle that begins the rest begins this one, too
            while not rest.startswith(entry.text):
                entry = entry.parent if rest.startswith(entry.jump.text) else entry.jump
            if entry.size:
                yield place, entry

    def longest(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the span of the longest needle at each index, sorted. A shorter needle could only
        add the character before the span.
        """
        for place, entry in self._matches_in(text):
            end = place + entry.size
            left = entry.before and place > 0 and text[place - 1] in BASE64
            yield place - left, end + (entry.after and end < len(text) and text[end] in BASE64)

    def words(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the spans of needles between characters that are neither letters nor digits."""
        for place, longest in self._matches_in(text):
            entry = longest
            while entry.size and not text[max(place - 1, 0) : place].isalnum():
                end = place + entry.size
                if not text[end : end + 1].isalnum():
                    yield place, end
                entry = entry.parent


def _entries(needles: Iterable[Needle]) -> list[_Entry]:
    entries: list[_Entry] = []
    last = _Entry("", None)
    for needle in sorted(needles, key=lambda one: one.text):
        if needle.text != last.text:
            while not needle.text.startswith(last.text):
                last = last.parent
            last = _Entry(needle.text, last)
            entries.append(last)
        last.before = last.before or needle.before
        last.after = last.after or needle.after
    return entries
