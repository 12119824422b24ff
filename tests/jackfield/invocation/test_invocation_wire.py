"""JSON text in: what is read, what is refused, and in which words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield.invocation import MAX_BYTES, MAX_DEPTH, check_depth, decode
from jackfield.kernel.errors import InvalidInvocation


def refused(text: str | bytes | bytearray) -> str:
    """The message with which a text is refused; it is always a refusal with the contract's code,
    and tells no Python.
    """
    with pytest.raises(InvalidInvocation) as caught:
        decode(text)
    message = caught.value.message
    assert caught.value.code == "invalid_invocation"
    assert not any(
        word in message
        for word in ("Traceback", "utf-8-sig", "parse_", "Exceeds the limit", "codec")
    )
    return message


def nested(depth: int) -> str:
    """Arrays in arrays: ``depth`` levels of them."""
    return "[" * depth + "]" * depth


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.booleans())
def test_what_is_json_is_read_as_it_is(value: Any, as_ascii: bool) -> None:
    """Every JSON value comes back from text, from bytes and from a bytearray."""
    text = json.dumps(value, ensure_ascii=as_ascii)
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return
    assert decode(text) == value
    assert decode(text.encode()) == value
    assert decode(bytearray(text.encode())) == value


@given(st.text() | st.binary())
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    """Whatever the text is, the answer is a value or a refusal, never another exception."""
    said = None
    try:
        decode(text)
    except InvalidInvocation as error:
        said = error.message
    assert said is None or said.startswith("the invocation ")


@pytest.mark.parametrize(
    "make",
    [str, str.encode, lambda text: bytearray(text.encode())],
    ids=["str", "bytes", "bytearray"],
)
def test_a_byte_order_mark_is_no_part_of_the_text(make: Any) -> None:
    """One byte order mark in front is passed over, as RFC 8259 §8.1 allows."""
    assert decode(make('\ufeff{"a": 1}')) == {"a": 1}


def test_a_text_may_be_as_large_as_the_limit() -> None:
    """Exactly the limit is read; one byte more is refused, with the limit in the message and what
    to do in the hint.
    """
    whole = b'"' + b"a" * (MAX_BYTES - 2) + b'"'
    assert len(decode(whole)) == MAX_BYTES - 2
    with pytest.raises(InvalidInvocation, match="larger than 67,108,864 bytes") as caught:
        decode(whole + b" ")
    assert caught.value.hint


def test_the_limit_counts_bytes_and_not_characters() -> None:
    """A text of fewer characters than the limit that takes more bytes is refused like the bytes
    are.
    """
    assert "larger than" in refused('"' + "é" * (MAX_BYTES // 2) + '"')


def test_depth_ends_at_100() -> None:
    """A hundred levels are read; 101 and a million are refused with the same sentence."""
    assert decode(nested(MAX_DEPTH)) is not None
    message = refused(nested(MAX_DEPTH + 1))
    assert message == "the invocation is nested deeper than 100 levels"
    assert refused(nested(1_000_000)) == message
    assert refused('{"a":' * 101 + "1" + "}" * 101) == message


def test_depth_is_judged_in_python_objects_too() -> None:
    """What is given as objects is held to the same depth, also where an object holds itself."""
    deep: Any = "end"
    for _ in range(MAX_DEPTH):
        deep = [deep]
    check_depth({"a": 1, "b": [1, {"c": "d"}]})
    check_depth(deep)
    with pytest.raises(InvalidInvocation, match="deeper than 100"):
        check_depth({"a": deep})
    circle: dict[str, Any] = {}
    circle["again"] = [circle]
    with pytest.raises(InvalidInvocation, match="deeper than 100"):
        check_depth(circle)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "the member 'a' occurs twice in one object"),
        ('[{"x": {"deep": 1, "deep": 1}}]', "the member 'deep' occurs twice"),
        (f'{{"{"k" * 500}": 1, "{"k" * 500}": 2}}', f"'{'k' * 80}' occurs twice"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ('{"a": Infinity}', "Infinity is not a JSON number"),
        ('{"a": -Infinity}', "-Infinity is not a JSON number"),
        ("", "it is empty"),
        ('{"a": 1,\n "b" 2}', "expected ':' delimiter at line 2, column 6"),
        ('{"a": "b', "unterminated string starting at line 1, column 7"),
        ("{'a': 1}", "expected property name enclosed in double quotes at line 1, column 2"),
        ('{"a": 01}', "is not JSON"),
        ('{"a": 1} {"b": 2}', "is not JSON: Extra data at line 1, column 10"),
    ],
)
def test_what_is_not_json_is_told_with_its_place(text: str, words: str) -> None:
    """Members twice in one object, numbers that are none, and broken syntax are refused in plain
    words, with line and column.
    """
    assert words in refused(text)
    assert words in refused(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1,]",
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        b'{"a": "\xff"}',
        "9" * 5000,
        "[" * 101 + "]" * 101,
        "[" * 100_000,
    ],
)
def test_every_unreadable_invocation_says_what_to_do(text: str | bytes) -> None:
    """Whatever keeps an invocation from being read, its refusal has a hint."""
    with pytest.raises(InvalidInvocation) as caught:
        decode(text)
    assert caught.value.hint


@pytest.mark.parametrize("text", ["1" * 5000, f'{{"a": [-{"9" * 5000}]}}'])
def test_a_number_has_fewer_than_5000_digits(text: str) -> None:
    """An integer of 5,000 digits is refused; converting it would take the time of an attack."""
    assert refused(text) == "the invocation contains a number with too many digits"


@pytest.mark.parametrize(
    ("text", "place"), [(b'{"a": "\xff"}', 7), (b"\xfe\xff\x00{", 0), (b'"abc\xc3', 4)]
)
def test_bytes_are_utf8(text: bytes, place: int) -> None:
    """Bytes that are not UTF-8 are refused with the place of the first one that is not."""
    assert refused(text) == f"the invocation is not UTF-8 text (byte {place})"
