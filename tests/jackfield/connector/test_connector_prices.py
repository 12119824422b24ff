"""What providers answer has a price that is known before it is parsed, and calls share the memory
for it.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackfield.connector import (
    Call,
    Sent,
    TimedOut,
    TooCostly,
    Unavailable,
    bounded_answer,
    check_price,
    whole_answer,
)
from jackfield.connector.context import entered
from jackfield.connector.room import ANSWERS, OBJECT, RESERVED, VALUE, Room, Share
from jackfield.kernel.clock import Deadline, SystemClock
from jackfield.kernel.price import (
    MAX_ANSWER_VALUES,
    JsonMeter,
    Meter,
    RawMeter,
    XmlMeter,
    check_cbor,
    check_json,
    check_xml,
    meter_for,
    text_size,
)

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab\\"[]{},:é\x00', max_size=8),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text('a\\"[,', max_size=4), inner, max_size=5)
    ),
    max_leaves=40,
)
MIB = 1024 * 1024


def _count(value: Any) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_count, parts))


def _containers(value: Any) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, dict | list) + sum(map(_containers, parts))


def _refuses(meter: Meter, pieces: list[bytes]) -> bool:
    try:
        for piece in pieces:
            meter.feed(piece)
    except TooCostly:
        return True
    return False


def _pieces(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


@given(_JSON, st.booleans(), st.integers(1, 40))
@settings(max_examples=300, deadline=None)
def test_json_is_counted_wherever_it_is_cut(value: Any, ascii_only: bool, size: int) -> None:
    """The count of JSON is that of its values, with an empty container as two at most; how it
    arrives in pieces changes nothing.
    """
    content = json.dumps(value, ensure_ascii=ascii_only).encode()
    most = _count(value) + _containers(value)
    assert not _refuses(JsonMeter(most), _pieces(content, size))
    assert not _refuses(JsonMeter(most), [content])
    if _count(value) > 1:
        few = (_count(value) - 2) // 2
        assert _refuses(JsonMeter(few), _pieces(content, size)) == _refuses(
            JsonMeter(few), [content]
        )
        assert _refuses(JsonMeter(max(0, _count(value) - _strings(value) - 2)), [content])


def _strings(value: Any) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, str) + sum(map(_strings, parts))


@pytest.mark.parametrize(
    "text",
    ["[" * 50, '"' + "\\" * 999, "\\\\" * 40, '"\\', '\\"' * 9, "," * 40],
)
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_string_that_is_cut_stays_one(text: str, size: int) -> None:
    """Marks within a string count nothing, wherever an escape or the string is cut."""
    content = json.dumps([text, "x"]).encode()
    assert not _refuses(JsonMeter(3), _pieces(content, size))


def test_many_values_are_refused_in_every_form() -> None:
    """JSON, XML and CBOR with too many values are refused, and as many bytes of text are not."""
    most, text = 1000, b"x" * 10_000
    for check, many, fine in (
        (check_json, b"[" + b"[]," * 2000 + b"1]", b'["' + text + b'"]'),
        (check_json, b"[" + b"1," * 2000 + b"1]", b'["' + b"," * 5000 + b'"]'),
        (check_json, b'{"a":1,' * 1100, b'["' + b'\\"[' * 3000 + b'"]'),
        (
            check_json,
            ("[" + "[]," * 2000 + "1]").encode("utf-16"),
            json.dumps([1] * 400).encode("utf-16"),
        ),
        (
            check_json,
            ('["\u2200",' + "[]," * 2000 + "1]").encode("utf-16"),
            ('["\u2200"' + "]").encode("utf-16"),
        ),
        (check_xml, b"<r>" + b"<x/>" * 2100 + b"</r>", b"<r>" + text + b"</r>"),
        (check_xml, b"<r>" + b"<x>1</x>" * 1100 + b"</r>", b"<r>" + b"=" * 5000 + b"</r>"),
        (check_xml, b"<r " + b"a='1' " * 1100 + b"/>", b"<r>" + b"<x>a=b=c=d</x>" * 900 + b"</r>"),
        (
            check_xml,
            ("<r>" + "<x/>" * 2100 + "</r>").encode("utf-16"),
            ("<r>" + "x" * 5000 + "</r>").encode("utf-16"),
        ),
        (check_cbor, b"\x99\x07\xd0" + b"\x80" * 2000, b"\x59\x27\x10" + text),
        (check_cbor, b"\x9f" * 1001, b"\x81\x79\x27\x10" + text),
        (check_cbor, b"\xbf" + b"\x61a\xa0" * 600, b"\x5b" + (10_000).to_bytes(8) + text),
    ):
        with pytest.raises(TooCostly, match="1,000 values"):
            check(many, most)
        check(fine, most)


@pytest.mark.parametrize("head", ['<!DOCTYPE r [<!ENTITY a "<x/><x/>">]>', "<!--a--><!DOCTYPE r>"])
@pytest.mark.parametrize("coding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_xml_with_a_document_type_is_refused(head: str, coding: str) -> None:
    """Entities stand for more than they are: 8 MiB of elements may come out of 300 bytes."""
    with pytest.raises(TooCostly, match="document type"):
        check_xml(f"{head}<r>&a;</r>".encode(coding))


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/problem+json; charset=utf-8",
        "text/xml",
        "application/vnd.amazon.eventstream",
    ],
)
@pytest.mark.parametrize("times", [1, 2, 4])
def test_an_answer_is_refused_while_it_is_read_however_long_it_is(kind: str, times: int) -> None:
    """Of 8, 16 or 32 MB of values, no more is read than the limit has, and no more memory is
    taken.
    """
    piece = b"<x/>" * 16384 if "xml" in kind else b"[]," * 21845
    read = 0

    def chunks() -> Iterator[bytes]:
        nonlocal read
        for _ in range(times * 8 * MIB // len(piece)):
            read += len(piece)
            yield piece

    tracemalloc.start()
    try:
        with pytest.raises(Unavailable, match="more than 1,000,000 values") as raised:
            whole_answer(chunks(), media_type=kind)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert read <= 9 * MIB
    assert peak < 24 * MIB
    assert (raised.value.sent, raised.value.retryable, raised.value.repeatable) == (
        Sent.UNKNOWN,
        False,
        False,
    )


def test_what_is_not_parsed_is_not_counted() -> None:
    """Text and files are bounded by their bytes alone, and small answers by nothing else."""
    assert meter_for("text/plain") is meter_for("image/png") is meter_for("") is None
    assert isinstance(meter_for("application/xml"), XmlMeter)
    assert isinstance(meter_for("application/vnd.amazon.eventstream"), RawMeter)
    content = b"[" * (3 * MIB)
    assert whole_answer([content[:MIB], content[MIB:]]) == content
    check_price(b"[" * RESERVED)


@pytest.fixture(name="collected")
def _collected() -> None:
    """Begin with what earlier tests have left in reference cycles returned: the budget is the
    process's.
    """
    gc.collect()


def test_one_workspace_leaves_room_for_the_next() -> None:
    """One that takes all it can gets half, of two each gets a third; what is released is there for
    others.
    """
    room, mib = Room(120 * MIB), MIB

    def fill(workspace: str) -> int:
        count = 0
        while room.takes(workspace, mib):
            count += 1
        return count

    assert fill("a") == 60
    assert fill("b") == 30
    assert room.takes("c", mib)
    room.release("c", mib)
    room.release("a", 60 * mib)
    assert fill("b") == 30
    room.release("b", 60 * mib)
    assert room.used == 0


@pytest.mark.usefixtures("collected")
def test_a_call_without_room_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its first request is refused and may be repeated; once it has begun, later requests are never
    refused for room.
    """
    monkeypatch.setattr(ANSWERS, "size", ANSWERS.used + RESERVED - 1)
    call = Call(Deadline.after(5, SystemClock()), workspace="full")
    with pytest.raises(Unavailable) as raised:
        call.begin()
    assert (raised.value.sent, raised.value.retryable, call.begun, call.requests) == (
        Sent.NOTHING,
        True,
        False,
        0,
    )
    monkeypatch.setattr(ANSWERS, "size", ANSWERS.used + 2 * RESERVED)
    call.begin()
    monkeypatch.setattr(ANSWERS, "size", 0)
    call.begin()
    assert call.requests == 2


@pytest.mark.usefixtures("collected")
def test_an_answer_without_room_is_refused_truthfully(monkeypatch: pytest.MonkeyPatch) -> None:
    """It arrived, so that a write is in doubt; a read may be repeated when there is room. What was
    held is released.
    """
    before = ANSWERS.used
    monkeypatch.setattr(ANSWERS, "size", before + 2 * MIB)
    call = Call(Deadline.after(5, SystemClock()), workspace="grows")
    with entered(call):
        call.begin()
        assert len(whole_answer([b"x" * MIB])) == MIB
        held = ANSWERS.used
        assert held > before + MIB // 2
        call.begin()
        assert ANSWERS.used == before + RESERVED, (
            "an earlier response of the call is no longer counted"
        )
        with pytest.raises(Unavailable, match="does not fit") as raised:
            whole_answer([b"x" * MIB, b"x" * MIB])
    assert (raised.value.sent, raised.value.retryable) == (Sent.UNKNOWN, True)
    del call, raised
    assert ANSWERS.used == before


@pytest.mark.usefixtures("collected")
@pytest.mark.parametrize("times", [1, 2, 4])
def test_memory_grows_with_the_answer_and_so_does_its_part(times: int) -> None:
    """Held whole, an answer of n, 2n, 4n bytes takes as much memory and little more, and that is
    what its call reserves.
    """
    size, call, before = (
        times * 2 * MIB,
        Call(Deadline.after(5, SystemClock()), workspace="n"),
        ANSWERS.used,
    )
    tracemalloc.start()
    try:
        with entered(call):
            call.begin()
            whole_answer(
                (bytes(65536) for _ in range(size // 65536)), media_type="application/json"
            )
            peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * size + 4 * MIB
    assert size <= ANSWERS.used - before <= size + MIB


@pytest.mark.usefixtures("collected")
def test_values_are_reserved_before_they_are_parsed() -> None:
    """100,000 values of JSON take 6.4 MB of the budget besides their bytes."""
    call, before = Call(Deadline.after(5, SystemClock()), workspace="values"), ANSWERS.used
    with entered(call):
        check_price(b"[" + b"1," * 99_999 + b"1]")
    assert ANSWERS.used - before >= 6_400_000
    call.room().release()
    assert ANSWERS.used == before


@pytest.mark.usefixtures("collected")
@pytest.mark.parametrize(
    ("text", "width"),
    [("a" * MIB, 1), ("\u00e9" * MIB, 2), ("\u4e2d" * MIB, 6), ("a" * MIB + "\U0001f600", 4)],
)
def test_a_text_is_reserved_as_wide_as_it_is_decoded(text: str, width: int) -> None:
    """One character beyond a width makes a text of 1 MiB take two or four bytes for each of the
    others.
    """
    call, before, content = (
        Call(Deadline.after(5, SystemClock()), workspace="wide"),
        ANSWERS.used,
        text.encode(),
    )
    assert sys.getsizeof(text) <= text_size(content) + 100
    with entered(call):
        check_price(content, "text")
    assert width * MIB <= ANSWERS.used - before <= width * MIB + MIB


@pytest.mark.usefixtures("collected")
def test_objects_are_reserved_for_what_they_take() -> None:
    """An object takes more than a number: 100,000 of them take 19 MB besides what is in them."""
    call, before = Call(Deadline.after(5, SystemClock()), workspace="objects"), ANSWERS.used
    with entered(call):
        check_price(b"[" + b'{"a":1},' * 100_000 + b"1]")
    assert ANSWERS.used - before >= 100_000 * (OBJECT + 2 * VALUE)


def test_what_nobody_waits_for_is_not_parsed() -> None:
    """After the deadline, the work ends with the wait: a response that came late is not parsed."""
    call = Call(Deadline.after(0, SystemClock()))
    with entered(call), pytest.raises(TimedOut):
        check_price(b"[" + b"1," * 100_000 + b"1]")


def test_the_budget_is_exact_under_threads() -> None:
    """Hundreds of calls in several threads end with nothing reserved."""
    room = Room(16 * MIB)

    def work(workspace: str) -> None:
        for _ in range(200):
            share = Share(workspace, room)
            try:
                share.admit()
                share.add(MIB)
            except Unavailable:
                pass
            share.release()

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert room.used == 0


def test_a_forked_process_has_a_budget_of_its_own() -> None:
    """What the parent's calls hold is not held in the child, and their ends there leave nothing
    reserved.
    """
    room = Room(MIB)
    inherited, own = Share("a", room), Share("a", room)
    inherited.admit()
    room._leave_to_parent()
    assert room.used == 0
    own.admit()
    own.add(MIB // 4)
    inherited.release()
    own.release()
    assert room.used == 0


def test_bounded_chunks_are_passed_on_as_they_came() -> None:
    """Judging an answer changes nothing in it."""
    pieces = [b"[1,", b"2", b"]" + b" " * (2 * MIB)]
    assert list(bounded_answer(pieces, media_type="application/json")) == pieces
    assert MAX_ANSWER_VALUES == 1_000_000
