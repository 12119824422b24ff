"""Another library's verdict, our explanation and the engine's own errors agree about thousands of
generated pairs.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import jsonschema
import jsonschema_rs
import pytest

from jackfield.kernel.errors import Detail
from jackfield.schema import compile_schema
from jackfield.schema.formats import FORMATS, JUDGED_HERE

if TYPE_CHECKING:
    from collections.abc import Callable

OURS = {name: judged.holds for name, judged in JUDGED_HERE.items()}
VALUES = 16
TEXTS = [
    "",
    "a",
    "ada",
    "ada@example.com",
    "Ada <ada@example.com>",
    "ada@example.com; bob@example.com",
    "jörg@example.com",
    "eu-west-1",
    "EU",
    "2026-01-31",
    "2026-01-31T08:30:00Z",
    "08:30:00Z",
    "P1D",
    "https://example.com/a",
    "/path",
    "example.com",
    "192.0.2.1",
    "::1",
    "QUJD",
    "low",
    "hihg",
    "a\n",
    "é",
    "😀😀",
    "12",
    "true",
    "x" * 70,
    "/a/0",
    "123e4567-e89b-12d3-a456-426614174000",
    "^a$",
    "\r",
    "\u2028",
]
NUMBERS: list[Any] = [
    0,
    1,
    2,
    3,
    5,
    10,
    -1,
    1.0,
    2.5,
    0.1,
    0.3,
    1e300,
    -0.0,
    10**20,
    2**53 + 1,
    4.35,
]
NAMES = ["to", "cc", "subject", "text", "a", "b", "x-1", "subjct"]
PATTERNS = [
    "^a",
    "^[a-z]{2}$",
    r"^\d+$",
    r"^\w+$",
    r"\s",
    "^.$",
    "e$",
    r"^[\w.-]+@",
    "^x-",
    r"[^\D5]",
    r"\bada\b",
    "^(?:low|high)$",
]
FITTING = {
    "email": "ada@example.com",
    "mailbox": "Ada <ada@example.com>",
    "mailbox-list": "ada@example.com; bob@example.com",
    "date": "2026-01-31",
    "idn-email": "jörg@example.com",
    "uri": "https://example.com/a",
    "date-time": "2026-01-31T08:30:00Z",
    "time": "08:30:00Z",
    "duration": "P1D",
    "uuid": "123e4567-e89b-12d3-a456-426614174000",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "::1",
}
SMALL: list[Any] = [None, True, False, "low", "high", 1, 1.0, 0, "x"]


class Maker:
    """Makes schemas, and values that nearly fit them, from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def some(self, items: list[Any], most: int) -> list[Any]:
        """Up to ``most`` different items, at least one."""
        return self.random.sample(items, self.random.randint(1, min(most, len(items))))

    def schema(self, depth: int) -> Any:
        """A schema of at most this depth."""
        makers: list[Callable[[int], Any]] = [
            self.text,
            self.text,
            self.number,
            self.choice,
            self.flag,
        ]
        if depth:
            makers += [
                self.object,
                self.object,
                self.object,
                self.array,
                self.array,
                self.combined,
                self.combined,
                self.reference,
            ]
        return self.random.choice(makers)(depth)

    def text(self, _depth: int) -> Any:
        """A schema for strings."""
        node: dict[str, Any] = {"type": "string"}
        extra = {
            "minLength": self.random.randint(0, 3),
            "maxLength": self.random.randint(1, 12),
            "pattern": self.random.choice(PATTERNS),
            "format": self.random.choice([*FORMATS, "password", "html", "uri-template"]),
            "writeOnly": True,
        }
        for keyword in self.random.sample(list(extra), self.random.choice([0, 1, 1, 2])):
            node[keyword] = extra[keyword]
        if self.random.random() < 0.2:
            node["x-jackfield"] = {"expects": "what is wanted"}
        return node

    def number(self, _depth: int) -> Any:
        """A schema for numbers."""
        node: dict[str, Any] = {
            "type": self.random.choice(
                ["integer", "number", ["integer", "null"], ["number", "string"]]
            )
        }
        for keyword in self.some(
            ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"], 2
        ):
            node[keyword] = self.random.choice([1, 2, 3, 0.1, 0.5, 10])
        return node

    def choice(self, _depth: int) -> Any:
        """A schema with allowed values."""
        return (
            {"const": self.random.choice(SMALL)}
            if self.random.random() < 0.3
            else {"enum": self.some(SMALL, 4)}
        )

    def flag(self, _depth: int) -> Any:
        """A schema for booleans, anything, or nothing."""
        return self.random.choice(
            [
                {"type": "boolean"},
                {"type": "boolean"},
                {"type": ["boolean", "null"]},
                True,
                False,
                {},
            ]
        )

    def array(self, depth: int) -> Any:
        """A schema for arrays."""
        node: dict[str, Any] = {"type": "array", "items": self.schema(depth - 1)}
        extra = {
            "minItems": self.random.randint(0, 2),
            "maxItems": self.random.randint(1, 3),
            "uniqueItems": True,
            "contains": self.schema(0),
            "prefixItems": [self.schema(0)],
        }
        for keyword in self.random.sample(list(extra), self.random.choice([0, 1, 1, 2])):
            node[keyword] = extra[keyword]
        if "contains" in node and self.random.random() < 0.5:
            node |= {
                "minContains": self.random.randint(0, 2),
                "maxContains": self.random.randint(1, 2),
            }
        if "prefixItems" in node and self.random.random() < 0.5:
            node["items"] = False
        if self.random.random() < 0.2:
            del node["items"]
            node["unevaluatedItems"] = self.random.choice([False, self.schema(0)])
        return node

    def object(self, depth: int) -> Any:
        """A schema for objects."""
        names = self.some(NAMES, 5)
        node: dict[str, Any] = {
            "type": "object",
            "properties": {name: self.schema(depth - 1) for name in names},
        }
        closing = self.random.random()
        if closing < 0.6:
            node["additionalProperties"] = self.random.choice([False, False, self.schema(0)])
        elif closing < 0.75:
            node["unevaluatedProperties"] = self.random.choice([False, self.schema(0)])
        extra = {
            "required": self.some(NAMES, 3),
            "minProperties": self.random.randint(0, 2),
            "maxProperties": self.random.randint(1, 4),
            "dependentRequired": {self.random.choice(NAMES): self.some(NAMES, 2)},
            "propertyNames": {"maxLength": 4},
            "patternProperties": {self.random.choice(PATTERNS): self.schema(0)},
            "dependentSchemas": {self.random.choice(NAMES): {"required": self.some(NAMES, 1)}},
            "anyOf": [{"required": [name]} for name in self.some(NAMES, 3)],
            "oneOf": [{"required": [name]} for name in self.some(NAMES, 3)],
            "if": {"required": [self.random.choice(NAMES)]},
        }
        for keyword in self.random.sample(list(extra), self.random.choice([0, 0, 1, 1, 3])):
            node[keyword] = extra[keyword]
        if "if" in node:
            node |= {
                "then": {"properties": {names[0]: self.schema(0)}},
                "else": {"required": self.some(NAMES, 1)},
            }
        return node

    def combined(self, depth: int) -> Any:
        """A schema of branches."""
        keyword = self.random.choice(["anyOf", "anyOf", "anyOf", "oneOf", "allOf", "not"])
        if keyword == "not":
            return {"not": self.schema(0)}
        return {keyword: [self.schema(depth - 1) for _ in range(self.random.randint(1, 3))]}

    def reference(self, _depth: int) -> Any:
        """A reference to one of the two definitions that every schema has."""
        return {"$ref": self.random.choice(["#/$defs/Address", "#/$defs/Tree"])}

    def root(self) -> Any:
        """A whole schema: an object's, like those of actions and connections."""
        tree = {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
            ]
        }
        return self.object(2) | {
            "$defs": {"Address": {"type": "string", "format": "mailbox"}, "Tree": tree}
        }

    def value(self, schema: Any, root: Any, depth: int) -> Any:
        """A value that looks as if the schema had been read, by somebody in a hurry."""
        if self.random.random() < 0.05 or isinstance(schema, bool) or depth < 0:
            return self.anything(1)
        if "$ref" in schema:
            return self.value(root["$defs"][schema["$ref"].rpartition("/")[2]], root, depth - 1)
        if "enum" in schema or "const" in schema:
            return self.random.choice([*schema.get("enum", [schema.get("const")]), "hihg"])
        if "type" not in schema:
            branches = next(
                (schema[keyword] for keyword in ("anyOf", "oneOf", "allOf") if keyword in schema),
                [True],
            )
            return self.value(self.random.choice(branches), root, depth)
        return self.typed_value(schema, root, depth)

    def typed_value(self, schema: Any, root: Any, depth: int) -> Any:
        """A value of the declared type, mostly."""
        if schema["type"] == "object":
            names = {*schema["properties"], *schema.get("required", ())} - (
                {self.random.choice(NAMES)} if self.random.random() < 0.4 else set()
            )
            kept = [
                name for name in sorted(names) if self.random.random() < 0.8
            ] + self.random.sample(NAMES, int(self.random.random() < 0.3))
            return {
                name: self.value(schema["properties"].get(name, True), root, depth - 1)
                for name in kept
            }
        if schema["type"] == "array":
            return [
                self.value(schema.get("items", True), root, depth - 1)
                for _ in range(self.random.randint(0, 3))
            ]
        if schema["type"] == "string":
            return (
                FITTING.get(schema.get("format", ""), "ada")
                if self.random.random() < 0.7
                else self.random.choice(TEXTS)
            )
        return self.random.choice(
            NUMBERS if schema["type"] != "boolean" else [True, False, False, "true"]
        )

    def anything(self, depth: int) -> Any:
        """Any JSON value."""
        scalars = [*SMALL, *NUMBERS, *TEXTS]
        if not depth or self.random.random() < 0.6:
            return self.random.choice(scalars)
        if self.random.random() < 0.5:
            return [self.anything(depth - 1) for _ in range(self.random.randint(0, 3))]
        return {name: self.anything(depth - 1) for name in self.some(NAMES, 3)}


def another_validator(schema: Any) -> Any:
    """The schema in jsonschema. Its formats are checked as the engine's are, which another test
    compares with a table.
    """
    checker = jsonschema.FormatChecker(formats=())
    for name in FORMATS:
        judge = jsonschema_rs.Draft202012Validator(
            {"format": name}, validate_formats=True, formats=OURS
        ).is_valid
        checker.checkers[name] = (judge, ())
    return jsonschema.Draft202012Validator(schema, format_checker=checker)


def own_errors(schema: Any, value: Any) -> tuple[set[str], set[str]]:
    """Where jsonschema-rs itself sees errors: first the plain ones, then those of whole branches
    and names, which we tell closer.

    A missing or unknown member is at its own name, as contract §3 has it.
    """
    plain: set[str] = set()
    whole: set[str] = set()
    for error in jsonschema_rs.Draft202012Validator(
        schema, validate_formats=True, formats=OURS
    ).iter_errors(value):
        path = "".join(f"/{name}" for name in error.instance_path)
        kind: Any = error.kind
        if kind.name in ("anyOf", "oneOf", "propertyNames", "unevaluatedItems"):
            whole.add(path)
        elif kind.name == "required":
            plain.add(f"{path}/{kind.property}")
        elif kind.name in ("additionalProperties", "unevaluatedProperties") and hasattr(
            kind, "unexpected"
        ):
            plain |= {f"{path}/{name}" for name in kind.unexpected}
        elif kind.name == "falseSchema" and error.schema_path[-1] == "items":
            # too many items: one fault of the array, not one for each item
            plain.add(path.rpartition("/")[0])
        else:
            plain.add(path)
    return plain, whole


def lies_at(place: str, other: str) -> bool:
    """Whether ``place`` is ``other`` or below it."""
    return place == other or place.startswith(f"{other}/")


@pytest.fixture(scope="module", params=[200, pytest.param(690, marks=pytest.mark.campaign)])
def pairs(request: pytest.FixtureRequest) -> list[tuple[Any, Any, tuple[Detail, ...], bool]]:
    """Schemas and values with what our compiled schema says, and the verdict of another library."""
    made = []
    for seed in range(request.param):
        maker = Maker(seed)
        schema = maker.root()
        compiled, other = compile_schema(schema), another_validator(schema)
        for _ in range(VALUES):
            value = maker.value(schema, schema, 4)
            made.append((schema, value, compiled.judge(value), other.is_valid(value)))
    return made


def test_another_library_gives_the_same_verdict(
    pairs: list[tuple[Any, Any, tuple[Detail, ...], bool]],
) -> None:
    """A schema means the same to any validator: jsonschema, with our own formats and its own for
    the rest, finds the same values valid.
    """
    assert len(pairs) >= 3_000
    assert sum(not details for _, _, details, _ in pairs) > len(pairs) / 8
    assert [
        (schema, value) for schema, value, details, valid in pairs if valid is bool(details)
    ] == []


def test_the_explanation_finds_what_the_engine_finds(
    pairs: list[tuple[Any, Any, tuple[Detail, ...], bool]],
) -> None:
    """Each place where the engine sees an error has a Detail, and no Detail lies anywhere else."""
    for schema, value, details, _ in pairs:
        plain, whole = own_errors(schema, value)
        told = {detail.path for detail in details}
        assert plain <= told, (schema, value)
        assert all(any(lies_at(path, place) for place in whole) for path in told - plain), (
            schema,
            value,
        )
        assert all(any(lies_at(path, place) for path in told) for place in whole), (schema, value)


def test_no_refusal_is_left_without_a_sentence(
    pairs: list[tuple[Any, Any, tuple[Detail, ...], bool]],
) -> None:
    """Every error of the engine finds its sentence; the general one is not needed."""
    assert [
        (schema, value)
        for schema, value, details, _ in pairs
        if any("the schema describes" in d.message for d in details)
    ] == []


def test_every_keyword_was_broken_by_some_pair(
    pairs: list[tuple[Any, Any, tuple[Detail, ...], bool]],
) -> None:
    """The pairs are worth something: they reach every keyword that has a rule of its own."""
    told = {detail.keyword for _, _, details, _ in pairs for detail in details}
    assert told >= {
        "type",
        "enum",
        "const",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "items",
        "contains",
        "maxContains",
        "minItems",
        "maxItems",
        "uniqueItems",
        "unevaluatedItems",
        "required",
        "dependentRequired",
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
        "minProperties",
        "maxProperties",
        "anyOf",
        "oneOf",
        "not",
        None,
    }
