"""The cost of a schema: how often it can make the engine judge one part of a value.

Each branch of ``allOf``, ``anyOf``, ``oneOf``, … judges the value again, and so do the branches
inside it. A few hundred bytes of schema can require more steps than a computer can execute. The
engine caches its verdict on a reference back to an enclosing schema, so recursion costs nothing
more. Every other reference counts as if its target were written in its place. The sum is computed
over the graph, in time linear in the schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.patterns import MAX_LOOKAROUND, SLOW, sorted_pattern
from jackfield.kernel.pointers import child
from jackfield.schema.json_types import SchemaError
from jackfield.schema.references import in_place
from jackfield.schema.steps import SMALL_NUMBER, steps_of
from jackfield.schema.wording import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jackfield.schema.json_types import Json, Node
    from jackfield.schema.references import Outline

MAX_COST: Final = 10_000
"""Maximum number of steps of a schema for one part of a value. The largest of the shipped
connectors takes 105.
"""
_OF_CONTAINER = 8
_OF_PART = 4
"""Steps to compare a value with an array or an object of the schema: the minimum, and for each part
of it.
"""
_OF_BOUND = 6
"""Steps to compare a number with a bound, which may be of another kind."""
_OF_DIVISION = 24
_OF_FRACTION = 100
_OF_TINY_FRACTION = 2_000
"""Steps to divide a number exactly by a very small fraction, with the digits of both."""
_OF_FORMAT: Final[Mapping[str, int]] = dict.fromkeys(
    ("email", "hostname", "idn-email", "idn-hostname"), 24
)
_BOUNDS = ("exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum")


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of a schema: ``steps`` that judging one part of a value can take, and ``errors`` that it
    can have in the form that explains (``shallow``).

    ``again`` are the schemas (by ``id``) to which recursion leads back.
    """

    steps: int
    errors: int
    again: frozenset[int]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Comparisons of numbers that the engine makes digit by digit, unless both are integers of 64
    bits.

    ``compared`` are the numbers of ``enum`` and ``const`` with which one part of a value can be
    compared; if all ``take_integers``, the type refuses other numbers first. ``unique`` items are
    compared with one another. Divisions (``multipleOf``) are steps of ``Cost``.
    """

    compared: int
    take_integers: bool
    unique: bool

    def __bool__(self) -> bool:
        return bool(self.compared) or self.unique


def schema_numbers(root: Node, outline: Outline) -> Numbers:
    """Return the sum of the numbers that a schema compares.

    :raises SchemaError: if one part of a value may be compared with more than ``MAX_COST``.
    """
    listed = [node for node in outline.nodes if _numbers(node)]
    compared = _Compared(outline).total(root).steps if listed else 0
    return Numbers(
        compared,
        all(map(_takes_integers, listed)),
        any(node.get("uniqueItems") is True for node in outline.nodes),
    )


def _numbers(node: Mapping[str, Json]) -> list[int | float]:
    """Return the numbers of a schema's ``enum`` and ``const``, including numbers in objects and
    arrays.
    """
    found: list[int | float] = []
    waiting = [*node.get("enum", ()), *_some(node, "const")]
    for value in waiting:  # a list that grows meanwhile
        if isinstance(value, dict | list):
            waiting += value.values() if isinstance(value, dict) else value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.append(value)
    return found


def _takes_integers(node: Mapping[str, Json]) -> bool:
    types = node.get("type", "number")
    return "number" not in ([types] if isinstance(types, str) else types) and all(
        isinstance(number, int) for number in _numbers(node)
    )


def schema_cost(root: Node, outline: Outline) -> Cost:
    """Return a schema's total cost.

    :raises SchemaError: if it takes more than ``MAX_COST`` steps; the error names the place where
        the branches multiply.
    """
    return _Costs(outline).total(root)


def refuse_slow_patterns(outline: Outline) -> None:
    """Refuse a schema whose patterns with look-around or back-references apply to texts longer than
    ``MAX_LOOKAROUND``.

    :raises SchemaError: at the first such pattern.
    """
    for place, node in outline.placed:
        pattern = node.get("pattern")
        if pattern is None or not sorted_pattern(pattern).looks_around or _is_short(node):
            continue
        reason = (
            f"the pattern {name_of(pattern)} has look-around or back-references, whose time grows "
            "with the square of the text: "
            f"add 'maxLength' of at most {MAX_LOOKAROUND:,} beside it, or write it without them"
        )
        raise SchemaError(child(place, "pattern"), reason)


def _is_short(node: Mapping[str, Json]) -> bool:
    return (
        "const" in node
        or "enum" in node
        or node.get("maxLength", MAX_LOOKAROUND + 1) <= MAX_LOOKAROUND
    )


@dataclass(frozen=True, slots=True)
class _Of:
    """Cost within one schema: ``steps``, the errors at the value itself (``here``), and the maximum
    at any part inside it (``inside``).
    """

    steps: int
    here: int
    inside: int


_SIMPLE = _Of(1, 1, 0)


class _Costs:
    def __init__(self, outline: Outline) -> None:
        self._targets = outline.targets
        self._places = {id(node): place for place, node in outline.placed}
        self._known: dict[int, _Of] = {}
        self._again: set[int] = set()

    def total(self, root: Node) -> Cost:
        """Return the cost of the root, and of the schemas where recursion begins again."""
        self._fill(root)
        of = self._of(root)
        steps = of.steps + sum(self._known[node].steps for node in self._again if node != id(root))
        parts = [of, *map(self._known.__getitem__, self._again)]
        return Cost(
            self._within(steps, root),
            max(max(one.here, one.inside) for one in parts),
            frozenset(self._again),
        )

    def _fill(self, root: Node) -> None:
        """Compute the sums without recursion, since chains of references may be long. A schema
        whose sum is not complete leads back to itself.
        """
        stack: list[tuple[Node, bool]] = [(root, False)]
        begun: set[int] = set()
        while stack:
            node, summed = stack.pop()
            if isinstance(node, bool) or (not summed and id(node) in self._known):
                continue
            if summed:
                self._known[id(node)] = self._summed(node)
            elif id(node) in begun:
                self._again.add(id(node))
            else:
                begun.add(id(node))
                stack.append((node, True))
                stack.extend(
                    (sub, False) for sub in reversed([*self._in_place(node), *self._inside(node)])
                )

    def _summed(self, node: Mapping[str, Json]) -> _Of:
        steps = self._own(node) + sum(sub.steps for sub in map(self._of, self._in_place(node)))
        steps += self._worst(node, lambda sub: sub.steps) + self._names(node)
        reported = [self._of(sub) for sub in self._reported(node)]
        unions = sum(keyword in node for keyword in ("anyOf", "oneOf", "not"))
        here = (
            1
            + unions
            + len(node.get("required", ()))
            + len(node.get("dependentRequired", ()))
            + sum(sub.here for sub in reported)
        )
        inside = sum(sub.inside for sub in reported) + self._worst(
            node, lambda sub: max(sub.here, sub.inside)
        )
        return _Of(self._within(steps, node), here, inside)

    def _within(self, steps: int, node: Node) -> int:
        if steps > MAX_COST:
            reason = (
                f"its branches multiply: one value may take more than {MAX_COST:,} steps to "
                "judge; use fewer or shallower branches"
            )
            raise SchemaError(self._places.get(id(node), ""), reason)
        return steps

    def _of(self, node: Node) -> _Of:
        return _SIMPLE if isinstance(node, bool) else self._known.get(id(node), _SIMPLE)

    def _own(self, node: Mapping[str, Json]) -> int:
        steps = 1 + len(node.get("dependentRequired", ()))
        for value in (*node.get("enum", ()), node.get("const")):
            if isinstance(value, dict | list):
                steps += max(_OF_CONTAINER, _OF_PART * steps_of(value, MAX_COST))
        steps += _of_numbers(node) + _OF_FORMAT.get(str(node.get("format")), 0)
        if "pattern" in node:
            steps += sorted_pattern(node["pattern"]).weight - 1
        elif str(node.get("format", "")).startswith(SLOW):
            steps += sorted_pattern(node["format"].removeprefix(SLOW)).weight - 1
        return steps

    def _names(self, node: Mapping[str, Json]) -> int:
        steps = sum(sorted_pattern(name).weight for name in node.get("patternProperties", ()))
        return steps + sum(self._of(sub).steps for sub in _some(node, "propertyNames"))

    def _worst(self, node: Mapping[str, Json], of: Callable[[_Of], int]) -> int:
        members = [*node.get("properties", {}).values(), *_some(node, "additionalProperties")]
        every = [*node.get("patternProperties", {}).values(), *_some(node, "unevaluatedProperties")]
        items = [*node.get("prefixItems", ()), *_some(node, "items")]
        sums = (
            max((of(self._of(sub)) for sub in one), default=0)
            + sum(of(self._of(sub)) for sub in all_of_them)
            for one, all_of_them in (
                (members, every),
                (items, [*_some(node, "contains", "unevaluatedItems")]),
            )
        )
        return max(sums)

    def _in_place(self, node: Mapping[str, Json]) -> Iterator[Node]:
        yield from in_place(node, self._targets)

    def _reported(self, node: Mapping[str, Json]) -> Iterator[Node]:
        yield from (
            self._targets[node[keyword]] for keyword in ("$ref", "$dynamicRef") if keyword in node
        )
        yield from node.get("allOf", ())
        yield from _some(node, "then", "else")
        yield from node.get("dependentSchemas", {}).values()

    def _inside(self, node: Mapping[str, Json]) -> Iterator[Node]:
        for keyword in ("properties", "patternProperties"):
            yield from node.get(keyword, {}).values()
        yield from node.get("prefixItems", ())
        yield from _some(
            node,
            "additionalProperties",
            "propertyNames",
            "unevaluatedProperties",
            "items",
            "contains",
            "unevaluatedItems",
        )


class _Compared(_Costs):
    """Counter of the numbers with which one part of a value can be compared."""

    def _own(self, node: Mapping[str, Json]) -> int:
        return len(_numbers(node))

    def _names(self, _node: Mapping[str, Json]) -> int:
        return 0


def _of_numbers(node: Mapping[str, Json]) -> int:
    steps = _OF_BOUND * sum(keyword in node for keyword in _BOUNDS)
    divisor = node.get("multipleOf")
    if divisor is None:
        return steps
    if isinstance(divisor, int) or divisor.is_integer():
        return steps + _OF_DIVISION
    return steps + (_OF_FRACTION if divisor > SMALL_NUMBER else _OF_TINY_FRACTION)


def _some(node: Mapping[str, Json], *keywords: str) -> Iterator[Node]:
    yield from (node[keyword] for keyword in keywords if keyword in node)
