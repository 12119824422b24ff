"""Heads of responses as hostile, broken and careless servers write them: what the wire takes them
for, and what h11 does.
"""

from __future__ import annotations

import pytest
from tests.jackfield.wire.wire_stage import READ, Case, differences, faults

BODY = b"Content-Length: 5\r\n\r\nhello"
OK = b"HTTP/1.1 200 OK\r\n"
VERSION = "it is not HTTP/1 (RFC 9112 §2.3); h11 reads any digits"


def line(text: bytes, verdict: str = "garbled unknown", **options: object) -> Case:
    """A response with that status line."""
    return Case(f"status line {text!r}", text + b"\r\n" + BODY, verdict, **options)  # type: ignore[arg-type]


def fields(text: bytes, verdict: str = "garbled unknown", **options: object) -> Case:
    """A response with these lines in its header."""
    return Case(f"fields {text[:60]!r}", OK + text + b"\r\n" + BODY, verdict, **options)  # type: ignore[arg-type]


STATUS_LINES = [
    line(b"HTTP/1.1 200 OK", "200 hello"),
    line(b"HTTP/1.1 200 ", "200 hello"),
    line(b"HTTP/1.1 200", "200 hello"),
    line(b"HTTP/1.1 200 All\tis well", "200 hello"),
    line(b"HTTP/1.1 200 caf\xe9 \xc3\xa9", "200 hello"),
    line(b"HTTP/1.1 200 " + b"x" * 8_000, "200 hello"),
    line(b"HTTP/1.1 299 Odd", "299 hello"),
    line(b"HTTP/1.1 599 Odd", "599 hello"),
    line(b"HTTP/1.1 600 Odd", "600 hello"),
    line(b"HTTP/1.1 999 LinkedIn", "999 hello"),
    line(b"HTTP/1.0 200 OK", "200 hello", reused=False),
    line(b"HTTP/1.2 200 OK", h11="200 hello", why=VERSION),
    line(b"HTTP/0.9 200 OK", h11="200 hello", why=VERSION),
    line(b"HTTP/2.0 200 OK", h11="200 hello", why=VERSION),
    line(b"HTTP/2 200"),
    line(b"HTTP/3.7 200 OK", h11="200 hello", why=VERSION),
    line(b"HTTP/1.10 200 OK"),
    line(b"HTTP/11 200 OK"),
    line(b"HTTP/1. 200 OK"),
    line(b"HTTP/1 200 OK"),
    line(b"http/1.1 200 OK"),
    line(b"HTTPS/1.1 200 OK"),
    line(b"HTTP /1.1 200 OK"),
    line(b"HTTP/1.1  200 OK"),
    line(b"HTTP/1.1\t200 OK"),
    line(b"HTTP/1.1\xa0200 OK"),
    line(b"HTTP/1.1 200OK"),
    line(b"HTTP/1.1 200\tOK"),
    line(b"HTTP/1.1 20 OK"),
    line(b"HTTP/1.1 2000 OK"),
    line(b"HTTP/1.1 000 OK"),
    line(b"HTTP/1.1 099 OK"),
    line(b"HTTP/1.1 +20 OK"),
    line(b"HTTP/1.1 -200 OK"),
    line(b"HTTP/1.1 2_0 OK"),
    line(b"HTTP/1.1 2OO OK"),
    line(b"HTTP/1.1 \xd9\xa2\xd9\xa0\xd9\xa0 OK"),
    line(b"HTTP/1.1"),
    line(b"HTTP/1.1 "),
    line(b" HTTP/1.1 200 OK"),
    line(b"\xef\xbb\xbfHTTP/1.1 200 OK"),
    line(b"\r\nHTTP/1.1 200 OK"),
    line(b"\nHTTP/1.1 200 OK"),
    line(b"HTTP/1.1 200 O\x00K"),
    line(b"HTTP/1.1 200 O\x01K", "200 hello"),
    line(b"HTTP/1.1 200 O\rK"),
    line(b"HTTP/1.1 200 " + b"x" * 70_000),
    Case("a bare LF after each line", b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "200 hello"),
    Case("bare LF and CR LF mixed", b"HTTP/1.1 200 OK\nContent-Length: 5\r\n\nhello", "200 hello"),
    Case(
        "bare CR after each line",
        b"HTTP/1.1 200 OK\rContent-Length: 5\r\rhello",
        "garbled unknown | cut unknown",
        ends=True,
    ),
    Case("an HTML page", b"<html>\n\n<body>Welcome</body></html>", "garbled unknown"),
    Case("an answer of HTTP/0.9", b"Welcome", "garbled unknown | cut unknown", ends=True),
    Case("a request", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "garbled unknown"),
    Case(
        "an alert of TLS",
        b"\x15\x03\x03\x00\x02\x02\x28",
        "garbled unknown | cut unknown",
        ends=True,
    ),
    Case(
        "a greeting of SSH", b"SSH-2.0-OpenSSH_9.2\r\n", "garbled unknown | cut unknown", ends=True
    ),
    Case("a greeting of SMTP", b"220 mail ESMTP\r\n\r\n", "garbled unknown"),
    Case(
        "a frame of HTTP/2",
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80",
        "garbled unknown | cut unknown",
        ends=True,
    ),
    Case("empty lines without end", (READ, *[b"\r\n" * 1_000] * 40), "garbled unknown"),
    Case("zeros", b"\x00" * 70_000, "garbled unknown"),
]

FIELDS = [
    fields(b"A: b", "200 hello"),
    fields(b"A:b", "200 hello"),
    fields(b"A:", "200 hello"),
    fields(b"A:   ", "200 hello"),
    fields(b"A:\tb\t \t", "200 hello"),
    fields(b"A: b  c\td", "200 hello"),
    fields(b"A: caf\xe9 \xc3\xa9", "200 hello"),
    fields(b"A: \xff", "200 hello"),
    fields(b"!#$%&'*+-.^_`|~09Az: b", "200 hello"),
    fields(b"Set-Cookie: a\r\nSet-Cookie: b\r\nSet-Cookie: a", "200 hello"),
    fields(b"A: :b", "200 hello"),
    fields(b"A: " + b"x" * 60_000, "200 hello"),
    fields(b"A: b\r\n c", "200 hello"),
    fields(b"A: b\r\n\t \tc\r\n d", "200 hello"),
    fields(b"A: b\r\n ", "200 hello"),
    fields(b" A: b"),
    fields(b"\tA: b"),
    fields(b"A : b"),
    fields(b"A\t: b"),
    fields(b": b"),
    fields(b" : b"),
    fields(b"A"),
    fields(b"A b: c"),
    fields(b"A(b): c"),
    fields(b"A/b: c"),
    fields(b"A@: c"),
    fields(b'"A": c'),
    fields(b"\xc3\x84: c"),
    fields(b"A\x00: c"),
    fields(b"A\x7f: c"),
    fields(b"A: b\x00c"),
    fields(b"A: b\rc"),
    fields(b"A: b\r\r\nB: c"),
    fields(b"A: b\x0bc"),
    fields(b"A: b\x0cc"),
    fields(b"A: b\x1cc", "200 hello"),
    fields(b"A: b\x01c", "200 hello"),
    fields(b"A: b\x08c", "200 hello"),
    fields(b"A: b\x7fc", "200 hello"),
    fields(b"A: b\nB : c"),
    fields(b"HTTP/1.1 200 OK"),
    fields(b"A: " + b"x" * 70_000),
    fields(b"\r\n".join(b"A: b" for _ in range(5_000)), "200 hello"),
    fields(b"\r\n".join(b"A-%d: b" % number for number in range(10_000))),
    fields(b"\r\n".join(b"A: b\r\n c" for _ in range(10_000))),
    fields(b"A: b\r\n" + b" \r\n" * 30_000 + b"B: c"),
]


@pytest.mark.parametrize("drip", [False, True], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("cases", [STATUS_LINES, FIELDS], ids=["status lines", "fields"])
def test_what_a_head_is_taken_for(cases: list[Case], drip: bool) -> None:
    """Each head is taken for what it is, however it arrives: a response, or a fault after which
    nobody knows what the server did.
    """
    assert faults(cases, drip=drip) == ""


@pytest.mark.parametrize("cases", [STATUS_LINES, FIELDS], ids=["status lines", "fields"])
def test_h11_says_the_same_of_heads(cases: list[Case]) -> None:
    """h11 takes each head for the same; where it does not, the table has its verdict and a reason
    for ours.
    """
    assert differences(cases) == ""
