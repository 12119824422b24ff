"""A compiled schema, which prepares, validates and explains values."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import MAX_DETAILS, Detail
from jackfield.kernel.walk import SecretPlaces
from jackfield.schema.json_types import value_word
from jackfield.schema.json_values import is_json, to_json
from jackfield.schema.steps import (
    CHARACTERS,
    FREE,
    MAX_COMPARED,
    MAX_LARGE,
    MAX_STEPS,
    slow_numbers,
    steps_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jackfield.schema.facts import SchemaFacts
    from jackfield.schema.json_types import Json
    from jackfield.schema.plan import ValuePlan

_ABOUT_CONTENT = frozenset(
    {"anyOf", "oneOf", "not", "enum", "const", "contains", "maxContains", "uniqueItems"}
)
"""Keywords that validate an array or an object by its contents."""
_STACK_IS_FULL = Detail("", "is nested too deeply to be judged")
_INLINE = 1 << 17
_COPYING = 16
"""Steps that filling, masking and writing take for each part of a value."""
_NO_DEFAULTS: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class CheckedValue:
    """Result of a check: the prepared ``value``, usable if ``details`` is empty; otherwise
    ``details`` lists its faults.

    ``omitted`` is the number of faults that the last Detail summarises.
    """

    value: dict[str, Any]
    details: tuple[Detail, ...]
    omitted: int = 0

    @property
    def count(self) -> int:
        """Total number of faults, including those left out."""
        return MAX_DETAILS + self.omitted if self.omitted else len(self.details)


class CompiledSchema:
    """JSON Schema ready for use. Thread-safe; no value makes it raise."""

    __slots__ = ("_facts", "_is_valid", "_places", "_plan", "brief")

    def __init__(self, facts: SchemaFacts, plan: ValuePlan) -> None:
        self._facts = facts
        self._plan = plan
        self._is_valid = (
            facts.validator.is_valid
            if facts.cost <= FREE and not facts.slow and not facts.numbers
            else partial(_is_valid, facts)
        )
        self.brief = _INLINE // (facts.cost + _COPYING)
        """Steps of the largest value (``steps_of``) that is judged and copied faster than threads
        are switched.
        """
        self._places: tuple[SecretPlaces | None, ...] = () if facts.has_secrets else (None,)

    @property
    def secret_places(self) -> SecretPlaces | None:
        """Places of the secrets that the schema marks; None if it marks none."""
        if not self._places:
            root = self._facts.root
            found = SecretPlaces(root) if isinstance(root, dict) else None
            self._places = (found if found is not None and found.reaches else None,)
        return self._places[0]

    def check(
        self, value: Mapping[str, Any], *, defaults: Mapping[str, Any] = _NO_DEFAULTS
    ) -> CheckedValue:
        """Prepare an object and validate it.

        ``defaults`` are the connection's values, which fill missing members marked
        ``fromConnection``. The caller's objects are never modified; the prepared value shares their
        unchanged parts.
        """
        faults: tuple[Detail, ...] = ()
        plain: Json = value
        try:
            if not is_json(value):
                plain, faults = to_json(value, keeps_exact=True)
            if type(plain) is not dict:
                return _checked(
                    {},
                    faults or (Detail("", f"must be an object, not {value_word(plain)}", "type"),),
                )
            step = self._plan.steps.get(dict)
            prepared: dict[str, Any] = plain if step is None else step(plain, defaults)  # type: ignore[call-arg]  # an object's step
            # the engine takes no number with more digits
            judged: Any = prepared if plain is value else to_json(prepared)[0]
            is_valid = self._is_valid(judged)
            if is_valid and not faults:
                return CheckedValue(prepared, ())
            return _checked(prepared, faults if is_valid else self._explained(judged, faults))
        except RecursionError:
            return _checked({}, (_STACK_IS_FULL,))

    def judge(self, value: Any) -> tuple[Detail, ...]:
        """Return all faults of an unprepared value. For outputs, which must not be interpreted."""
        faults: tuple[Detail, ...] = ()
        try:
            if not is_json(value):
                value, faults = to_json(value)
            is_valid = self._is_valid(value)
            if is_valid and not faults:
                return ()
            return _limited(faults if is_valid else self._explained(value, faults))
        except RecursionError:
            return (_STACK_IS_FULL,)

    def _explained(self, value: Json, faults: tuple[Detail, ...]) -> tuple[Detail, ...]:
        if (
            fault := _too_large(self._facts, value)
            or _too_many_numbers(self._facts, value, explains=True)
        ) is not None:
            return (*faults, fault)
        _begin(self._facts)
        from jackfield.schema.sentences import explain

        found = explain(self._facts, value)
        return (*faults, *_independent(found, faults)) or (
            Detail("", "is not what the schema describes"),
        )


def _is_valid(facts: SchemaFacts, value: Json) -> bool:
    """Return whether a value is valid by a schema that takes many steps for each part of it. A
    value that is too large for this is not valid.
    """
    _begin(facts)
    if _too_large(facts, value) is not None:
        return False
    return _too_many_numbers(facts, value) is None and bool(facts.validator.is_valid(value))


def _begin(facts: SchemaFacts) -> None:
    if facts.slow:
        from jackfield.kernel.patterns import begin_slow

        begin_slow()


def _too_large(facts: SchemaFacts, value: Json) -> Detail | None:
    limit = MAX_STEPS // facts.cost
    if facts.cost <= FREE or steps_of(value, limit) <= limit:
        return None
    return Detail(
        "",
        f"is too large: the branches of its schema allow {limit:,} values (or {CHARACTERS} "
        "characters of text for each)",
    )


def _too_many_numbers(facts: SchemaFacts, value: Json, *, explains: bool = False) -> Detail | None:
    """Return the fault of a value with more slow numbers than may be compared; else None. With
    ``explains``, the engine judges past a wrong type.
    """
    numbers = facts.numbers
    if not numbers:
        return None
    large, fractions = slow_numbers(value)
    if numbers.unique and large > MAX_LARGE:
        return Detail(
            "",
            f"has too many integers beyond 64 bits: where items must be unique, {MAX_LARGE} are "
            "allowed",
        )
    slow = large if numbers.take_integers and not explains else large + fractions
    if slow * numbers.compared <= MAX_COMPARED:
        return None
    limit = MAX_COMPARED // numbers.compared
    return Detail(
        "",
        f"has too many numbers that its schema compares: {limit:,} that are no integers of 64 "
        "bits are allowed",
    )


def _independent(found: Iterable[Detail], faults: tuple[Detail, ...]) -> Iterator[Detail]:
    """Yield each fault once. Leave out faults caused only by the null that replaces a part that is
    not JSON, at its place or in an enclosing value.
    """
    paths = {fault.path for fault in faults}
    above = {path[:end] for path in paths for end in range(len(path)) if path[end] == "/"}
    for detail in dict.fromkeys(found):
        if detail.path not in paths and not (
            detail.keyword in _ABOUT_CONTENT and detail.path in above
        ):
            yield detail


def _checked(value: dict[str, Any], details: tuple[Detail, ...]) -> CheckedValue:
    return CheckedValue(value, _limited(details), max(0, len(details) - MAX_DETAILS))


def _limited(details: tuple[Detail, ...]) -> tuple[Detail, ...]:
    more = len(details) - MAX_DETAILS
    return details if more <= 0 else (*details[:MAX_DETAILS], Detail("", f"and {more} more faults"))
