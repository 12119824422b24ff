"""Schemas of tools in a manifest's form: bounded before they are compiled, and in JSON Schema
2020-12.

Only keywords of JSON Schema stay: a mark such as ``x-jackfield`` would fill an input from a value
of the connection. Any other keyword is dropped with a note, since the server checks its arguments
anyway. The remaining schema is never stricter than the server's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any
from urllib.parse import quote

from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.pointers import child, follow
from jackfield_mcp.messages import present
from jackfield_mcp.texts import one_line, plain
from jackfield_openapi.keywords import PLAIN, Patterns, types_of
from jackfield_openapi.proof import fits

LARGEST = 128 * 1024
"""Maximum size of a tool, in bytes."""
MOST_SCHEMAS, DEEPEST = 4_000, 64
"""Maximum number of subschemas of a tool, and maximum depth of its JSON."""
_MOST_NOTES = 20
"""Maximum number of notes about a tool."""
_MOST_JUDGED = 100
"""Maximum number of a tool's defaults that are validated with its definitions; further defaults
with references are dropped.
"""
_MOST_DIGITS = 308
"""Maximum number of digits in a number of a manifest."""
_TOO_LARGE = 10**_MOST_DIGITS
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_HEADER_TYPES = frozenset({"string", "integer", "boolean"})
_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_ONE = frozenset(
    {
        "items",
        "contains",
        "additionalProperties",
        "propertyNames",
        "unevaluatedItems",
        "unevaluatedProperties",
        "not",
        "if",
        "then",
        "else",
    }
)
_MANY = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas"})
_NUMBERS = frozenset(
    {
        "multipleOf",
        "maximum",
        "minimum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "maxLength",
        "minLength",
        "maxItems",
        "minItems",
        "maxContains",
        "minContains",
        "maxProperties",
        "minProperties",
    }
)
_VALUES = frozenset({"default", "examples", "enum", "const"})
_FLAGS = frozenset({"uniqueItems", "deprecated", "readOnly", "writeOnly"})
_LISTS = frozenset({"enum", "examples"})
_NULLS = frozenset({"const", "default"})
"""Keywords for which null is a value, not an omission."""
_NAMED_BY = {"$anchor": "#", "$dynamicAnchor": "#", "$id": "", "id": ""}
"""Keywords that name a place, and the prefix of references by that name."""
_SAME = {"$dynamicRef": "$ref", "$recursiveRef": "$ref"}
"""Keywords that equal ``$ref`` in a single schema with unique names."""
_INVERTS = frozenset({"not", "oneOf", "if", "contains"})
"""Keywords that refuse more values if their subschema refuses fewer."""
_REMAINDERS = {"additionalProperties": "patternProperties", "items": "prefixItems"}
"""Keywords that apply to the members or items that another keyword does not cover: without that
keyword, they refuse more.
"""
_UNEVALUATED = frozenset({"unevaluatedItems", "unevaluatedProperties"})
_IN_PLACE = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"})
"""Keywords whose subschemas apply to the same value: a cycle of references through only these never
ends.
"""

Json = Mapping[str, Any]


class Unfit(ValueError):
    """Error for a tool that cannot become an action; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class Schemas:
    """Converted schemas of one tool: inputs, structured content, their definitions, and header
    fields that repeat inputs by JSON Pointer.

    ``notes`` lists dropped parts, each with its place.
    """

    inputs: dict[str, Any]
    structured: dict[str, Any] | None
    definitions: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def schemas_of(tool: Json, prefix: str) -> Schemas:
    """Return the schemas of a tool; the names of its definitions begin with ``prefix``.

    :raises Unfit: if the tool is too large, or has an unusable schema.
    """
    require_small(tool)
    notes: list[str] = []
    given, out = _of_object(tool.get("inputSchema"), notes), _read(tool.get("outputSchema"))
    headers = _headers(given)
    inputs = _Conversion(given, f"{prefix}.in", "/inputSchema")
    inputs.notes += notes
    made = {"type": "object", **inputs.root()}
    made["type"] = "object"
    inputs.drop_defaults(made)
    if "additionalProperties" not in made:
        made["additionalProperties"] = _is_open(made, given)
    if out is None or out is True:
        return Schemas(made, None, inputs.definitions(), headers, _bounded(inputs.notes))
    output = _Conversion(out if isinstance(out, Mapping) else {}, f"{prefix}.out", "/outputSchema")
    structured = output.root()
    notes = [*inputs.notes, *output.notes]
    if not isinstance(out, Mapping):
        return Schemas(
            made,
            None,
            inputs.definitions(),
            headers,
            _bounded([*notes, "/outputSchema: is no object"]),
        )
    return Schemas(
        made, structured, {**inputs.definitions(), **output.definitions()}, headers, _bounded(notes)
    )


def _read(schema: Any) -> Any:
    """Return a schema. Decode a JSON string, and return a string that is no JSON unchanged."""
    if not isinstance(schema, str):
        return schema
    try:
        found = json.loads(schema)
    except (ValueError, RecursionError):
        return schema
    if isinstance(found, Mapping):
        require_small(found)
    return found


def _of_object(schema: Any, notes: list[str]) -> Json:
    """Return the schema of a tool's inputs without a ``type`` that excludes objects, since
    arguments are always an object.

    An omitted, empty or true schema accepts any arguments.
    """
    given = _read(schema)
    if not isinstance(given, Mapping):
        if given not in (None, []) and given is not True:
            notes.append("/inputSchema: is no schema of an object")
        return {}
    given = present(given)
    if "object" in map(_lower, _alone(given.get("type", "object"))):
        return given
    notes.append("/inputSchema/type: arguments are an object")
    return {name: value for name, value in given.items() if name != "type"}


def _is_open(made: Json, given: Json) -> bool:
    """Return whether a schema may accept inputs that ``properties`` does not list."""
    open_by = (made.keys() | given.keys()) & {
        "patternProperties",
        "allOf",
        "anyOf",
        "oneOf",
        "$ref",
        "if",
        "additionalProperties",
    }
    return (
        bool(open_by)
        or "properties" not in made
        or not made["properties"].keys() >= {*made.get("required", ())}
    )


def _bounded(notes: list[str]) -> tuple[str, ...]:
    """Return the first notes as distinct lines, and a line with the number of further notes."""
    found = list(dict.fromkeys(one_line(note, 300) for note in notes))
    return (
        *found[:_MOST_NOTES],
        *([f"and {len(found) - _MOST_NOTES:,} more"] if len(found) > _MOST_NOTES else []),
    )


def require_small(tool: Json) -> None:
    """Check the size, the depth and the number of objects of a tool before any other step.

    :raises Unfit: if the tool exceeds a limit.
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
    """Conversion of one schema of a tool: its root, and the definitions that are moved out of it.
    ``notes`` list dropped parts.
    """

    def __init__(self, schema: Json, prefix: str, place: str) -> None:
        self._schema, self._prefix, self._at = schema, prefix, place
        self._is_old = any(
            mark in str(schema.get("$schema", ""))
            for mark in ("draft-03", "draft-04", "draft-06", "draft-07")
        )
        self._anchors: dict[str, str] | None = None
        self._names: dict[str, str] = {}
        self._made: dict[str, Any] = {}
        self._patterns = Patterns()
        self._looser: set[str] = set()
        self._losses = self._parts = 0
        self.notes: list[str] = []

    def root(self) -> dict[str, Any]:
        """Return the converted root.

        :raises Unfit: if the schema or its references are too large or too deep.
        """
        try:
            found = self._converted(self._schema, self._at)
            self._break_circles()
        except RecursionError:
            raise Unfit("its references are nested too deep") from None
        return found if isinstance(found, dict) else {}

    def drop_defaults(self, root: Json) -> None:
        """Drop defaults that their own schemas refuse, such as null for a text: they would be
        filled in, and each call refused.
        """
        definitions, judged = self.definitions(), 0
        bodies = [
            (root, self._at),
            *((body, f"{self._at}{place}") for place, body in self._made.items()),
        ]
        for node, place in chain.from_iterable(_nested(body, at) for body, at in bodies):
            if "default" not in node:
                continue
            is_alone = '"$ref"' not in json.dumps(node)
            judged += not is_alone
            if judged > _MOST_JUDGED or not fits(
                node["default"], node, {} if is_alone else definitions
            ):
                del node["default"]
                self.notes.append(f"{child(place, 'default')}: its own schema refuses it")

    def definitions(self) -> dict[str, Any]:
        """Return the definitions in use, by their names in the manifest."""
        return {self._names[place]: body for place, body in self._made.items()}

    def _left_off(self, place: str, reason: str) -> None:
        self._losses += 1
        self.notes.append(f"{place}: {reason}")

    def _reference(self, text: object, place: str) -> str | None:
        """Return the reference to the definition for the target of ``text``; None, with a note, if
        it has no target in the schema.
        """
        try:
            target = self._target(text)
            node = follow(self._schema, target)
        except (LookupError, ValueError):
            self._left_off(
                place, f"the reference '{one_line(text, 80)}' leads to no place of the schema"
            )
            return None
        if target not in self._made:
            self._names[target] = self._name(target)
            self._made[target] = None  # it may refer to itself
            before = self._losses
            self._made[target] = self._converted(node, f"{self._at}{target}")
            if self._losses > before:
                self._looser.add(target)
        elif target in self._looser:
            self._losses += 1
        return f"#/$defs/{self._names[target]}"

    def _target(self, text: object) -> str:
        """Return the JSON Pointer of a reference's target.

        :raises LookupError: if the target is outside of the schema.
        """
        base, _, fragment = str(text).partition("#")
        if self._anchors is None:
            self._anchors = _anchors(self._schema)
        start = (
            ""
            if base in ("", str(self._schema.get("$id", "")).rstrip("#"))
            else self._anchors[base]
        )
        if fragment in ("", "/"):
            return start
        return f"{start}{fragment}" if fragment.startswith("/") else self._anchors[f"#{fragment}"]

    def _name(self, place: str) -> str:
        """Return an unused name for the definition of a place."""
        last = _NAME.sub("_", place.rpartition("/")[2])[:60].strip("._") or "Root"
        name, number = f"{self._prefix}.{last}", 2
        while name in self._names.values():
            name, number = f"{self._prefix}.{last}{number}", number + 1
        return name

    def _converted(self, node: Any, place: str) -> Any:
        """Return a schema in JSON Schema 2020-12; an open schema for an invalid one.

        :raises Unfit: if references repeat too many parts.
        """
        self._parts += 1
        if self._parts > 2 * MOST_SCHEMAS:
            raise Unfit(
                f"it has more than {2 * MOST_SCHEMAS:,} subschemas, with those that its "
                "references repeat"
            )
        if isinstance(node, bool):
            return node
        if not isinstance(node, Mapping):
            if node not in (None, []):
                self._left_off(place, "is no schema")
            return {}
        found: dict[str, Any] = {}
        start = self._losses
        for name, value in self._modern(node).items():
            if value is None and name not in _NULLS:
                continue
            before, at = self._losses, child(place, name)
            made = self._keyword(name, value, at)
            if name in _INVERTS and self._losses > before:
                self._left_off(
                    at, "without what is left off of it, it would refuse more than the server does"
                )
            elif made is not None or name in _NULLS:
                found[name] = made
        self._open_remainders(node, found, place, is_looser=self._losses > start)
        return found

    def _open_remainders(
        self, node: Json, found: dict[str, Any], place: str, *, is_looser: bool
    ) -> None:
        """Drop keywords that would refuse more because the keywords next to them were dropped."""
        lost = [
            rest
            for rest, named in _REMAINDERS.items()
            if rest in found and len(found.get(named, ())) < len(_sized(node.get(named)))
        ]
        lost += sorted(found.keys() & _UNEVALUATED) if is_looser else []
        if (
            "contains" in found
            and "minContains" not in found
            and node.get("minContains") is not None
        ):
            lost.append("contains")
        for name in lost:
            del found[name]
            self._left_off(
                child(place, name),
                "without what is left off beside it, it would refuse more than the server does",
            )

    def _keyword(self, name: str, value: Any, place: str) -> Any:
        """Return the value of a keyword in JSON Schema 2020-12; None if the keyword is dropped."""
        if name == "$ref":
            return self._reference(value, place)
        if name in _ONE and value != [] and not isinstance(value, Mapping | bool):
            self._left_off(place, "is no schema")
            return None
        if name in _ONE:
            return self._converted(value, place)
        if name in _MANY:
            listed = [
                (number, one)
                for number, one in enumerate(self._listed(value, place))
                if one is not None or name == "prefixItems"
            ]
            return [self._converted(one, child(place, number)) for number, one in listed] or None
        if name in _MAPS:
            return self._mapped(name, value, place)
        return self._plain_keyword(name, value, place)

    def _mapped(self, name: str, value: Any, place: str) -> Any:
        rows = self._keyed(value, place)
        if rows is None:
            return None
        kept = {key: (one, child(place, key)) for key, one in rows.items()}
        if name == "patternProperties":
            kept = {
                key: (one, at)
                for key, (one, at) in kept.items()
                if self._pattern(key, at) is not None
            }
        return {key: self._converted(one, at) for key, (one, at) in kept.items()}

    def _plain_keyword(self, name: str, value: Any, place: str) -> Any:
        found: Any = None
        if name in ("title", "description"):
            found = plain(value, 1_000) or None
        elif name in _VALUES:
            found = (self._listed(value, place) or None) if name in _LISTS else value
        elif name in _NUMBERS:
            found = self._number(name, value, place)
        elif name in _FLAGS:
            found = value if isinstance(value, bool) else None
        elif name in ("format", "contentEncoding", "contentMediaType"):
            found = (
                value
                if isinstance(value, str)
                and len(value) <= 100
                and not value.startswith("jackfield:")
                else None
            )
        elif name == "pattern":
            found = self._pattern(value, place)
        elif name == "type":
            found = self._type(value, place)
        elif name == "required":
            found = self._texts(value, place)
        elif name == "dependentRequired":
            found = {
                key: self._texts(names, child(place, key)) or []
                for key, names in (self._keyed(value, place) or {}).items()
            }
        return found

    def _number(self, name: str, value: Any, place: str) -> Any:
        found = PLAIN[name](value)
        if found is not None and abs(found) < _TOO_LARGE:
            return found
        self._left_off(place, f"is no number that fits: {one_line(str(value), 40)}")
        return None

    def _pattern(self, value: Any, place: str) -> str | None:
        if isinstance(value, str) and self._patterns.holds(value):
            return value
        self._left_off(place, f"the pattern '{one_line(str(value), 80)}' is of another dialect")
        return None

    def _type(self, value: Any, place: str) -> Any:
        types, others = types_of({"type": [_lower(one) for one in _alone(value)]})
        if types and not others and "any" not in map(_lower, _alone(value)):
            return types if isinstance(value, list) else types[0]
        self._left_off(place, f"is no type of JSON: {one_line(json.dumps(value), 80)}")
        return None

    def _listed(self, value: Any, place: str) -> list[Any]:
        if not isinstance(value, list) or not value:
            self._left_off(place, "is an empty list" if value == [] else "is no list")
        return value if isinstance(value, list) else []

    def _keyed(self, value: Any, place: str) -> Json | None:
        # PHP writes an empty list for an empty object
        if isinstance(value, Mapping) or value == []:
            return value or {}
        self._left_off(place, "is no object")
        return None

    def _texts(self, value: Any, place: str) -> list[str] | None:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self._left_off(place, "is no list of names")
        return (
            list(dict.fromkeys(one for one in value if isinstance(one, str)))
            if isinstance(value, list)
            else None
        )

    def _modern(self, node: Json) -> Json:
        """Return a schema of an older draft with the keywords of JSON Schema 2020-12."""
        found = {_SAME.get(name, name): value for name, value in node.items()}
        if (isinstance(found.get("items"), list) and found["items"]) or (
            self._is_old and "additionalItems" in found
        ):
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
        found |= _dependent(found.pop("dependencies", None))
        if self._is_old and "$ref" in found:  # in these drafts, nothing beside a reference counts
            return {"$ref": found["$ref"]}
        return found

    def _break_circles(self) -> None:
        """Open the definitions that refer to themselves for the same value: validation would never
        end.

        :raises Unfit: if an open definition could make other keywords refuse more.
        """
        ends: dict[str, bool] = {}
        names = {f"#/$defs/{name}": place for place, name in self._names.items()}

        def visit(name: str) -> None:
            ends[name] = False
            for other in _in_place(self._made[names[name]]):
                if ends.get(other) is False:
                    circles.append(other)
                elif other not in ends:
                    visit(other)
            ends[name] = True

        circles: list[str] = []
        for name in names:
            if name not in ends:
                visit(name)
        if circles and any(f'"{name}":' in json.dumps([*self._made.values()]) for name in _INVERTS):
            raise Unfit("its schema has references in a circle")
        for name in dict.fromkeys(circles):
            self._made[names[name]] = {}
            self._left_off(
                f"{self._at}{names[name]}",
                "its references lead back to it without a step into the value",
            )


def _nested(node: Any, place: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield a converted schema and its subschemas, each with its place."""
    if not isinstance(node, dict):
        return
    yield node, place
    for name, value in node.items():
        at = child(place, name)
        if name in _ONE:
            yield from _nested(value, at)
        parts: Any = enumerate(value) if name in _MANY else value.items() if name in _MAPS else ()
        for key, part in parts:
            yield from _nested(part, child(at, key))


def _dependent(dependencies: Any) -> dict[str, Any]:
    """Return the 2020-12 keywords for ``dependencies`` of older drafts, with its lists of names and
    its schemas.
    """
    if not isinstance(dependencies, Mapping):
        return {}
    lists = {name: one for name, one in dependencies.items() if isinstance(one, list)}
    others = {name: one for name, one in dependencies.items() if not isinstance(one, list)}
    return {
        **({"dependentRequired": lists} if lists else {}),
        **({"dependentSchemas": others} if others else {}),
    }


def _sized(value: Any) -> Any:
    """Return a value with members, or a replacement with one member; empty for an omitted value."""
    return () if value is None else value if isinstance(value, list | Mapping) else (value,)


def _lower(value: Any) -> Any:
    """Return a type in lower case: schemas for Gemini have upper case."""
    return value.lower() if isinstance(value, str) else value


def _alone(value: Any) -> list[Any]:
    """Return a list, or a one-item list of any other value."""
    return value if isinstance(value, list) else [value]


def _anchors(schema: Json) -> dict[str, str]:
    """Return the named places of a schema: ``#NAME`` of an anchor, and each ``$id``."""
    found: dict[str, list[str]] = {}
    waiting: list[tuple[str, Any]] = [("", schema)]
    while waiting:
        place, node = waiting.pop()
        if isinstance(node, Mapping):
            for name in {
                f"{start}{node[name]}"
                for name, start in _NAMED_BY.items()
                if isinstance(node.get(name), str)
            }:
                found.setdefault(name, []).append(place)
            waiting += [
                (f"{place}{quote(child('', name), safe='/~')}", one)
                for name, one in node.items()
                if name not in _VALUES
            ]
        elif isinstance(node, list):
            waiting += [(child(place, number), one) for number, one in enumerate(node)]
    return {name: places[0] for name, places in found.items() if len(places) == 1}


def _in_place(node: Any) -> Iterator[str]:
    """Yield the references of a schema that apply to the same value."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, dict):
            continue
        if "$ref" in one:
            yield one["$ref"]
        for name in one.keys() & _IN_PLACE:
            value = one[name]
            waiting += (
                value
                if isinstance(value, list)
                else value.values()
                if name == "dependentSchemas"
                else [value]
            )


def _headers(schema: Json) -> dict[str, str]:
    """Return the names of header fields that repeat inputs, by JSON Pointer.

    :raises Unfit: if a name is not valid or occurs twice, or its place cannot be in a call's
        arguments.
    """
    found: dict[str, str] = {}
    for place, node in _placed(schema):
        if "x-mcp-header" not in node:
            continue
        name = node["x-mcp-header"]
        if (
            not isinstance(name, str)
            or not _HEADER.fullmatch(name)
            or not place
            or node.get("type") not in _HEADER_TYPES
        ):
            raise Unfit("it names a header field that cannot be sent ('x-mcp-header')")
        if name.lower() in {one.lower() for one in found.values()}:
            raise Unfit(f"it names the header field '{name}' twice")
        found[place] = name
    return found


def _placed(schema: Json) -> Iterator[tuple[str | None, Json]]:
    """Yield the objects of a schema, each with the JSON Pointer of the input that it describes;
    None if the input is uncertain.
    """
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
                waiting += [
                    (None if place is None else child(place, inner), one)
                    for inner, one in value.items()
                ]
            elif key not in _VALUES:
                waiting.append((None, value))
