"""Whatever Python hands in, the answer is Details, never an exception."""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import enum
import functools
import resource
import sys
import time
from collections import OrderedDict, UserDict
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import strategies as st

from drawing import drawn
from forking import alone
from jackfield.kernel.errors import Detail
from jackfield.schema import CheckedValue, compile_schema
from uncollected import uncollected

LONE = "contains a character that is not valid Unicode (a lone surrogate)"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "a": {
            "type": "string",
            "format": "mailbox",
            "x-jackfield": {"trim": True, "blank": "absent", "fromConnection": "a"},
        },
        "b": {
            "anyOf": [
                {"type": "integer"},
                {"type": "array", "items": {"$ref": "#"}, "uniqueItems": True},
                {"$ref": "#"},
            ]
        },
        "c": {"enum": [1, "x", None], "default": 1},
        "d": {"type": "number", "multipleOf": 0.01, "maximum": 1e308},
        "e": {
            "oneOf": [{"contains": {"pattern": "^x"}}, {"propertyNames": {"format": "email"}}],
            "writeOnly": True,
        },
    },
    "patternProperties": {"^x": {"type": "boolean"}},
    "unevaluatedProperties": False,
    "dependentRequired": {"a": ["b"]},
}


class Text(str):
    """A string with opinions of its own."""

    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError


class Colour(enum.StrEnum):
    """A member of an enumeration is a string."""

    RED = "red"


class Number(enum.IntEnum):
    """A member of an enumeration is a number."""

    ONE = 1


class Broken(Mapping[str, Any]):
    """A mapping that cannot be read."""

    def __getitem__(self, name: str) -> Any:
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError

    def __len__(self) -> int:
        return 1


class Liar:
    """An object that says it is something else, or raises when asked."""

    @property  # type: ignore[misc]  # that is the point
    def __class__(self) -> Any:
        raise RuntimeError


class Half(float):
    """A float of another class."""


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        ({"v": "a\ud800"}, "/v", LONE),
        ({"v": ["é", "\udfff"]}, "/v/1", LONE),
        ({"v": {"k\ud800": 1}}, "/v/k\ufffd", LONE),
        ({"v": float("nan")}, "/v", "must be JSON: NaN and Infinity are not numbers of JSON"),
        ({"v": [float("-inf")]}, "/v/0", "must be JSON: NaN and Infinity are not numbers of JSON"),
        (
            {"v": b"x"},
            "/v",
            'must be JSON: bytes are not; decode text, or give a file as {"data": base64}',
        ),
        ({"v": {1}}, "/v", "must be JSON: a set is not; give an array"),
        ({"v": {1: 2}}, "/v", "must be JSON: the names of members are strings"),
        (
            {"v": dt.date(2026, 1, 31)},
            "/v",
            (
                "must be JSON: a date is taken where the schema names the format 'date'; give "
                "text here"
            ),
        ),
        (
            {"v": decimal.Decimal("sNaN")},
            "/v",
            "must be JSON: NaN and Infinity are not numbers of JSON",
        ),
        ({"v": Broken()}, "/v", "must be JSON: a Python object of type 'Broken' is not"),
        ({"v": Liar()}, "/v", "must be JSON: a Python object of type 'Liar' is not"),
        ({"v": 10**309}, "/v", "must be JSON: a number of more than 308 digits is not read"),
        (
            {"v": type("T" * 99, (), {})()},
            "/v",
            f"must be JSON: a Python object of type '{'T' * 80}' is not",
        ),
    ],
    ids=lambda item: ascii(type(item))[:20],
)
def test_what_is_not_json_is_told_at_its_place(value: Any, path: str, message: str) -> None:
    """Lone surrogates, NaN, bytes and other objects are a Detail each, in ``check`` and ``judge``
    alike.
    """
    compiled = compile_schema({})
    assert compiled.judge(value) == (Detail(path, message),)
    assert compiled.check(value).details == (Detail(path, message),)


def test_the_rest_is_judged_in_the_same_go() -> None:
    """What is not JSON hides no other fault, and is not reported twice."""
    schema = {
        "properties": {"a": {"type": "string", "pattern": "^x"}, "b": {"type": "integer"}},
        "required": ["c"],
    }
    assert set(compile_schema(schema).check({"a": b"", "b": "x"}).details) == {
        Detail(
            "/a", 'must be JSON: bytes are not; decode text, or give a file as {"data": base64}'
        ),
        Detail("/b", "must be a whole number, not a string", "type"),
        Detail("/c", "'c' is missing", "required"),
    }


@pytest.mark.parametrize(
    "rule",
    [
        {"uniqueItems": True},
        {"contains": {"type": "integer"}},
        {"not": {"items": {"type": "null"}}},
        {"anyOf": [{"contains": {"const": 1}}, {"contains": {"const": 2}}]},
    ],
)
def test_no_fault_follows_from_what_is_not_json(rule: Any) -> None:
    """What holds something that is no JSON is not called wrong on top of it."""
    compiled = compile_schema({"properties": {"v": rule}})
    assert [detail.path for detail in compiled.judge({"v": [b"a", b"b"]})] == ["/v/0", "/v/1"]


def test_subclasses_of_json_types_are_what_they_extend() -> None:
    """Enumeration members, ordered dictionaries, tuples and other mappings are read as plain
    JSON.
    """
    value = OrderedDict(
        a=Colour.RED, b=Number.ONE, c=(1, Text("x")), d=UserDict({Text("k"): Half(1.5)}), e=10**30
    )
    checked = compile_schema({}).check(value)
    assert checked == CheckedValue(
        {"a": "red", "b": 1, "c": [1, "x"], "d": {"k": 1.5}, "e": 10**30}, ()
    )
    assert [type(item) for item in checked.value.values()] == [str, int, list, dict, int]
    assert type(checked.value["c"][1]) is str


def test_the_depth_is_limited() -> None:
    """A hundred levels are judged, more are refused, and a value that holds itself is seen."""
    compiled = compile_schema(
        {
            "$ref": "#/$defs/T",
            "$defs": {"T": {"type": ["array", "object"], "items": {"$ref": "#/$defs/T"}}},
        }
    )
    value: Any = []
    for _ in range(99):
        value = [value]
    assert compiled.judge(value) == ()
    assert compiled.judge([value]) == (Detail("/0" * 100, "is nested deeper than 100 levels"),)
    deep: Any = {}
    for _ in range(20_000):
        deep = {"a": deep}
    assert compiled.judge(deep) == (Detail("/a" * 100, "is nested deeper than 100 levels"),)
    loop: Any = []
    loop += [loop, loop]
    assert [detail.message for detail in compiled.judge(loop)] == [
        "must be JSON: a value cannot hold itself"
    ] * 2


@pytest.mark.parametrize("step", [35, pytest.param(10, marks=pytest.mark.campaign)])
def test_a_stack_that_is_nearly_full_gives_a_detail(step: int) -> None:
    """Where Python's stack ends while explaining, that is said; no RecursionError leaves."""
    item = {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/T"}}, {"type": "null"}]}
    compiled = compile_schema(
        {
            "items": {"$ref": "#/$defs/T"},
            "additionalProperties": {"$ref": "#/$defs/T"},
            "$defs": {"T": item},
        }
    )
    value: Any = [1]
    for _ in range(97):
        value = [value]
    assert compiled.judge(value) == (
        Detail("/0" * 98, "must be an array or null, not a number", "anyOf"),
    )

    def fall(depth: int) -> tuple[tuple[Detail, ...], tuple[Detail, ...]]:
        return (
            (compiled.judge(value), compiled.check({"v": value}).details)
            if not depth
            else fall(depth - 1)
        )

    answers: set[tuple[Detail, ...]] = set()
    with uncollected(), contextlib.suppress(RecursionError):  # of the fall itself, in the end
        for depth in range(sys.getrecursionlimit() - 700, sys.getrecursionlimit(), step):
            answers.update(fall(depth))
    assert (Detail("", "is nested too deeply to be judged"),) in answers
    assert {detail.message for (detail,) in answers} == {
        "is nested too deeply to be judged",
        "must be an array or null, not a number",
    }


def test_nested_branches_cost_no_more_than_their_number() -> None:
    """Branches in branches are worked out once each: a deep value with a fault at its bottom is
    explained at once.
    """
    schema = {
        "$ref": "#/$defs/T",
        "$defs": {
            "T": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"$ref": "#/$defs/T"}}]}
        },
    }
    value: Any = [1]
    for _ in range(30):
        value = [value]
    started = time.process_time()
    details = compile_schema(schema).judge(value)
    assert details == (Detail("/0" * 31, "must be a string or an array, not a number", "anyOf"),)
    assert time.process_time() - started < 5


@pytest.mark.parametrize("text", ["x" * 2_000_000, "é" * 2_000_000, "a@b.io, " * 250_000])
def test_megabytes_are_judged_in_time_and_not_quoted(text: str) -> None:
    """Megabytes that break every rule take no more than seconds, and no message holds a part of
    them.
    """
    rules = {
        "maxLength": 5,
        "pattern": "^z",
        "enum": ["z"],
        "const": "z",
        "format": "mailbox",
        "not": {"type": "string"},
        "minLength": 10**8,
    }
    compiled = compile_schema({"properties": {"v": rules, "n": {"type": "integer"}}})
    started = time.process_time()
    details = compiled.check({"v": text, "n": text}).details
    assert time.process_time() - started < 10
    assert len(details) == 7  # nothing about the pattern: the text is too long
    assert all(len(detail.message) < 100 for detail in details)


def test_a_name_of_megabytes_is_cut() -> None:
    """A member whose name is a whole document is refused by the first characters of it."""
    compiled = compile_schema({"properties": {"a": True}, "additionalProperties": False})
    (detail,) = compiled.judge({"n" * 9_000_000: 1})
    assert (detail.path, detail.message) == (f"/{'n' * 80}…", f"'{'n' * 80}…' is not an input")


@pytest.mark.parametrize("many", [20_000, pytest.param(100_000, marks=pytest.mark.campaign)])
def test_very_many_faults_are_told_in_linear_time(many: int) -> None:
    """Of very many items that are not JSON and as many wrong ones, a hundred are told, the former
    counted.
    """
    started = time.process_time()
    details = compile_schema({"items": {"type": "object"}}).judge([b"", 1] * many)
    assert time.process_time() - started < 20
    assert details[100:] == (Detail("", f"and {many - 50} more faults"),)
    assert len(compile_schema({}).judge([b""] * 1000)) == 101


MORE = Detail("", "may have more faults: in a value of this size only the first is looked for")
MANY = Detail("", "may have more faults: in a value of this size only the first 99 are looked for")
DEEP = {
    "anyOf": [{"properties": {"a": {"$ref": "#/$defs/deep"}}, "required": ["b"]}, {"type": "null"}]
}
BOUNDED: list[tuple[str, str, str, tuple[Detail | None, ...]]] = [
    (
        "100,000 faults",
        "{'items': {'format': 'mailbox'}}",
        "['ada'] * 100_000",
        (None,) * 99 + (MANY,),
    ),
    (
        "60 MiB",
        "{'properties': {'data': {'maxLength': 9}}, 'required': ['a', 'b']}",
        "{'data': 'x' * (60 << 20)}",
        (Detail("/data", "must be at most 9 characters long, not 62914560", "maxLength"), MORE),
    ),
    (
        "1 MiB of a name above 1,000 faults",
        "{'additionalProperties': {'items': {'type': 'string'}}}",
        "{'n' * (1 << 20): [1] * 1000}",
        (None, Detail("", "is not what the schema describes; it is too large to be told where"))[
            1:
        ],
    ),
    (
        "many parts",
        "{'items': {'required': ['x', 'y']}}",
        "[{'q': 1}] * 100_000",
        (Detail("/0/x", "'x' is missing", "required"), *(None,) * 98, MANY),
    ),
    (
        "many names",
        "{'propertyNames': {'maxLength': 1}}",
        "{f'n{number}': 1 for number in range(300_000)}",
        (None, MORE),
    ),
    (
        "30 MiB for each missing name",
        "{'required': [f'r{number}' for number in range(50)]}",
        "{'a': 'x' * (30 << 20)}",
        (Detail("/r0", "'r0' is missing", "required"), MORE),
    ),
    (
        "30 MiB at each of 90 levels",
        f"{{'$ref': '#/$defs/deep', '$defs': {{'deep': {DEEP}}}}}",
        "functools.reduce(lambda inner, _: {'a': inner}, range(90), 'x' * (30 << 20))",
        (Detail("", "is not what the schema describes; it is too large to be told where"),),
    ),
]


def _judged(schema: str, value: str) -> list[Any]:
    """Judge a value: the CPU time, the memory in MiB, and the Details."""
    about = {"functools": functools}
    compiled, given = compile_schema(eval(schema, about)), eval(value, about)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    details = compiled.judge(given)
    spent, after = time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return [
        spent,
        (after - before) >> 10,
        [[detail.path, detail.message, detail.keyword] for detail in details],
    ]


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [case[1:] for case in BOUNDED],
    ids=[case[0] for case in BOUNDED],
)
def test_a_refusal_takes_bounded_memory_and_time(
    schema: str, value: str, expected: tuple[Detail | None, ...]
) -> None:
    """The engine copies values into its errors. Faults that are many, or in a large value, take at
    most 512 MiB, and omissions are told.
    """
    spent, mebibytes, told = alone(_judged, schema, value)
    assert len(told) == len(expected)
    assert [
        (Detail(*one), wanted)
        for one, wanted in zip(told, expected, strict=True)
        if wanted not in (None, Detail(*one))
    ] == []
    assert mebibytes < 512
    assert spent < 20


def test_very_many_bad_names_are_told_in_linear_time() -> None:
    """The engine copies an object into each of its errors; very many bad names make one error and
    not as many copies.
    """
    compiled = compile_schema({"propertyNames": {"pattern": "^a"}})
    started = time.process_time()
    details = compiled.judge({f"b{number}": 1 for number in range(2_000)})
    assert time.process_time() - started < 20
    assert details[0] == Detail(
        "/b0",
        "has a name that is not allowed: 'b0' does not match the pattern '^a'",
        "propertyNames",
    )
    assert details[100:] == (Detail("", "and 1900 more faults"),)
    assert compiled.judge({f"b{number}": 1 for number in range(50_000)}) == (details[0], MORE)


def test_many_same_items_are_compared_in_linear_time() -> None:
    """Twenty thousand objects are told apart without comparing each with each."""
    compiled = compile_schema({"uniqueItems": True})
    started = time.process_time()
    assert compiled.judge([{"n": number} for number in range(20_000)]) == ()
    assert len(compiled.judge([*({"n": number} for number in range(20_000)), {"n": 7.0}])) == 2
    assert time.process_time() - started < 20


ODD: dict[str, Any] = {
    "text": Text("odd text"),
    "colour": Colour.RED,
    "number": Number.ONE,
    "broken": Broken(),
    "liar": Liar(),
    "object": object(),
    "function": print,
    "class": Liar,
    "surrogate": "\ud800",
    "complex": 1j,
    "half": Half("nan"),
    "huge": 10**4500,
}


def real(drawn: Any) -> Any:
    """The drawn value with each ``odd:`` name replaced by an object that hypothesis could neither
    look at nor print.
    """
    if isinstance(drawn, str):
        return ODD.get(drawn.removeprefix("odd:"), drawn) if drawn.startswith("odd:") else drawn
    if isinstance(drawn, dict):
        return {real(name): real(item) for name, item in drawn.items()}
    return type(drawn)(map(real, drawn)) if isinstance(drawn, list | tuple) else drawn


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.binary(max_size=3)
    | st.sampled_from([f"odd:{name}" for name in sorted(ODD)])
)
KEYS = (
    st.sampled_from(["a", "b", "c", "d", "e", "x1", "\udfff", "é", "odd:text"])
    | st.text(max_size=3)
    | st.integers()
    | st.none()
    | st.just(Colour.RED)
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=5)
        | st.tuples(inner, inner)
        | st.frozensets(st.integers())
    ),
    max_leaves=15,
)
COMPILED = compile_schema(SCHEMA)


@drawn(ANYTHING | st.dictionaries(KEYS, ANYTHING, max_size=6), ANYTHING, few=75, many=1500)
def test_no_python_value_makes_an_exception(value: Any, default: Any) -> None:
    """Any object at all is answered by Details that are valid Unicode."""
    value, default = real(value), real(default)
    for detail in (*COMPILED.judge(value), *COMPILED.check(value, defaults={"a": default}).details):
        assert detail.path.encode() or detail.path == ""
        assert detail.message.encode()
