"""In-memory index over all actions, built once, so that even the first search over thousands of actions takes milliseconds."""

from __future__ import annotations

import re
import threading
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest
from itertools import chain, repeat
from typing import TYPE_CHECKING

from jackfield.catalog.found import Found
from jackfield.fork import at_fork
from jackfield.manifest import Manifest

if TYPE_CHECKING:
    from jackfield.catalog.installed import Catalog, Entry

_WORD = re.compile(r"[^\W_]+")
_MAX_WORDS = 8
"""Maximum words of a query that count; the longest are the most specific."""
_STOP_WORDS = """
a about all an and any are as at be by can could do does for from get give have help how i if in into is it its let like me my need of
on one or our out over please should so some someone that the their them then there these they this those to up us use using via want
we what when where which who will with would you your
"""
_STOP = frozenset(_STOP_WORDS.split())
_ENDINGS = (("ies", "i"), ("ying", "i"), ("ations", "at"), ("ation", "at"), ("ings", ""), ("ing", ""), ("ed", ""),
            ("es", ""), ("s", ""), ("e", ""), ("y", "i"))  # fmt: skip
_SHORTEST = 3
"""Minimum letters of a stem: shorter ones begin too many words."""


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case: runs of letters and digits."""
    return _WORD.findall(text.casefold())


def query_words(text: str) -> list[str]:
    """Return the distinct words of a query without stop words, longest first; all words if only stop words remain ("to do")."""
    words = set(words_of(text))
    return sorted(words - _STOP or words, key=lambda word: (-len(word), word))[:_MAX_WORDS]


def stem(word: str) -> str:
    """Return the stem that a word shares with its other forms: ``email`` of ``emails``, ``send`` of ``sending``."""
    for ending, put in _ENDINGS:
        if word.endswith(ending) and not word.endswith("ss"):
            base = word[: -len(ending)]
            if len(base) < _SHORTEST:
                continue
            doubled = ending in ("ing", "ings", "ed") and len(base) > _SHORTEST and base[-1] == base[-2] and base[-1] not in "lsz"
            return (base[:-1] if doubled else base) + put
    return word


def one_edit(one: str, other: str) -> bool:
    """Return whether the words differ by one edit: a letter inserted, deleted or changed, or two swapped."""
    if abs(len(one) - len(other)) > 1:
        return False
    shorter = min(len(one), len(other))
    head = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    first, second = one[head:], other[head:]
    swapped = len(first) == len(second) > 1 and first[:2] == second[1::-1] and first[2:] == second[2:]
    return swapped or first[1:] == second[1:] or first[1:] == second or first == second[1:]


_KEY, _TITLE, _CONNECTOR, _DESCRIPTION = 80, 60, 40, 10
"""Weight of a match in each field; doubled at the beginning of a word."""
_SHORT = 2
"""Letters up to which a word matches beginnings only: shorter words occur inside nearly everything."""
_DIRECT = 2
"""Factor by which a word weighs more than its stem."""
_LONGEST_KEY = 9
"""Words of a key that count against it: of equal matches the shortest key is the nearest. Less than the least weight."""
_EACH = 10_000
"""Rank for each query word that matches: more than all weights together."""
_NEAREST = 20
"""Number of actions up to which near matches are added."""
_SENTENCE = 3
"""Words from which a query counts as a sentence: then near matches follow the rows that match every word by chance."""
_LAST = "\U0010ffff"
_FEW = 500
"""Rows up to which the best are selected instead of sorting all of them."""


@dataclass(frozen=True, slots=True)
class _Order:
    """Tie-breaking order of the rows, and the sorted words.

    Rows are sorted by connector and action; ``places`` has the position of each row. ``parts`` are all words, sorted; ``text`` has them as
    lines.
    """

    by_place: list[int]
    places: list[int]
    parts: list[str]
    text: str


class Words:
    """Inverted index: each distinct word, with the rows and fields in which it occurs."""

    def __init__(self) -> None:
        self._rows: list[Found] = []
        self._lengths: list[int] = []
        self._places: dict[str, dict[int, array[int]]] = {}
        self._order: _Order | None = None

    def add(self, manifest: Manifest) -> None:
        """Add the actions of a connector."""
        shared = {_CONNECTOR: _parts(f"{manifest.key} {manifest.title}"), _DESCRIPTION: _parts(manifest.description)}
        for action in manifest.actions.values():
            number = len(self._rows)
            summary = action.description.partition("\n")[0]
            self._rows.append(Found(manifest.key, action.key, action.title, summary, action.effect))
            parts = _parts(_split(action.key))
            self._lengths.append(min(len(parts), _LONGEST_KEY))
            self._note(number, _KEY, parts)
            self._note(number, _TITLE, _parts(action.title))
            self._note(number, _CONNECTOR, shared[_CONNECTOR])
            self._note(number, _DESCRIPTION, {*_parts(action.description), *shared[_DESCRIPTION]})
        self._order = None

    def find(
        self, words: str, connector: str | None = None, effect: str | None = None, start: int = 0, limit: int | None = None
    ) -> tuple[list[Found], bool]:
        """Return at most ``limit`` rows from ``start`` on, best first, and whether there are more.

        A row matches if it contains every word of the query, apart from stop words. If none does, the nearest few are returned, ranked by
        the share of words that occur; for a sentence they also follow the matching rows. Their ``exact`` is False.
        """
        wanted = query_words(words)
        if not wanted:
            numbers = self._filtered(range(len(self._rows)), connector, effect)
            return self._page(self._ordered(numbers, repeat(0)), start, limit, 0)
        hits = [self._hits(word) for word in wanted]
        every = self._filtered(_common(hits), connector, effect)
        keys = self._ordered(every, self._ranks(every, hits))
        if not every or (len(wanted) >= _SENTENCE and len(every) < _NEAREST):
            hits = [hit or self._typo_matches(word) for hit, word in zip(hits, wanted, strict=True)]
            some = self._filtered(set().union(*hits).difference(every), connector, effect)
            keys = sorted(keys) + nsmallest(_NEAREST - len(every), self._ordered(some, self._ranks(some, hits)))
        return self._page(keys, start, limit, len(wanted) * _EACH)

    def _filtered(self, numbers: Iterable[int], connector: str | None, effect: str | None) -> Sequence[int]:
        rows = self._rows
        if connector is None and effect is None:
            return numbers if isinstance(numbers, range) else list(numbers)
        return [
            number for number in numbers
            if connector in (None, rows[number].connector) and effect in (None, rows[number].effect)
        ]  # fmt: skip

    def _ranks(self, numbers: Sequence[int], hits: Iterable[Mapping[int, int]]) -> Iterable[int]:
        """Return the rank of each row: matching words first, then the weights of their matches, then short keys."""
        matches = map(sum, zip(*(map(hit.get, numbers, repeat(0)) for hit in hits), strict=True))
        return map(int.__sub__, matches, map(self._lengths.__getitem__, numbers))

    def _ordered(self, numbers: Iterable[int], ranks: Iterable[int]) -> list[int]:
        """Return sort keys: a number for each row, made from its rank and its tie-breaking position."""
        places, width = self._sorted_order().places, len(self._rows)
        return [places[number] - rank * width for number, rank in zip(numbers, ranks, strict=False)]

    def _page(self, keys: list[int], start: int, limit: int | None, least: int) -> tuple[list[Found], bool]:
        """Return the rows of a page. Those ranked below ``least`` are near matches."""
        made, width = self._sorted_order(), len(self._rows)
        end = len(keys) if limit is None else start + limit
        best = nsmallest(end, keys) if end < _FEW else sorted(keys)
        found = []
        for key in best[start:end]:
            rank = -(key // width)
            found.append(replace(self._rows[made.by_place[key % width]], rank=rank, exact=rank >= least))
        return found, len(keys) > end

    def _hits(self, word: str) -> dict[int, int]:
        """Return the best match of a word, or of its stem, in each row."""
        root = stem(word)
        hits = self._places_of(root, 1) if root != word and len(root) > _SHORT else {}
        direct = self._places_of(word, _DIRECT)
        if not hits:
            return direct
        hits.update(direct)
        return hits

    def _typo_matches(self, word: str) -> dict[int, int]:
        """Return the matches of words one typing error away from ``word``, which matches nothing itself."""
        if len(word) <= _SHORT + 1:
            return {}
        parts = self._sorted_order().parts
        near = parts[bisect_left(parts, word[0]) : bisect_left(parts, word[0] + _LAST)]
        return dict.fromkeys(self._best_levels((part for part in near if one_edit(part, word)), lambda _part: 0), _EACH // 2)

    def _places_of(self, word: str, more: int) -> dict[int, int]:
        made = self._sorted_order()
        if len(word) <= _SHORT:
            fitting: Iterable[str] = made.parts[bisect_left(made.parts, word) : bisect_left(made.parts, word + _LAST)]
        else:
            fitting = _lines_with(word, made.text)
        return self._best_levels(fitting, lambda part: 2 * more if part.startswith(word) else more)

    def _best_levels(self, parts: Iterable[str], factor: Callable[[str], int]) -> dict[int, int]:
        """Return the best level of each row that contains one of the parts. Later updates win, so the highest level comes last."""
        levels: dict[int, list[array[int]]] = {}
        for part in parts:
            times = factor(part)
            for weight, numbers in self._places[part].items():
                levels.setdefault(weight * times, []).append(numbers)
        hits: dict[int, int] = {}
        for level in sorted(levels):
            hits.update(dict.fromkeys(chain.from_iterable(levels[level]), _EACH + level))
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

    def _sorted_order(self) -> _Order:
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
    """Index of the actions of a catalog, without broken connectors. Searches block until ``build`` has finished."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._built: int | None = None
        self._reset()
        at_fork(self, child=ActionIndex._reset)

    def _reset(self) -> None:
        """Discard an index that the parent of a fork has only partly built."""
        self._lock = threading.Lock()
        if self._built is None:
            self._words = Words()
            self._entries: list[Entry] = []

    def find(
        self, words: str, connector: str | None = None, effect: str | None = None, start: int = 0, limit: int | None = None
    ) -> tuple[list[Found], bool]:
        """Return at most ``limit`` matching actions from ``start`` on, best first, and whether there are more.

        ``connector`` and ``effect`` narrow the search.
        """
        self.build()
        return self._words.find(words, connector, effect, start, limit)

    def entries(self) -> list[Entry]:
        """Return the rows of the catalog."""
        self.build()
        return self._entries

    def build(self) -> None:
        """Read all manifests, once for each change of the catalog."""
        if self._built == self._catalog.generation:
            return
        with self._lock:
            generation = self._catalog.generation
            if self._built != generation:
                words, entries = Words(), []
                for key in self._catalog:
                    entry, manifest = self._catalog.look(key)
                    entries.append(entry)
                    if manifest is not None:
                        words.add(manifest)
                words.find("")
                self._words, self._entries, self._built = words, entries, generation


def search(manifests: Iterable[Manifest], words: str, *, effect: str | None = None) -> list[Found]:
    """Return the actions in which every word of the query occurs, best first; without words, all actions.

    Case, stop words ("to", "a") and endings ("sending", "emails") are ignored. A match at the beginning of a word weighs more, and words of
    one or two letters match only there. If no action contains every word, the nearest few are returned, marked as not exact.
    """
    index = Words()
    for manifest in manifests:
        index.add(manifest)
    return index.find(words, effect=effect)[0]


def _common(hits: Sequence[Mapping[int, int]]) -> Iterable[int]:
    """Return the rows that every word matches."""
    fewest, *others = sorted(hits, key=len)
    found = set(fewest)
    for other in others:
        found &= other.keys()
    return found


def _lines_with(word: str, text: str) -> Iterator[str]:
    at = text.find(word)
    while at >= 0:
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        yield text[text.rfind("\n", 0, at) + 1 : end]
        at = text.find(word, end)


def _parts(text: str) -> set[str]:
    return set(words_of(text))


def _split(key: str) -> str:
    return key + " " + "".join(f" {letter}" if letter.isupper() else letter for letter in key)
