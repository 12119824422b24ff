"""Views of a text with its escapes undone, and the mapping back to the original characters.

Undoing escapes finds a secret whichever characters its encoder chose to escape, at a cost that does not grow with the secret. A view of a
view finds what was escaped twice.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from jackfield.redaction.escapes import Family

__all__ = ["View", "lowered", "views"]

_DEEP = 256 * 1024
"""Maximum characters of a text that is searched for escapes within escapes: a bound on the work that a text can cause."""


def lowered(text: str) -> str:
    """Lower-case the text, each character in its place: only U+0130 becomes two characters in lower case."""
    small = text.lower()
    return small if len(small) == len(text) else text.replace("\u0130", "i").lower()


class View:
    """Text, with the places of its escapes here and in the text from which it was decoded."""

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
        """The text in lower case."""
        if self._lowered is None:
            self._lowered = lowered(self.text)
        return self._lowered

    def read(self, family: Family) -> View | None:
        """Return this view with one family of escapes undone, or None if it has none of them."""
        child = View("", self, solid=family.solid)
        pieces: list[str] = []
        done = size = 0
        for match in family.pattern().finditer(self.text):
            plain = family.plain(match[0])
            if plain is None:
                continue
            start, end = match.span()
            pieces += (self.text[done:start], plain)
            size += start - done + len(plain)
            done = end
            child._note(size - len(plain), size, start, end)
        if not child._at:
            return None
        pieces.append(self.text[done:])
        child.text = "".join(pieces)
        return child

    def _note(self, at: int, after: int, start: int, end: int) -> None:
        self._at.append(at)
        self._after.append(after)
        self._starts.append(start)
        self._ends.append(end)

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Map the non-empty span ``start:end`` of this view to the original text."""
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
        """Extend the parent's span ``start:end`` so that it does not cut an escape of this view in two."""
        first = bisect_right(self._starts, start) - 1
        if first >= 0 and start < self._ends[first]:
            start = self._starts[first]
        last = bisect_left(self._starts, end) - 1
        if last >= 0 and end < self._ends[last]:
            end = self._ends[last]
        return start, end


def views(text: str, undone: tuple[Family, ...]) -> Iterator[View]:
    """Yield the text itself, then each way of undoing its escapes, then each way of undoing escapes within escapes, without duplicates.

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
