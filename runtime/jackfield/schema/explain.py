"""Why a value is not valid: one sentence of ours for each error of the engine.

The engine says which keyword of which part of the schema refuses which part of the value, and keeps the errors of each branch. The
sentences are ours, so that they hold no word of Python or Rust and never quote a secret.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from jackfield.errors import Detail
from jackfield.fork import at_fork
from jackfield.json_pointer import names, pointer, shown
from jackfield.schema.engine import MASK
from jackfield.schema.equality import is_same
from jackfield.schema.wording import may_quote, quote
from jackfield.schema_walk import item_schemas, member_schemas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from jackfield.schema.facts import SchemaFacts
    from jackfield.schema.json_types import Json

    Sentence: TypeAlias = Callable[["Explainer", "Fault"], Iterator[Detail]]

__all__ = ["Explainer", "Fault", "is_secret_place"]


def is_secret_place(facts: SchemaFacts, value: Json, path: str) -> bool:
    """Return True if any schema that applies to the place or to one above it marks it; branches that do not apply count too."""
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

    ``node`` is the schema that has the ``keyword``, None where a schema ``false`` refuses the value, and ``place`` points to it. ``path``
    points to ``value``, to which ``steps`` lead.
    """

    error: Any
    keyword: str | None
    node: Mapping[str, Json]
    place: str
    value: Json
    steps: tuple[str | int, ...]
    path: str

    def told(self, message: str) -> Detail:
        """The fault in words."""
        return Detail(shown(self.path), message, self.keyword)


class Explainer:
    """The errors of one value in words, by a table of sentences for keywords. ``base`` points to the value, where it is part of another."""

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
    ) -> None:
        self.facts = facts
        self._sentences = sentences
        self._value = value
        self._base = base
        self._root_value = root_value if base else value
        self._errors = errors
        self._odd = odd

    def details(self, errors: Iterable[Any]) -> Iterator[Detail]:
        """Explain errors of the value, without those that would only repeat a wrong type."""
        told = _beside_types(list(errors), self._steps)
        scope = self._scope(self._value, self._base, told)
        for error in told:
            fault = scope.fault(error)
            if fault is None:
                yield Detail(shown(self._base), "is not what the schema describes")
            else:
                yield from self._sentences[fault.keyword if fault.keyword in self._sentences else None](scope, fault)

    def fault(self, error: Any) -> Fault | None:
        """Find where an error is; None where its path is not clear."""
        keyword, place, node = self.facts.located(error.absolute_keyword_location)
        if error.kind.name == "falseSchema" and keyword not in ("items", "additionalProperties", "unevaluatedProperties"):
            keyword = None
        steps = self._steps(error)
        try:
            value = self.value_at(steps)
        except (LookupError, TypeError):
            return None
        if self._odd and not is_same(value, error.instance):
            return None
        return Fault(error, keyword, node, place, value, steps, self._base + pointer(*steps))

    def _steps(self, error: Any) -> tuple[str | int, ...]:
        with contextlib.suppress(LookupError, TypeError, ValueError):
            if self._odd:
                return written_path(error.verbose_message, self._value)
        return tuple(error.instance_path)

    def value_at(self, steps: Iterable[str | int]) -> Json:
        """Find a part of the value."""
        value = self._value
        for step in steps:
            value = value[step]
        return value

    def below(self, place: str, value: Json, path: str) -> Iterator[Detail]:
        """Explain a value by the part of the schema at ``place``."""
        validator = self.facts.validator_at(place)
        if not validator.is_valid(value):
            yield from self._scope(value, path).details(validator.iter_errors(value))

    def _scope(self, value: Json, base: str, errors: Sequence[Any] = ()) -> Explainer:
        return Explainer(self.facts, self._sentences, value, base=base, root_value=self._root_value, errors=errors, odd=self._odd)

    def shown_value(self, fault: Fault) -> str | None:
        """The value as a message may quote it, or None: it is long, a container, or marked as a secret at this place or above."""
        return quote(fault.value) if may_quote(fault.value) and not self.is_secret(fault.path) else None

    def is_secret(self, path: str) -> bool:
        """Return True if any schema that applies to this place or one above marks it."""
        return self.facts.has_secrets and is_secret_place(self.facts, self._root_value, path)

    @cached_property
    def failed(self) -> frozenset[tuple[tuple[Any, ...], tuple[Any, ...]]]:
        """Where branches and conditions fail: their places by way of references, each with the values at which, or in which, they do."""
        found: set[tuple[tuple[Any, ...], tuple[Any, ...]]] = set()
        for error in self._errors:
            way, values = tuple(error.evaluation_path), tuple(error.instance_path)
            for end, keyword in enumerate(way, 1):
                if keyword in ("anyOf", "oneOf", "then", "else"):
                    found.update((way[:end], values[:depth]) for depth in range(len(values) + 1))
        return frozenset(found)


at_fork(Explainer.__dict__["failed"])  # Python 3.11 holds one lock for all while it is made


def _beside_types(errors: list[Any], steps: Callable[[Any], tuple[str | int, ...]]) -> list[Any]:
    """Drop what a schema says of a value besides that its type is wrong: the rest would only repeat it."""
    if len(errors) == 1:
        return errors
    ways = {tuple(error.evaluation_path) for error in errors}
    typed_ways = {way[:-1] for way in ways if way and way[-1] == "type"}
    if not any(way[:end] in typed_ways for way in ways for end in range(len(way) - (way[-1:] == ("type",)))):
        return errors  # nearly always
    typed = {(tuple(error.evaluation_path[:-1]), steps(error)) for error in errors if error.kind.name == "type"}
    return [error for error in errors if not _repeats(error, steps(error), typed, typed_ways)]


def _repeats(error: Any, values: tuple[str | int, ...], typed: set[tuple[Any, Any]], ways: set[Any]) -> bool:
    way = tuple(error.evaluation_path)
    last = len(way) - 1 if error.kind.name == "type" else len(way)
    return any(way[:end] in ways and any((way[:end], values[:depth]) in typed for depth in range(len(values) + 1)) for end in range(last))


def written_path(message: str, value: Json) -> tuple[str | int, ...]:
    """Read the path in an engine's message, as far as it leads into ``value``.

    In ``instance_path`` names of digits are numbers (``007`` is 7), and empty names are missing.

    :raises LookupError, TypeError, ValueError: for a path that leads nowhere, as do those with a name that holds a closing bracket.
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
