"""What ``check`` does to a value before it is judged."""

from __future__ import annotations

from copy import deepcopy
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import strategies as st

from drawing import drawn
from jackfield.kernel.errors import Detail
from jackfield.schema import CheckedValue, compile_schema

REGION = {
    "type": "string",
    "pattern": "^[a-z-]+1$",
    "x-jackfield": {"trim": True, "lowercase": True, "fromConnection": "region"},
}
ADDRESSES = {
    "anyOf": [
        {"type": "array", "items": {"type": "string", "x-jackfield": {"trim": True}}},
        {"type": "string", "x-jackfield": {"trim": True}},
    ],
    "x-jackfield": {"blank": "absent"},
}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(["", " ", "1", " true ", "x", "1.5", "É"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "list", "object", "flag"]), inner, max_size=4)
    ),
    max_leaves=12,
)


def prepared(member: Any, value: Any, **rest: Any) -> Any:
    """The member ``v`` after a check that found nothing wrong; "absent" where it is not there."""
    checked = compile_schema({"properties": {"v": member}, **rest}).check({"v": value})
    assert checked.details == ()
    return checked.value.get("v", "absent")


def test_texts_are_trimmed_and_lowered_where_the_schema_says_so() -> None:
    """``trim`` takes blanks off both ends, ``lowercase`` lowers; without them a string stays as it
    is.
    """
    schema = {
        "properties": {
            "region": REGION,
            "name": {"type": "string"},
            "code": {"type": "string", "x-jackfield": {"lowercase": True}},
        }
    }
    value = {"region": " EU-West-1\n", "name": " Ada ", "code": " X "}
    assert compile_schema(schema).check(value) == CheckedValue(
        {"region": "eu-west-1", "name": " Ada ", "code": " x "}, ()
    )


@pytest.mark.parametrize("blank", ["", "  ", None, [], {}])
def test_blanks_count_as_absent_where_the_schema_says_so(blank: Any) -> None:
    """An empty string (after trimming), null, an empty array or object is dropped, and then missing
    like any other.
    """
    member = {"x-jackfield": {"blank": "absent", "trim": True}}
    assert prepared(member, blank) == "absent"
    assert compile_schema({"properties": {"v": member}, "required": ["v"]}).check(
        {"v": blank}
    ).details == (Detail("/v", "'v' is missing", "required"),)


@pytest.mark.parametrize("value", [0, 0.0, False, " ", [None], "x"])
def test_other_falsy_values_are_kept(value: Any) -> None:
    """Zero, false and a blank that nobody trims are values."""
    assert prepared({"x-jackfield": {"blank": "absent"}}, value) is value


def test_the_last_member_may_be_dropped() -> None:
    """An object of nothing but blanks becomes an empty object."""
    assert compile_schema({"properties": {"v": {"x-jackfield": {"blank": "absent"}}}}).check(
        {"v": ""}
    ) == CheckedValue({}, ())


def test_a_blank_member_takes_its_default() -> None:
    """What counts as absent is filled in like what is absent."""
    assert prepared({"default": 5, "x-jackfield": {"blank": "absent"}}, "") == 5


@pytest.mark.parametrize(
    ("member", "value", "expected"),
    [
        ({"type": "boolean"}, "TRUE", True),
        ({"type": "integer"}, "12", 12),
        ({"type": "number"}, " 1.5 ", 1.5),
        ({"type": ["integer", "null"]}, "7", 7),
        ({"anyOf": [{"type": "integer", "maximum": 9}, {"type": "null"}]}, "7", 7),
        ({"enum": [1, 2]}, "2", 2),
        ({"const": True}, "true", True),
        ({"type": "array", "items": {"type": "integer"}}, ["1", 2, "3"], [1, 2, 3]),
        (
            {"prefixItems": [{"type": "integer"}], "items": {"type": "boolean"}},
            ["1", "true"],
            [1, True],
        ),
        (
            {"type": "object", "properties": {"a": {"type": "boolean"}}},
            {"a": "false"},
            {"a": False},
        ),
        ({"additionalProperties": {"type": "integer"}}, {"x": "1"}, {"x": 1}),
        (
            {"patternProperties": {"^n": {"type": "integer"}}},
            {"n1": "1", "m": "1"},
            {"n1": 1, "m": "1"},
        ),
        (
            {"properties": {"a": True}, "additionalProperties": {"type": "integer"}},
            {"a": "1", "b": "1"},
            {"a": "1", "b": 1},
        ),
        (
            {"properties": {"n": {"minimum": 1}}, "patternProperties": {"n": {"type": "integer"}}},
            {"n": "2"},
            {"n": 2},
        ),
        ({"allOf": [{"type": "number"}, {"minimum": 1}]}, "2", 2),
        ({"$ref": "#/$defs/Count"}, "3", 3),
        ({"type": ["integer", "string"]}, "3", "3"),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "3", "3"),
        ({}, "3", "3"),
        ({"type": "string"}, "3", "3"),
        ({"enum": ["1", 1]}, "1", "1"),
    ],
)
def test_strings_are_read_where_the_schema_takes_no_string(
    member: Any, value: Any, expected: Any
) -> None:
    """Forms send strings: they are read as booleans and numbers, nested ones too, but never where a
    string is allowed.
    """
    result = prepared(member, value, **{"$defs": {"Count": {"type": "integer"}}})
    assert (result, str(result)) == (expected, str(expected))


def test_numbers_never_become_strings() -> None:
    """The other way round nothing is read."""
    checked = compile_schema({"properties": {"v": {"type": "string"}}}).check({"v": 12})
    assert checked == CheckedValue(
        {"v": 12}, (Detail("/v", "must be a string, not a number", "type"),)
    )


def test_the_branch_for_the_type_of_the_value_is_followed() -> None:
    """One string or an array of them: each is prepared by its own branch."""
    assert prepared(ADDRESSES, " a ") == "a"
    assert prepared(ADDRESSES, [" a ", "b"]) == ["a", "b"]
    assert prepared(ADDRESSES, "  ") == "absent"


def test_branches_for_the_same_type_are_left_alone() -> None:
    """Where two branches could have been meant nothing is prepared."""
    branch = {"type": "object", "properties": {"a": {"default": 1}}}
    assert prepared({"oneOf": [{**branch, "required": ["x"]}, branch]}, {}) == {}


def test_missing_members_come_from_the_connection() -> None:
    """A missing member takes the connection's value of that name, prepared like one that was given;
    a given one stays.
    """
    compiled = compile_schema(
        {
            "properties": {
                "awsRegion": REGION,
                "sender": {"x-jackfield": {"fromConnection": "sender"}},
            }
        }
    )
    assert compiled.check({}, defaults={"region": " EU-WEST-1 "}) == CheckedValue(
        {"awsRegion": "eu-west-1"}, ()
    )
    assert compiled.check({"awsRegion": "us-1"}, defaults={"region": "eu-1"}).value == {
        "awsRegion": "us-1"
    }
    assert compiled.check({}).value == {}
    assert compiled.check({}, defaults={"sender": None, "region": "\ud800"}).value == {}


def test_only_members_at_the_top_come_from_the_connection() -> None:
    """``fromConnection`` below the top level fills nothing."""
    compiled = compile_schema({"properties": {"o": {"properties": {"awsRegion": REGION}}}})
    assert compiled.check({"o": {}}, defaults={"region": "eu-west-1"}).value == {"o": {}}


def test_the_connection_comes_before_the_default() -> None:
    """The schema's default is the last resort, also where the connection's value is blank."""
    compiled = compile_schema(
        {
            "properties": {
                "v": {"default": "d", "x-jackfield": {"fromConnection": "v", "blank": "absent"}}
            }
        }
    )
    assert compiled.check({}, defaults={"v": "c"}).value == {"v": "c"}
    assert compiled.check({}, defaults={"v": ""}).value == {"v": "d"}


def test_defaults_are_filled_in_and_judged() -> None:
    """A missing member takes its default, which is judged like a given value; nested objects
    too.
    """
    schema = {
        "properties": {
            "n": {"default": 5, "maximum": 3},
            "o": {"properties": {"x": {"$ref": "#/$defs/X"}}},
        },
        "$defs": {"X": {"default": None}},
    }
    checked = compile_schema(schema).check({"o": {}})
    assert checked == CheckedValue(
        {"o": {"x": None}, "n": 5}, (Detail("/n", "must be at most 3, not 5", "maximum"),)
    )


def test_a_default_is_never_shared() -> None:
    """Two checks give two arrays: changing one changes neither the other nor the schema."""
    compiled = compile_schema({"properties": {"v": {"default": [{}]}}})
    compiled.check({}).value["v"].append(1)
    assert compiled.check({}).value == {"v": [{}]}


def test_recursive_schemas_are_prepared_at_any_depth() -> None:
    """A schema that refers to itself is followed as deep as the value goes."""
    schema = {"properties": {"n": {"type": "integer"}, "next": {"$ref": "#"}}}
    assert compile_schema(schema).check({"next": {"next": {"n": "1"}}}).value == {
        "next": {"next": {"n": 1}}
    }


def test_what_does_not_change_is_not_copied() -> None:
    """A long string is the very object that was given, and so is an object in which nothing
    changes.
    """
    text, inner = "x" * 1_000_000, {"n": 1}
    schema = {
        "properties": {
            "t": {"type": "string", "x-jackfield": {"trim": True, "lowercase": True}},
            "o": {"properties": {"n": {"type": "integer"}}},
        }
    }
    value = {"t": text, "o": inner}
    checked = compile_schema(schema).check(value)
    assert checked.value is value
    assert checked.value["t"] is text
    assert checked.value["o"] is inner


def test_any_mapping_may_be_checked() -> None:
    """A read-only view is a mapping too; tuples in it become arrays."""
    compiled = compile_schema(
        {"properties": {"v": {"type": "array", "items": {"type": "integer"}}}}
    )
    assert compiled.check(MappingProxyType({"v": ("1", 2)})) == CheckedValue({"v": [1, 2]}, ())


def test_anything_else_is_told_to_be_an_object() -> None:
    """An array where the inputs should be is refused, whatever the schema allows."""
    value: Any = [1]
    assert compile_schema({}).check(value) == CheckedValue(
        {}, (Detail("", "must be an object, not an array", "type"),)
    )


def test_judging_prepares_nothing() -> None:
    """An output is judged as it is: no string is read, no default filled in."""
    compiled = compile_schema(
        {"properties": {"n": {"type": "integer"}, "r": {"default": 1}}, "required": ["r"]}
    )
    assert {detail.path for detail in compiled.judge({"n": "1"})} == {"/n", "/r"}


@drawn(
    st.dictionaries(st.sampled_from(["a", "b", "list", "object", "flag", "to"]), JSON, max_size=6),
    few=60,
    many=400,
)
def test_the_callers_objects_are_never_written_to(value: Any) -> None:
    """Whatever is given, it is the same after the check; and preparing what has been prepared
    changes nothing.
    """
    inner: dict[str, Any] = {
        "type": ["object", "integer"],
        "properties": {"a": {"default": {}}, "flag": {"type": "boolean"}, "object": {"$ref": "#"}},
    }
    schema: dict[str, Any] = {
        "type": ["object", "null"],
        "properties": {
            "a": {"type": "integer", "default": 3},
            "b": {
                "type": "string",
                "x-jackfield": {"trim": True, "lowercase": True, "blank": "absent"},
            },
            "list": {"items": {"type": ["number", "array"], "items": {"type": "boolean"}}},
            "object": inner,
            "to": ADDRESSES,
        },
        "additionalProperties": {"type": ["boolean", "null"], "x-jackfield": {"blank": "absent"}},
    }
    before, compiled = deepcopy(value), compile_schema(schema)
    checked = compiled.check(value)
    assert value == before
    assert compiled.check(checked.value) == checked
