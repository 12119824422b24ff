"""Values that fit a schema: minimal values for examples, random values for tests and campaigns.

The caller validates each value: some schemas accept only values that this module does not find.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from random import Random
from typing import Any

import jsonschema_rs

from jackfield_openapi.shortest import shortest

_PREFIX = "#/$defs/"
_DEEPEST = 12
"""Level of nesting below which only required members are made."""
_BOTTOM = 40
_MANY = 200
"""Number of values after which only required members are made."""
_MOST, LARGEST = 20_000, 65_536
"""Maximum number of values, and maximum size in characters and digits, of one instance. They bound
the numbers of a document.
"""
_BITS = 3
"""Minimum number of bits of a decimal digit."""
_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T08:30:00Z",
    "time": "08:30:00Z",
    "duration": "P1D",
    "email": "ada@example.com",
    "idn-email": "ada@example.com",
    "hostname": "example.com",
    "idn-hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/a",
    "iri": "https://example.com/a",
    "uri-reference": "/a",
    "iri-reference": "/a",
    "uri-template": "/a/{b}",
    "json-pointer": "/a",
    "relative-json-pointer": "1/a",
    "regex": "a",
    "uuid": "8f14e45f-ceea-467f-a0e6-3f2b1c9d7a10",
    "byte": "QUJD",
}
_WORDS = (
    "a",
    "A",
    "1",
    "10",
    "abc",
    "Abc-1",
    "a_b",
    "AB",
    "ABC",
    "us",
    "en-US",
    "2026-01-31",
    "08:30",
    "a.b",
    "/a",
    "#aabbcc",
    "+15550100",
    "https://example.com/a",
    "ada@example.com",
    "12345",
    "0123456789",
    "1.0",
    "1.0.0",
    "true",
    "*",
    "{}",
    "8f14e45f-ceea-467f-a0e6-3f2b1c9d7a10",
    "0123456789abcdef01234567",
    "0123456789abcdef0123456789abcdef",
)
_LETTERS = "abcxyz ABC019-._~%/?#&=+,;:'\"<>[]{}|\\äß€😀"

Json = dict[str, Any]


class TooLarge(ValueError):
    """Error for a schema whose generated value exceeds the size budget."""


class Instances:
    """Generator of values for one connector's schemas. ``random`` varies the values; without it
    they are minimal and deterministic.

    ``shown`` prefers the schemas' examples, which may not fit the schemas. ``matching`` makes a
    string for a pattern. By default usual words are tried first, then a short string is made from
    the pattern.
    """

    def __init__(
        self,
        definitions: Mapping[str, Any],
        random: Random | None = None,
        matching: Callable[[str], str | None] | None = None,
        *,
        shown: bool = True,
    ) -> None:
        self._definitions = definitions
        self._shown = shown
        self._random = random
        self._matching = matching
        self._made = self._size = 0

    def value(self, schema: Any, depth: int = 0) -> Any:
        """Return a value for a schema.

        :raises TooLarge: if the value has more than 20,000 parts, or 64 KiB of characters.
        """
        if not depth:
            self._made = self._size = 0
        self._spend(values=1)
        node = self._merged(schema, depth)
        if "const" in node:
            return self._copied(node["const"])
        if node.get("enum"):
            return self._copied(self._one(node["enum"]))
        if node.get("examples") and self._keeps_examples():
            return self._copied(self._one(node["examples"]))
        kinds = node.get("type", self._guessed(node))
        listed = kinds if isinstance(kinds, list) else [kinds]
        kind = (
            self._one([one for one in listed if one != "null"] or listed)
            if not self._rarely() or "null" not in listed
            else "null"
        )
        return self._of_kind(kind, node, depth)

    def _spend(self, values: int = 0, size: int = 0) -> None:
        """Subtract from the budget before anything is made.

        :raises TooLarge: if the rest does not suffice.
        """
        self._made, self._size = self._made + values, self._size + size
        if self._made > _MOST or self._size > LARGEST:
            raise TooLarge("no short value fits")

    def _copied(self, value: Any) -> Any:
        """Return a value of the document after charging it to the budget: a list may repeat it
        thousands of times.
        """
        self._spend(size=len(str(value)))
        return value

    def _member(self, name: str, schema: Any, depth: int) -> Any:
        self._spend(size=len(name))
        return self.value(schema, depth + 1)

    def _require(self, values: int) -> None:
        """Check that the budget suffices for ``values`` more values, without subtracting them.

        :raises TooLarge: if it does not suffice.
        """
        if values > _MOST - self._made:
            raise TooLarge("no short value fits")

    def _of_kind(self, kind: str, node: Json, depth: int) -> Any:
        if kind in ("object", "array"):
            return self._object(node, depth) if kind == "object" else self._array(node, depth)
        if kind in ("integer", "number"):
            return self._number(node)
        if kind == "boolean":
            return self._random is None or self._random.random() < 0.5
        return None if kind == "null" else self._text(node)

    def _guessed(self, node: Json) -> str:
        if "properties" in node or "additionalProperties" in node:
            return "object"
        return (
            "array"
            if "items" in node
            else "number"
            if "minimum" in node or "maximum" in node
            else "string"
        )

    def _keeps_examples(self) -> bool:
        return self._shown and (self._random is None or self._random.random() < 0.2)

    def _rarely(self) -> bool:
        return self._random is not None and self._random.random() < 0.1

    def _one(self, choices: Any) -> Any:
        return choices[0] if self._random is None else self._random.choice(choices)

    def _merged(self, schema: Any, depth: int) -> Json:
        """Return a schema merged with its reference, its branches and one of its alternatives, as
        far as a value needs them.
        """
        if not isinstance(schema, dict):
            return {}
        if depth > _BOTTOM:
            return {"type": "string"}
        made: Json = {}
        for part in self._parts(schema, depth):
            for name, value in part.items():
                _fold(made, name, value)
        return made

    def _parts(self, schema: Json, depth: int, level: int = 0) -> Iterator[Json]:
        if level > _BOTTOM:
            return
        yield {
            name: value
            for name, value in schema.items()
            if name not in ("$ref", "allOf", "oneOf", "anyOf")
        }
        reference = schema.get("$ref")
        branches = (
            [self._definitions.get(reference.removeprefix(_PREFIX), True)]
            if isinstance(reference, str)
            else []
        )
        branches += schema.get("allOf", ())
        for name in ("oneOf", "anyOf"):
            listed = [
                one
                for one in schema.get(name, ())
                if one is not True and not (isinstance(one, dict) and one.get("type") == "null")
            ]
            if schema.get("x-jackfield", {}).get("file") == "stream":
                # the last form refers to a stored file, and no value is the ID of one
                listed = listed[:-1]
            if listed:
                branches.append(listed[0] if depth > _DEEPEST else self._one(listed))
        for branch in branches:
            if isinstance(branch, dict):
                yield from self._parts(branch, depth, level + 1)

    def _object(self, node: Json, depth: int) -> Json:
        properties: Json = node.get("properties", {})
        required = node.get("required", ())
        found: Json = {}
        for name, schema in properties.items():
            if schema is not False and (name in required or self._wants(depth)):
                found[name] = self._member(name, schema, depth)
        free = node.get("additionalProperties", True)
        for name in required:
            if name not in found and free is not False:
                found[name] = self._member(name, free, depth)
        missing = _count(node, "minProperties", 0) - len(found)
        self._require(missing)
        names = [name for name in properties if name not in found]
        for name in names[: max(0, missing)]:
            found[name] = self._member(name, properties[name], depth)
        if free is not False and (
            missing > len(names) or (isinstance(free, dict) and self._wants(depth))
        ):
            found |= {
                f"key{number}": self.value(free, depth + 1)
                for number in range(max(1, missing - len(names)))
            }
        return found

    def _wants(self, depth: int) -> bool:
        return (
            self._random is not None
            and depth <= _DEEPEST
            and self._made < _MANY
            and self._random.random() < 0.8 / (1 + depth)
        )

    def _array(self, node: Json, depth: int) -> list[Any]:
        least = _count(node, "minItems", 0)
        self._require(least)
        most = max(least, min(_count(node, "maxItems", least + 3), least + 3))
        count = (
            least if self._random is None or depth > _DEEPEST else self._random.randint(least, most)
        )
        prefix = node.get("prefixItems", [])
        found: list[Any] = []
        for number in range(count):
            item = self.value(
                prefix[number] if number < len(prefix) else node.get("items", {}), depth + 1
            )
            if not (node.get("uniqueItems") and item in found):
                found.append(item)
        return found

    def _number(self, node: Json) -> int | float:
        usual = (
            Fraction(1) if node.get("type") != "number" or self._random is None else Fraction(1, 2)
        )
        step, above, below = (
            exact(node.get(name)) for name in ("multipleOf", "exclusiveMinimum", "exclusiveMaximum")
        )
        step = step if step is not None and step > 0 else usual
        low, high = exact(node.get("minimum")), exact(node.get("maximum"))
        return self._chosen(
            step, above if low is None else low, below if high is None else high, above, below
        )

    def _chosen(
        self,
        step: Fraction,
        low: Fraction | None,
        high: Fraction | None,
        above: Fraction | None,
        below: Fraction | None,
    ) -> int | float:
        """Return a multiple of ``step`` within bounds; ``above`` and ``below`` are exclusive.
        Fractions avoid rounding and overflow.
        """
        if low is None:
            low = (
                min(Fraction(1), high if below is None else high - step)
                if high is not None
                else Fraction(1)
            )
        top = min(high, low + 1000 * step) if high is not None else low + 1000 * step
        first = math.ceil(low / step)
        if above is not None and first * step <= above:
            first += 1
        last = max(first, math.floor(top / step) - (1 if below is not None and top == high else 0))
        chosen = (first if self._random is None else self._random.randint(first, last)) * step
        self._spend(size=chosen.numerator.bit_length() // _BITS)
        try:
            return chosen.numerator if chosen.denominator == 1 else float(chosen)
        except OverflowError:
            raise TooLarge("no short value fits") from None

    def _text(self, node: Json) -> str:
        style = "byte" if node.get("contentEncoding") == "base64" else node.get("format")
        if style in _FORMATS:
            return _FORMATS[style]
        if isinstance(node.get("pattern"), str):
            found = self._matching(node["pattern"]) if self._matching is not None else _usual(node)
            self._spend(size=len(found or "a"))
            return found or "a"
        least = _count(node, "minLength", 0)
        most = _count(node, "maxLength", max(least, 12))
        self._spend(size=least)
        if self._random is None:
            return ("text" * (least // 4 + 1))[: max(least, min(4, most))]
        count = self._random.randint(least, max(least, min(most, least + 12)))
        return "".join(self._random.choice(_LETTERS) for _ in range(count))


def exact(value: object) -> Fraction | None:
    """Return a document's number without rounding; None if the value is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return Fraction(value) if isinstance(value, int) else Fraction(repr(value))
    except ValueError:  # infinite, or no number
        return None


def _count(node: Json, name: str, usual: int) -> int:
    """Return the value of a keyword such as ``minItems`` as a count, or ``usual`` if the value is
    no count.
    """
    found = exact(node.get(name))
    return usual if found is None else max(0, math.floor(found))


def _fold(made: Json, name: str, value: Any) -> None:
    """Merge a keyword of a branch into the keywords of earlier branches."""
    if name not in made or value is True:
        made.setdefault(name, value)
    elif name == "properties":
        made[name] = {**value, **made[name]}
    elif name == "required":
        made[name] = list(dict.fromkeys([*made[name], *value]))
    elif name == "enum":
        made[name] = [one for one in made[name] if one in value] or made[name]
    elif name in ("minLength", "minimum", "minItems", "minProperties"):
        made[name] = max(made[name], value)
    elif name in ("maxLength", "maximum", "maxItems", "maxProperties"):
        made[name] = min(made[name], value)
    elif name == "additionalProperties" and value is False:
        made[name] = made[name] if isinstance(made[name], dict) else False


def _usual(node: Json) -> str | None:
    """Return the first usual word that fits a pattern and its lengths, else a short string made
    from the pattern; None if neither fits.
    """
    try:
        judge = jsonschema_rs.Draft202012Validator(
            {name: node[name] for name in ("pattern", "minLength", "maxLength") if name in node}
        )
    except ValueError:
        return None
    made = shortest(node["pattern"], _count(node, "minLength", 0))
    return next(
        (word for word in (*_WORDS, made) if word is not None and judge.is_valid(word)), made
    )
