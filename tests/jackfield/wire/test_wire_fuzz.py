"""Responses that nobody has thought of: made of true ones by chance, read by the wire and by
h11.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.jackfield.wire.wire_stage import FIN, READ, Stage, ask, judge, staged, unframed

from jackfield.connector import Target, Wire, WireSettings

STARTS = [
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 404 Not Found",
    b"HTTP/1.0 200 OK",
    b"HTTP/1.1 204 No",
    b"HTTP/1.1 304 No",
    b"HTTP/1.1 103 H",
]
LINES = [
    b"Content-Length: 5",
    b"Content-Length: 0",
    b"Transfer-Encoding: chunked",
    b"Connection: close",
    b"Connection: keep-alive",
    b"A: b",
    b"Set-Cookie: a=b; c",
    b" folded",
    b"Date: x",
]
BODIES = [
    b"hello",
    b"",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"2;a\r\nhe\r\n3\r\nllo\r\n0\r\nB: c\r\n\r\n",
    b"0\r\n\r\n",
]
SPLINTERS = [
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b"0",
    b"5",
    b"1",
    b"-",
    b"+",
    b"_",
    b"\x00",
    b"\x0b",
    b"\x1f",
    b"\x7f",
    b"\x85",
    b"\xa0",
    b"\xff",
    b"chunked",
    b"Content-Length: 6\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"close",
    b"x" * 5_000,
]


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """A response, with up to four places in it changed."""
    parts = draw(
        st.lists(
            st.tuples(st.sampled_from(STARTS), st.lists(st.sampled_from(LINES), max_size=4)),
            min_size=1,
            max_size=2,
        )
    )
    said = b"".join(b"\r\n".join([start, *lines]) + b"\r\n\r\n" for start, lines in parts) + draw(
        st.sampled_from(BODIES)
    )
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(said)))
        removed = draw(st.sampled_from([0, 0, 1, 2, 9]))
        said = said[:at] + draw(st.sampled_from([b"", *SPLINTERS])) + said[at + removed :]
    return said


METHODS = st.sampled_from(["GET", "HEAD", "POST"])


@given(said=responses(), method=METHODS)
def test_the_wire_sees_no_response_that_h11_does_not(said: bytes, method: str) -> None:
    """What the wire takes for a response is one to h11, with the same status, fields and body. The
    wire may refuse more: what it refuses on purpose is in the tables.
    """
    compare(said, method)


@pytest.mark.campaign
@given(said=responses(), method=METHODS)
@settings(max_examples=20_000, deadline=None)
def test_the_wire_sees_no_response_that_h11_does_not_for_long(said: bytes, method: str) -> None:
    """The same, a hundred times as often."""
    compare(said, method)


def compare(said: bytes, method: str) -> None:
    """Let both read a response."""
    with staged(Stage((READ, said, FIN))) as stage:
        body = b"order" if method == "POST" else None
        found = ask(
            Wire(WireSettings()),
            Target("http", "127.0.0.1", stage.port),
            b"/",
            method=method,
            body=body,
        )
    assert found.begins == 1
    if found.verdict[0].isdigit():
        judged = judge(method, said, ends=True)
        assert (found.verdict, unframed(found.fields)) == (judged.verdict, unframed(judged.fields))
    else:
        assert found.verdict in {"garbled unknown", "cut unknown"}
