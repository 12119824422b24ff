"""What is wrong where schemas are combined: references, branches, conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.errors import Detail
from jackfield.schema.describing import described, described_each
from jackfield.schema.kinds import kind_of, value_word
from jackfield.schema.pointer import child, shown
from jackfield.schema.sameness import is_same
from jackfield.schema.wording import count, listed, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jackfield.schema.case import Case, Rule
    from jackfield.schema.kinds import Json, Node

__all__ = ["BRANCH_RULES"]

_SAYS_NOTHING = frozenset({"title", "description", "$comment", "type", "properties", "required"})


def refers(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``$ref`` and ``$dynamicRef``."""
    for sub in case.known.references(node):
        yield from case.faults(sub, value, path)


def all_fit(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``allOf``."""
    for sub in node["allOf"]:
        yield from case.faults(sub, value, path)


def any_fits(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``anyOf``."""
    branches = node["anyOf"]
    if not any(case.fits(sub, value, path) for sub in branches):
        yield from _none_fits(case, branches, value, path, "anyOf")


def one_fits(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``oneOf``."""
    branches = node["oneOf"]
    fitting = [sub for sub in branches if case.fits(sub, value, path)]
    if not fitting:
        yield from _none_fits(case, branches, value, path, "oneOf")
    elif len(fitting) > 1 and _only_names(branches):
        yield Detail(shown(child(path, _names(fitting)[0])), f"give only one of {_name_list(branches)}", "oneOf")
    elif len(fitting) > 1:
        message = f"must fit exactly one of the {count(len(branches), 'form')} that are allowed here, and fits {len(fitting)}"
        yield Detail(shown(path), message, "oneOf")


def _none_fits(case: Case, branches: Sequence[Node], value: Json, path: str, keyword: str) -> Iterator[Detail]:
    if _only_names(branches) and isinstance(value, dict):
        yield from _missing_names(case, branches, value, path, keyword)
        return
    likely = _likely(case, branches, value)
    if len(likely) == 1:
        yield from case.faults(likely[0], value, path)
        return
    actual = "" if likely else f", not {value_word(value)}"
    yield Detail(shown(path), f"must be {described_each(case.known, likely or list(branches))}{actual}", keyword)


def _missing_names(case: Case, branches: Sequence[Node], value: Mapping[str, Json], path: str, keyword: str) -> Iterator[Detail]:
    complete = [sub for sub in branches if all(name in value for name in _required(sub))]
    if complete:  # nothing is missing; what is there is not right
        for sub in complete:
            yield from case.faults(sub, value, path)
        return
    words = "at least one of" if keyword == "anyOf" else "exactly one of"
    yield Detail(shown(child(path, _names(branches)[0])), f"give {words} {_name_list(branches)}", "required")


def _only_names(branches: Sequence[Node]) -> bool:
    """Whether the branches differ in what must be there only; members with fixed values tell branches apart in another way."""
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


def _likely(case: Case, branches: Sequence[Node], value: Json) -> list[Node]:
    """The branches that the caller may have meant: by the value's type, then by its constants, then by the members that are there."""
    likely = [sub for sub in branches if kind_of(value) in case.known.accepted(sub)]
    if isinstance(value, dict):
        for narrow in (_constants_fit, _names_are_there):
            narrowed = [sub for sub in likely if narrow(case, sub, value)]
            likely = narrowed or likely
    return likely


def _constants_fit(case: Case, node: Node, value: Mapping[str, Json]) -> bool:
    return all(
        is_same(value.get(name), sub["const"])
        for part in _parts(case, node)
        for name, sub in part.get("properties", {}).items()
        if not isinstance(sub, bool) and "const" in sub
    )


def _names_are_there(case: Case, node: Node, value: Mapping[str, Json]) -> bool:
    return all(name in value for part in _parts(case, node) for name in part.get("required", ()))


def _parts(case: Case, node: Node) -> Iterator[Mapping[str, Json]]:
    if not isinstance(node, bool):
        yield node
        for sub in (*case.known.references(node), *node.get("allOf", ())):
            yield from _parts(case, sub)


def does_not_fit(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``not``."""
    refused = node["not"]
    if not case.fits(refused, value, path):
        return
    if isinstance(refused, bool) or not refused or case.is_secret(path):  # what it must not be is what it is
        message = "is not allowed here"
    elif _only_names([refused]) and "properties" not in refused:
        names = list(map(name_of, _required(refused)))
        message = f"must not have {listed(names, 'and')}{' together' if len(names) > 1 else ''}"
    elif set(refused) <= {"type", "const", "enum", "format", "$ref"}:
        message = f"must not be {described(case.known, refused)}"
    else:
        message = "is of a form that is not allowed here"
    yield Detail(shown(path), message, "not")


def condition_holds(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``if`` with ``then`` and ``else``."""
    follows = "then" if case.fits(node["if"], value, path) else "else"
    yield from case.faults(node.get(follows, True), value, path)


def dependents_fit(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``dependentSchemas``."""
    if isinstance(value, dict):
        for name, sub in node["dependentSchemas"].items():
            if name in value:
                yield from case.faults(sub, value, path)


BRANCH_RULES: Mapping[str, Rule] = {
    "$ref": refers,
    "$dynamicRef": refers,
    "allOf": all_fit,
    "anyOf": any_fits,
    "oneOf": one_fits,
    "not": does_not_fit,
    "if": condition_holds,
    "dependentSchemas": dependents_fit,
}
"""Each keyword that combines schemas and its rule."""
