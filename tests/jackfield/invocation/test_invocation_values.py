"""How many values JSON text may hold: each costs memory and time, however short it is."""

from __future__ import annotations

import json
import time
import tracemalloc

import pytest

from growth import calls
from jackfield.invocation import MAX_VALUES, check_values, decode
from jackfield.invocation.wire import MAX_BUFFERED
from jackfield.kernel.errors import InvalidInvocation

MANY = MAX_VALUES + 2


@pytest.mark.parametrize(
    "given",
    [
        "[" + "[]," * MANY + "[]]",
        b"[" + b"0," * MANY + b"0]",
        '{"a":[' + '"\\"",' * MANY + '""]}',
        b'[{"a":"[,"},' + b"1," * MANY + b"1]",
    ],
    ids=["lists", "numbers", "texts", "objects"],
)
def test_more_values_than_the_limit_are_refused_unparsed(given: str | bytes) -> None:
    """Text and bytes alike, in a fraction of the memory that the values would take."""
    tracemalloc.start()
    with pytest.raises(InvalidInvocation, match="more than 250,000 values"):
        decode(given)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * len(given) + 2**20


def test_i23_counting_many_short_strings_takes_no_step_for_each() -> None:
    """A body of 1 MiB of one-letter strings was counted one string at a time, which took 0.26 s,
    over MCP in the event loop.
    """
    few, many = (b'["a"' + b',"a"' * count + b"]" for count in (10_000, 240_000))
    assert calls(lambda: check_values(many)) < calls(lambda: check_values(few)) + 500


def test_what_stands_in_strings_is_no_value() -> None:
    """A text of commas, brackets and escaped quotes is one value."""
    text = ',[{\\"' * MAX_VALUES
    assert len(decode(f'{{"text": "{text}"}}')["text"]) == 4 * MAX_VALUES


def test_a_buffer_counts_as_one_value() -> None:
    """Node.js writes a file as one number for each octet: an ordinary PDF has more of them than an
    invocation may have values.
    """
    octets = [number % 256 for number in range(300_000)]
    for file in ({"type": "Buffer", "data": octets}, {"data": octets, "type": "Buffer"}):
        found = decode(json.dumps({"file": file, "files": [file], "rest": [1, 2]}))
        assert found["file"]["data"] == found["files"][0]["data"] == octets
    for text in (
        "[" + "0," * MAX_BUFFERED + "0]",
        "[" + "256.5," * MANY + "0]",
        "[" + "[]," * MANY + "[]]",
    ):
        for members in (f'"type": "Buffer", "data": {text}', f'"data": {text}, "type": "Buffer"'):
            with pytest.raises(InvalidInvocation, match="more than 250,000 values"):
                decode(f'{{"file": {{{members}}}}}')
    with pytest.raises(InvalidInvocation, match="more than 250,000 values"):
        decode(f'{{"text": "\\"Buffer\\", \\"data\\": [1]", "data": [{"0," * MANY}0]}}')
    with pytest.raises(InvalidInvocation, match="more than 250,000 values"):
        decode(f'{{"data": [{"0," * MANY}0], "type": "Bufferer"}}')


@pytest.mark.parametrize(
    "text",
    [
        '\\"' * 2_000_000 + "," * MANY,
        '"' * 4_000_000 + "," * MANY,
        '["' + "\\" * 3_000_001 + "," * MANY,
    ],
)
def test_counting_takes_linear_time(text: str) -> None:
    """Quotes and backslashes that never end make nothing look back."""
    started = time.process_time()
    with pytest.raises(InvalidInvocation):
        decode(text)
    assert time.process_time() - started < 5
