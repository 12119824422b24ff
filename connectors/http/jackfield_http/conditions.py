"""Conditions that a JSON value meets by one of its members, as manifests declare them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jackfield.kernel.dataclass import dataclass
from jackfield_http.pointers import find

_LONGEST = 200
"""Maximum number of characters of a value in a text."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Condition:
    """Condition on a member of a value.

    - ``member``: JSON Pointer of the member.
    - ``values``: the member has one of these values. ``unless``: it is present and not empty, and has none of these. ``contains``: it is a
      text with this part, ignoring case. Without all of them, it is present and not empty, false or 0.
    - ``without``: JSON Pointer of a member that must be missing or empty.
    """

    member: str
    values: tuple[Any, ...] = ()
    unless: tuple[Any, ...] = ()
    contains: str = ""
    without: str | None = None

    @classmethod
    def from_json(cls, given: Json) -> Condition:
        """Return the condition that a manifest declares."""
        values, unless = (tuple(listed(given.get(name, []))) for name in ("equals", "unless"))
        return cls(given["member"], values, unless, given.get("contains", ""), given.get("without"))

    def holds(self, value: Any) -> bool:
        """Return whether a value meets the condition."""
        if self.without is not None and find(value, self.without):
            return False
        found = find(value, self.member)
        if self.values:
            return any(is_same(found, one) for one in self.values)
        if self.unless:
            return found not in (None, "", [], {}) and not any(is_same(found, one) for one in self.unless)
        if self.contains:
            return isinstance(found, str) and self.contains.casefold() in found.casefold()
        return bool(found)

    def said(self, value: Any) -> str:
        """Return the member with its value, as a text."""
        return f"'{self.member}' is {json.dumps(find(value, self.member), ensure_ascii=False)[:_LONGEST]}"


def is_same(found: Any, value: Any) -> bool:
    """Return whether two JSON values are equal. Unlike in Python, true differs from 1."""
    return isinstance(found, bool) is isinstance(value, bool) and bool(found == value)


def listed(given: Any) -> list[Any]:
    """Return a member that is one value or a list of them as a list."""
    return given if isinstance(given, list) else [given]
