"""JSON Schemas as types of a programming language. The runtime checks rules that types cannot
express (patterns, ranges, rules between members).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from jackfield.kernel.dataclass import dataclass

Json = Mapping[str, Any]
_LONGEST = 200
_PLAIN = ("string", "boolean", "integer", "number", "null")
_MOST_CHOICES = 200
_WORD = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Member:
    """Member of an object."""

    name: str
    type: str
    required: bool
    about: str


class Language(Protocol):
    """Protocol that spells types in one programming language."""

    def plain(self, name: str) -> str:
        """Return the spelling of a JSON type: ``string``, ``boolean``, ``integer``, ``number``,
        ``null`` or ``any``.
        """

    def choice(self, values: Sequence[Any]) -> str:
        """Return the type whose only values are ``values``."""

    def array(self, item: str) -> str:
        """Return the type of arrays of an item type."""

    def mapping(self, value: str) -> str:
        """Return the type of objects with any member names, whose values have the type
        ``value``.
        """

    def union(self, types: Sequence[str]) -> str:
        """Return the union of types."""

    def declared(self, name: str, members: Sequence[Member]) -> str:
        """Return the declaration of an object type."""


class Names:
    """Names of one module's types. ``shared`` are the names of definitions that all actions of a
    connector use.
    """

    def __init__(self, reserved: Iterable[str]) -> None:
        self.taken = set(reserved)
        self.shared: dict[str, str] = {}

    def free(self, name: str) -> str:
        """Return a name that no other type of the module has, and reserve it."""
        free, number = name[:_LONGEST], 1
        while free in self.taken:
            number += 1
            free = f"{name[:_LONGEST]}{number}"
        self.taken.add(free)
        return free


class TypeReader:
    """Converter of one schema of an action into types.

    ``declarations`` are the declarations of its objects, each after those that it uses. Members are
    optional where the reader is ``lenient``.
    """

    def __init__(
        self,
        language: Language,
        root: Json,
        names: Names,
        *,
        lenient: Iterable[str] = (),
        shares: bool = False,
    ) -> None:
        self.declarations: list[str] = []
        self._language, self._root, self._names, self._lenient = (
            language,
            root,
            names,
            frozenset(lenient),
        )
        self._named = names.shared if shares else {}
        self._shares = shares
        self._name = ""

    def whole(self, name: str) -> str:
        """Return the type of the whole schema; an object becomes a declared type called
        ``name``.
        """
        self._name = name
        return self._type(self._root, name, self._lenient)

    def _type(self, schema: Any, name: str, lenient: frozenset[str] = frozenset()) -> str:
        if not isinstance(schema, Mapping):
            return self._language.plain("any")
        if isinstance(schema.get("$ref"), str) and not schema.get("properties"):
            return self._referred(schema["$ref"], name)
        if "const" in schema or "enum" in schema:
            return self._choice([schema["const"]] if "const" in schema else schema["enum"])
        parts = schema.get("anyOf") or schema.get("oneOf")
        if (
            isinstance(parts, list)
            and parts
            and not schema.get("properties")
            and all(_says_type(part) for part in parts)
        ):
            return self._language.union(
                [self._type(part, f"{name}{number}") for number, part in enumerate(parts, 1)]
            )
        return self._of_kind(self._merged(schema), name, lenient)

    def _of_kind(self, schema: Json, name: str, lenient: frozenset[str]) -> str:
        kinds = schema.get("type")
        if isinstance(kinds, list):
            return self._language.union(
                [self._of_kind({**schema, "type": kind}, name, lenient) for kind in kinds]
            )
        if kinds in _PLAIN:
            return self._language.plain(kinds)
        if kinds == "array":
            return self._language.array(self._type(schema.get("items"), f"{name}Item"))
        is_object = kinds == "object" or "properties" in schema
        return self._object(schema, name, lenient) if is_object else self._language.plain("any")

    def _merged(self, schema: Json) -> Json:
        """Return a schema that includes the members of the schemas in its ``allOf``."""
        parts = [
            self._resolved(part) for part in schema.get("allOf", ()) if isinstance(part, Mapping)
        ]
        if not parts:
            return schema
        merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
        members: dict[str, Any] = {}
        needed: list[str] = []
        for part in (*parts, schema):
            members |= part.get("properties", {})
            needed += part.get("required", ())
            merged = {**part, **merged}
        return {**merged, "properties": members, "required": needed} if members else merged

    def _object(self, schema: Json, name: str, lenient: frozenset[str]) -> str:
        members, more = schema.get("properties", {}), schema.get("additionalProperties")
        if not members:
            value = (
                self._type(more, f"{name}Value")
                if isinstance(more, Mapping)
                else self._language.plain("any")
            )
            return self._language.mapping(value)
        own = self._names.free(name)
        needed = frozenset(schema.get("required", ())) - lenient
        rows = [
            Member(key, self._type(part, own + pascal(key)), key in needed, _about(part))
            for key, part in members.items()
        ]
        self.declarations.append(self._language.declared(own, rows))
        return own

    def _choice(self, values: Sequence[Any]) -> str:
        plain = [value for value in values if isinstance(value, str | bool | int) or value is None]
        if len(plain) < len(values) or not 0 < len(values) <= _MOST_CHOICES:
            return self._language.plain("any")
        return self._language.choice(plain)

    def _referred(self, reference: str, name: str) -> str:
        """Return the type of a definition, declared once. A recursive reference within the
        definition becomes ``any``.
        """
        known = self._named.get(reference)
        if known is not None:
            return known
        schema = self._resolved({"$ref": reference})
        word = pascal(reference.rpartition("/")[2].rpartition(".")[2])
        own = (
            name
            if not reference.startswith("#/$defs/")
            else word
            if self._shares
            else f"{self._name}{word}"
        )
        self._named[reference] = self._language.plain("any")  # within itself
        found = self._named[reference] = self._type(schema, own)
        return found

    def _resolved(self, schema: Json) -> Json:
        found: Any = schema
        for _ in range(20):
            reference = found.get("$ref") if isinstance(found, Mapping) else None
            if not isinstance(reference, str):
                break
            found = self._root
            for part in reference.removeprefix("#").split("/")[1:]:
                found = (
                    found.get(part.replace("~1", "/").replace("~0", "~"), {})
                    if isinstance(found, Mapping)
                    else {}
                )
        return found if isinstance(found, Mapping) else {}


def _says_type(part: Any) -> bool:
    return isinstance(part, Mapping) and bool(
        part.keys() & {"type", "$ref", "enum", "const", "properties", "anyOf", "oneOf", "allOf"}
    )


def _about(schema: Any) -> str:
    text = schema.get("description") or schema.get("title") if isinstance(schema, Mapping) else None
    return first_sentence(text) if isinstance(text, str) else ""


def first_sentence(text: str) -> str:
    """Return the first sentence of a description on one line, without characters that could end a
    comment or a docstring.
    """
    line = " ".join(text.split())
    sentence = re.split(r"(?<=[.!?])\s", line, maxsplit=1)[0]
    printable = "".join(letter for letter in sentence if letter.isprintable())
    return printable.replace("*/", "* /").replace('"""', "'''").replace("\\", "/")[:_LONGEST]


def pascal(text: str) -> str:
    """Convert a name to PascalCase."""
    found = "".join(word[:1].upper() + word[1:] for word in _WORD.findall(text))
    return found if found[:1].isalpha() else f"X{found}"


def literal(value: Any) -> str:
    """Return a value as JSON. It is a literal in TypeScript, and in Python except for ``true``,
    ``false`` and ``null``.
    """
    return json.dumps(value, ensure_ascii=True)
