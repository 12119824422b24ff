"""Search over the actions of many connectors: rows ranked by the words that they share with a
query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from heapq import heapify, heappop, nsmallest
from itertools import chain, islice
from math import log

from jackfield.catalog.found import Match
from jackfield.catalog.postings import (
    ABOUT,
    CONNECTOR,
    DESCRIPTION,
    KEY,
    KEYWORDS,
    MOST_COST,
    NAME,
    OF_CONNECTORS,
    STEP,
    TITLE,
    Lexicon,
    PostingsDraft,
    Table,
)
from jackfield.catalog.query_words import STOP_WORDS, stem, words_of
from jackfield.catalog.synonyms import Term, terms_of
from jackfield.kernel.edits import one_edit
from jackfield.manifest.manifest import EFFECTS, Manifest

Keep = Callable[[str, str, str], bool]
"""Function that returns whether the search may find an action, by its connector, key and effect."""

_WEIGHTS = {KEY: 80, KEYWORDS: 65, TITLE: 50, CONNECTOR: 78, NAME: 40, DESCRIPTION: 20, ABOUT: 12}
"""Weight of a match in each field, which is multiplied by the match's own weight."""
Levels = dict[int, list[tuple[bool, Sequence[int]]]]
"""Postings by the weight of the match, each with a flag that is True for numbers of connectors."""
_SAME, _FORM, _SYNONYM, _BEGINS, _INSIDE = 60, 59, 40, 25, 10
"""Weights of a match: the word itself, another form of it, a synonym, a word that begins with it,
or a word that contains it.
"""
_COMMON = 200
"""Number of keys with a word above which the word is not searched in keys written as one word."""
_SHORT = 2
"""Maximum letters of a word that matches only beginnings, since short words occur inside nearly
everything.
"""
_VERB = 3 * STEP
"""Ranks added to a row with a stop word of the query in its key: more than the cost of two words of
the key.
"""
_NEAREST = 20
"""Minimum number of results; near matches are added below it."""
_ENOUGH = 2_000
"""Number of rows with rarer query words above which rows with only commoner words are not
searched.
"""
_SENTENCE = 3
"""Minimum words of a query that counts as a sentence. For sentences, rows without one of the words
compete with chance matches of all words.
"""
_APART = MOST_COST + 4
"""Difference between two levels that the length of a key and verbs cannot outweigh."""
_PER_WORD = 300
"""Cost in rank of each word of a key, for a query of several words."""
_LEAST_SHARE, _VERB_SHARE = 0.3, 0.3
"""Minimum share of a common word in the rank of a row, and maximum share of a verb."""
_LAST = "\U0010ffff"
_FEW = 500
"""Number of rows below which the best are selected instead of sorting all."""


_REMEMBERED = 300_000
"""Maximum number of rows of words that are cached for later queries: 30 MB."""
_NO_ROWS = 100
"""Number of rows that a cached word counts in addition, for its postings."""


class Hits:
    """Matches of one query word: numbers of rows or connectors by the weight of the match.
    ``share`` is the word's part in a rank.
    """

    def __init__(self, table: Table, levels: Levels, most: float = 1) -> None:
        self._table = table
        self._levels = sorted(levels.items())
        self._every: dict[int, int] | None = None
        self._is_asked_again = False
        self.size = sum(self._count(*numbers) for _, found in self._levels for numbers in found)
        """Upper bound of the rows that match."""
        self.share = (
            most
            if most < 1
            else max(_LEAST_SHARE, 1 - 0.8 * log(self.size + 1) / log(len(table) + 2))
        )
        self.is_verb = most < 1

    def __bool__(self) -> bool:
        return bool(self._levels)

    def _count(self, of_connectors: bool, numbers: Sequence[int]) -> int:
        return sum(map(len, map(self._table.rows_of, numbers))) if of_connectors else len(numbers)

    def all(self) -> dict[int, int]:
        """Return the rank of each row that matches, by which the rows of several words are
        compared. The caller must not change the result.
        """
        if self._every is None:
            self._every = self._ranks(
                lambda of_connectors, numbers: self._rows(numbers) if of_connectors else numbers
            )
        return self._every

    def among(
        self, rows: set[int], connectors_of: Callable[[], Mapping[int, Sequence[int]]]
    ) -> dict[int, int]:
        """Return the rank of each of ``rows`` that matches; ``connectors_of`` returns the same rows
        by connector.

        At the second call the ranks of all rows are computed and cached, since more calls are
        likely.
        """
        if self._is_asked_again:
            every = self.all()
            return {row: every[row] for row in rows if row in every}
        self._is_asked_again = True
        connectors = connectors_of()

        def within(of_connectors: bool, numbers: Sequence[int]) -> Iterable[int]:
            if of_connectors:
                return chain.from_iterable(
                    connectors[number] for number in numbers if number in connectors
                )
            return rows.intersection(numbers)

        return self._ranks(within)

    def _ranks(self, rows_of: Callable[[bool, Sequence[int]], Iterable[int]]) -> dict[int, int]:
        found: dict[int, int] = {}
        for level, several in self._levels:  # the highest level comes last and wins
            for one in several:
                found.update(dict.fromkeys(rows_of(*one), int(level * self.share)))
        return found

    def tiers(self) -> Iterator[dict[int, int]]:
        """Yield the ranks of the rows that match, best first. Levels whose order a key's length
        could reverse are in one tier.
        """
        seen: set[int] = set()
        waiting: dict[int, int] = {}
        lowest = 0
        for level, several in reversed(self._levels):
            if waiting and lowest - level > _APART:
                yield waiting
                waiting = {}
            rows = {
                row
                for of_connectors, numbers in several
                for row in (self._rows(numbers) if of_connectors else numbers)
            } - seen
            seen |= rows
            waiting.update(dict.fromkeys(rows, level))
            lowest = level
        yield waiting

    def _rows(self, connectors: Iterable[int]) -> Iterable[int]:
        return chain.from_iterable(map(self._table.rows_of, connectors))


class _Remembered:
    """Cache of the matches of words of earlier queries, for one table, which never changes. It is
    emptied above a number of rows.
    """

    def __init__(self) -> None:
        self._hits: dict[Term, Hits] = {}
        self._rows = 0

    def hits(self, term: Term, found: Callable[[Term], Hits]) -> Hits:
        """Return the matches of a term from the cache, or from ``found``."""
        known = self._hits.get(term)
        if known is not None:
            return known
        hits = found(term)
        rows = hits.size + _NO_ROWS
        if self._rows + rows > _REMEMBERED:
            self._hits, self._rows = {}, 0
        self._hits[term] = hits
        # threads that search at once may lose one of two: a bound of memory, not an account
        self._rows += rows
        return hits


class Words:
    """Index that finds actions by words. Added rows are indexed at the first search."""

    def __init__(self, table: Table | None = None) -> None:
        self._added: list[Manifest] = []
        self._table = table
        self._remembered = _Remembered()

    @property
    def table(self) -> Table:
        """Index in its final form, built on first access."""
        if self._table is None:
            draft = PostingsDraft()
            for manifest in sorted(self._added, key=lambda manifest: manifest.key):
                draft.add(manifest)
            self._table = draft.table()
        return self._table

    def add(self, manifest: Manifest) -> None:
        """Add the actions of a connector."""
        self._added.append(manifest)
        self._table, self._remembered = None, _Remembered()

    def find(
        self,
        words: str,
        connector: str | None = None,
        effect: str | None = None,
        start: int = 0,
        limit: int | None = None,
        keep: Keep | None = None,
        tag: str | None = None,
    ) -> tuple[list[Match], bool]:
        """Return at most ``limit`` rows from ``start`` on, best first, and whether there are more.
        ``keep`` filters the rows.

        A row matches if it contains every word of the query, apart from stop words. If no row that
        ``keep`` accepts matches, the nearest few are returned, ranked by the share of words that
        occur. For a sentence they also follow the matching rows. Their ``exact`` is False.
        """
        return _Query(self.table, self._remembered, words, connector, effect, tag).page(
            start, limit, keep
        )


class _Query:
    def __init__(
        self,
        table: Table,
        remembered: _Remembered,
        words: str,
        connector: str | None,
        effect: str | None,
        tag: str | None,
    ) -> None:
        self._table, self._remembered = table, remembered
        self._wanted = terms_of(words)
        self._verbs = STOP_WORDS.intersection(words_of(words)).difference(
            term.word for term in self._wanted
        )
        self._range = None if connector is None else table.rows_named(connector)
        self._effect = None if effect is None else EFFECTS.index(effect)
        self._group = None if tag is None else table.group_number(tag)
        self._partial: set[int] = set()
        """Rows that lack a word of the query."""

    def page(self, start: int, limit: int | None, keep: Keep | None) -> tuple[list[Match], bool]:
        """Return a page of rows, and whether there are more."""
        table, width = self._table, max(1, len(self._table))
        if not self._wanted:
            numbers: Iterator[int] = iter(
                self._limited(range(len(table)) if self._range is None else self._range)
            )
            some = list(
                islice(
                    _kept(table, numbers, keep), start, None if limit is None else start + limit + 1
                )
            )
            return [
                table.row(number, 0, exact=True) for number in some[:limit]
            ], limit is not None and len(some) > limit
        end = None if limit is None else start + limit
        keys = self._ranked(None if end is None else end + 1, keep)
        found = ((-(key // width), key % width) for key in keys[start:end])
        return [
            table.row(row, rank // STEP, exact=row not in self._partial) for rank, row in found
        ], end is not None and len(keys) > end

    def _ranked(self, count: int | None, keep: Keep | None) -> list[int]:
        """Return the sort keys, computed from a row's rank and number, of the first ``count`` rows;
        None means all rows.

        Near matches are added if too few rows pass ``keep``: rows that a caller may not see do not
        count.
        """
        hits = [self._remembered.hits(term, self._hits) for term in self._wanted]
        is_sentence = len(hits) >= _SENTENCE
        if len(hits) == 1:
            every, keys = set[int](), self._of_one(hits[0], count, keep)
        else:
            every, found = self._common(hits)
            most = max(count, _NEAREST) if is_sentence and count is not None else count
            keys = _best(self._table, self._keys(every, found, _PER_WORD), most, keep)
        if not keys or (is_sentence and len(keys) < _NEAREST):
            keep = None if keep is None else cache(keep)  # rows may be asked about twice
            known = [
                hit or self._typo(term.word) for hit, term in zip(hits, self._wanted, strict=True)
            ]
            near = self._near(known, every, _NEAREST - len(keys), keep)
            if not keys and len(near) < _NEAREST:
                near = self._near(self._without_lost(known, near), every, _NEAREST, keep)
            keys = sorted(keys + near)
        return keys[:count]

    def _without_lost(self, hits: Sequence[Hits], near: Sequence[int]) -> list[Hits]:
        """Return ``hits``, with matches of similar spellings for each word that does not occur in
        the ``near`` rows.
        """
        found = self._hits_among(hits, {key % max(1, len(self._table)) for key in near})
        is_lost = [
            not rows and not (hit.is_verb and near) for hit, rows in zip(hits, found, strict=True)
        ]
        return [
            self._typo(term.word) if lost else hit
            for hit, term, lost in zip(hits, self._wanted, is_lost, strict=True)
        ]

    def _of_one(self, hits: Hits, count: int | None, keep: Keep | None) -> list[int]:
        """Return the first ``count`` sort keys of the rows that match the query's only word."""
        keys: list[int] = []
        for tier in hits.tiers():
            rest = None if count is None else count - len(keys)
            keys += _best(self._table, self._keys(self._limited(tier), [tier], 1), rest, keep)
            if count is not None and len(keys) >= count:
                break
        return keys

    def _near(
        self, hits: Sequence[Hits], every: set[int], count: int, keep: Keep | None
    ) -> list[int]:
        """Return the sort keys of the ``count`` nearest rows that are not in ``every``. Rows with
        only verbs or only the commonest word are used last.
        """
        keys: list[int] = []
        asked = set(every)
        for some in self._candidates(hits):
            rows = some - asked
            asked |= rows
            keys += _best(
                self._table,
                self._keys(rows, self._hits_among(hits, rows), _PER_WORD),
                count - len(keys),
                keep,
            )
            if len(keys) >= count:
                break
        self._partial.update(key % max(1, len(self._table)) for key in keys)
        return keys

    def _candidates(self, hits: Sequence[Hits]) -> Iterator[set[int]]:
        """Yield sets of rows that match any of the words, rarer words first. The later sets are
        needed only if rows are missing.
        """
        known = sorted(filter(None, hits), key=lambda hit: hit.size)
        some: set[int] = set()
        for hit in [hit for hit in known if not hit.is_verb] or known[:-1] or known:
            if len(some) > _ENOUGH:
                yield some
                some = set()
            some.update(self._limited(hit.all()))
        yield some
        if len(known) > 1:
            yield {*self._limited(known[-1].all())}

    def _common(self, hits: Sequence[Hits]) -> tuple[set[int], list[dict[int, int]]]:
        """Return the rows that every word matches, and the ranks of each word's matches."""
        fewest, *others = sorted(hits, key=lambda hit: hit.size)
        found = [fewest.all()]
        rows = {*self._limited(found[0])}
        for other in others:
            found.append(other.among(rows, partial(self._by_connector, rows)))
            rows = {*found[-1]}
        return rows, found

    def _hits_among(self, hits: Iterable[Hits], rows: set[int]) -> list[dict[int, int]]:
        by_connector = cache(partial(self._by_connector, rows))
        return [hit.among(rows, by_connector) for hit in hits]

    def _by_connector(self, rows: Iterable[int]) -> dict[int, list[int]]:
        table, found = self._table, dict[int, list[int]]()
        end, current = -1, list[int]()
        for row in sorted(rows):
            if row >= end:
                number = table.connector_number(row)
                end, current = table.starts[number + 1], found.setdefault(number, [])
            current.append(row)
        return found

    def _limited(self, rows: Iterable[int]) -> list[int] | range:
        """Return the rows of the connector, the effect and the group to which the search is
        limited.
        """
        if self._range is None and self._effect is None and self._group is None:
            return rows if isinstance(rows, range) else list(rows)
        inside, effect, group, effects, groups = (
            self._range,
            self._effect,
            self._group,
            self._table.effects,
            self._table.groups,
        )
        return [
            row
            for row in rows
            if (inside is None or row in inside)
            and (effect is None or effects[row] == effect)
            and (group is None or groups[row] == group)
        ]

    def _keys(
        self, rows: Iterable[int], found: Sequence[Mapping[int, int]], per_word: int
    ) -> list[int]:
        """Return a sort key for each row: first by the weights of its matches, then by short keys,
        at ``per_word`` a word, and verbs.
        """
        lengths, width = self._table.lengths, max(1, len(self._table))
        verbs = self._with_verbs({*rows}) if self._verbs else set()
        if len(found) == 1:
            (one,) = found
            return [
                row
                - (one[row] * STEP - lengths[row] * per_word + (_VERB if row in verbs else 0))
                * width
                for row in rows
            ]
        return [
            row
            - (
                sum(hit.get(row, 0) for hit in found) * STEP
                - lengths[row] * per_word
                + (_VERB if row in verbs else 0)
            )
            * width
            for row in rows
        ]

    def _with_verbs(self, rows: set[int]) -> set[int]:
        """Return the rows with a stop word of the query in their key: "get item" means ``getItem``
        first.
        """
        found: set[int] = set()
        words = self._table.words
        for verb in self._verbs:
            number = words.exact(verb)
            if number is not None:
                found |= rows.intersection(words.posted(number, KEY))
        return found

    def _hits(self, term: Term) -> Hits:
        """Return the matches of a word, its other forms and its synonyms."""
        levels: Levels = {}
        self._gather(levels, term.word)
        for other in term.others:
            self._gather_other(levels, other)
        return Hits(self._table, levels, _VERB_SHARE if term.is_verb else 1)

    def _gather(self, levels: Levels, word: str) -> None:
        table, in_keys, root = self._table, 0, stem(word)
        fits: dict[int, int] = {}
        for number, begins in chain.from_iterable(
            _fitting(table.words, each) for each in _looked_for(word, root)
        ):
            part = table.words.part(number)
            if part == word:
                fits[number] = _SAME
            elif begins and stem(part) == root:
                fits[number] = _FORM
            else:
                fits[number] = _BEGINS if begins else _INSIDE
        for number, fit in fits.items():
            in_keys += self._gather_part(levels, number, fit)
        # in keys written as one word it finds what begins in one word of the key and ends in
        # another
        if in_keys < _COMMON:
            for number, begins in _fitting(table.keys, word):
                levels.setdefault(_WEIGHTS[KEY] * (_BEGINS if begins else _INSIDE), []).append(
                    (False, table.keys.posted(number, 0))
                )

    def _gather_other(self, levels: Levels, word: str) -> None:
        """Add the matches of a synonym of a word of the query."""
        words, root = self._table.words, stem(word)
        exact = words.exact(word)
        forms = {
            number
            for number in range(words.place(root), words.place(root + _LAST))
            if stem(words.part(number)) == root
        }
        for number in forms if exact is None else forms | {exact}:
            self._gather_part(levels, number, _SYNONYM)

    def _gather_part(self, levels: Levels, part: int, fit: int) -> int:
        """Add the postings of a word, and return the number of keys among them."""
        in_keys = 0
        for field, numbers in self._table.words.fields_of(part):
            levels.setdefault(_WEIGHTS[field] * fit, []).append((field in OF_CONNECTORS, numbers))
            in_keys += len(numbers) if field == KEY else 0
        return in_keys

    def _typo(self, word: str) -> Hits:
        """Return the matches of words one typing error away from ``word``, which has no match."""
        found: Levels = {}
        if len(word) > _SHORT + 1:
            words = self._table.words
            # one less to one more, and the end of the line
            lengths = range(len(word), len(word) + 3)
            for number in range(words.place(word[0]), words.place(word[0] + _LAST)):
                if words.part_at[number + 1] - words.part_at[number] in lengths and one_edit(
                    words.part(number), word
                ):
                    self._gather_part(found, number, _BEGINS)
        return Hits(self._table, found)


def _looked_for(word: str, root: str) -> tuple[str, ...]:
    """Return the strings to search for ``word`` and its root: the root alone, if every word that
    contains ``word`` contains the root, too.
    """
    if root == word or len(root) <= _SHORT or root not in word:
        return (word,) if root == word else (word, root)
    return (root,)


def _fitting(words: Lexicon, word: str) -> Iterable[tuple[int, bool]]:
    if len(word) > _SHORT:
        return words.parts_with(word)
    return ((number, True) for number in range(words.place(word), words.place(word + _LAST)))


def _best(table: Table, keys: list[int], count: int | None, keep: Keep | None) -> list[int]:
    """Return the first ``count`` of the keys in their order; None means all. ``keep`` is called for
    as few rows as possible.
    """
    if keep is not None:
        width, waiting = max(1, len(table)), list(keys)
        heapify(waiting)
        popped = (heappop(waiting) for _ in keys)
        return list(islice((key for key in popped if keep(*table.name(key % width))), count))
    return nsmallest(count, keys) if count is not None and count < _FEW else sorted(keys)


def _kept(table: Table, rows: Iterator[int], keep: Keep | None) -> Iterator[int]:
    return rows if keep is None else (row for row in rows if keep(*table.name(row)))
