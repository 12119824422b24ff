"""Names of connectors in a catalogue: one owner each, and none that a reader could take for another's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jackfield.catalog.index import one_edit

_CONFUSABLE = (("rn", "m"), ("vv", "w"), ("0", "o"), ("1", "l"), ("i", "l"), ("5", "s"), ("2", "z"))
_SHORTEST = 4
"""Letters below which one edit does not make a look-alike: most short names are one edit apart."""


def skeleton(name: str) -> str:
    """Return a name as it looks at a glance: without separators, and with one letter for those that look alike."""
    found = name.lower().removeprefix("jackfield-")
    for mark in "-_.":
        found = found.replace(mark, "")
    for looks, as_if in _CONFUSABLE:
        found = found.replace(looks, as_if)
    return found


class LookAlikes:
    """Index of names that finds those one edit or one confusable letter away, without comparing all pairs."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._near: dict[str, set[str]] = {}
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        """Add a name."""
        for part in _parts(skeleton(name)):
            self._near.setdefault(part, set()).add(name)

    def find(self, name: str) -> list[str]:
        """Return the other names that look like ``name``, sorted."""
        mine = skeleton(name)
        near = {other for part in _parts(mine) for other in self._near.get(part, ()) if other != name}
        return sorted(other for other in near if _alike(mine, skeleton(other)))


def _alike(one: str, other: str) -> bool:
    return one == other or (min(len(one), len(other)) >= _SHORTEST and one_edit(one, other))


def _parts(text: str) -> Iterator[str]:
    """Yield the text, and the text without each of its letters: names one edit apart share one of these."""
    yield text
    for at in range(len(text)):
        yield text[:at] + text[at + 1 :]
