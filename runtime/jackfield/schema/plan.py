"""Preparation of a value before validation, planned once per schema: ``x-jackfield`` hints,
defaults, lossless reading.

A plan copies only changed parts: it never modifies the caller's objects and never copies long
strings.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING

from jackfield.kernel.hidden import trimmed
from jackfield.schema.json_types import MAX_DIGITS
from jackfield.schema.json_values import is_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jackfield.schema.json_types import Json

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<rest>(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")
_SPACES = " \t\r\n"
_LONGEST = MAX_DIGITS + 100
_BOOLEANS = {"true": True, "false": False}
_LONGEST_BOOLEAN = len("false")


def read_text(text: str, kinds: frozenset[str]) -> Json:
    """Return the value of ``text`` as one of these kinds (``boolean``, ``integer``, ``fraction``),
    or the text itself.

    Surrounding blanks may be lost, digits that a double cannot hold may not. ``1.0`` becomes the
    integer 1 if only integers are allowed.
    """
    if len(text) > _LONGEST:
        return text
    bare = text.strip(_SPACES)
    if "boolean" in kinds and len(bare) <= _LONGEST_BOOLEAN and bare.lower() in _BOOLEANS:
        return _BOOLEANS[bare.lower()]
    match = _NUMBER.fullmatch(bare) if "integer" in kinds else None
    number: float | None = None
    if match and not match["rest"]:
        number = _whole(bare)
    elif match:
        number = _fraction(bare) if "fraction" in kinds else _whole_from_decimal(bare)
    return text if number is None else number


def _whole(text: str) -> int | None:
    return int(text) if len(text.lstrip("-")) <= MAX_DIGITS else None


def _fraction(text: str) -> float | None:
    number = float(text)
    try:
        return number if math.isfinite(number) and Decimal(text) == Decimal(repr(number)) else None
    except ArithmeticError:  # an exponent beyond Decimal's range
        return None


def _whole_from_decimal(text: str) -> int | None:
    try:
        number = Decimal(text)
        if number.adjusted() >= MAX_DIGITS or number != number.to_integral_value():
            return None
        return int(number)
    except ArithmeticError:  # more digits or a larger exponent than Decimal computes with
        return None


ABSENT = object()
"""Marker of a missing member, since None is a value."""
_BLANKS: tuple[Json, ...] = ("", None, [], {})


class ValuePlan:
    """Preparation of the values at one place. ``steps`` maps a value's type to its conversion;
    other types stay unchanged.
    """

    __slots__ = ("blank_is_absent", "default", "source", "steps")

    def __init__(self) -> None:
        self.steps: dict[type, Callable[[Json], Json]] = {}
        self.blank_is_absent = False
        self.default: Json = ABSENT
        self.source: str | None = None

    def apply(self, value: Json) -> Json:
        """Return the prepared value: the same object if unchanged, ``ABSENT`` if it counts as
        missing.
        """
        step = self.steps.get(type(value))
        if step is not None:
            value = step(value)
        return ABSENT if self.blank_is_absent and not value and value in _BLANKS else value

    @property
    def fills(self) -> bool:
        """True if a missing member may get a value."""
        return self.default is not ABSENT or self.source is not None

    @property
    def works(self) -> bool:
        """True if the plan does anything, apart from the parts of arrays and objects."""
        return self.fills or self.blank_is_absent or str in self.steps

    def fill(self, defaults: Mapping[str, Json] | None) -> Json:
        """Return the value for a missing member: the connection's value of that name, else the
        schema's default, else ``ABSENT``.
        """
        if self.source is not None and defaults and self.source in defaults:
            value = defaults[self.source]
            value = self.apply(value) if value is not None and is_json(value) else ABSENT
            if value is not ABSENT:
                return value
        return _copied(self.default)


def _copied(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _copied(item) for name, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def text_step(
    *, trim: bool, lowercase: bool, kinds: frozenset[str]
) -> Callable[[str], Json] | None:
    """Return the conversion for strings; None if no conversion is needed. ``kinds`` are the kinds
    to parse a string as; empty if the schema accepts strings.
    """
    if kinds:
        return lambda text: read_text(trimmed(text) if trim else text, kinds)
    if lowercase:
        return lambda text: _lowered(trimmed(text) if trim else text)
    return trimmed if trim else None


def _lowered(text: str) -> str:
    lowered = text.lower()
    return text if lowered == text else lowered


class Items:
    """Preparation of an array: the first items have their own plans, the others share one."""

    __slots__ = ("first", "rest")

    def __init__(self, first: list[ValuePlan | None], rest: ValuePlan | None) -> None:
        self.first = first
        self.rest = rest

    def __call__(self, value: list[Json]) -> list[Json]:
        """Return the prepared array, or the same object if unchanged."""
        changed: list[Json] | None = None
        count = len(self.first)
        for index, item in enumerate(value):
            plan = self.first[index] if index < count else self.rest
            if plan is None or (step := plan.steps.get(type(item))) is None:
                continue
            new = step(item)
            if new is not item:
                changed = list(value) if changed is None else changed
                changed[index] = new
        return value if changed is None else changed

    def plans(self) -> list[ValuePlan]:
        """Return the plans of all items."""
        return [plan for plan in (*self.first, self.rest) if plan is not None]

    def keep(self, active: Callable[[ValuePlan | None], ValuePlan | None]) -> bool:
        """Drop idle plans; return False if no plan remains."""
        self.first = [active(plan) for plan in self.first]
        self.rest = active(self.rest)
        return bool(self.plans())


class Members:
    """Preparation of an object: convert members, by name or by pattern, then fill in missing
    members.
    """

    __slots__ = ("by_name", "fills", "patterns", "rest")

    def __init__(
        self,
        by_name: dict[str, ValuePlan | None],
        patterns: list[tuple[Callable[[str], bool], ValuePlan | None]],
        rest: ValuePlan | None,
    ) -> None:
        self.by_name = by_name
        self.patterns = patterns
        self.rest = rest
        self.fills = [
            (name, plan) for name, plan in by_name.items() if plan is not None and plan.fills
        ]

    def __call__(
        self, value: dict[str, Json], defaults: Mapping[str, Json] | None = None
    ) -> dict[str, Json]:
        """Return the prepared object, or the same object if unchanged. ``defaults`` (the
        connection's values) apply at the top level only.
        """
        result = value
        find = self.by_name.get if self.rest is None and not self.patterns else self._find
        for name, item in value.items():
            plan = find(name)
            if plan is None:
                continue
            step = plan.steps.get(type(item))
            new = item if step is None else step(item)
            if not new and plan.blank_is_absent and new in _BLANKS:
                result = dict(value) if result is value else result
                del result[name]
            elif new is not item:
                result = dict(value) if result is value else result
                result[name] = new
        for name, plan in self.fills:
            if name not in result:
                new = plan.fill(defaults)
                if new is not ABSENT:
                    result = dict(value) if result is value else result
                    result[name] = new
        return result

    def _find(self, name: str) -> ValuePlan | None:
        if name in self.by_name:
            return self.by_name[name]
        for matches, plan in self.patterns:
            if matches(name):
                return plan
        return self.rest

    def plans(self) -> list[ValuePlan]:
        """Return the plans of all members."""
        patterns = (plan for _, plan in self.patterns)
        return [plan for plan in (*self.by_name.values(), *patterns, self.rest) if plan is not None]

    def keep(self, active: Callable[[ValuePlan | None], ValuePlan | None]) -> bool:
        """Drop idle plans; return False if no plan remains."""
        self.by_name = {name: active(plan) for name, plan in self.by_name.items()}
        self.patterns = [(matches, active(plan)) for matches, plan in self.patterns]
        self.rest = active(self.rest)
        if not any(plan for _, plan in self.patterns) and self.rest is None:
            self.patterns = []
            self.by_name = {name: plan for name, plan in self.by_name.items() if plan is not None}
        return bool(self.plans())
