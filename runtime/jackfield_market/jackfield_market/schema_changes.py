"""Differences of two JSON Schemas, classified for callers.

Inputs are contravariant: a schema that accepts less breaks callers. Outputs are covariant: an
output that promises less breaks callers. A keyword whose effect cannot be decided counts as
breaking. Within an output, additional members never break: callers ignore unknown members.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jackfield.kernel.pointers import child
from jackfield.kernel.walk import extension, is_secret, target
from jackfield.schema.engine import compile_validator, for_engine
from jackfield.schema.json_types import SchemaError

Level = Literal["breaking", "additive", "textual"]
Role = Literal["inputs", "output"]
Shift = Literal["narrower", "wider", "other"]
"""Change of the set of valid values."""

_ABSENT: Any = object()
_DEEPEST = 60
_TEXTS = (
    "title",
    "description",
    "examples",
    "$comment",
    "deprecated",
    "readOnly",
    "$schema",
    "$id",
)
_FORM_MARKS = frozenset(
    {"order", "multiline", "language", "options", "expects", "hidden", "audience"}
)
_NARROWING = frozenset({"destination", "fixed"})
_LOWER = {
    "minimum": None,
    "exclusiveMinimum": None,
    "minLength": 0,
    "minItems": 0,
    "minProperties": 0,
    "minContains": 1,
}
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains")
_LIMITING = (
    "pattern",
    "contains",
    "not",
    "dependentRequired",
    "dependentSchemas",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
)
"""Keywords that only exclude values. The effect of a changed value is not decided."""
_UNDECIDED = ("if", "then", "else", "unevaluatedProperties", "unevaluatedItems", "$dynamicRef")
_KINDS = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. ``path`` is a JSON Pointer into ``document``: the new document, or the old
    one for a removed member.
    """

    level: Level
    path: str
    reason: str
    document: Literal["new", "old"] = "new"

    def to_json(self) -> dict[str, str]:
        """Return the change as a JSON object."""
        return {
            "level": self.level,
            "path": self.path,
            "document": self.document,
            "reason": self.reason,
        }


def schema_changes(
    old: Any, new: Any, role: Role, paths: tuple[str, str] = ("", "")
) -> Iterator[Change]:
    """Yield the differences of two schemas. ``paths`` are their JSON Pointers in the old and the
    new document.
    """
    yield from _Comparison(old, new, role).node(old, new, paths, 0)


class _Comparison:
    """Comparison of two schemas in one role."""

    def __init__(self, old: Any, new: Any, role: Role) -> None:
        self._roots = (old, new)
        self._role = role
        self._same = _text(old) == _text(new)
        self._seen: set[tuple[int, int]] = set()

    def node(self, old: Any, new: Any, paths: tuple[str, str], depth: int) -> Iterator[Change]:
        if self._same or (_text(old) == _text(new) and "$ref" not in _text(old)):
            return
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            if (id(old), id(new)) in self._seen:  # a recursive schema
                return
            self._seen.add((id(old), id(new)))
        if depth > _DEEPEST:
            yield self._shifted("other", paths, "the schema is nested too deeply to compare")
            return
        one, two = self._resolved(old, 0), self._resolved(new, 1)
        if one is False or two is False:
            if one is not two:
                yield self._shifted(
                    "wider" if one is False else "narrower",
                    paths,
                    "the schema changes between 'nothing' and something",
                )
            return
        if (fits := self._listed_fit(one, two)) is not None:
            said = (
                f"the values {'are' if fits else 'are not all'} valid in the "
                f"{'new' if self._role == 'inputs' else 'old'} schema"
            )
            yield Change(
                "additive" if fits else "breaking",
                paths[1],
                f"a list of values is replaced by a rule, or the reverse: {said}",
            )
        else:
            for part in (self._values, self._limits, self._combined, self._members, self._items):
                yield from part(one, two, paths, depth)
        yield from self._marks(one, two, paths)

    def _listed_fit(self, one: Any, two: Any) -> bool | None:
        """Return whether all values that one side lists are valid on the other side; None if the
        listed values cannot decide.

        The side whose values must stay accepted has to be the only one that lists values. Each
        value is validated, so the answer is exact.
        """
        listed = [_allowed_values(side) for side in (one, two)]
        if (listed[0] is None) == (listed[1] is None) or "$ref" in _text([one, two]):
            return None
        values, rule = (listed[0], two) if self._role == "inputs" else (listed[1], one)
        # the side that must be accepted has a rule, the other one a list: only the parts can tell
        if values is None:
            return None
        try:
            validator = compile_validator(for_engine(dict(rule)))
        except SchemaError:
            return None
        return all(validator.is_valid(value) for value in values)

    def _resolved(self, schema: Any, side: int) -> Any:
        if schema is False:
            return False
        node: Mapping[str, Any] = schema if isinstance(schema, Mapping) else {}
        for _ in range(_DEEPEST):
            if not isinstance(node.get("$ref"), str):
                break
            found = target(self._roots[side], node["$ref"])
            rest = {name: value for name, value in node.items() if name != "$ref"}
            node = {**(found if isinstance(found, Mapping) else {}), **rest}
        return node

    def _shifted(
        self, shift: Shift, paths: tuple[str, str], reason: str, *, removed: bool = False
    ) -> Change:
        breaks = shift == "other" or (shift == "narrower") == (self._role == "inputs")
        return Change(
            "breaking" if breaks else "additive",
            paths[0] if removed else paths[1],
            reason,
            "old" if removed else "new",
        )

    def _keyword(
        self, name: str, one: Any, two: Any, shift: Shift, paths: tuple[str, str]
    ) -> Change:
        verb = "is added" if name not in one else "is removed" if name not in two else "changes"
        shown = "".join(
            f" {word} {_short(side[name])}"
            for word, side in (("from", one), ("to", two))
            if name in side and verb == "changes"
        )
        accepts = {
            "narrower": "fewer values are valid",
            "wider": "more values are valid",
            "other": "other values may be valid",
        }[shift]
        return self._shifted(
            shift, _both(paths, name), f"'{name}' {verb}{shown}: {accepts}", removed=name not in two
        )

    def _values(self, one: Any, two: Any, paths: tuple[str, str], _depth: int) -> Iterator[Change]:
        shift = _set_shift(_kinds(one), _kinds(two))
        if shift:
            yield self._keyword("type", one, two, shift, paths)
        for name, read in (("enum", _enumerated), ("const", lambda value: {_text(value)})):
            if (name in one or name in two) and not _const_becomes_enum(one, two):
                before, after = (read(side[name]) if name in side else None for side in (one, two))
                found: Shift | None
                found = (
                    "narrower"
                    if before is None
                    else "wider"
                    if after is None
                    else _set_shift(before, after)
                )
                if found:
                    yield self._keyword(name, one, two, found, paths)
        if _const_becomes_enum(one, two):
            yield self._keyword("enum", one, two, "wider", paths)

    def _limits(self, one: Any, two: Any, paths: tuple[str, str], _depth: int) -> Iterator[Change]:
        for name, least in _LOWER.items():
            yield from self._bound(
                name, one, two, paths, (one.get(name, least), two.get(name, least)), 1
            )
        for name in _UPPER:
            yield from self._bound(name, one, two, paths, (one.get(name), two.get(name)), -1)
        if one.get("multipleOf") != two.get("multipleOf"):
            yield self._keyword(
                "multipleOf",
                one,
                two,
                _multiple_shift(one.get("multipleOf"), two.get("multipleOf")),
                paths,
            )
        if bool(one.get("uniqueItems")) != bool(two.get("uniqueItems")):
            yield self._keyword(
                "uniqueItems", one, two, "narrower" if two.get("uniqueItems") else "wider", paths
            )
        formats = [
            None if side.get("format") == "password" else side.get("format") for side in (one, two)
        ]
        if formats[0] != formats[1]:
            yield self._keyword("format", one, two, _presence(*formats), paths)
        for name in _LIMITING:
            if one.get(name) != two.get(name):
                yield self._keyword(name, one, two, _presence(one.get(name), two.get(name)), paths)
        for name in _UNDECIDED:
            if one.get(name, _ABSENT) != two.get(name, _ABSENT):
                yield self._keyword(name, one, two, "other", paths)

    def _bound(
        self,
        name: str,
        one: Any,
        two: Any,
        paths: tuple[str, str],
        values: tuple[Any, Any],
        sign: int,
    ) -> Iterator[Change]:
        before, after = values
        if before == after:
            return
        numbers = all(isinstance(value, int | float) for value in values)
        shift: Shift = _presence(before, after)
        if None not in values:
            shift = (
                "other" if not numbers else "narrower" if (after - before) * sign > 0 else "wider"
            )
        yield self._keyword(name, one, two, shift, paths)

    def _combined(self, one: Any, two: Any, paths: tuple[str, str], depth: int) -> Iterator[Change]:
        for name in ("anyOf", "oneOf", "allOf"):
            before, after = (_list(side.get(name)) for side in (one, two))
            if before == after:
                continue
            if not before or not after:
                yield self._keyword(name, one, two, "narrower" if after else "wider", paths)
            elif len(before) == len(after):
                for index, pair in enumerate(zip(before, after, strict=True)):
                    yield from self.node(*pair, _both(_both(paths, name), index), depth + 1)
            else:
                yield self._keyword(name, one, two, _branch_shift(name, before, after), paths)
        names = [side.get("propertyNames", True) for side in (one, two)]
        yield from self.node(names[0], names[1], _both(paths, "propertyNames"), depth + 1)

    def _members(self, one: Any, two: Any, paths: tuple[str, str], depth: int) -> Iterator[Change]:
        fields = [_map(side.get("properties")) for side in (one, two)]
        needs = [
            {name for name in _list(side.get("required")) if isinstance(name, str)}
            for side in (one, two)
        ]
        for name in {**fields[0], **fields[1]}:
            at = _both(_both(paths, "properties"), name)
            if name not in fields[1]:
                yield self._removed(name, at)
            elif name not in fields[0]:
                yield self._added(name, at, name in needs[1], fields[1][name], one)
            else:
                yield from self.node(fields[0][name], fields[1][name], at, depth + 1)
                if (name in needs[0]) != (name in needs[1]):
                    yield self._required(name, at, fields[1][name], added=name in needs[1])
        for name in sorted((needs[0] ^ needs[1]) - fields[0].keys() - fields[1].keys()):
            yield self._required(name, _both(paths, "required"), {}, added=name in needs[1])
        for name in {**_map(one.get("patternProperties")), **_map(two.get("patternProperties"))}:
            pair = [_map(side.get("patternProperties")).get(name, True) for side in (one, two)]
            yield from self.node(
                pair[0], pair[1], _both(_both(paths, "patternProperties"), name), depth + 1
            )
        rest = [side.get("additionalProperties", True) for side in (one, two)]
        yield from self._open_members(rest, _both(paths, "additionalProperties"), depth)

    def _open_members(
        self, rest: Sequence[Any], paths: tuple[str, str], depth: int
    ) -> Iterator[Change]:
        if rest[0] == rest[1]:
            return
        if self._role == "output" and False in rest:
            if isinstance(rest[0], Mapping):
                yield Change("breaking", paths[1], "the map's members are removed from the output")
            else:
                yield Change(
                    "additive",
                    paths[1],
                    "which further members the output may have changes; callers ignore unknown "
                    "members",
                )
            return
        yield from self.node(rest[0], rest[1], paths, depth + 1)

    def _removed(self, name: str, paths: tuple[str, str]) -> Change:
        reason = (
            "callers that send it are refused"
            if self._role == "inputs"
            else "callers that read it find nothing"
        )
        return Change("breaking", paths[0], f"'{name}' is removed: {reason}", "old")

    def _added(
        self, name: str, paths: tuple[str, str], needed: bool, field: Any, old: Any
    ) -> Change:
        if self._role == "output":
            return Change("additive", paths[1], f"'{name}' is added to the output")
        if needed and "default" not in _map(field):
            return Change(
                "breaking",
                paths[1],
                f"'{name}' is added and required: calls without it are refused",
            )
        if old.get("additionalProperties", True) is not False:
            return Change(
                "breaking", paths[1], f"'{name}' was accepted with any value, and now has a schema"
            )
        return Change("additive", paths[1], f"'{name}' is added and may be left out")

    def _required(self, name: str, paths: tuple[str, str], field: Any, *, added: bool) -> Change:
        if self._role == "inputs" and added and "default" in _map(field):
            return Change(
                "additive", paths[1], f"'{name}' becomes required, and its default fills it in"
            )
        said = f"'{name}' {'becomes required' if added else 'is no longer required'}"
        return self._shifted("narrower" if added else "wider", paths, said)

    def _items(self, one: Any, two: Any, paths: tuple[str, str], depth: int) -> Iterator[Change]:
        yield from self.node(
            one.get("items", True), two.get("items", True), _both(paths, "items"), depth + 1
        )
        before, after = (_list(side.get("prefixItems")) for side in (one, two))
        if len(before) != len(after):
            yield self._keyword("prefixItems", one, two, "other", paths)
            return
        for index, pair in enumerate(zip(before, after, strict=True)):
            yield from self.node(*pair, _both(_both(paths, "prefixItems"), index), depth + 1)

    def _marks(self, one: Any, two: Any, paths: tuple[str, str]) -> Iterator[Change]:
        if is_secret(one) != is_secret(two):
            hidden = is_secret(two)
            reason = (
                "becomes a secret, which is stored encrypted and masked"
                if hidden
                else "is no longer a secret: it appears in answers and logs"
            )
            yield Change("additive" if hidden else "breaking", paths[1], f"the value {reason}")
        for name in _TEXTS:
            if one.get(name, _ABSENT) != two.get(name, _ABSENT):
                yield Change("textual", _both(paths, name)[1], f"'{name}' changes")
        if one.get("default", _ABSENT) != two.get("default", _ABSENT):
            yield self._default(one, two, _both(paths, "default"))
        marks = [extension(side) for side in (one, two)]
        for name in {**marks[0], **marks[1]}:
            if marks[0].get(name, _ABSENT) != marks[1].get(name, _ABSENT):
                yield _mark(name, marks, _both(_both(paths, "x-jackfield"), name))

    def _default(self, one: Any, two: Any, paths: tuple[str, str]) -> Change:
        if self._role == "output":
            return Change(
                "textual", paths[1], "the default of an output changes, which fills nothing in"
            )
        if "default" not in one:
            return Change("additive", paths[1], f"the default {_short(two['default'])} is added")
        if "default" not in two:
            return Change(
                "breaking", paths[0], "the default is removed: calls that rely on it change", "old"
            )
        values = f"{_short(one['default'])} to {_short(two['default'])}"
        return Change(
            "breaking",
            paths[1],
            f"the default changes from {values}: calls that rely on it do something else",
        )


def _mark(name: str, marks: Sequence[Mapping[str, Any]], paths: tuple[str, str]) -> Change:
    if name in _FORM_MARKS:
        return Change("textual", paths[1], f"the form's mark '{name}' changes")
    if name not in marks[0] and name not in _NARROWING:
        return Change("additive", paths[1], f"the mark '{name}' is added")
    removed = name not in marks[1]
    reason = (
        f"the mark '{name}' {'is removed' if removed else 'changes'}: values are read or "
        "protected differently"
    )
    return Change(
        "breaking", paths[0] if removed else paths[1], reason, "old" if removed else "new"
    )


def _both(paths: tuple[str, str], step: str | int) -> tuple[str, str]:
    return child(paths[0], step), child(paths[1], step)


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():  # 1.0 and 1 are one number in JSON Schema
        value = int(value)
    return json.dumps(value, sort_keys=True)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _kinds(node: Mapping[str, Any]) -> frozenset[str]:
    stated = node.get("type")
    kinds = frozenset(
        [stated]
        if isinstance(stated, str)
        else map(str, stated)
        if isinstance(stated, list)
        else _KINDS
    )
    return kinds | {"integer"} if "number" in kinds else kinds


def _allowed_values(node: Mapping[str, Any]) -> list[Any] | None:
    return [node["const"]] if "const" in node else _list(node["enum"]) if "enum" in node else None


def _enumerated(value: Any) -> set[str]:
    return {_text(item) for item in value} if isinstance(value, list) else set()


def _const_becomes_enum(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    return (
        "const" in one
        and "enum" in two
        and "enum" not in one
        and "const" not in two
        and _text(one["const"]) in _enumerated(two["enum"])
    )


def _set_shift(before: set[str] | frozenset[str], after: set[str] | frozenset[str]) -> Shift | None:
    if before == after:
        return None
    return "wider" if before < after else "narrower" if after < before else "other"


def _presence(before: Any, after: Any) -> Shift:
    return "narrower" if before is None else "wider" if after is None else "other"


def _multiple_shift(before: Any, after: Any) -> Shift:
    if before is None or after is None:
        return _presence(before, after)
    if not all(isinstance(value, int) and value > 0 for value in (before, after)):
        return "other"
    return "narrower" if after % before == 0 else "wider" if before % after == 0 else "other"


def _branch_shift(name: str, before: Sequence[Any], after: Sequence[Any]) -> Shift:
    old, new = {_text(_bare(item)) for item in before}, {_text(_bare(item)) for item in after}
    if name == "oneOf" and not _disjoint([*before, *after]):
        return "other"  # a value that now fits two branches is not valid any more
    more: Shift = "narrower" if name == "allOf" else "wider"
    fewer: Shift = "wider" if name == "allOf" else "narrower"
    return more if old < new else fewer if new < old else "other"


def _disjoint(branches: Sequence[Any]) -> bool:
    """Return whether different branches have no value in common, judged by their constants or
    types.
    """
    unique = {_text(_bare(item)): item for item in branches if isinstance(item, Mapping)}.values()
    consts = [_text(item["const"]) for item in unique if "const" in item]
    if len(consts) == len(unique):
        return len(set(consts)) == len(consts)
    kinds = [kind for item in unique for kind in _kinds(item)]
    return len(set(kinds)) == len(kinds)


def _bare(schema: Any) -> Any:
    return (
        {name: value for name, value in schema.items() if name not in _TEXTS}
        if isinstance(schema, Mapping)
        else schema
    )
