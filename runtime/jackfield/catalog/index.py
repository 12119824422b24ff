"""An index over all actions, made once, so that a search over thousands of them takes milliseconds from the first one on."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from heapq import nsmallest
from itertools import chain
from typing import TYPE_CHECKING

from jackfield.catalog.ranking import Found
from jackfield.manifest import Manifest

if TYPE_CHECKING:
    from jackfield.catalog.installed import Catalog, Entry

__all__ = ["ActionIndex", "Words"]

_KEY, _TITLE, _CONNECTOR, _DESCRIPTION = 8, 6, 4, 1
"""What a word counts in each field; twice that where it begins a word there."""
_SHORT = 2
"""Letters up to which a word only fits beginnings: inside others it fits nearly everything."""
_LAST = "\U0010ffff"
_FEW = 500
"""Rows up to which the best are picked out rather than all of them sorted."""


@dataclass(frozen=True, slots=True)
class _Order:
    """The rows by connector and action, which decides among equals; the place of each row in that; and all words, sorted, and as lines of
    one text."""

    by_place: list[int]
    places: list[int]
    parts: list[str]
    text: str


class Words:
    """Which words occur where: each distinct word once, with the rows and fields that have it."""

    def __init__(self) -> None:
        self._rows: list[Found] = []
        self._places: dict[str, dict[int, array[int]]] = {}
        self._order: _Order | None = None

    def add(self, manifest: Manifest) -> None:
        """Take the actions of a connector in."""
        shared = {_CONNECTOR: _parts(f"{manifest.key} {manifest.title}"), _DESCRIPTION: _parts(manifest.description)}
        for action in manifest.actions.values():
            number = len(self._rows)
            summary = action.description.partition("\n")[0]
            self._rows.append(Found(manifest.key, action.key, action.title, summary, action.effect))
            self._note(number, _KEY, _parts(_split(action.key)))
            self._note(number, _TITLE, _parts(action.title))
            self._note(number, _CONNECTOR, shared[_CONNECTOR])
            self._note(number, _DESCRIPTION, {*_parts(action.description), *shared[_DESCRIPTION]})
        self._order = None

    def find(
        self, words: str, connector: str | None = None, effect: str | None = None, start: int = 0, limit: int | None = None
    ) -> tuple[list[Found], bool]:
        """The rows from ``start`` on, at most ``limit``, best first; and whether there are more."""
        rows = self._rows
        ranks = self._ranks([word for text in words.casefold().split() for word in text.replace("-", " ").split()])
        numbers: Iterable[int] = range(len(rows)) if ranks is None else ranks
        if connector is not None or effect is not None:
            numbers = [number for number in numbers if rows[number].connector == (connector or rows[number].connector)
                       and rows[number].effect == (effect or rows[number].effect)]  # fmt: skip
        made, width = self._finished(), len(rows)
        if ranks is None:
            keys = [made.places[number] for number in numbers]
        else:
            keys = [made.places[number] - ranks[number] * width for number in numbers]
        end = len(keys) if limit is None else start + limit
        best = nsmallest(end, keys) if end < _FEW else sorted(keys)
        found = [made.by_place[place % width] for place in best[start:end]]
        return [replace(rows[number], rank=0 if ranks is None else ranks[number]) for number in found], len(keys) > end

    def _ranks(self, words: list[str]) -> dict[int, int] | None:
        """The rank of each row in which every word occurs; None where there are no words."""
        found: dict[int, int] | None = None
        for word in sorted(set(words), key=len, reverse=True):  # long ones fit few rows
            hits = self._hits(word)
            found = hits if found is None else {number: found[number] + hits[number] for number in found.keys() & hits.keys()}
            if not found:
                return {}
        return found

    def _hits(self, word: str) -> dict[int, int]:
        """The best place of one word in each row; the places that count most are noted last."""
        made = self._finished()
        if len(word) <= _SHORT:
            fitting: Iterable[str] = made.parts[bisect_left(made.parts, word) : bisect_left(made.parts, word + _LAST)]
        else:
            fitting = _lines_with(word, made.text)
        levels: dict[int, list[array[int]]] = {}
        for part in fitting:
            factor = 2 if part.startswith(word) else 1
            for weight, numbers in self._places[part].items():
                levels.setdefault(weight * factor, []).append(numbers)
        hits: dict[int, int] = {}
        for level in sorted(levels):
            hits.update(dict.fromkeys(chain.from_iterable(levels[level]), level))
        return hits

    def _note(self, number: int, weight: int, parts: Iterable[str]) -> None:
        for part in parts:
            fields = self._places.get(part)
            if fields is None:
                fields = self._places[part] = {}
            numbers = fields.get(weight)
            if numbers is None:
                fields[weight] = array("I", (number,))
            else:
                numbers.append(number)

    def _finished(self) -> _Order:
        if self._order is None:
            rows = self._rows
            by_place = sorted(range(len(rows)), key=lambda number: (rows[number].connector, rows[number].action))
            places = [0] * len(rows)
            for place, number in enumerate(by_place):
                places[number] = place
            parts = sorted(self._places)
            self._order = _Order(by_place, places, parts, "\n".join(parts))
        return self._order


class ActionIndex:
    """The actions of a catalog; a broken connector is left out. Built in a thread of its own, so that a start does not wait for it: who
    asks before it is there does."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._words = Words()
        self._entries: list[Entry] = []
        self._lock = threading.Lock()
        self._built = False

    def start(self) -> None:
        """Begin to build."""
        threading.Thread(target=self._ready, name="jackfield-index", daemon=True).start()

    def find(
        self, words: str, connector: str | None = None, effect: str | None = None, start: int = 0, limit: int | None = None
    ) -> tuple[list[Found], bool]:
        """The actions that fit, best first, from ``start`` on, at most ``limit``, and whether there are more; ``connector`` and ``effect``
        narrow them."""
        self._ready()
        return self._words.find(words, connector, effect, start, limit)

    def entries(self) -> list[Entry]:
        """The rows of the catalog, as they were when the index was built."""
        self._ready()
        return self._entries

    def _ready(self) -> None:
        if self._built:
            return
        with self._lock:
            if not self._built:
                for key in self._catalog:
                    entry, manifest = self._catalog.look(key)
                    self._entries.append(entry)
                    if manifest is not None:
                        self._words.add(manifest)
                self._words.find("")
                self._built = True


def _lines_with(word: str, text: str) -> Iterator[str]:
    at = text.find(word)
    while at >= 0:
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        yield text[text.rfind("\n", 0, at) + 1 : end]
        at = text.find(word, end)


def _parts(text: str) -> set[str]:
    return set(text.casefold().replace("-", " ").split())


def _split(key: str) -> str:
    return key + " " + "".join(f" {letter}" if letter.isupper() else letter for letter in key)
