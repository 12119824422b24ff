"""Inverted index of actions in a few flat arrays: small in memory, and the same bytes in a file
that processes map and share.

An object for each action and each word would take eight times as much memory, and a second for
20,000 actions at each start.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate, chain
from typing import Any, Protocol

from jackfield.catalog.found import Match
from jackfield.catalog.query_words import parts_of, parts_of_key
from jackfield.kernel.dataclass import dataclass
from jackfield.manifest.manifest import EFFECTS, ActionRow

KEY, KEYWORDS, TITLE, DESCRIPTION, CONNECTOR, NAME, ABOUT = range(7)
"""Fields of a posting. An action has a key, keywords, title and description; a connector a key,
title and description.
"""
_FIELDS = 7
OF_CONNECTORS = frozenset({CONNECTOR, NAME, ABOUT})
"""Fields whose postings are numbers of connectors, and apply to all their actions."""
LONGEST_KEY = 9
"""Maximum number of a key's words that cost rank, since of equal matches the shortest key is the
nearest. The cost is below the least weight.
"""
STEP = 100
"""Ranks per unit of weight, and the cost of a word of a key."""
MOST_COST = LONGEST_KEY + 6
"""Maximum cost of a row's length and of its connector, in words."""
_CHOSEN, _USUAL, _BOOST = 5 * STEP // 2, 3 * STEP // 2, STEP
"""Ranks added to a row: of an installed connector, of a much used connector of a family, and of an
action with keywords.
"""
_BULK = 100
"""Maximum number of generated connectors that still count as chosen by a person. Above it, they
rank no longer before offered ones.
"""
_ALIGN = 8
_END = "\0"
_SUMMARY = 300


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Sorted words as lines of one string, each with its postings in a number of fields.

    ``part_at`` has the offset of each word in the string, ``posting_at`` the offset of its postings
    in each field.
    """

    text: str
    part_at: Sequence[int]
    posting_at: Sequence[int]
    postings: Sequence[int]
    fields: int

    @classmethod
    def of(cls, fields: Sequence[Mapping[str, array[int]]]) -> Lexicon:
        """Return the lexicon of all words that occur in the fields."""
        parts = sorted(set().union(*fields))
        posting_at, postings = array("I", (0,)), array("I")
        for part in parts:
            for numbers in fields:
                if part in numbers:
                    postings.extend(numbers[part])
                posting_at.append(len(postings))
        return cls("\n".join(parts), _places(parts, 1), posting_at, postings, len(fields))

    def __len__(self) -> int:
        return len(self.part_at) - 1

    def part(self, number: int) -> str:
        """Return a word by its number."""
        return self.text[self.part_at[number] : self.part_at[number + 1] - 1]

    def place(self, word: str) -> int:
        """Return the number of the first word that is not less than ``word``."""
        return bisect_left(range(len(self)), word, key=self.part)

    def exact(self, word: str) -> int | None:
        """Return the number of ``word``; None if it does not occur."""
        number = self.place(word)
        return number if number < len(self) and self.part(number) == word else None

    def parts_with(self, word: str) -> Iterator[tuple[int, bool]]:
        """Yield the numbers of the words that contain ``word``, and whether they begin with it."""
        text, part_at = self.text, self.part_at
        at = text.find(word)
        while at >= 0:
            number = bisect_right(part_at, at) - 1
            yield number, at == part_at[number]
            at = text.find(word, part_at[number + 1])

    def posted(self, part: int, field: int) -> Sequence[int]:
        """Return the postings of a word in a field."""
        place = part * self.fields + field
        return self.postings[self.posting_at[place] : self.posting_at[place + 1]]

    def fields_of(self, part: int) -> Iterator[tuple[int, Sequence[int]]]:
        """Yield each field in which a word has postings, with the postings."""
        place, postings = part * self.fields, self.postings
        start, *ends = self.posting_at[place : place + self.fields + 1]
        for field, end in enumerate(ends):
            if start != end:
                yield field, postings[start:end]
            start = end


@dataclass(frozen=True, slots=True)
class Table:
    """Index of actions. Rows are numbered by connector and key, so their numbers break ties;
    ``starts`` has the first row of each connector.

    ``words`` has the words of all fields, ``keys`` whole keys in lower case, for queries that write
    a key as one word. ``groups`` has the number of each row's group among ``group_names``.
    ``about`` is data that its maker stores with the index.
    """

    connectors: Sequence[str]
    starts: Sequence[int]
    text: Any
    text_at: Sequence[int]
    effects: Sequence[int]
    lengths: Sequence[int]
    groups: Sequence[int]
    group_names: Sequence[str]
    words: Lexicon
    keys: Lexicon
    about: Any = None

    def __len__(self) -> int:
        return len(self.lengths)

    def row(self, number: int, rank: int, *, exact: bool) -> Match:
        """Return a row as a match with its rank."""
        action, title, summary = (
            bytes(self.text[self.text_at[number] : self.text_at[number + 1]]).decode().split(_END)
        )
        effect = EFFECTS[self.effects[number]]
        return Match(self.connector_of(number), action, title, summary, effect, rank, exact)

    def name(self, number: int) -> tuple[str, str, str]:
        """Return the connector of a row, its action and the action's effect."""
        text = bytes(self.text[self.text_at[number] : self.text_at[number + 1]])
        return (
            self.connector_of(number),
            text[: text.index(0)].decode(),
            EFFECTS[self.effects[number]],
        )

    def names(self, connector: str) -> Iterator[tuple[str, str]]:
        """Yield the keys and effects of a connector's actions."""
        for number in self.rows_named(connector):
            yield self.name(number)[1:]

    def rows_named(self, connector: str) -> range:
        """Return the numbers of a connector's rows, by its key."""
        at = bisect_left(self.connectors, connector)
        return (
            self.rows_of(at)
            if at < len(self.connectors) and self.connectors[at] == connector
            else range(0)
        )

    def connector_of(self, number: int) -> str:
        """Return the key of a row's connector."""
        return self.connectors[self.connector_number(number)]

    def connector_number(self, row: int) -> int:
        """Return the number of a row's connector."""
        return bisect_right(self.starts, row) - 1

    def group_number(self, name: str) -> int:
        """Return the number of a group; -1 if no action has the group."""
        return self.group_names.index(name) if name and name in self.group_names else -1

    def rows_of(self, connector: int) -> range:
        """Return the numbers of a connector's rows, by its number."""
        return range(self.starts[connector], self.starts[connector + 1])

    def to_bytes(self) -> bytes:
        """Return the table as bytes that ``of`` reads."""
        arrays = [_raw(section) for section in self._arrays()]
        texts = [self.words.text.encode(), self.keys.text.encode(), self.text, bytes(self.effects)]
        sizes = [list(map(len, arrays)), list(map(len, texts))]
        named = {
            "connectors": list(self.connectors),
            "groups": list(self.group_names),
            "about": self.about,
        }
        head = json.dumps({"sizes": sizes, **named}).encode()
        return b"".join(
            (f"{len(head):0{_ALIGN * 2}d}".encode(), *map(_padded, (head, *arrays, *texts)))
        )

    def _arrays(self) -> list[Sequence[int]]:
        lexicons = ((one.part_at, one.posting_at, one.postings) for one in (self.words, self.keys))
        return [
            *chain.from_iterable(lexicons),
            self.starts,
            self.text_at,
            self.lengths,
            self.groups,
        ]

    @classmethod
    def of(cls, content: memoryview) -> Table:
        """Read a table; its arrays share the memory of ``content``."""
        at, size = _ALIGN * 2, int(bytes(content[: _ALIGN * 2]))
        head = json.loads(bytes(content[at : at + size]))
        found: list[list[memoryview]] = [[], []]
        at += _room(size)
        for sections, sizes in zip(found, head["sizes"], strict=True):
            for length in sizes:
                sections.append(content[at : at + length])
                at += _room(length)
        arrays, (words, keys, text, effects) = [section.cast("I") for section in found[0]], found[1]
        starts, text_at, lengths, groups = arrays[6:]
        return cls(
            connectors=head["connectors"],
            starts=starts,
            text=text,
            text_at=text_at,
            effects=effects,
            lengths=lengths,
            groups=groups,
            group_names=head["groups"],
            words=Lexicon(bytes(words).decode(), arrays[0], arrays[1], arrays[2], _FIELDS),
            keys=Lexicon(bytes(keys).decode(), arrays[3], arrays[4], arrays[5], 1),
            about=head["about"],
        )


def _raw(section: Sequence[int]) -> bytes:
    return (
        section.tobytes()
        if isinstance(section, array | memoryview)
        else array("I", section).tobytes()
    )


class _Indexed(Protocol):
    """Members of a manifest that the index reads."""

    @property
    def key(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def is_generated(self) -> bool: ...
    @property
    def virtual(self) -> bool: ...
    @property
    def rank(self) -> int: ...
    def rows(self) -> Iterable[ActionRow]: ...


class PostingsDraft:
    """Builder of a table, to which connectors are added in the order of their keys."""

    def __init__(self) -> None:
        self._connectors: list[str] = []
        self._starts = array("I")
        self._text: list[bytes] = []
        self._effects = bytearray()
        self._lengths = array("I")
        self._groups = array("I")
        self._group_numbers: dict[str, int] = {}
        self._generated: list[int] = []
        self._keys: defaultdict[str, array[int]] = defaultdict(_numbers)
        self._fields: list[defaultdict[str, array[int]]] = [
            defaultdict(_numbers) for _ in range(_FIELDS)
        ]

    def add(self, manifest: _Indexed) -> None:
        """Add the actions of a connector. The connector's rank weighs less than any match."""
        number = len(self._connectors)
        self._connectors.append(manifest.key)
        self._starts.append(len(self._lengths))
        self._note(CONNECTOR, number, parts_of(manifest.key))
        self._note(NAME, number, parts_of(manifest.title))
        self._note(ABOUT, number, parts_of(manifest.description))
        own = self._own_rank(number, manifest)
        for _, row in sorted({row.key: row for row in manifest.rows()}.items()):
            self._add(row, own)

    def _add(self, row: ActionRow, own: int) -> None:
        number = len(self._lengths)
        parts = parts_of_key(row.key)
        summary = row.description.partition("\n")[0]
        shown = (
            row.key,
            row.title,
            summary if len(summary) <= _SUMMARY else summary[: _SUMMARY - 1] + "…",
        )
        self._text.append(
            _END.join(one.replace(_END, " ") for one in shown).encode("utf-8", "replace")
        )
        self._effects.append(EFFECTS.index(row.effect))
        own += _BOOST if row.keywords else 0
        self._lengths.append((min(len(parts) + 1, LONGEST_KEY) + 5) * STEP - own)
        self._groups.append(self._group_numbers.setdefault(row.group, len(self._group_numbers)))
        self._keys[row.key.casefold()].append(number)
        self._note(KEY, number, parts)
        if row.keywords:
            self._note(KEYWORDS, number, parts_of(row.keywords))
        self._note(TITLE, number, parts_of(row.title))
        self._note(DESCRIPTION, number, parts_of(row.description))

    def _own_rank(self, number: int, manifest: _Indexed) -> int:
        """Return the rank of a connector among otherwise equal rows: installed connectors first,
        then the most used.
        """
        if manifest.is_generated:
            self._generated.append(number)
            return _CHOSEN + STEP - 2
        if manifest.virtual:
            return min(_USUAL + 2 * manifest.rank, _CHOSEN) if manifest.rank else 0
        return _CHOSEN + STEP - 1

    def _lengthened(self) -> array[int]:
        """Return the lengths. If there are too many generated connectors for an installation to
        mean much, their lengths are increased.
        """
        ends = [*self._starts[1:], len(self._lengths)]
        for number in self._generated if len(self._generated) > _BULK else ():
            for row in range(self._starts[number], ends[number]):
                self._lengths[row] += _CHOSEN + STEP + STEP - 3
        return self._lengths

    def _note(self, field: int, number: int, parts: Iterable[str]) -> None:
        for numbers in map(self._fields[field].__getitem__, parts):
            numbers.append(number)

    def table(self, about: Any = None) -> Table:
        """Return the table of all added connectors; ``about`` is stored with it."""
        return Table(
            connectors=self._connectors,
            starts=array("I", (*self._starts, len(self._lengths))),
            text=b"".join(self._text),
            text_at=_places(self._text, 0),
            effects=bytes(self._effects),
            lengths=self._lengthened(),
            groups=self._groups,
            group_names=list(self._group_numbers),
            words=Lexicon.of(self._fields),
            keys=Lexicon.of([self._keys]),
            about=about,
        )


_numbers = partial(array, "I")


def _places(items: Iterable[str | bytes], gap: int) -> array[int]:
    return array("I", accumulate((len(item) + gap for item in items), initial=0))


def _room(size: int) -> int:
    return -(-size // _ALIGN) * _ALIGN


def _padded(content: bytes) -> bytes:
    return content.ljust(_room(len(content)), b"\0")
