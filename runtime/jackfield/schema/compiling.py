"""Compilation of a schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jackfield.kernel.patterns import SLOW, sorted_pattern
from jackfield.kernel.pointers import child
from jackfield.schema.compiled import CompiledSchema
from jackfield.schema.cost import refuse_slow_patterns, schema_cost, schema_numbers
from jackfield.schema.engine import check_form, compile_validator, for_engine, matcher
from jackfield.schema.facts import SchemaFacts, is_sensitive
from jackfield.schema.json_types import SchemaError
from jackfield.schema.json_values import to_json
from jackfield.schema.plan import ABSENT, Items, Members, ValuePlan, text_step
from jackfield.schema.references import Outline, check_references

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from jackfield.schema.facts import SchemaFacts
    from jackfield.schema.json_types import Json, Node

    Parts = Sequence[Mapping[str, Json]]


def compiled_schema(schema: Mapping[str, Any], noun: str) -> CompiledSchema:
    """Check a schema, then compile its forms for preparing, validating and explaining."""
    given, own = _outlined(schema)
    root = for_engine(given)
    outline = check_references(root, check_form)
    cost = schema_cost(root, outline)
    slow = frozenset(
        node["format"] for node in outline.nodes if str(node.get("format", "")).startswith(SLOW)
    )
    validator = compile_validator(root, slow)  # refuses invalid patterns too
    facts = SchemaFacts(
        root=root,
        outline=outline,
        cost=cost.steps,
        numbers=schema_numbers(root, outline),
        again=cost.again,
        slow=slow,
        matchers={pattern: matcher(pattern) for pattern in outline.name_patterns},
        patterns={sorted_pattern(pattern).text: pattern for pattern in own.patterns},
        noun=noun,
        has_secrets=any(map(is_sensitive, outline.nodes)),
        spread=cost.errors,
        validator=validator,
    )
    return CompiledSchema(facts, plan_for(facts))


def checked_schema(schema: Mapping[str, Any]) -> Outline:
    """Check a schema as ``compiled_schema`` does, but neither build the plan for calls nor check
    the lengths of texts with slow patterns.

    :raises SchemaError: if the schema is invalid.
    """
    given, found = _outlined(schema)
    refuse_slow_patterns(found)
    root = for_engine(given)
    outline = check_references(root, check_form)
    # first: to compile a schema takes as many steps as to judge a value by it
    schema_cost(root, outline)
    compile_validator(root)
    schema_numbers(root, outline)
    return found


def check_cost(schema: Mapping[str, Any]) -> None:
    """Check a schema's cost without compiling it. A schema that is invalid in another way passes.

    :raises SchemaError: if the schema takes too many steps.
    """
    given, _ = to_json(schema)
    try:
        root = for_engine(given)
        outline = check_references(root, check_form)
    except SchemaError:
        return
    schema_cost(root, outline)


def _outlined(schema: Mapping[str, Any]) -> tuple[Json, Outline]:
    given, faults = to_json(schema)
    if faults:
        raise SchemaError(faults[0].path, faults[0].message)
    check_form(given)
    found = check_references(given, check_form)
    for place, node in found.placed:
        for pattern in node.get("patternProperties", ()):
            if sorted_pattern(pattern).limit is not None:
                reason = (
                    "a pattern for the names of members may have no look-around and no "
                    "back-references, and not be so large"
                )
                raise SchemaError(child(child(place, "patternProperties"), pattern), reason)
    return given, found


_READABLE = frozenset({"boolean", "integer", "fraction"})
_MOST_PLANS = 10_000
"""Maximum number of plans of one schema: n branches may combine in 2**n ways."""


def plan_for(facts: SchemaFacts) -> ValuePlan:
    """Return the plan of the whole schema."""
    planner = _Planner(facts)
    plan = planner.plan([facts.root])
    planner.fill()
    planner.forget_idle()
    return plan


class _Planner:
    def __init__(self, facts: SchemaFacts) -> None:
        self._facts = facts
        self._plans: dict[tuple[int, ...], ValuePlan] = {}
        self._empty: list[tuple[ValuePlan, Parts]] = []
        """Plans to fill, with their schemas: a list instead of recursion, because chains of
        references may be long.
        """

    def plan(self, nodes: Sequence[Node]) -> ValuePlan:
        """Return the plan for a value to which all these schemas apply. Equal schemas share one
        plan, so that recursion ends.

        A schema counts once: two branches of ``allOf`` that name the same recursive member would
        double its schemas at each level.
        """
        parts = list({id(node): node for node in nodes if not isinstance(node, bool)}.values())
        key = tuple(map(id, parts))
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = ValuePlan()
            self._hints(plan, list(self._always(parts)))
            self._empty.append((plan, parts))
        return plan

    def fill(self) -> None:
        """Fill the plans, and the plans of their members and items.

        :raises SchemaError: if branches that refer to one another combine in too many ways.
        """
        while self._empty:
            if len(self._plans) > _MOST_PLANS:
                raise SchemaError("", f"its branches combine in more than {_MOST_PLANS:,} ways")
            plan, parts = self._empty.pop()
            text = self._text(parts)
            if text is not None:
                plan.steps[str] = text
            plan.steps[list] = self._items(list(self._applied(parts, "array")))
            plan.steps[dict] = self._members(list(self._applied(parts, "object")))

    def _always(self, parts: Parts) -> Iterator[Mapping[str, Json]]:
        yield from self._facts.always(parts)

    def _applied(self, parts: Parts, kind: str) -> Iterator[Mapping[str, Json]]:
        """Yield the schemas that apply to a value of this kind; of several branches, only a single
        one that accepts the kind.
        """
        for node in self._always(parts):
            yield node
            for keyword in ("anyOf", "oneOf"):
                fitting = [
                    sub for sub in node.get(keyword, ()) if kind in self._facts.accepted(sub)
                ]
                if len(fitting) == 1 and not isinstance(fitting[0], bool):
                    yield from self._applied(fitting, kind)

    def _hints(self, plan: ValuePlan, parts: Parts) -> None:
        for node in parts:
            hints = node.get("x-jackfield", {})
            plan.blank_is_absent = plan.blank_is_absent or hints.get("blank") == "absent"
            if plan.source is None and isinstance(hints.get("fromConnection"), str):
                plan.source = hints["fromConnection"]
            if plan.default is ABSENT and "default" in node:
                plan.default = node["default"]

    def _text(self, parts: Parts) -> Callable[[str], Json] | None:
        hints = [node.get("x-jackfield", {}) for node in self._applied(parts, "string")]
        trim, lowercase = (
            any(hint.get(name) is True for hint in hints) for name in ("trim", "lowercase")
        )
        kinds = frozenset[str]().union(*[self._facts.accepted(node) for node in parts[:1]])
        for node in parts[1:]:
            kinds &= self._facts.accepted(node)
        readable = frozenset() if "string" in kinds else kinds & _READABLE
        return text_step(trim=trim, lowercase=lowercase, kinds=readable)

    def _items(self, parts: Parts) -> Items:
        longest = max((len(node.get("prefixItems", ())) for node in parts), default=0)
        first = [
            self._combined([_item_schema(node, index) for node in parts])
            for index in range(longest)
        ]
        return Items(list(first), self._combined([node.get("items", True) for node in parts]))

    def _members(self, parts: Parts) -> Members:
        names = dict.fromkeys(name for node in parts for name in node.get("properties", ()))
        by_name = {
            name: self._combined(
                [sub for node in parts for sub in self._member_schemas(node, name)]
            )
            for name in names
        }
        patterns = [
            (self._facts.matchers[pattern], self._combined([sub]))
            for node in parts
            for pattern, sub in node.get("patternProperties", {}).items()
        ]
        return Members(
            by_name,
            patterns,
            self._combined([node.get("additionalProperties", True) for node in parts]),
        )

    def _member_schemas(self, node: Mapping[str, Json], name: str) -> Iterator[Node]:
        found = [node["properties"][name]] if name in node.get("properties", {}) else []
        found += [
            sub
            for pattern, sub in node.get("patternProperties", {}).items()
            if self._facts.matches(pattern, name)
        ]
        yield from found or [node.get("additionalProperties", True)]

    def _combined(self, nodes: Sequence[Node]) -> ValuePlan | None:
        parts = [node for node in nodes if not isinstance(node, bool) and node]
        return self.plan(parts) if parts else None

    def forget_idle(self) -> None:
        """Drop plans with nothing to do in or below them, so that a call skips their values."""
        above: dict[int, list[ValuePlan]] = {}
        for plan in self._plans.values():
            for sub in _below(plan):
                above.setdefault(id(sub), []).append(plan)
        waiting = [plan for plan in self._plans.values() if plan.works]
        active = set(map(id, waiting))
        while waiting:
            grown = [plan for plan in above.get(id(waiting.pop()), ()) if id(plan) not in active]
            active.update(map(id, grown))
            waiting += grown
        for plan in self._plans.values():
            for kind in (list, dict):
                step = plan.steps[kind]
                if isinstance(step, Items | Members) and not step.keep(
                    lambda sub: sub if id(sub) in active else None
                ):
                    del plan.steps[kind]


def _below(plan: ValuePlan) -> list[ValuePlan]:
    return [
        sub
        for step in plan.steps.values()
        if isinstance(step, Items | Members)
        for sub in step.plans()
    ]


def _item_schema(node: Mapping[str, Json], index: int) -> Node:
    prefix = node.get("prefixItems", ())
    sub: Node = prefix[index] if index < len(prefix) else node.get("items", True)
    return sub
