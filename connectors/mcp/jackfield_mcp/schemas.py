"""Schemas of tools as a manifest has them: bounded before anything compiles them, and in JSON Schema 2020-12.

Only keywords of JSON Schema are kept: a mark such as ``x-jackfield`` would fill an input from a value of the connection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.pointers import child
from jackfield_mcp.texts import plain
from jackfield_openapi.keywords import Patterns

LARGEST = 128 * 1024
"""Bytes of a tool at most."""
MOST_SCHEMAS, DEEPEST = 4_000, 64
"""Subschemas of a tool at most, and the depth of its JSON."""
_MOST_DIGITS = 308
"""Digits of a number in a manifest."""
_TOO_LARGE = 10**_MOST_DIGITS
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_HEADER_TYPES = frozenset({"string", "integer", "boolean"})
_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_ONE = frozenset({
    "items", "contains", "additionalProperties", "propertyNames", "unevaluatedItems", "unevaluatedProperties", "not", "if", "then", "else",
})  # fmt: skip
_MANY = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas"})
_NUMBERS = frozenset({"multipleOf", "maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum"})
_COUNTS = frozenset({"maxLength", "minLength", "maxItems", "minItems", "maxContains", "minContains", "maxProperties", "minProperties"})
_VALUES = frozenset({"default", "examples", "enum", "const"})
_FLAGS = frozenset({"uniqueItems", "deprecated", "readOnly", "writeOnly"})
_WORDS = frozenset({"title", "description"})
_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_IN_PLACE = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"})
"""Keywords whose schemas judge the same value: a reference that comes back through them alone never ends."""

Json = Mapping[str, Any]


class Unfit(ValueError):
    """A tool that cannot become an action; the message says why."""


@dataclass(frozen=True, slots=True)
class Schemas:
    """Schemas of one tool, converted: those of its inputs and its structured content, the definitions that they refer to, and the header
    fields that repeat inputs, by JSON Pointer."""

    inputs: dict[str, Any]
    structured: dict[str, Any] | None
    definitions: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def schemas_of(tool: Json, prefix: str) -> Schemas:
    """Return the schemas of a tool; the names of its definitions begin with ``prefix``.

    :raises Unfit: if it is too large, or has a schema that cannot be used.
    """
    require_small(tool)
    given, out = tool.get("inputSchema"), tool.get("outputSchema")
    if not isinstance(given, Mapping) or given.get("type") != "object":
        raise Unfit("the schema of its inputs is not that of an object")
    headers = _headers(given)
    inputs = _Conversion(given, f"{prefix}.in")
    made = {"type": "object", **inputs.root()}
    if "additionalProperties" not in made:
        open_by = made.keys() & {"patternProperties", "allOf", "anyOf", "oneOf", "$ref", "if"}
        made["additionalProperties"] = bool(open_by) or "properties" not in made
    if out is None:
        return Schemas(made, None, inputs.definitions(), headers)
    if not isinstance(out, Mapping):
        raise Unfit("the schema of its output is no object")
    output = _Conversion(out, f"{prefix}.out")
    structured = output.root()
    return Schemas(made, structured, {**inputs.definitions(), **output.definitions()}, headers)


def require_small(tool: Json) -> None:
    """Judge the size, the depth and the number of objects of a tool before anything else looks at it.

    :raises Unfit: if one of them is too large.
    """
    nodes: list[Any] = [tool]
    count = level = 0
    while nodes:
        level += 1
        if level > DEEPEST:
            raise Unfit(f"it is nested more than {DEEPEST} levels deep")
        below: list[Any] = []
        for node in nodes:
            children = node.values() if isinstance(node, Mapping) else node
            if any(isinstance(one, int | float) and not abs(one) < _TOO_LARGE for one in children):
                raise Unfit(f"it has a number of more than {_MOST_DIGITS} digits")
            below += [one for one in children if isinstance(one, Mapping | list)]
            count += isinstance(node, Mapping)
            if count > MOST_SCHEMAS or len(below) > 4 * MOST_SCHEMAS:
                raise Unfit(f"it has more than {MOST_SCHEMAS:,} subschemas")
        nodes = below
    size = len(json.dumps(tool, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if size > LARGEST:
        raise Unfit(f"it is larger than {LARGEST // 1024} KiB")


class _Conversion:
    """One schema of a tool: its root, and the definitions that are lifted out of it."""

    def __init__(self, schema: Json, prefix: str) -> None:
        self._schema, self._prefix = schema, prefix
        self._is_old = any(mark in str(schema.get("$schema", "")) for mark in ("draft-03", "draft-04", "draft-06", "draft-07"))
        self._given = {child(f"#/{place}", name): body for place in ("definitions", "$defs") for name, body in _members(schema, place)}
        self._names = self._named()
        self._made: dict[str, Any] = {}
        self._patterns = Patterns()

    def root(self) -> dict[str, Any]:
        """Return the converted root."""
        found = self._converted(self._schema)
        self._require_end()
        return found if isinstance(found, dict) else {}

    def definitions(self) -> dict[str, Any]:
        """Return the definitions in use, by their names in the manifest."""
        return {self._names[place]: body for place, body in self._made.items()}

    def _named(self) -> dict[str, str]:
        """Return the name of each definition in the manifest, by the reference to it."""
        found, taken = {}, set[str]()
        for place in ["#", *self._given]:
            last = _NAME.sub("_", place.rpartition("/")[2])[:60].strip("._") or "Root"
            name, number = f"{self._prefix}.{last}", 2
            while name in taken:
                name, number = f"{self._prefix}.{last}{number}", number + 1
            taken.add(name)
            found[place] = name
        return found

    def _define(self, place: str) -> None:
        self._made[place] = None  # it may refer to itself
        self._made[place] = self._converted(self._schema if place == "#" else self._given[place])

    def _reference(self, text: object) -> str:
        if not isinstance(text, str) or text not in self._names:
            shown = plain(text, 80)
            where = "outside of it" if not shown.startswith("#") else "to a place that is no definition"
            raise Unfit(f"its schema has the reference '{shown}' {where}")
        if text not in self._made:
            self._define(text)
        return f"#/$defs/{self._names[text]}"

    def _converted(self, node: Any) -> Any:
        if isinstance(node, bool):
            return node
        if not isinstance(node, Mapping):
            raise Unfit("its schema has a part that is no schema")
        found: dict[str, Any] = {}
        for name, value in self._modern(node).items():
            made = self._keyword(name, value)
            if made is not None:
                found[name] = made
        return found

    def _keyword(self, name: str, value: Any) -> Any:
        """Return the value of a keyword in 2020-12; None for one that is left out."""
        if name == "$ref":
            return self._reference(value)
        if name in ("$dynamicRef", "$recursiveRef"):
            raise Unfit(f"its schema has '{name}', which a converted schema cannot keep")
        if name in _ONE:
            return self._converted(value)
        if name in _MANY:
            return [self._converted(one) for one in _listed(name, value)] or None
        if name in _MAPS:
            return {key: self._converted(one) for key, one in self._keyed(name, value)}
        return self._plain_keyword(name, value)

    def _plain_keyword(self, name: str, value: Any) -> Any:
        found: Any = None
        if name in _WORDS:
            found = plain(value, 1_000) or None
        elif name in _VALUES:
            found = _listed(name, value) if name in ("enum", "examples") else value
        elif name in _COUNTS or name in _NUMBERS:
            found = _number(name, value)
        elif name in _FLAGS:
            found = value if isinstance(value, bool) else None
        elif name in ("format", "contentEncoding", "contentMediaType"):
            found = value if isinstance(value, str) and len(value) <= 100 and not value.startswith("jackfield:") else None
        elif name == "pattern":
            found = self._pattern(value)
        elif name == "type":
            found = _type(value)
        elif name == "required":
            found = [one for one in _listed(name, value) if isinstance(one, str)]
        elif name == "dependentRequired":
            found = {str(key): [one for one in _listed(name, names) if isinstance(one, str)] for key, names in self._keyed(name, value)}
        return found

    def _pattern(self, value: Any) -> str:
        if not isinstance(value, str) or not self._patterns.holds(value):
            raise Unfit(f"its schema has the pattern '{plain(value, 80)}', which is none")
        return value

    def _keyed(self, name: str, value: Any) -> Iterator[tuple[str, Any]]:
        if not isinstance(value, Mapping):
            raise Unfit(f"the keyword '{name}' of its schema is no object")
        for key, one in value.items():
            if name == "patternProperties":
                self._pattern(key)
            yield key, one

    def _modern(self, node: Json) -> Json:
        """Return a schema of an older draft with the keywords of 2020-12."""
        found = dict(node)
        if isinstance(found.get("items"), list) or (self._is_old and "additionalItems" in found):
            items = found.pop("items", None)
            if isinstance(items, list):
                found["prefixItems"] = items
                if "additionalItems" in found:
                    found["items"] = found["additionalItems"]
            elif items is not None:
                found["items"] = items
        for bound, strict in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            said = found.get(strict)
            if isinstance(said, bool):
                del found[strict]
                if said and bound in found:
                    found[strict] = found.pop(bound)
        dependencies = found.pop("dependencies", None)
        if isinstance(dependencies, Mapping):
            lists = {name: one for name, one in dependencies.items() if isinstance(one, list)}
            others = {name: one for name, one in dependencies.items() if not isinstance(one, list)}
            found |= {"dependentRequired": lists} if lists else {}
            found |= {"dependentSchemas": others} if others else {}
        if self._is_old and "$ref" in found:  # in these drafts, nothing beside a reference counts
            return {"$ref": found["$ref"]}
        return found

    def _require_end(self) -> None:
        """Refuse references that lead back to themselves without a step into the value: judging would never end."""
        ends: dict[str, bool] = {}

        def visit(name: str) -> None:
            if ends.get(name) is False:
                raise Unfit("its schema has references in a circle")
            if name in ends:
                return
            ends[name] = False
            for other in _in_place(bodies.get(name, {})):
                visit(other)
            ends[name] = True

        bodies = {f"#/$defs/{name}": body for name, body in self.definitions().items()}
        for name in bodies:
            visit(name)


def _in_place(node: Any) -> Iterator[str]:
    """Yield the references of a schema that judge the same value as it does."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, dict):
            continue
        if "$ref" in one:
            yield one["$ref"]
        for name in one.keys() & _IN_PLACE:
            value = one[name]
            waiting += value if isinstance(value, list) else value.values() if name == "dependentSchemas" else [value]


def _headers(schema: Json) -> dict[str, str]:
    """Return the names of header fields that repeat inputs, by JSON Pointer.

    :raises Unfit: if one of them is no name, stands twice, or stands where no call can find it.
    """
    found: dict[str, str] = {}
    for place, node in _placed(schema):
        if "x-mcp-header" not in node:
            continue
        name = node["x-mcp-header"]
        if not isinstance(name, str) or not _HEADER.fullmatch(name) or not place or node.get("type") not in _HEADER_TYPES:
            raise Unfit("it names a header field that cannot be sent ('x-mcp-header')")
        if name.lower() in {one.lower() for one in found.values()}:
            raise Unfit(f"it names the header field '{name}' twice")
        found[place] = name
    return found


def _placed(schema: Json) -> Iterator[tuple[str | None, Json]]:
    """Yield the objects of a schema, each with the JSON Pointer of the input that it describes; None where it describes no certain one."""
    waiting: list[tuple[str | None, Any]] = [("", schema)]
    while waiting:
        place, node = waiting.pop()
        if isinstance(node, list):
            waiting += [(None, one) for one in node]
        if not isinstance(node, Mapping):
            continue
        yield place, node
        for key, value in node.items():
            if key == "properties" and isinstance(value, Mapping):
                waiting += [(None if place is None else child(place, inner), one) for inner, one in value.items()]
            elif key not in _VALUES:
                waiting.append((None, value))


def _members(schema: Json, place: str) -> list[tuple[str, Any]]:
    found = schema.get(place)
    return list(found.items()) if isinstance(found, Mapping) else []


def _listed(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Unfit(f"the keyword '{name}' of its schema is no list")
    return value


def _number(name: str, value: Any) -> Any:
    is_count = name in _COUNTS
    fits = isinstance(value, int | float) and not isinstance(value, bool) and (not is_count or (value >= 0 and value == int(value)))
    if not fits or (name == "multipleOf" and value <= 0):
        raise Unfit(f"the keyword '{name}' of its schema is no number that fits")
    return int(value) if is_count else value


def _type(value: Any) -> Any:
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(one, str) and one in _TYPES for one in names) or len({*names}) < len(names):
        raise Unfit("its schema has a type that JSON does not have")
    return value
