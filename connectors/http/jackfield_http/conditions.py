"""Conditions that a JSON value meets by one of its members, as manifests declare them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jackfield.kernel.dataclass import dataclass
from jackfield_http.pointers import find
from jackfield_http.words import PLACE, TEXT, Json, read, some, word

_LONGEST = 200
"""Maximum number of characters of a value in a text."""
VALUES: Json = {"anyOf": [{"type": ["string", "number", "boolean", "null"]}, some({})]}
CONDITION: Json = {
    "member": word(PLACE, "The member that says it."),
    "equals": word(VALUES, "Its value, or one of several."),
    "unless": word(VALUES, "It is there and not empty, and has none of these values."),
    "contains": word(TEXT, "Text that it has, in whatever case."),
    "without": word(PLACE, "Member that is missing or empty."),
}
"""Words of a condition."""
TESTS = ("equals", "unless", "contains")
"""Words of which a condition of a row has one."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Condition on a member of a value, as ``CONDITION`` declares its words. Without a test, the
    member is present and not empty, false or 0.
    """

    member: str
    equals: tuple[Any, ...] = ()
    unless: tuple[Any, ...] = ()
    contains: str = ""
    without: str | None = None

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Condition:
        """Return the condition that a manifest declares."""
        several = {name: listed(given[name]) for name in ("equals", "unless") if name in given}
        return cls(**read(CONDITION, {**given, **several}))

    def holds(self, value: Any) -> bool:
        """Return whether a value meets the condition."""
        if self.without is not None and find(value, self.without):
            return False
        found = find(value, self.member)
        if self.equals:
            return any(is_same(found, one) for one in self.equals)
        if self.unless:
            return found not in (None, "", [], {}) and not any(
                is_same(found, one) for one in self.unless
            )
        if self.contains:
            return isinstance(found, str) and self.contains.casefold() in found.casefold()
        return bool(found)

    def said(self, value: Any) -> str:
        """Return the member with its value, as a text."""
        return (
            f"'{self.member}' is "
            f"{json.dumps(find(value, self.member), ensure_ascii=False)[:_LONGEST]}"
        )


def is_same(found: Any, value: Any) -> bool:
    """Return whether two JSON values are equal. Unlike in Python, true differs from 1."""
    return isinstance(found, bool) is isinstance(value, bool) and bool(found == value)


def listed(given: Any) -> list[Any]:
    """Return a member that is one value or a list of them as a list."""
    return given if isinstance(given, list) else [given]
