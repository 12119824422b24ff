"""Conversion of a document's schemas to JSON Schema 2020-12: closed for inputs, open for outputs.

Each definition has up to three forms: ``i.Name`` for branches of a composed input, ``i.Name!``
closed for every other place of an input, ``o.Name`` for outputs. Members that are ``writeOnly`` are
left out of outputs; ``readOnly`` ones may be given in inputs, and are never required: references in
requests name their target by a read-only ID. ``oneOf`` of forms is ``anyOf`` in inputs, since
OpenAPI means "one of these" (decision 0073). Defaults become prose: an omitted input is not sent,
so that the provider's own default applies, also after it has changed.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

from jackfield.connector import pointer
from jackfield.kernel.patterns import MAX_LOOKAROUND, sorted_pattern
from jackfield.kernel.pointers import unescaped
from jackfield_openapi.composition import COMBINING, Composition
from jackfield_openapi.forms import excludes, is_unnamed, selected
from jackfield_openapi.keywords import PLAIN, Patterns, enum_of, number, types_of, unslashed
from jackfield_openapi.pointing import Pointing, local
from jackfield_openapi.report import Report
from jackfield_openapi.secrets import Secrets

_DEEPEST = 60
"""Maximum depth of nested schemas; a reference starts again at 0."""
_MOST_INLINED = 8
"""Maximum depth of definitions that are inlined within each other."""
_REFERENCE = {"reference": True}
"""Mark of an output's member by which later events refer to the object."""
_BELOW = ("not", "if", "then", "else", "contains", "propertyNames")
_KNOWN = frozenset(
    {
        *PLAIN,
        *COMBINING,
        *_BELOW,
        "$ref",
        "$schema",
        "type",
        "format",
        "pattern",
        "enum",
        "const",
        "default",
        "example",
        "examples",
        "nullable",
    }
    | {
        "properties",
        "patternProperties",
        "additionalProperties",
        "unevaluatedProperties",
        "unevaluatedItems",
        "dependentSchemas",
        "items",
    }
    | {
        "prefixItems",
        "required",
        "dependentRequired",
        "readOnly",
        "writeOnly",
        "discriminator",
        "externalDocs",
        "xml",
        "$defs",
    }
    | {"definitions", "$id", "id", "$anchor"}
)
_NAME = re.compile(r"[^A-Za-z0-9_.-]+")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Place:
    """Position of a schema: direction, depth, the schema that it is a branch of, and whether
    objects are closed there.
    """

    direction: Literal["i", "o"]
    closed: bool
    scope: Any = None
    depth: int = 0
    refined: frozenset[str] = frozenset()
    """Names of members that several parts of a composition describe: a closed part would refuse
    another part's members.
    """
    is_loose: bool = False
    """True inside a member that several parts describe."""
    inlined: frozenset[str] = frozenset()
    """Places of the definitions that are being inlined around this position."""

    @property
    def below(self) -> _Place:
        """Position of a member or an item."""
        return _Place(
            self.direction,
            self.direction == "i" and not self.is_loose,
            None,
            self.depth + 1,
            is_loose=self.is_loose,
        )


class Schemas:
    """Converter of one document's schemas. After ``finish``, ``definitions`` has every definition
    that is referred to.
    """

    def __init__(
        self, pointing: Pointing, report: Report, *, modern: bool, sends_defaults: bool = False
    ) -> None:
        self.definitions: dict[str, Any] = {}
        self.pointing = pointing
        self.report = report
        self.modern = modern
        self.sends_defaults = sends_defaults
        """True if a default of the document is sent where a call leaves the input out; otherwise
        the provider is said to assume it.
        """
        self.composition = Composition(pointing)
        self.secrets = Secrets(self.composition, report)
        self.patterns = Patterns()
        self._names: dict[str, str] = {}
        self._taken: set[str] = set()
        self._waiting: deque[tuple[str, str, _Place]] = deque()

    def input(self, node: object, at: str, *, is_open: bool = False) -> Any:
        """Convert the schema of a value that is sent."""
        return self.schema(node, at, _Place("i", closed=not is_open))

    def output(self, node: object, at: str) -> Any:
        """Convert the schema of a value that is received."""
        return self.schema(node, at, _Place("o", closed=False))

    def finish(self) -> None:
        """Convert every definition that is referred to."""
        while self._waiting:
            name, at, place = self._waiting.popleft()
            self.definitions[name] = self.schema(
                self.pointing.find(at), at, place, is_definition=True
            )

    def schema(self, node: object, at: str, place: _Place, *, is_definition: bool = False) -> Any:
        """Convert the schema ``node``, which stands at ``at`` in the document and describes a value
        at ``place``.
        """
        if isinstance(node, bool):
            return node
        if not isinstance(node, dict):
            self.report.lossy("schema is no object", at, "anything is accepted here")
            return True
        if place.depth > _DEEPEST:
            self.report.lossy(
                "schema too deep",
                at,
                f"nested more than {_DEEPEST} levels: anything is accepted here",
            )
            return True
        reference = node.get("$ref")
        if isinstance(reference, str):
            return self._referred(node, reference, at, place)
        return _Conversion(
            self,
            node,
            at,
            place,
            base=is_definition and self.composition.is_base(at),
            shared=is_definition,
        ).result()

    def _referred(self, node: Json, reference: str, at: str, place: _Place) -> Any:
        try:
            target = local(reference)
            found = self.pointing.find(target)
        except LookupError:
            self.report.lossy(
                "broken reference",
                at,
                f"'{reference[:200]}' points to nothing here: anything is accepted",
            )
            return True
        beside = {
            name: value
            for name, value in node.items()
            if name != "$ref" and not name.startswith("x-")
        }
        kept: Json = {
            name: beside.pop(name)
            for name in ("title", "description")
            if isinstance(beside.get(name), str)
        }
        beside.pop("deprecated", None)
        if beside and self.modern and isinstance(found, dict):
            joined = {name: value for name, value in node.items() if name != "$ref"}
            joined["allOf"] = [
                {"$ref": reference},
                *(joined["allOf"] if isinstance(joined.get("allOf"), list) else ()),
            ]
            return _Conversion(self, joined, at, place, base=False, shared=False).result()
        if beside:
            self.report.lossy(
                "keywords beside a reference",
                at,
                f"OpenAPI 3.0 ignores {', '.join(sorted(beside))} beside $ref",
            )
        return {"$ref": f"#/$defs/{self._definition(target, place)}", **kept}

    def _definition(self, at: str, place: _Place) -> str:
        name = self._names.get(at)
        if name is None:
            base = _NAME.sub("_", unescaped(at.rpartition("/")[2])) or "_"
            name, more = base, 2
            while name in self._taken:
                name, more = f"{base}_{more}", more + 1
            self._taken.add(name)
            self._names[at] = name
        full = f"{place.direction}.{name}{'!' if place.closed else ''}"
        if full not in self.definitions:
            # until its turn comes: a recursive definition refers to itself
            self.definitions[full] = True
            self._waiting.append((full, at, _Place(place.direction, place.closed)))
        return full


class _Conversion:
    """Conversion of one schema without a reference."""

    def __init__(
        self, schemas: Schemas, node: Json, at: str, place: _Place, *, base: bool, shared: bool
    ) -> None:
        self._all = schemas
        self._node = node
        self._at = at
        self._place = place
        self._base = base
        self._is_shared = shared
        self._is_part = not place.closed and (shared or place.scope is not None)
        self._shared = place.refined
        self._made: Json = {}

    def result(self) -> Any:
        node, made = self._node, self._made
        types = self._types()
        self._plain()
        self._strings(types)
        self._values(types)
        self._branches()
        self._objects(types)
        self._items(types)
        self._unknown()
        if node.get("nullable") is True and not self._all.modern:
            return self._nullable(types)
        if types:
            made["type"] = types[0] if len(types) == 1 else types
        if self._place.direction == "o" and node.get("x-jackfield") == _REFERENCE:
            made["x-jackfield"] = _REFERENCE
        return made

    # -- what the parts have in common

    def _lossy(self, cause: str, keyword: str, text: str) -> None:
        self._all.report.lossy(cause, pointer_of(self._at, keyword), text)

    def _sub(self, value: object, *steps: str | int, place: _Place | None = None) -> Any:
        return self._all.schema(value, self._at + pointer(*steps), place or self._place.below)

    # -- the keywords by subject

    def _types(self) -> list[str]:
        types, unknown = types_of(self._node)
        if unknown == ["file"]:
            types, unknown = ["string"], []
        if unknown:
            self._lossy("unknown type", "type", f"{unknown[0]!r} is no type of JSON Schema")
        return types

    def _plain(self) -> None:
        for name, read in PLAIN.items():
            if name not in self._node:
                continue
            given = self._node[name]
            if name.startswith("exclusive") and isinstance(given, bool):
                bound = name.replace("exclusiveM", "m")
                if given and number(self._node.get(bound)) is not None:
                    self._made[name] = number(self._node[bound])
                continue
            value = read(given)
            if value is None:
                if given not in (None, ""):
                    self._lossy(
                        "keyword is not valid", name, f"'{name}' cannot be {str(given)[:80]!r}"
                    )
            elif value != "":
                self._made[name] = value
        for name in ("minimum", "maximum"):
            if self._node.get(name.replace("m", "exclusiveM", 1)) is True:
                self._made.pop(name, None)

    def _strings(self, types: list[str]) -> None:
        node, made = self._node, self._made
        style = node.get("format")
        if style == "password" and types in ([], ["string"]):
            made |= {"format": "password", "writeOnly": True}
        elif style == "byte":
            made["contentEncoding"] = "base64"
        elif isinstance(style, str) and style not in ("password", "binary", ""):
            made["format"] = style
        self._pattern(node.get("pattern"))

    def _pattern(self, given: object) -> None:
        made, pattern = self._made, unslashed(given)
        if given is None:
            return
        if pattern is not None and pattern != given:
            self._all.report.assumed(
                "pattern in slashes",
                pointer_of(self._at, "pattern"),
                f"it is read as {str(pattern)[:200]!r}",
            )
        if isinstance(pattern, str) and self._all.patterns.holds(pattern):
            made["pattern"] = pattern
            if (
                sorted_pattern(pattern).looks_around
                and made.get("maxLength", MAX_LOOKAROUND + 1) > MAX_LOOKAROUND
            ):
                made["maxLength"] = MAX_LOOKAROUND
                text = (
                    f"the regular expression {pattern[:200]!r} has look-around or "
                    f"back-references: at most {MAX_LOOKAROUND:,} characters"
                )
                self._lossy("slow pattern", "pattern", f"{text} are accepted")
        else:
            self._lossy(
                "pattern",
                "pattern",
                f"the regular expression {str(given)[:200]!r} is not one of ECMA-262: not checked",
            )

    def _values(self, types: list[str]) -> None:
        node, made = self._node, self._made
        if (
            "enum" in node
            and types == ["array"]
            and isinstance(node["enum"], list)
            and not any(isinstance(v, list) for v in node["enum"])
        ):
            self._lossy("enum of an array", "enum", "taken for the values of its items")
        elif node.get("enum"):
            made["enum"] = enum_of(node["enum"], types)
            if node.get("nullable") is True and None not in made["enum"]:
                made["enum"].append(None)
        if "const" in node:
            made["const"] = node["const"]
        examples = self._examples()
        if examples:
            made["examples"] = examples
        default = node.get("default")
        if default is not None and self._place.direction == "i" and self._all.sends_defaults:
            made["default"] = default
        elif default is not None and self._place.direction == "i":
            text = f"Default of the provider: {json.dumps(default, ensure_ascii=False)[:200]}."
            made["description"] = (
                f"{made['description']}\n\n{text}" if made.get("description") else text
            )

    def _examples(self) -> list[Any]:
        found = self._node.get("examples")
        if isinstance(found, dict):
            found = [
                item.get("value") if isinstance(item, dict) else item for item in found.values()
            ]
        listed = found if isinstance(found, list) else []
        return [self._node["example"], *listed] if self._node.get("example") is not None else listed

    def _branches(self) -> None:
        node, inner = self._node, self._place
        scope = inner.scope if inner.scope is not None else node
        for keyword in COMBINING:
            branches = node.get(keyword)
            if branches is None:
                continue
            if not isinstance(branches, list) or not branches:
                self._lossy(
                    "keyword is not valid", keyword, f"'{keyword}' must be an array of schemas"
                )
                continue
            closed = inner.closed and keyword != "allOf" and self._is_union
            place = replace(
                inner, closed=closed, scope=None if closed else scope, depth=inner.depth + 1
            )
            if keyword == "allOf" and inner.direction == "i":
                self._shared = inner.refined | self._refined()
                place = replace(place, refined=self._shared)
            made = self._forms(branches, keyword, place)
            is_inclusive = (
                inner.direction == "i"
                and keyword == "oneOf"
                and "anyOf" not in node
                and not excludes(node)
            )
            self._made["anyOf" if is_inclusive else keyword] = made
        for keyword in _BELOW:
            if isinstance(node.get(keyword), dict | bool):
                self._made[keyword] = self._sub(
                    node[keyword], keyword, place=replace(inner.below, closed=False)
                )
        listed = node.get("dependentSchemas")
        if isinstance(listed, dict):
            open_below = replace(inner.below, closed=False)
            self._made["dependentSchemas"] = {
                name: self._sub(sub, "dependentSchemas", name, place=open_below)
                for name, sub in listed.items()
            }

    def _forms(self, branches: list[Any], keyword: str, place: _Place) -> list[Any]:
        """Convert branches. A branch without the discriminator's member is closed together with the
        discriminator.
        """
        if place.direction != "i" or keyword == "allOf":
            return [
                self._branch(branch, keyword, number, place)
                for number, branch in enumerate(branches)
            ]
        composition = self._all.composition
        widened = [
            place.closed and is_unnamed(self._node, branch, composition) for branch in branches
        ]
        made = [
            self._branch(
                branch, keyword, number, replace(place, closed=False) if widened[number] else place
            )
            for number, branch in enumerate(branches)
        ]
        chosen = selected(self._node, branches, made, composition)
        return [
            {**one, "unevaluatedProperties": False} if wide else one
            for one, wide in zip(chosen, widened, strict=True)
        ]

    def _refined(self) -> frozenset[str]:
        found = self._all.composition.refined(self._node)
        for name in sorted(found):
            self._all.report.assumed(
                "described in several parts",
                pointer_of(self._at, "allOf"),
                f"'{name[:80]}' takes other members, too",
            )
        return found

    def _branch(self, branch: Any, keyword: str, number: int, place: _Place) -> Any:
        """Convert a branch. Inline a referenced branch whose members other parts describe, too."""
        reference = branch.get("$ref") if isinstance(branch, dict) and len(branch) == 1 else None
        if place.refined and isinstance(reference, str):
            with suppress(LookupError):
                target = local(reference)
                is_open = target not in place.inlined and len(place.inlined) < _MOST_INLINED
                if is_open and self._all.composition.members(branch).keys() & place.refined:
                    inner = replace(place, inlined=place.inlined | {target})
                    return self._all.schema(self._all.pointing.find(target), target, inner)
        return self._sub(branch, keyword, number, place=place)

    @property
    def _is_union(self) -> bool:
        """True for alternatives without other named members, each of which is then closed
        separately.
        """
        return not any(
            self._node.get(name)
            for name in ("allOf", "properties", "additionalProperties", "patternProperties")
        )

    def _objects(self, types: list[str]) -> None:
        node, made, inputs = self._node, self._made, self._place.direction == "i"
        named = node.get("properties")
        hidden = "readOnly" if inputs else "writeOnly"
        if isinstance(named, dict):
            made["properties"] = {
                name: self._member(name, sub, named)
                for name, sub in named.items()
                if inputs or not self._all.composition.is_marked(sub, hidden)
            }
        elif named is not None:
            self._lossy("keyword is not valid", "properties", "'properties' must be an object")
        self._required(named if isinstance(named, dict) else {}, hidden)
        patterned = node.get("patternProperties")
        if isinstance(patterned, dict):
            kept = {
                name: sub
                for name, sub in patterned.items()
                if self._all.patterns.holds(name) and sorted_pattern(name).limit is None
            }
            made["patternProperties"] = {
                name: self._sub(sub, "patternProperties", name) for name, sub in kept.items()
            }
            for name in patterned.keys() - kept.keys():
                self._lossy(
                    "pattern",
                    "patternProperties",
                    f"the regular expression {name[:200]!r} is not one of ECMA-262, or is slow",
                )
        if isinstance(node.get("dependentRequired"), dict):
            made["dependentRequired"] = {
                name: list(map(str, needed))
                for name, needed in node["dependentRequired"].items()
                if isinstance(needed, list)
            }
        for keyword in ("additionalProperties", "unevaluatedProperties"):
            given = node.get(keyword)
            if (
                isinstance(given, dict)
                or given is True
                or (given is False and inputs and not self._is_closed_together(keyword))
            ):
                made[keyword] = self._sub(given, keyword)
        if self._place.closed:
            self._close(types)

    def _is_closed_together(self, keyword: str) -> bool:
        """Return whether this keyword, applied to one part, would refuse members that other parts
        of the composition describe.
        """
        if keyword != "additionalProperties" or not (self._is_part or self._node.get("allOf")):
            return False
        if self._is_part and self._place.scope is None:
            return True
        scope = self._place.scope if self._is_part else self._node
        others = (
            self._all.composition.members(scope).keys()
            - (self._node.get("properties") or {}).keys()
        )
        if others:
            text = (
                f"with it, '{min(others)[:80]}' of the schema beside it could never be "
                "given: the whole is closed instead"
            )
            self._all.report.assumed(
                "closed part of a composition", pointer_of(self._at, keyword), text
            )
        return bool(others)

    def _member(self, name: str, sub: object, siblings: Json) -> Any:
        is_loose = self._place.is_loose or name in self._shared
        place = replace(self._place.below, closed=False, is_loose=True) if is_loose else None
        made = self._sub(sub, "properties", name, place=place)
        if (
            self._place.direction == "i"
            and isinstance(made, dict)
            and self._all.composition.is_marked(sub, "readOnly")
        ):
            made.setdefault("readOnly", True)
        at = self._at + pointer("properties", name)
        return self._all.secrets.marked(name, sub, at, made, siblings=siblings)

    def _required(self, named: Mapping[str, Any], hidden: str) -> None:
        given = self._node.get("required")
        if given is None or isinstance(given, bool):
            if given is True:
                self._lossy(
                    "required on a property",
                    "required",
                    "in OpenAPI 3 the object lists what it requires",
                )
            return
        if not isinstance(given, list):
            self._lossy("keyword is not valid", "required", "'required' must be an array of names")
            return
        scope = self._place.scope if self._place.scope is not None else self._node
        everywhere = (
            self._all.composition.members(scope) if {*map(str, given)} - named.keys() else {}
        )
        required = []
        for name in dict.fromkeys(map(str, given)):
            declared = [named[name]] if name in named else everywhere.get(name, [])
            if any(self._all.composition.is_marked(sub, hidden) for sub in declared):
                continue
            if not declared and self._place.direction == "i":
                self._made.setdefault("properties", {})[name] = True
                self._lossy(
                    "required name is not declared", "required", f"'{name[:80]}' takes any value"
                )
            made = self._made.get("properties", {}).get(name)
            if not (isinstance(made, dict) and "default" in made):
                required.append(name)
        if required:
            self._made["required"] = required

    def _close(self, types: list[str]) -> None:
        made = self._made
        if types and "object" not in types:
            return
        if any(name in made for name in ("additionalProperties", "unevaluatedProperties")):
            return
        composed = [name for name in COMBINING if name in made]
        if self._base or (not self._is_shared and self._refers_to_base()):
            self._lossy(
                "open because of its discriminator",
                "discriminator",
                "objects of derived types have members that are not listed here",
            )
        elif not composed:
            if made.get("properties"):
                made["additionalProperties"] = False
        elif not (self._is_union and "allOf" not in made) and self._names_members():
            made["unevaluatedProperties"] = False

    def _refers_to_base(self) -> bool:
        """Return whether ``allOf`` refers to a base, so that a value may have any derived type."""
        branches = self._node.get("allOf")
        for branch in branches if isinstance(branches, list) else ():
            reference = branch.get("$ref") if isinstance(branch, dict) else None
            with suppress(LookupError):
                if isinstance(reference, str) and self._all.composition.is_base(local(reference)):
                    return True
        return False

    def _names_members(self) -> bool:
        """Return whether every branch names its members: a branch without names accepts any
        member.
        """
        composition = self._all.composition
        if not composition.members(self._node):
            return False
        bare = [
            part
            for part in self._node.get("allOf", ())
            if isinstance(part, dict) and part.get("type") == "object" and len(part) == 1
        ]
        return not bare

    def _items(self, types: list[str]) -> None:
        items = self._node.get("items")
        if isinstance(items, list):
            self._made["prefixItems"] = [
                self._sub(item, "items", number) for number, item in enumerate(items)
            ]
        elif isinstance(items, dict | bool):
            self._made["items"] = self._sub(items, "items")
        if (
            types == ["array"]
            and isinstance(self._node.get("enum"), list)
            and "enum" not in self._made
        ):
            self._made["items"] = self._listed_items(self._made.get("items", True))
        listed = self._node.get("prefixItems")
        if isinstance(listed, list) and listed:
            self._made["prefixItems"] = [
                self._sub(item, "prefixItems", number) for number, item in enumerate(listed)
            ]
        if isinstance(self._node.get("unevaluatedItems"), dict | bool):
            self._made["unevaluatedItems"] = self._sub(
                self._node["unevaluatedItems"], "unevaluatedItems"
            )

    def _listed_items(self, items: Any) -> Any:
        """Return the schema of the items with their array's enumeration, unless they have their
        own.
        """
        if not isinstance(items, dict):
            return {"enum": enum_of(self._node["enum"], [])}
        named = items.keys() & {"enum", "const", "$ref", "allOf", "anyOf", "oneOf"}
        return (
            items if named else {**items, "enum": enum_of(self._node["enum"], types_of(items)[0])}
        )

    def _unknown(self) -> None:
        for name in self._node:
            if name not in _KNOWN and not name.startswith("x-"):
                self._lossy("unknown keyword", name, f"'{name[:80]}' is no keyword of a schema")

    def _nullable(self, types: list[str]) -> Json:
        made = self._made
        if types:
            return {**made, "type": list(dict.fromkeys([*types, "null"]))}
        if not made.keys() - {"title", "description", "examples", "enum"}:
            return made
        prose: Json = {
            name: made.pop(name) for name in ["title", "description", "examples"] if name in made
        }
        return {**prose, "anyOf": [made, {"type": "null"}]}


def pointer_of(at: str, *steps: str | int) -> str:
    """Return the pointer to a member below ``at``."""
    return at + pointer(*steps)
