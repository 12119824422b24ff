"""What is wrong with an array."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.errors import Detail
from jackfield.schema.describing import described
from jackfield.schema.evaluated import evaluated_items
from jackfield.schema.pointer import child, shown
from jackfield.schema.sameness import first_twins
from jackfield.schema.scalar_rules import lengths
from jackfield.schema.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jackfield.schema.case import Case, Rule
    from jackfield.schema.kinds import Json

__all__ = ["ARRAY_RULES"]


def first_items_fit(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``prefixItems``."""
    if isinstance(value, list):
        for index, (sub, item) in enumerate(zip(node["prefixItems"], value, strict=False)):
            yield from case.faults(sub, item, child(path, index))


def items_fit(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``items``; false means that there may be no more than ``prefixItems`` has."""
    if not isinstance(value, list):
        return
    first = len(node.get("prefixItems", ()))
    if node["items"] is False:
        if len(value) > first:
            yield _too_many(case, path, first, len(value), "items")
        return
    for index in range(first, len(value)):
        yield from case.faults(node["items"], value[index], child(path, index))


def others_fit(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``unevaluatedItems``: what no other keyword has looked at."""
    if not isinstance(value, list):
        return
    done = evaluated_items(case, node, value, path)
    rest = [index for index in range(len(value)) if index not in done]
    if node["unevaluatedItems"] is False:
        if rest:
            yield _too_many(case, path, len(value) - len(rest), len(value), "unevaluatedItems")
        return
    for index in rest:
        yield from case.faults(node["unevaluatedItems"], value[index], child(path, index))


def _too_many(case: Case, path: str, limit: int, actual: int, keyword: str) -> Detail:
    tail = "" if case.is_secret(path) else f", not {actual}"
    message = f"must be at most {count(limit, 'item')} long{tail}" if limit else "must be empty"
    return Detail(shown(path), message, keyword)


def are_different(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``uniqueItems``."""
    twins = first_twins(value) if node["uniqueItems"] and isinstance(value, list) else None
    if twins:
        where = "" if case.is_secret(path) else f": items {twins[0]} and {twins[1]} are the same"
        yield Detail(shown(path), f"must not hold an item twice{where}", "uniqueItems")


def contains_enough(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``contains`` with ``minContains`` and ``maxContains``."""
    if not isinstance(value, list):
        return
    sub, least, most = node["contains"], node.get("minContains", 1), node.get("maxContains")
    found = sum(case.fits(sub, item, child(path, index)) for index, item in enumerate(value))
    words = described(case.known, sub)
    tail = "" if case.is_secret(path) else f", not {found}"
    if found < least:
        yield Detail(shown(path), f"must hold at least {count(least, 'item')} that {_is(least)} {words}{tail}", "contains")
    if most is not None and found > most:
        yield Detail(shown(path), f"must hold at most {count(most, 'item')} that {_is(most)} {words}{tail}", "maxContains")


def _is(number: float) -> str:
    return "is" if number == 1 else "are each"


ARRAY_RULES: Mapping[str, Rule] = {
    "prefixItems": first_items_fit,
    "items": items_fit,
    "contains": contains_enough,
    "minItems": lengths("minItems", "array", "item", "be", " long"),
    "maxItems": lengths("maxItems", "array", "item", "be", " long"),
    "uniqueItems": are_different,
    "unevaluatedItems": others_fit,
}
"""Each keyword about arrays and its rule."""
