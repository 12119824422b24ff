"""What a schema must be, and what compiling leaves alone."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

import pytest

import jackfield.schema
from jackfield.schema import CheckedValue, CompiledSchema, SchemaError, compile_schema, compiling


@pytest.mark.parametrize(
    ("schema", "pointer", "reason"),
    [
        ({"properties": {"a/b": {"type": "strin"}}}, "/properties/a~1b/type", None),
        ({"type": []}, "/type", None),
        ({"type": ["string", "string"]}, "/type", None),
        ({"type": [1]}, "/type", None),
        ({"items": {"pattern": "("}}, "/items/pattern", "not a regular expression of ECMA-262"),
        (
            {"patternProperties": {"[": True}},
            "/patternProperties/[",
            "not a regular expression of ECMA-262",
        ),
        ({"minLength": -1}, "/minLength", "-1 is less than the minimum of 0"),
        ({"maxItems": 1.5}, "/maxItems", None),
        ({"minimum": "1"}, "/minimum", None),
        ({"maximum": True}, "/maximum", None),
        ({"multipleOf": 0}, "/multipleOf", None),
        ({"required": "a"}, "/required", '"a" is not of type "array"'),
        ({"required": ["a", "a"]}, "/required", None),
        ({"dependentRequired": {"a": "b"}}, "/dependentRequired/a", None),
        ({"dependentRequired": []}, "/dependentRequired", None),
        ({"enum": "a"}, "/enum", None),
        ({"uniqueItems": 1}, "/uniqueItems", None),
        ({"format": 1}, "/format", '1 is not of type "string"'),
        ({"writeOnly": "yes"}, "/writeOnly", None),
        ({"properties": []}, "/properties", '[] is not of type "object"'),
        ({"x-jackfield": True}, "/x-jackfield", None),
        ({"anyOf": []}, "/anyOf", None),
        ({"allOf": {}}, "/allOf", None),
        ({"anyOf": [{}, 3]}, "/anyOf/1", '3 is not of types "boolean", "object"'),
        ({"items": [True]}, "/items", None),
        ({"$defs": {"a": None}}, "/$defs/a", None),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema", None),
        ({"$ref": "#/$defs/nope"}, "/$ref", "'#/$defs/nope' points to nothing"),
        ({"$ref": "#nope"}, "/$ref", "'#nope' points to nothing"),
        ({"$ref": "#/required/x", "required": ["a"]}, "/$ref", None),
        ({"$ref": "#/required/9", "required": ["a"]}, "/$ref", None),
        (
            {"$ref": "#/required/0", "required": ["a"]},
            "/required/0",
            "a schema must be an object, true or false",
        ),
        (
            {"$ref": "https://example.com/s"},
            "/$ref",
            (
                "'https://example.com/s' points outside the schema; references within it "
                "('#/$defs/…') are followed"
            ),
        ),
        (
            {"items": {"$id": "https://example.com/s"}},
            "/items/$id",
            "'$id' may stand at the root only",
        ),
        ({"$ref": "#"}, "", "the schema refers to itself without end"),
        (
            {"items": {"allOf": [{"$ref": "#/items"}]}},
            "/items",
            "the schema refers to itself without end",
        ),
        (
            {"minimum": float("nan")},
            "/minimum",
            "must be JSON: NaN and Infinity are not numbers of JSON",
        ),
        (
            {"default": b""},
            "/default",
            'must be JSON: bytes are not; decode text, or give a file as {"data": base64}',
        ),
    ],
    ids=lambda item: str(item)[:50],
)
def test_a_schema_that_is_none_is_refused_with_its_place(
    schema: Any, pointer: str, reason: str | None
) -> None:
    """The error points into the schema and names the place."""
    with pytest.raises(SchemaError) as raised:
        compile_schema(schema)
    assert raised.value.pointer == pointer
    assert reason is None or raised.value.reason == reason
    assert (
        str(raised.value) == f"the schema is not valid at '{pointer or '/'}': {raised.value.reason}"
    )


@pytest.mark.parametrize("schema", [{"$vocabulary": 3}, {"deprecated": "x"}, {"$comment": 1}])
def test_keywords_that_nothing_reads_are_checked_too(schema: Any) -> None:
    """Keywords that we do not read are checked against the meta-schema too."""
    with pytest.raises(SchemaError) as raised:
        compile_schema(schema)
    assert raised.value.pointer == f"/{next(iter(schema))}"


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (True, 1),
        (
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$id": "https://example.com/s",
            },
            1,
        ),
        (
            {
                "$id": "https://example.com/s",
                "$ref": "https://example.com/s#/$defs/a",
                "$defs": {"a": {"type": "string"}},
            },
            "x",
        ),
        ({"$ref": "#/definitions/a%20b", "definitions": {"a b": {"type": "string"}}}, "x"),
        ({"$ref": "#/x-parts/0", "x-parts": [{"type": "string"}]}, "x"),
        ({"properties": {"$id": {"type": "string"}}}, {"$id": "x"}),
        ({"properties": {"$ref": True, "type": True, "enum": {"pattern": "x"}}}, {"$ref": 1}),
        (MappingProxyType({"type": "string"}), "x"),
        (
            {"enum": [{"pattern": "("}], "default": {"$ref": "#/no"}, "examples": [{"type": 1}]},
            {"pattern": "("},
        ),
        ({"minLength": 1.0, "contentSchema": {"type": "string"}, "x-other": {"pattern": "("}}, "x"),
        ({"items": {"items": {"$ref": "#"}}}, [[[]]]),
    ],
    ids=str,
)
def test_what_is_valid_is_taken(schema: Any, value: Any) -> None:
    """References inside the schema, anchors, members named like keywords, and data that only looks
    like a schema.
    """
    assert compile_schema(schema).judge(value) == ()


def test_branches_that_name_the_same_recursive_member_compile() -> None:
    """An accounting API has invoices and their lines in this form: without care each level doubles
    what applies to the next.
    """
    line = {"properties": {"invoice": {"$ref": "#/$defs/invoice"}, "amount": {"type": "integer"}}}
    branch = {"properties": {"lines": {"items": {"$ref": "#/$defs/line"}}}}
    schema = {
        "$ref": "#/$defs/invoice",
        "$defs": {"line": line, "invoice": {"allOf": [branch, dict(branch)]}},
    }
    found = compile_schema(schema).check({"lines": [{"invoice": {"lines": [{"amount": "7"}]}}]})
    assert found.value == {"lines": [{"invoice": {"lines": [{"amount": 7}]}}]}


def test_a_long_chain_of_references_compiles() -> None:
    """A thousand types, each with a member of the next one, need no thousand frames of Python's
    stack.
    """
    chain = {
        f"t{number}": {"properties": {"next": {"$ref": f"#/$defs/t{number + 1}"}}}
        for number in range(1000)
    }
    schema = {"$ref": "#/$defs/t0", "$defs": {**chain, "t1000": {"type": "integer"}}}
    assert compile_schema(schema).check({"next": {"next": {}}}).details == ()


def test_branches_that_combine_in_too_many_ways_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twenty types that refer to one another can apply to a value in 2**20 combinations: an error,
    and no endless compilation.
    """
    monkeypatch.setattr(compiling, "_MOST_PLANS", 1_000)  # it takes as long as there are ways
    types = {
        f"t{number}": {"properties": {key: {"$ref": f"#/$defs/t{number + 1}"} for key in "ab"}}
        for number in range(20)
    }
    both = {
        "allOf": [
            {"properties": {key: {"$ref": "#"} for key in "ab"}},
            {"properties": {"a": {"$ref": "#/$defs/t0"}}},
        ]
    }
    with pytest.raises(SchemaError, match="its branches combine in more than 1,000 ways"):
        compile_schema({**both, "$defs": {**types, "t20": {"type": "integer"}}})


def test_a_schema_that_is_no_object_is_refused() -> None:
    """A list is no schema."""
    schema: Any = [1]
    with pytest.raises(SchemaError, match="a schema must be an object, true or false"):
        compile_schema(schema)


def test_later_changes_of_the_schema_have_no_effect() -> None:
    """What was compiled is a copy."""
    schema: dict[str, Any] = {"properties": {"a": {"type": "string", "default": []}}}
    compiled = compile_schema(schema)
    schema["properties"]["a"]["type"] = "integer"
    assert [detail.message for detail in compiled.judge({"a": 1})] == [
        "must be a string, not a number"
    ]


def test_importing_the_package_imports_no_engine() -> None:
    """A cold command that judges nothing pays for neither the engine nor Decimal."""
    code = (
        "import sys; before = set(sys.modules); import jackfield.schema; new = set(sys.modules) - "
        "before;"
        "assert not {name.partition('.')[0] for name in new} & {'jsonschema_rs', 'jsonschema', "
        "'referencing', 'pydantic', 'decimal'}, new"
    )
    root = jackfield.schema.__path__[0].rpartition("/jackfield/")[0]
    assert (
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONPATH": root}, check=False
        ).returncode
        == 0
    )


def test_what_is_exported_is_what_is_promised() -> None:
    """``__all__`` names the public things and nothing else."""
    assert set(jackfield.schema.__all__) == {
        "CheckedValue",
        "CompiledSchema",
        "SchemaError",
        "compile_schema",
    }
    assert all(hasattr(jackfield.schema, name) for name in jackfield.schema.__all__)


def test_one_compiled_schema_serves_many_threads() -> None:
    """Eight threads judging good and bad values at once get the answers that one thread gets."""
    schema = {"properties": {"n": {"type": "integer", "maximum": 50}, "to": {"format": "mailbox"}}}
    compiled: CompiledSchema = compile_schema(schema)
    values = [
        {"n": str(number), "to": "ada" if number % 2 else "ada@x.io"} for number in range(100)
    ]
    alone = [compiled.check(value) for value in values]
    with ThreadPoolExecutor(8) as pool:
        together: list[CheckedValue] = [
            checked
            for checks in pool.map(lambda _: [compiled.check(value) for value in values], range(8))
            for checked in checks
        ]
    assert together == alone * 8
