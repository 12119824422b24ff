"""Explanations for a value that fits none of several branches, or too many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.errors import Detail
from jackfield.json_pointer import child, shown
from jackfield.schema.describing import described, described_each
from jackfield.schema.equality import is_same
from jackfield.schema.json_types import kind_of, value_word
from jackfield.schema.wording import count, listed, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jackfield.schema.explain import Explainer, Fault
    from jackfield.schema.facts import SchemaFacts
    from jackfield.schema.json_types import Json, Node

__all__ = ["any_of", "not_this", "one_of_them"]

_SAYS_NOTHING = frozenset({"title", "description", "$comment", "type", "properties", "required"})


def any_of(scope: Explainer, fault: Fault) -> Iterator[Detail]:
    """Explain why no branch fits."""
    branches, errors = fault.node[str(fault.keyword)], fault.error.kind.context
    if _only_names(branches) and isinstance(fault.value, dict):
        yield from _missing_names(scope, branches, fault)
        return
    likely = _likely(scope.facts, branches, fault.value)
    if len(likely) == 1:
        yield from scope.details(errors[likely[0]])
        return
    actual = "" if likely else f", not {value_word(fault.value)}"
    nodes = [branches[index] for index in likely] or list(branches)
    yield fault.detail(f"must be {described_each(scope.facts, nodes)}{actual}")


def one_of_them(scope: Explainer, fault: Fault) -> Iterator[Detail]:
    """Explain why no branch fits, or which of the fitting branches exclude each other."""
    branches = fault.node["oneOf"]
    fitting = [sub for sub, errors in zip(branches, fault.error.kind.context, strict=True) if not errors]
    if not fitting:
        yield from any_of(scope, fault)
    elif _only_names(branches):
        yield Detail(shown(child(fault.path, _names(fitting)[0])), f"give only one of {_name_list(branches)}", "oneOf")
    else:
        yield fault.detail(f"must fit exactly one of the {count(len(branches), 'form')} that are allowed here, and fits {len(fitting)}")


def _missing_names(scope: Explainer, branches: Sequence[Node], fault: Fault) -> Iterator[Detail]:
    complete = [index for index, sub in enumerate(branches) if all(name in fault.value for name in _required(sub))]
    if complete:  # no member is missing; those present are invalid
        for index in complete:
            yield from scope.details(fault.error.kind.context[index])
        return
    words = "at least one of" if fault.keyword == "anyOf" else "exactly one of"
    yield Detail(shown(child(fault.path, _names(branches)[0])), f"give {words} {_name_list(branches)}", "required")


def _only_names(branches: Sequence[Node]) -> bool:
    """Return True if the branches differ only in required members. Constants in members would tell branches apart in another way."""
    return all(
        not isinstance(sub, bool)
        and sub.get("required")
        and _SAYS_NOTHING.issuperset(sub)
        and not any("const" in member or "enum" in member for member in sub.get("properties", {}).values() if isinstance(member, dict))
        for sub in branches
    )


def _required(node: Node) -> list[str]:
    return [] if isinstance(node, bool) else list(node["required"])


def _names(branches: Sequence[Node]) -> list[str]:
    return [name for sub in branches for name in _required(sub)]


def _name_list(branches: Sequence[Node]) -> str:
    groups = [" with ".join(map(name_of, _required(sub))) for sub in branches]
    return listed(list(dict.fromkeys(groups)), "and")


def _likely(facts: SchemaFacts, branches: Sequence[Node], value: Json) -> list[int]:
    """Return the branches that the caller probably meant: by the value's type, then by constants, then by the members present."""
    likely = [index for index, sub in enumerate(branches) if kind_of(value) in facts.accepted(sub)]
    if isinstance(value, dict):
        for narrow in (_constants_match, _names_present):
            likely = [index for index in likely if narrow(facts, branches[index], value)] or likely
    return likely


def _constants_match(facts: SchemaFacts, node: Node, value: Mapping[str, Json]) -> bool:
    return all(
        is_same(value.get(name), sub["const"])
        for part in _parts(facts, node)
        for name, sub in part.get("properties", {}).items()
        if not isinstance(sub, bool) and "const" in sub
    )


def _names_present(facts: SchemaFacts, node: Node, value: Mapping[str, Json]) -> bool:
    return all(name in value for part in _parts(facts, node) for name in part.get("required", ()))


def _parts(facts: SchemaFacts, node: Node) -> Iterator[Mapping[str, Json]]:
    if not isinstance(node, bool):
        yield node
        for sub in (*facts.references(node), *node.get("allOf", ())):
            yield from _parts(facts, sub)


def not_this(scope: Explainer, fault: Fault) -> Iterator[Detail]:
    """Explain that the value matches a ``not``."""
    refused = fault.node["not"]
    if isinstance(refused, bool) or not refused or scope.is_secret(fault.path):  # naming the refused value would quote the secret
        message = "is not allowed here"
    elif _only_names([refused]) and "properties" not in refused:
        names = list(map(name_of, _required(refused)))
        message = f"must not have {listed(names, 'and')}{' together' if len(names) > 1 else ''}"
    elif set(refused) <= {"type", "const", "enum", "format", "$ref"}:
        message = f"must not be {described(scope.facts, refused)}"
    else:
        message = "is of a form that is not allowed here"
    yield fault.detail(message)
