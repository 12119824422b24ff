"""Steps of a regular expression on a text, counted by a matcher that backtracks as Python's does.

A measured time depends on the machine, and a pattern that takes for ever holds the interpreter's
lock. This matcher reads the parse tree of ``re``, counts each node that it tries, and stops at a
limit, so that the result is the same everywhere. It takes 1,000 times as long.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import chain, product
from re import _compiler, _constants, _parser  # type: ignore[attr-defined]
from typing import Any

Then = Callable[[int], bool]
"""What follows a node: it gets the position, and returns whether the rest matches."""
Match = Callable[[int, Then], bool]

_SINGLE = frozenset({"LITERAL", "NOT_LITERAL", "ANY", "IN", "RANGE", "CATEGORY"})
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})
_UNBOUNDED = 24
"""Repetitions from which a limit counts as none: a pattern with less is short."""
_SHORT, _LONG = 48, 96
"""Lengths of the texts that are tried: the first rules out the patterns that are cheap."""
_CHEAP = 16
"""Steps for each character that no pattern exceeds on a short text, unless it may grow."""
_GROWTH = 3.0
"""Twice the text: linear time takes twice the steps, quadratic time four times."""
_MOST = 1_000
"""Steps for each character at which the count ends."""
_AFFORDED = 200_000
_CANDIDATES = "".join(map(chr, range(128))) + "\xe9\u2028\u20ac\U0001f600"
_OTHERS = 2
_SAMPLES = 16
"""Numbers of texts that lead to a part of a pattern, and that a part matches."""


class TooManySteps(Exception):
    """Error for a match that took more steps than its limit."""


class Steps:
    """Matcher of one pattern, which counts its steps; ``limit`` ends a match that takes more.
    ``choices`` is the number of alternatives of which the whole pattern consists.

    Its methods are those of ``re.Pattern`` that return a match or None, so that it can take a
    pattern's place.
    """

    def __init__(self, pattern: re.Pattern[Any], choice: int | None = None) -> None:
        """Make the matcher of a pattern, or of one of its ``choices``."""
        self.taken = 0
        self.limit = sys.maxsize
        self.pattern = pattern
        self._text: Any = ""
        self._groups: dict[int, tuple[int, int]] = {}
        tree = _parser.parse(pattern.pattern, pattern.flags)
        self._flags = tree.state.flags
        self._nodes = list(tree)
        self.choices = 1
        if len(self._nodes) == 1 and str(self._nodes[0][0]) == "BRANCH":
            choices = self._nodes[0][1][1]
            self.choices = len(choices)
            self._nodes = self._nodes if choice is None else list(choices[choice])
        self._node = self._sequence(self._nodes)

    def match(self, text: Any, at: int = 0) -> Any:
        """Match at a position, and return what the pattern returns."""
        self._ends(text, at, whole=False)
        return self.pattern.match(text, at)

    def fullmatch(self, text: Any, at: int = 0) -> Any:
        """Match the whole rest of a text."""
        self._ends(text, at, whole=True)
        return self.pattern.fullmatch(text, at)

    def search(self, text: Any, at: int = 0) -> Any:
        """Match at the first position where it is possible."""
        for start in range(at, len(text) + 1):
            if self._ends(text, start, whole=False) is not None:
                break
        return self.pattern.search(text, at)

    def search_all(self, text: Any) -> None:
        """Match everywhere, as ``finditer``, ``split`` and ``sub`` do."""
        start = 0
        while start <= len(text):
            end = self._ends(text, start, whole=False)
            start = start + 1 if end is None else max(end, start + 1)

    def count(self, method: str, head: str, unit: str, tail: str, size: int) -> int:
        """Return the steps of a method for a text of some size; ``sys.maxsize`` for more than the
        limit.
        """
        text: Any = head + unit * (size // len(unit)) + tail
        if isinstance(self.pattern.pattern, bytes):
            text = text.encode("latin-1", "replace")
        self.taken = 0
        try:
            getattr(self, method)(text)
        except TooManySteps:
            return sys.maxsize
        return self.taken

    def grows(self, method: str, head: str, unit: str, tail: str, size: int) -> bool:
        """Return whether twice the text takes more than twice the steps."""
        self.limit = _MOST * size
        some, twice = (self.count(method, head, unit, tail, many) for many in (size, 2 * size))
        return twice > _GROWTH * some or twice == sys.maxsize

    def _ends(self, text: Any, at: int, *, whole: bool) -> int | None:
        """Return the end of a match, None if there is none."""
        self._text, self._groups = text, {}
        found: list[int] = []

        def end(position: int) -> bool:
            self._step()
            if whole and position < len(text):
                return False
            found.append(position)
            return True

        self._step()
        return found[0] if self._node(at, end) else None

    def _step(self, count: int = 1) -> None:
        self.taken += count
        if self.taken > self.limit:
            raise TooManySteps

    def _sequence(self, nodes: list[Any]) -> Match:
        parts = [self._one(operator, value) for operator, value in nodes]
        if not parts:
            return lambda at, then: then(at)
        if len(parts) == 1:
            return parts[0]

        def matched(at: int, then: Then, number: int = 0) -> bool:
            if number == len(parts) - 1:
                return parts[number](at, then)
            return parts[number](at, lambda end: matched(end, then, number + 1))

        return matched

    def _one(self, operator: Any, value: Any) -> Match:
        name = str(operator)
        if name in _SINGLE:
            fits = self._fits(operator, value)

            def single(at: int, then: Then) -> bool:
                self._step()
                return at < len(self._text) and fits(self._text[at : at + 1]) and then(at + 1)

            return single
        if name in _REPEATS:
            return self._repeat(name, *value)
        return getattr(self, f"_{name.lower()}")(value)  # type: ignore[no-any-return]

    def _fits(self, operator: Any, value: Any) -> Callable[[Any], bool]:
        """Return the test of one character, which ``re`` itself makes."""
        tree = _parser.SubPattern(_parser.State(), [(operator, value)])
        tree.state.flags, tree.state.str = self._flags, self.pattern.pattern
        found = _compiler.compile(tree, self._flags)
        known: dict[Any, bool] = {}

        def fits(character: Any) -> bool:
            if character not in known:
                known[character] = found.match(character) is not None
            return known[character]

        return fits

    def _branch(self, value: Any) -> Match:
        choices = [self._sequence(list(choice)) for choice in value[1]]

        def matched(at: int, then: Then) -> bool:
            for choice in choices:
                self._step()
                if choice(at, then):
                    return True
            return False

        return matched

    def _subpattern(self, value: Any) -> Match:
        group, added, removed, nodes = value
        flags, self._flags = self._flags, (self._flags | added) & ~removed
        inner = self._sequence(list(nodes))
        self._flags = flags
        if group is None:
            return inner

        def matched(at: int, then: Then) -> bool:
            before = self._groups.get(group)

            def ended(end: int) -> bool:
                self._groups[group] = (at, end)
                return then(end)

            if inner(at, ended):
                return True
            self._groups.pop(group, None)
            if before is not None:
                self._groups[group] = before
            return False

        return matched

    def _atomic_group(self, value: Any) -> Match:
        nodes = list(value)
        if len(nodes) == 1 and str(nodes[0][0]) == "MAX_REPEAT" and nodes[0][1][0] <= 1:
            return self._repeat("POSSESSIVE_REPEAT", *nodes[0][1])
        inner = self._sequence(nodes)

        def matched(at: int, then: Then) -> bool:
            end = _first_end(inner, at)
            return end is not None and then(end)

        return matched

    def _assert(self, value: Any) -> Match:
        return self._look(*value, wanted=True)

    def _assert_not(self, value: Any) -> Match:
        return self._look(*value, wanted=False)

    def _look(self, direction: int, nodes: Any, *, wanted: bool) -> Match:
        inner = self._sequence(list(nodes))
        width = nodes.getwidth()[0] if direction < 0 else 0

        def matched(at: int, then: Then) -> bool:
            self._step()
            start = at - width
            return (start >= 0 and _first_end(inner, start) is not None) is wanted and then(at)

        return matched

    def _at(self, value: Any) -> Match:
        tree = _parser.SubPattern(_parser.State(), [(_constants.AT, value)])
        tree.state.flags, tree.state.str = self._flags, self.pattern.pattern
        found = _compiler.compile(tree, self._flags)

        def matched(at: int, then: Then) -> bool:
            self._step()
            return found.match(self._text, at) is not None and then(at)

        return matched

    def _groupref(self, group: int) -> Match:
        def matched(at: int, then: Then) -> bool:
            self._step()
            if group not in self._groups:
                return False
            begin, end = self._groups[group]
            self._step(end - begin)
            same = self._text[begin:end] == self._text[at : at + end - begin]
            return same and then(at + end - begin)

        return matched

    def _groupref_exists(self, value: Any) -> Match:
        group, yes, no = value
        there, absent = self._sequence(list(yes)), self._sequence(list(no or ()))

        def matched(at: int, then: Then) -> bool:
            return (there if group in self._groups else absent)(at, then)

        return matched

    def _repeat(self, name: str, least: int, most: Any, nodes: Any) -> Match:
        top = sys.maxsize if most is _constants.MAXREPEAT else int(most)
        body = list(nodes)
        if len(body) == 1 and str(body[0][0]) in _SINGLE:
            return self._run(name, least, top, self._fits(*body[0]))
        inner = self._sequence(body)
        if name == "POSSESSIVE_REPEAT":
            return self._possessive(least, top, inner)

        def matched(at: int, then: Then, count: int = 0, before: int = -1) -> bool:
            self._step()
            goes_on = count < top and not (count >= least and at == before)

            def again() -> bool:
                return goes_on and inner(at, lambda end: matched(end, then, count + 1, at))

            def ended() -> bool:
                return count >= least and then(at)

            return (ended() or again()) if name == "MIN_REPEAT" else (again() or ended())

        return matched

    def _possessive(self, least: int, top: int, inner: Match) -> Match:
        def matched(at: int, then: Then) -> bool:
            count = 0
            while count < top and (end := _first_end(inner, at)) is not None:
                self._step()
                count += 1
                if end == at:
                    count = max(count, least)
                    break
                at = end
            return count >= least and then(at)

        return matched

    def _run(self, name: str, least: int, top: int, fits: Callable[[Any], bool]) -> Match:
        """Match one character again and again, without a call for each."""

        def matched(at: int, then: Then) -> bool:
            text, end = self._text, at
            highest = min(len(text), at + top)
            if name == "MIN_REPEAT":
                while True:
                    self._step()
                    if end - at >= least and then(end):
                        return True
                    if end >= highest or not fits(text[end : end + 1]):
                        return False
                    end += 1
            while end < highest and fits(text[end : end + 1]):
                end += 1
            self._step(1 + end - at)
            if name == "POSSESSIVE_REPEAT":
                return end - at >= least and then(end)
            while end - at >= least:
                self._step()
                if then(end):
                    return True
                end -= 1
            return False

        return matched

    @cached_property
    def pumps(self) -> list[tuple[str, str]]:
        """Texts that may cost the most: what comes before a repeated part of the pattern, and what
        the part repeats. One character stands for all that each part of the pattern treats alike.
        """
        letters = self.letters
        found: dict[tuple[str, str], None] = {}
        for head, body in self._repeated(self._nodes, [""], letters):
            units = [*letters, *self._samples(body, letters)]
            again = [head, head + units[-1]]
            found |= dict.fromkeys((head, unit) for unit in units if unit)
            found |= dict.fromkeys(("", unit) for unit in (*units, *again) if unit)
        return list(found)

    @cached_property
    def letters(self) -> list[str]:
        """Return one character of each kind that the pattern distinguishes; first those that fit
        the fewest of its parts. A line's end is a kind of its own where ``^`` follows it.
        """
        has_lines = self.pattern.flags & re.MULTILINE
        tests = [self._fits(operator, value) for operator, value in _singles(self._nodes)]
        kinds: dict[tuple[bool, ...], str] = {}
        is_bytes = isinstance(self.pattern.pattern, bytes)
        for one in _CANDIDATES:
            if not is_bytes or one.isascii():
                character = one.encode("latin-1") if is_bytes else one
                ends = bool(has_lines) and one == "\n"
                kinds.setdefault((*(fits(character) for fits in tests), ends), one)
        return [kinds[kind] for kind in sorted(kinds, key=sum)]

    def _repeated(
        self, nodes: list[Any], heads: list[str], letters: list[str]
    ) -> Iterator[tuple[str, list[Any]]]:
        """Yield each repeated part, with a text that leads to it."""
        for operator, value in nodes:
            if str(operator) in _REPEATS and value[1] > _UNBOUNDED:
                yield from ((head, list(value[2])) for head in heads)
            for part in _inside(operator, value):
                yield from self._repeated(part, heads, letters)
            texts = self._samples([(operator, value)], letters)
            heads = [head + text for head in heads for text in texts][:_OTHERS] or heads

    def _samples(self, nodes: list[Any], letters: list[str]) -> list[str]:
        """Return a few texts that the nodes match; of a part that may be absent, with and without
        it.
        """
        found = [""]
        for operator, value in nodes:
            found = [a + b for a in found for b in self._parts(operator, value, letters)]
            found = list(dict.fromkeys(found))[:_SAMPLES]
        return found

    def _parts(self, operator: Any, value: Any, letters: list[str]) -> list[str]:
        name = str(operator)
        if name in _SINGLE:
            fits, is_bytes = self._fits(operator, value), isinstance(self.pattern.pattern, bytes)
            return [one for one in letters if fits(one.encode("latin-1") if is_bytes else one)] or [
                chr(value) if name == "LITERAL" else "x"
            ]
        if name in _REPEATS:
            least, most, inner = value
            once = self._samples(list(inner), letters)
            some = [text * max(1, least) for text in once] if most else []
            return ([""] if least == 0 else []) + some
        if name == "SUBPATTERN":
            return self._samples(list(value[3]), letters)
        if name == "ATOMIC_GROUP":
            return self._samples(list(value), letters)
        if name == "BRANCH":
            return [text for choice in value[1] for text in self._samples(list(choice), letters)]
        return [""]


def _first_end(inner: Match, at: int) -> int | None:
    """Return the end of the first match of a node, without what follows it."""
    found: list[int] = []

    def end(position: int) -> bool:
        found.append(position)
        return True

    return found[0] if inner(at, end) else None


def _inside(operator: Any, value: Any) -> list[list[Any]]:
    """Return the parts of a node, each as a list of nodes."""
    name = str(operator)
    if name in _REPEATS:
        return [list(value[2])]
    if name == "BRANCH":
        return [list(choice) for choice in value[1]]
    if name == "SUBPATTERN":
        return [list(value[3])]
    if name == "ATOMIC_GROUP":
        return [list(value)]
    if name in ("ASSERT", "ASSERT_NOT"):
        return [list(value[1])]
    return [list(choice or ()) for choice in value[1:]] if name == "GROUPREF_EXISTS" else []


def _singles(nodes: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield the nodes of one character."""
    for operator, value in nodes:
        if str(operator) in _SINGLE:
            yield operator, value
        for part in _inside(operator, value):
            yield from _singles(part)


def costly_text(
    pattern: re.Pattern[Any], methods: Iterable[str], longest: int | None = None
) -> str | None:
    """Return a description of a text for which a pattern takes more than linear time, None if none
    is found. ``methods`` are those of ``Steps``. If texts have at most ``longest`` characters, it
    is one that takes more than 200,000 steps, a few milliseconds.
    """
    methods = tuple(methods)
    whole = Steps(pattern)
    found = (_costly_texts(Steps(pattern, choice), methods) for choice in range(whole.choices))
    return next(
        (
            f"{method} of {head!r} + {unit!r} * n + {tail!r}"
            for method, head, unit, tail in chain.from_iterable(found)
            if (whole.choices == 1 or whole.grows(method, head, unit, tail, 4 * _LONG))
            and (longest is None or whole.count(method, head, unit, tail, longest) > _AFFORDED)
        ),
        None,
    )


def _costly_texts(steps: Steps, methods: tuple[str, ...]) -> Iterator[tuple[str, str, str, str]]:
    """Yield the method and the parts of each text for one of a pattern's choices. Alone, a choice
    shows sooner that it grows, but another may take the text from it.
    """
    tails = dict.fromkeys(("", *steps.letters[:2]))
    for method, (head, unit), tail in product(methods, steps.pumps, tails):
        steps.limit = _CHEAP * _SHORT
        is_cheap = steps.count(method, head, unit, tail, _SHORT) <= steps.limit
        if not is_cheap and steps.grows(method, head, unit, tail, _LONG):
            yield method, head, unit, tail
