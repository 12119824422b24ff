"""Explanation of invalid values: one sentence for each error of the engine.

The engine reports the keyword and part of the schema that refuses a part of the value, and the
errors of each branch. jackfield writes the sentences, so that they contain no terms of Python or
Rust and never quote a secret.
"""

from __future__ import annotations

import contextlib
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote as percent_encoded

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Detail
from jackfield.kernel.fork import at_fork
from jackfield.kernel.pointers import child, follow, names, pointer, shown
from jackfield.kernel.walk import item_schemas, member_schemas
from jackfield.schema.engine import MASK
from jackfield.schema.json_types import is_same
from jackfield.schema.shallow import JUDGED
from jackfield.schema.steps import MAX_STEPS, steps_of
from jackfield.schema.wording import may_quote, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from jackfield.schema.facts import SchemaFacts
    from jackfield.schema.json_types import Json

    Sentence: TypeAlias = Callable[["Explainer", "Fault"], Iterator[Detail]]


def is_secret_place(facts: SchemaFacts, value: Json, path: str) -> bool:
    """Return True if any schema that applies to the place or above it marks it as secret, including
    branches that do not match.
    """
    applying, marked = facts.applying((facts.root,))
    for token in names(path):
        if marked:
            return True
        if isinstance(value, list):
            starts = [sub for node in applying for sub in item_schemas(node, int(token))]
            value = value[int(token)]
        elif isinstance(value, dict) and token in value:
            starts = [sub for node in applying for sub in member_schemas(node, token)]
            value = value[token]
        else:
            return False
        applying, marked = facts.applying(tuple(starts))
    return marked


@dataclass(frozen=True, slots=True)
class Fault:
    """One error of the engine and its place.

    ``node`` is the schema with the ``keyword``, None if a schema ``false`` refuses the value;
    ``place`` points to it. ``path`` points to ``value``, and ``steps`` lead to it.
    """

    error: Any
    keyword: str | None
    node: Mapping[str, Json]
    place: str
    value: Json
    steps: tuple[str | int, ...]
    path: str

    def detail(self, message: str) -> Detail:
        """Return the fault as a Detail with the given message."""
        return Detail(shown(self.path), message, self.keyword)


_DESCENT = MAX_STEPS >> 8
"""Minimum number of steps for the explanation of one branch, which takes a fraction of a
millisecond.
"""


class StepBudget:
    """Steps left to explain branches of one value, and ``whole``, the maximum size of a part that
    is searched for all its faults.
    """

    def __init__(self, cost: int, whole: int) -> None:
        self.whole = whole
        self._cost = cost
        self._left = MAX_STEPS

    def take(self, value: Json) -> bool:
        """Use the steps for judging a value; return False if fewer are left."""
        self._left -= max(_DESCENT, steps_of(value, max(0, self._left) // self._cost) * self._cost)
        return self._left >= 0


class Explainer:
    """Translator of the errors of one value, with a table of sentences by keyword. ``base`` points
    to a value that is part of another.
    """

    def __init__(
        self,
        facts: SchemaFacts,
        sentences: Mapping[str | None, Sentence],
        value: Json,
        *,
        base: str = "",
        root_value: Json = None,
        errors: Sequence[Any] = (),
        odd: bool = False,
        budget: StepBudget,
    ) -> None:
        self.facts = facts
        self._sentences = sentences
        self._value = value
        self._base = base
        self._root_value = root_value if base else value
        self._errors = errors
        self._odd_names = odd
        self._budget = budget

    def details(self, errors: Iterable[Any]) -> Iterator[Detail]:
        """Explain errors of the value, except errors that only repeat a wrong type."""
        relevant = self._without_patterns(_without_repeats(list(errors), self._steps))
        scope = self._scope(self._value, self._base, relevant)
        for error in relevant:
            fault = scope.fault(error)
            if fault is None:
                yield Detail(shown(self._base), "is not what the schema describes")
            else:
                yield from self._sentences[
                    fault.keyword if fault.keyword in self._sentences else None
                ](scope, fault)

    def _without_patterns(self, errors: list[Any]) -> list[Any]:
        """Drop the faults of patterns of texts that are too long, since a length fault needs no
        further explanation.
        """
        long = {tuple(error.instance_path) for error in errors if error.kind.name == "maxLength"}
        return (
            [
                error
                for error in errors
                if not (tuple(error.instance_path) in long and self._is_pattern(error))
            ]
            if long
            else errors
        )

    def _is_pattern(self, error: Any) -> bool:
        keyword, _, node = self.facts.located(error.absolute_keyword_location)
        return keyword == "pattern" or (keyword == "format" and node["format"] in self.facts.slow)

    def fault(self, error: Any) -> Fault | None:
        """Locate an error; None if its path is ambiguous."""
        keyword, place, node = self.facts.located(error.absolute_keyword_location)
        if error.kind.name == "falseSchema" and keyword not in (
            "items",
            "additionalProperties",
            "unevaluatedProperties",
        ):
            keyword = None
        steps = self._steps(error)
        try:
            value = self.value_at(steps)
        except (LookupError, TypeError):
            return None
        if self._odd_names and not is_same(value, error.instance):
            return None
        return Fault(error, keyword, node, place, value, steps, self._base + pointer(*steps))

    def _steps(self, error: Any) -> tuple[str | int, ...]:
        with contextlib.suppress(LookupError, TypeError, ValueError):
            if self._odd_names:
                return written_path(error.verbose_message, self._value)
        return tuple(error.instance_path)

    def value_at(self, steps: Iterable[str | int]) -> Json:
        """Return the part of the value that ``steps`` leads to."""
        value = self._value
        for step in steps:
            value = value[step]
        return value

    def below(self, place: str, value: Json, path: str) -> Iterator[Detail]:
        """Yield the faults of a value by the part of the schema at ``place``."""
        validator = self.facts.validator_at(place)
        if not validator.is_valid(value):
            yield from self._scope(value, path).details(validator.iter_errors(value))

    def piecewise(self, place: str, value: Json, path: str) -> Iterator[Detail]:
        """Yield the faults of a large value by its invalid members and items. Errors that none of
        them explains count once.
        """
        wrong = False
        for sub, part, below in self._pieces(place, value, path):
            if self.fits(sub, part):
                continue
            wrong = True
            limit = self._budget.whole
            yield from (
                self.below(sub, part, below)
                if steps_of(part, limit) <= limit
                else self.piecewise(sub, part, below)
            )
        if not wrong:
            yield from islice(
                self._scope(value, path).details([self.facts.first_error(place, value)]), 1
            )

    def _pieces(self, place: str, value: Json, path: str) -> Iterator[tuple[str, Json, str]]:
        node = follow(self.facts.root, percent_encoded(place))
        if isinstance(node, dict) and "$ref" in node:
            yield self.facts.shallow.place_of(node["$ref"]), value, path
        elif isinstance(node, dict) and isinstance(value, dict):
            closing = node.get("additionalProperties") if "patternProperties" not in node else None
            for name, part in value.items():
                if isinstance(node.get("properties", {}).get(name), dict):
                    yield child(child(place, "properties"), name), part, child(path, name)
                elif isinstance(closing, dict) and name not in node.get("properties", {}):
                    yield child(place, "additionalProperties"), part, child(path, name)
        elif (
            isinstance(node, dict)
            and isinstance(value, list)
            and isinstance(node.get("items"), dict)
        ):
            for index, part in enumerate(
                value[len(node.get("prefixItems", ())) :], len(node.get("prefixItems", ()))
            ):
                yield child(place, "items"), part, child(path, index)

    def fits(self, place: str, value: Json) -> bool:
        """Return True if the part of the schema at ``place`` accepts a value."""
        return bool(self.facts.validator_at(place).is_valid(value))

    def affords(self, value: Json) -> bool:
        """Use the steps for explaining a branch for this value; return False if fewer are left."""
        return self._budget.take(value)

    def _scope(self, value: Json, base: str, errors: Sequence[Any] = ()) -> Explainer:
        return Explainer(
            self.facts,
            self._sentences,
            value,
            base=base,
            root_value=self._root_value,
            errors=errors,
            odd=self._odd_names,
            budget=self._budget,
        )

    def shown_value(self, fault: Fault) -> str | None:
        """Return the value as a quotation for a message; None if it is long, a container, or marked
        as secret (see ``is_secret``).
        """
        return (
            quote(fault.value)
            if may_quote(fault.value) and not self.is_secret(fault.path)
            else None
        )

    def is_secret(self, path: str) -> bool:
        """Return True if a schema marks this JSON location or an enclosing one as secret."""
        return self.facts.has_secrets and is_secret_place(self.facts, self._root_value, path)

    @cached_property
    def failed(self) -> frozenset[tuple[tuple[Any, ...], tuple[Any, ...]]]:
        """Failed branches and conditions: their paths through references, each with the value
        where, or inside which, they fail.
        """
        found: set[tuple[tuple[Any, ...], tuple[Any, ...]]] = set()
        for error in self._errors:
            way, values = self._way(error), tuple(error.instance_path)
            for end, keyword in enumerate(way, 1):
                if keyword in ("anyOf", "oneOf", "then", "else"):
                    found.update((way[:end], values[:depth]) for depth in range(len(values) + 1))
        return frozenset(found)

    def _way(self, error: Any) -> tuple[str | int, ...]:
        way = tuple(error.evaluation_path)
        keyword = self.facts.located(error.absolute_keyword_location)[0]
        return (*way[:-3], keyword) if keyword in JUDGED and way[-1:] == ("not",) else way


# Python 3.11 holds one lock for all instances while it computes the property
at_fork(Explainer.__dict__["failed"])


def _without_repeats(errors: list[Any], steps: Callable[[Any], tuple[str | int, ...]]) -> list[Any]:
    """Drop errors that only repeat a wrong type."""
    if len(errors) == 1:
        return errors
    ways = {tuple(error.evaluation_path) for error in errors}
    typed_ways = {way[:-1] for way in ways if way and way[-1] == "type"}
    if not any(
        way[:end] in typed_ways for way in ways for end in range(len(way) - (way[-1:] == ("type",)))
    ):
        return errors  # the common case
    typed = {
        (tuple(error.evaluation_path[:-1]), steps(error))
        for error in errors
        if error.kind.name == "type"
    }
    return [error for error in errors if not _repeats(error, steps(error), typed, typed_ways)]


def _repeats(
    error: Any, values: tuple[str | int, ...], typed: set[tuple[Any, Any]], ways: set[Any]
) -> bool:
    way = tuple(error.evaluation_path)
    last = len(way) - 1 if error.kind.name == "type" else len(way)
    return any(
        way[:end] in ways
        and any((way[:end], values[:depth]) in typed for depth in range(len(values) + 1))
        for end in range(last)
    )


def written_path(message: str, value: Json) -> tuple[str | int, ...]:
    """Parse the path from an engine's message, as far as it leads into ``value``.

    ``instance_path`` is not a substitute: it converts names of digits into numbers (``007`` becomes
    7) and lacks empty names.

    :raises LookupError, TypeError, ValueError: if the path leads nowhere, for example when a name
        contains a closing bracket.
    """
    rest = message.removesuffix(f":\n    {MASK}").rpartition("\n\nOn instance")[2]
    steps: list[str | int] = []
    while rest:
        quotes = '"' if rest.startswith('["') else ""
        token, closed, rest = rest[len(quotes) + 1 :].partition(f"{quotes}]")
        if not closed:
            raise LookupError(token)
        (name,) = names(f"/{token}")
        steps.append(int(name) if isinstance(value, list) else name)
        value = value[steps[-1]]
    return tuple(steps)
